/** Files brought back by the built program, from each kind of target. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dropHostileFiles, treeBytesOf } from './hostile-tree.ts'
import { backAfterTotalLoss, kinds } from './restoring.ts'
import { aBench, fanfold, isAtRest, program, startDaemon, type Bench } from './rig.ts'

/** Each name in each folder once; the system tests bring back thousands. */
const filesEach = 120

test.each(Object.entries(kinds))(
  '%s: after the loss of source and state every file is back, and is sent nowhere again',
  async (_name, kind) => {
    await backAfterTotalLoss(kind, filesEach, 60_000)
  },
  120_000,
)

async function archived(files: number): Promise<Bench> {
  const bench = aBench({ nas: '', other: '' })
  dropHostileFiles(bench.inbox, files)
  writeFileSync(join(bench.inbox, 'large'), randomBytes(24 * 2 ** 20))
  const run = await fanfold(bench, 'run', '--until-idle')
  expect(run.code, run.stderr).toBe(0)
  return bench
}

test.each([
  ['without a daemon', false],
  ['with a running daemon', true],
])(
  'killed in the middle %s, only whole files have names, and a second run brings the rest',
  async (_title, isRunning) => {
    const bench = await archived(400)
    if (isRunning) await (await startDaemon(bench)).until(isAtRest)
    const back = join(bench.folder, 'back')
    const child = spawn(process.execPath, [program, 'restore', 'nas', '--to', back, '--config', bench.config])
    const ended = once(child, 'close')
    await expect.poll(() => countIn(join(back, '0')), { timeout: 20_000, interval: 1 }).toBeGreaterThan(10)
    child.kill('SIGKILL')
    await ended
    const whole = treeBytesOf(bench.inbox, 1n)
    const half = [...treeBytesOf(back, 1n)].filter(([path]) => !path.includes('.fanfold-restore-'))

    const second = await fanfold(bench, 'restore', 'nas', '--to', back, '--json')

    expect(half.filter(([path, facts]) => whole.get(path) !== facts)).toEqual([])
    expect(second.code, second.stdout + second.stderr).toBe(0)
    expect(JSON.parse(second.stdout)).toMatchObject({ alreadyThere: half.length, restored: 401 - half.length })
    expect(treeBytesOf(back, 1n)).toEqual(whole)
  },
  60_000,
)

test('best: what one target lost comes from the other, with a daemon that has one of them paused', async () => {
  const bench = await archived(40)
  rmSync(bench.copies('nas'), { recursive: true })
  mkdirSync(bench.copies('nas'))
  await startDaemon(bench)
  await fanfold(bench, 'pause', 'other')
  const back = join(bench.folder, 'back')

  const ended = await fanfold(bench, 'restore', 'best', '--to', back, '--json')

  expect(ended.code, ended.stdout + ended.stderr).toBe(0)
  expect(JSON.parse(ended.stdout)).toMatchObject({ restored: 41, failed: 0 })
  expect(treeBytesOf(back, 1n)).toEqual(treeBytesOf(bench.inbox, 1n))
}, 60_000)

test('one file, a glob, a dry run, a file that is gone, and a question that makes no sense', async () => {
  const bench = aBench({ nas: '' })
  for (const name of ['a[1].txt', 'b.pdf', 'gone.pdf']) writeFileSync(join(bench.inbox, name), name)
  await fanfold(bench, 'run', '--until-idle')
  rmSync(join(bench.inbox, 'gone.pdf'))
  await fanfold(bench, 'run', '--until-idle')
  const to = (name: string): string => join(bench.folder, name)

  const dry = await fanfold(bench, 'restore', 'nas', '--to', to('dry'), '--dry-run', '--json')
  const one = await fanfold(bench, 'restore', 'nas', join(bench.inbox, 'a[1].txt'), '--to', to('one'))
  const glob = await fanfold(bench, 'restore', 'nas', '*.pdf', '--removed', '--to', to('glob'))
  const none = await fanfold(bench, 'restore', 'nas', '*.doc', '--to', to('none'))
  for (const name of readdirSync(to('glob'))) writeFileSync(join(to('glob'), name), 'other')
  const kept = await fanfold(bench, 'restore', 'nas', '*.pdf', '--removed', '--to', to('glob'))
  const nowhere = await fanfold(bench, 'restore', 'nass', '--to', to('nowhere'))
  const missing = await fanfold(bench, 'restore', 'nas')

  expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, restored: 2 })
  expect(existsSync(to('dry'))).toBe(false)
  expect(readdirSync(to('one'))).toEqual(['a[1].txt'])
  expect(readdirSync(to('glob')).sort()).toEqual(['b.pdf', 'gone.pdf'])
  expect([dry.code, one.code, glob.code, none.code, nowhere.code, missing.code]).toEqual([0, 0, 0, 1, 2, 2])
  expect(kept.stderr, 'a reason stands once above its files').toMatch(
    /^ {2}another file stands there; --force replaces it:\n {4}inbox: \w+.pdf\n {4}inbox: \w+.pdf\n/m,
  )
  expect(none.stderr).toContain('nothing matches "*.doc"')
  expect(nowhere.stderr).toContain('there are: nas')
}, 60_000)

function countIn(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).length : 0
}
