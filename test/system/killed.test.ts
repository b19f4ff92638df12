/** The operator's commands, killed in the middle at each kind of target: nothing is left behind, nothing is believed that is not so, and they go on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import type { Status, VerifyEvent } from '../../src/control/control.ts'
import { kindBenches, type KindBench } from '../e2e/each-kind.ts'
import { treeBytesOf } from '../e2e/hostile-tree.ts'
import { fanfold, isAtRest, program, type RunningDaemon, startDaemon, targetOf } from '../e2e/rig.ts'

const files = 40
/** A directory is asked without anybody seeing it: there are so many that work says how far it is, and lasts from being heard to being killed. */
const filesOfDirectory = 1000
const folders = 3
const pathOf = (n: number): string => `d${n % folders}/f${n}`
const seconds = 60_000

function countOf(kind: string): number {
  return kind === 'directory' ? filesOfDirectory : files
}

async function archived(kind: string): Promise<KindBench> {
  const bench = await kindBenches[kind]?.()
  if (bench === undefined) throw new Error(kind)
  for (let n = 0; n < folders; n++) mkdirSync(join(bench.inbox, `d${n}`))
  for (let n = 0; n < countOf(kind); n++) writeFileSync(join(bench.inbox, pathOf(n)), `content ${n}`)
  const run = await fanfold(bench, 'run', '--until-idle')
  expect(run.code, run.stderr).toBe(0)
  return bench
}

function tamper(bench: KindBench): void {
  bench.remove(pathOf(0))
  bench.write(pathOf(1), 'CONTENT 1')
  bench.remove(pathOf(files - 1))
}

function isHealed(bench: KindBench): boolean {
  return Array.from({ length: files }, (_, n) => pathOf(n)).every(
    (path) => bench.read(path) === readFileSync(join(bench.inbox, path), 'utf8'),
  )
}

/** Starts a command that compares, and kills it when it says that a third is done. @returns false where it was done before. */
async function killedAtThird(bench: KindBench, ...words: string[]): Promise<boolean> {
  // With contents, each page takes its time.
  const line = [program, ...words, '--download', '--json', '--config', bench.config]
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'close')
  for await (const text of createInterface(child.stdout)) {
    const event = JSON.parse(text) as VerifyEvent
    const isThird = event.kind === 'progress' && event.phase === 'comparing' && event.done * 3 >= filesOfDirectory
    if (isThird) child.kill('SIGKILL')
  }
  await ended
  return child.signalCode === 'SIGKILL'
}

/** Begins a resync and kills its daemon in the middle, at the latest when it is done. @returns whether it was begun. */
async function killedInResync(bench: KindBench, daemon: RunningDaemon, isCloud: boolean): Promise<boolean> {
  const words = ['resync', '--verify'] as const
  if (!isCloud) {
    await fanfold(bench, ...words)
    await daemon.until((status) => {
      const { offering, waiting, active } = targetOf(status, 'cloud')
      const left = offering + waiting + active
      return left > 0 && left * 3 <= filesOfDirectory * 2
    })
    await daemon.end('SIGKILL')
    return true
  }
  const resync = fanfold(bench, ...words)
  let reach = (): void => {}
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const twelfth = bench.atRequest(12, reach)
  const isDone = (status: Status): boolean => isAtRest(status) && isHealed(bench)
  // How many requests it takes depends on how many files are looked at before all are listed.
  await Promise.race([reached, resync.then(() => daemon.until(isDone, seconds))])
  await daemon.end('SIGKILL')
  twelfth.disarm()
  return (await resync).code === 0
}

/** Starts a command and kills it when its nth request comes. @returns false where it was done before. */
async function killedAt(bench: KindBench, nth: number, ...words: string[]): Promise<boolean> {
  const child = spawn(process.execPath, [program, ...words, '--config', bench.config], { stdio: 'ignore' })
  const ended = once(child, 'close')
  const armed = bench.atRequest(nth, () => child.kill('SIGKILL'))
  await ended
  armed.disarm()
  return child.signalCode === 'SIGKILL'
}

describe.each(Object.keys(kindBenches))('at %s', (kind) => {
  const isCloud = kind !== 'directory'

  test('F61: a daemon killed in the middle of a resync goes on with it, and a verify killed beside it leaves nothing', async () => {
    const bench = await archived(kind)
    const killVerify = (nth: number, ...words: string[]): Promise<boolean> =>
      isCloud ? killedAt(bench, nth, 'verify', ...words) : killedAtThird(bench, 'verify', ...words)
    tamper(bench)
    const first = await startDaemon(bench)
    await first.until(isAtRest)
    const wasBegun = await killedInResync(bench, first, isCloud)

    const again = await startDaemon(bench)
    if (!wasBegun) await fanfold(bench, 'resync', '--verify')
    await again.until((status) => isAtRest(status) && isHealed(bench), seconds)
    const { bytesSent } = targetOf(await again.status(), 'cloud')
    tamper(bench)
    const wasKilled = await killVerify(2, '--repair')
    const left = readdirSync(join(bench.folder, 'state')).filter((name) => name.includes('listing-'))
    const repair = await fanfold(bench, 'verify', '--repair')
    await again.until((status) => isAtRest(status) && isHealed(bench), seconds)
    await again.end('SIGTERM')
    const offline = await killVerify(4)
    const verified = await fanfold(bench, 'verify')

    expect(bytesSent, 'only what was tampered with').toBeLessThanOrEqual(3 * 'content 39'.length)
    expect([wasKilled, offline]).toEqual([true, true])
    expect(left).toEqual([])
    expect(repair.code, repair.stderr).toBeLessThanOrEqual(1)
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  }, 180_000)
})

// A directory's has a test of its own among those of `restore`.
test.each(Object.keys(kindBenches).filter((kind) => kind !== 'directory'))(
  'F61: a restore from %s, killed in the middle with a daemon and without, leaves whole files only, and a second one brings the rest',
  async (kind) => {
    const bench = await archived(kind)
    const whole = treeBytesOf(bench.inbox, 1n)
    for (const isRunning of [false, true]) {
      const daemon = isRunning ? await startDaemon(bench) : undefined
      await daemon?.until((status) => isAtRest(status) && targetOf(status, 'cloud').state === 'running')
      const back = join(bench.folder, `back ${String(isRunning)}`)
      const words = ['restore', 'cloud', '--to', back]

      const wasKilled = await killedAt(bench, 25, ...words)
      const half = wholeFiles(back)
      const second = await fanfold(bench, ...words, '--json')
      await daemon?.end('SIGTERM')

      expect(wasKilled).toBe(true)
      expect(half.filter(([path, facts]) => whole.get(path) !== facts)).toEqual([])
      expect(half.length).toBeLessThan(files)
      expect(second.code, second.stdout + second.stderr).toBe(0)
      expect(JSON.parse(second.stdout)).toMatchObject({ alreadyThere: half.length, restored: files - half.length })
      expect(treeBytesOf(back, 1n)).toEqual(whole)
    }
  },
  180_000,
)

function wholeFiles(back: string): (readonly [string, string])[] {
  if (!existsSync(back)) return []
  return [...treeBytesOf(back, 1n)].filter(([path]) => !path.includes('.fanfold-restore-'))
}
