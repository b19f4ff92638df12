import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { treeOf } from '../tree.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The package as npm would unpack it, so that its quickstart folder is the test's own. */
function aPackage(): string {
  const folder = aFolder()
  for (const part of ['dist', 'config', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

test('quickstart archives its sample to four targets, says where to drop a file, takes one, and Ctrl-C ends it with 0', async () => {
  const folder = aPackage()
  const child = spawn(process.execPath, [join(folder, 'dist/main.js'), 'quickstart'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const copies = join(folder, 'quickstart/copies')
  const until = async (isThere: () => boolean): Promise<void> => {
    const deadline = performance.now() + 20_000
    while (!isThere()) {
      if (performance.now() > deadline || child.exitCode !== null) throw new Error(`not so in time: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  await until(() => said.includes('drop a file here: '))
  const inbox = join(folder, 'quickstart/inbox')
  const sample = treeOf(inbox)
  // A copy has its name once it is whole; what is under way beside them comes and goes.
  await until(() => [...sample.keys()].every((path) => existsSync(join(copies, 'everything', path))))
  writeFileSync(join(inbox, 'dropped.txt'), 'dropped')
  await until(() => existsSync(join(copies, 'small-files/dropped.txt')))
  const closed = once(child, 'close')
  child.kill('SIGINT')
  await closed

  expect(child.exitCode, said).toBe(0)
  expect(treeOf(join(copies, 'everything'))).toEqual(treeOf(inbox))
  expect([...sample.keys()].some((path) => /[^\u0020-\u007e]/.test(path))).toBe(true)
  const sizes = [...sample.keys()].map((path) => statSync(join(inbox, path)).size)
  expect(Math.min(...sizes)).toBe(0)
  expect(Math.max(...sizes)).toBe(64 * 2 ** 20)
  expect(readdirSync(copies).sort()).toEqual(['everything', 'pictures', 'slow-lane', 'small-files'])
}, 60_000)

test('a second quickstart reuses what is there', async () => {
  const folder = aPackage()
  mkdirSync(join(folder, 'quickstart/inbox'), { recursive: true })
  writeFileSync(join(folder, 'quickstart/inbox/mine.txt'), 'mine')
  const child = spawn(process.execPath, [join(folder, 'dist/main.js'), 'quickstart'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const mine = join(folder, 'quickstart/copies/everything/mine.txt')
  const deadline = performance.now() + 20_000
  while (!existsSync(mine) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 25))
  const closed = once(child, 'close')
  child.kill('SIGINT')
  await closed

  expect(child.exitCode).toBe(0)
  expect(existsSync(mine)).toBe(true)
}, 60_000)
