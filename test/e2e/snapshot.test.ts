/** F21, F23: a file that is written over and over, as a database or a disk image is: copies come all the same, and each is of one moment. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { aBench, fanfold, startDaemon } from './rig.ts'

const bytes = 4 * 2 ** 20

/** Writes the whole file in place, each time with another letter, in eight parts; then it rests for too short a time to count. */
const writer = `
  const fs = require('node:fs')
  const fd = fs.openSync('image', 'w')
  let round = 0
  const write = () => {
    const part = Buffer.alloc(${bytes / 8}, 97 + (round++ % 26))
    for (let n = 0; n < 8; n++) fs.writeSync(fd, part, 0, part.length, n * part.length)
    setTimeout(write, 1_000)
  }
  write()`

test('F21, F23: with snapshots, a file that never rests is copied again and again, and no copy is torn', async () => {
  const bench = aBench({ nas: '' }, 'settle: 2s\nmax-unsettled: 2s\nunsettled: snapshot')
  await startDaemon(bench)
  const child = spawn(process.execPath, ['-e', writer], { cwd: bench.inbox, stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  const seen = new Set<string>()

  const why = await vi.waitUntil(
    async () => {
      const told = (await fanfold(bench, 'why', 'image')).stdout
      return told.includes('changing for') ? told : undefined
    },
    { timeout: 10_000 },
  )
  await vi.waitUntil(
    () => {
      const copy = contentOf(join(bench.copies('nas'), 'image'))
      if (copy !== undefined) seen.add(lettersOf(copy))
      return seen.size >= 2
    },
    { timeout: 30_000, interval: 5 },
  )

  expect(why).toMatch(/changing for .*, or as it is every/)
  expect([...seen].filter((letters) => letters.length !== 1)).toEqual([])
}, 60_000)

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    // Not there yet.
    return undefined
  }
}

/** Each letter once; a torn copy has two. */
function lettersOf(content: Buffer): string {
  const ofParts = new Set<string>()
  for (let at = 0; at < content.length; at += 4_096) ofParts.add(content.toString('latin1', at, at + 1))
  return content.length === bytes ? [...ofParts].join('') : `only ${content.length} bytes`
}
