/** A process that is killed while it puts, twenty times: what is there is always whole, and little is sent twice. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { errnoOf } from '../../src/base/errors.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { LocalCopy } from '../../src/target/target.ts'
import { aCopy, copyOf, never, sha256Of } from './contract.ts'
import { aDirectory, type DirectoryFixture } from './directory-fixture.ts'

const MiB = 2 ** 20
const killsMin = 20
const smallCount = 200
/** A session is saved every 64 MiB; the step in which that becomes true may add 4 MiB. */
const sentAgainBytesMax = 68 * MiB

const built = new URL('../../dist/', import.meta.url).href
/** Puts small copies and a large one, keeps the session in a file as a journal would, and tells how far the large one is. */
const child = `
  import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
  import { directoryTarget } from '${built}target/directory/directory.js'
  import { systemClock } from '${built}base/clock.js'
  import { silentLog } from '${built}base/log.js'
  const { root, mark, large, smalls, sessionFile } = JSON.parse(process.env.PUTS, (key, value) =>
    /(Ns|inode)$/.test(key) ? BigInt(value) : key === 'bytes' ? Uint8Array.from(Object.values(value)) : value)
  const never = new AbortController().signal
  const save = async (session) => {
    const fd = openSync(sessionFile + '.new', 'w')
    writeSync(fd, JSON.stringify(session ?? null))
    fsyncSync(fd)
    closeSync(fd)
    renameSync(sessionFile + '.new', sessionFile)
  }
  const session = JSON.parse(readFileSync(sessionFile, 'utf8')) ?? undefined
  const work = { session, save, allow: async () => {}, previous: undefined, progress: (bytes) => writeSync(1, bytes + '\\n') }
  const target = directoryTarget({ name: 'nas', root, log: silentLog, clock: systemClock })
  await target.open(mark, never)
  writeSync(1, 'opened\\n')
  await Promise.all([
    target.put(large, 'large', work, never),
    ...smalls.map((small, n) => target.put(small, 'd' + (n % 5) + '/' + n, { ...work, session: undefined, progress() {} }, never)),
  ])
  await target.close()
  writeSync(1, 'done\\n')
`

let fixture: DirectoryFixture
let source: string

beforeEach(async () => {
  fixture = await aDirectory()
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await fixture.end()
  await rm(source, { recursive: true })
})

interface Puts {
  readonly root: string
  readonly mark: string
  readonly large: LocalCopy
  readonly smalls: readonly LocalCopy[]
  readonly sessionFile: string
  readonly childFile: string
}

/** Where to kill: after so many lines of the child, so that a slow machine is hit at the same places, and a little later. */
interface Kill {
  readonly afterLines: number
  readonly delayMs: number
}

/** Lines the child wrote until it ended or was killed. */
async function putKilled(puts: Puts, kill: Kill | undefined): Promise<string[]> {
  const text = JSON.stringify(puts, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  const running = spawn(process.execPath, [puts.childFile], {
    env: { ...process.env, PUTS: text },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: running.stdout })) {
    lines.push(line)
    if (lines.length === kill?.afterLines) systemClock.after(kill.delayMs, () => running.kill('SIGKILL'))
  }
  return lines
}

/** An object that is there is exactly its copy. */
function isWhole(path: string, copy: LocalCopy): boolean {
  try {
    return sha256Of(readFileSync(join(fixture.root, path))) === copy.sha256
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return true
    throw thrown
  }
}

test('F61, F83: kill -9 at any moment leaves whole objects, costs one session step, and leaves nothing behind', async () => {
  const seed = 20_261_120
  const random = seededRandom(seed)
  const bytes = Buffer.alloc(200 * MiB)
  for (let n = 0; n < bytes.length; n += 4096) bytes.writeDoubleLE(random(), n)
  await writeFile(join(source, 'large'), bytes)
  const smalls = await Promise.all(
    Array.from({ length: smallCount }, (_, n) => aCopy(source, `small ${n}`, { name: `small-${n}` })),
  )
  const { mark } = await fixture.target.open(undefined, never)
  await fixture.target.close()
  const large = await copyOf(join(source, 'large'), bytes, true)
  const files = { sessionFile: join(source, 'session'), childFile: join(source, 'child.mjs') }
  const puts: Puts = { root: fixture.root, mark, large, smalls, ...files }
  await writeFile(puts.childFile, child)
  await writeFile(puts.sessionFile, 'null')

  let kills = 0
  let reachedBytes = 0
  let resumedCount = 0
  while (kills < killsMin) {
    const lines = await putKilled(puts, { afterLines: 1 + Math.floor(random() * 40), delayMs: random() * 20 })
    const offsets = lines.map(Number).filter((offset) => !Number.isNaN(offset))
    expect(reachedBytes - (offsets[0] ?? reachedBytes), `seed ${seed}, kill ${kills}`).toBeLessThanOrEqual(
      sentAgainBytesMax,
    )
    if ((offsets[0] ?? 0) > 0) resumedCount++
    expect(lines[0], `seed ${seed}, kill ${kills}`).toBe('opened')
    reachedBytes = Math.max(offsets.at(-1) ?? reachedBytes, 0)
    expect(isWhole('large', large), `seed ${seed}, kill ${kills}`).toBe(true)
    for (const [n, small] of smalls.entries()) {
      expect(isWhole(`d${n % 5}/${n}`, small), `seed ${seed}, kill ${kills}, small ${n}`).toBe(true)
    }
    if (lines.includes('done')) {
      // It was through before it was killed: begin again with an empty target.
      await rm(join(fixture.root, 'large'))
      for (const n of [0, 1, 2, 3, 4]) await rm(join(fixture.root, `d${n}`), { recursive: true })
      reachedBytes = 0
    } else kills++
  }
  const last = await putKilled(puts, undefined)

  expect(resumedCount).toBeGreaterThan(0)
  expect(last.at(-1)).toBe('done')
  expect(await fixture.names()).toEqual(['d0', 'd1', 'd2', 'd3', 'd4', 'large'])
  expect(sha256Of(await readFile(join(fixture.root, 'large')))).toBe(large.sha256)
  for (const [n, small] of smalls.entries()) {
    expect((await fixture.held(`d${n % 5}/${n}`))?.equals(small.bytes ?? Buffer.alloc(0)), `small ${n}`).toBe(true)
  }
  expect(await readFile(puts.sessionFile, 'utf8')).toBe('null')
}, 120_000)
