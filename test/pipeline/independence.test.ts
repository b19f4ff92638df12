/** What one target does to the others: nothing. Times are compared in pairs, because a machine is not the same from one minute to the next. */
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { sourcePath } from '../../src/base/path.ts'
import type { Change } from '../../src/journal/journal.ts'
import { TargetError, type Target } from '../../src/target/target.ts'
import { aFolder } from '../builders.ts'
import { canMount, smallDisk } from '../disk.ts'
import { aWorld, forwarded, type World } from './rig.ts'

const MiB = 2 ** 20
/** Changes in one call, as a scan takes them. */
const batchMax = 500
/** Deliveries under way at once, by the rig's configuration. */
const slots = 8
/** Caches and compiled code grow for a while; one change kept in memory would cost some hundred bytes. Unit: bytes. */
const growthBytesMax = 6 * MiB
/** Paired runs, of which the median counts. */
const rounds = 5
/** A long run is compared to the last part of a millisecond, a short one only for what anybody would notice. */
const changesPerRun = Number(process.env['FANFOLD_PAIRED_CHANGES'] ?? 100)
/** One change comes after the other this far apart, whatever became of those before. Unit: ms. */
const gapMs = 5
/** How much later the sound target's 99th percentile may be. */
const laterMax = 0.05
/** Below this a timer, a sync of the disk or a neighbour on the same core makes the difference, not a lane. Unit: ms. */
const noiseFloorMs = changesPerRun > 1000 ? 0 : 50
/** More of them in a long run. */
const memoryChanges = Number(process.env['FANFOLD_CHANGES'] ?? 3000)

const never = new AbortController().signal
const soon = { timeout: 30_000, interval: 5 }

type Put = Target['put']
type Wrong = (put: Put) => Put

/** Until the lane is stopped, as with a dead disk. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
  })
}

/** A put that takes a hundred times as long as this target's last sound one. */
function slow(put: Put): Put {
  return async (copy, at, work, signal) => {
    const startMs = performance.now()
    const receipt = await put(copy, at, work, signal)
    await systemClock.sleep(99 * (performance.now() - startMs), signal)
    return receipt
  }
}

const wrongs: Readonly<Record<string, Wrong>> = {
  hangs: () => (_copy, _at, _work, signal) => untilAborted(signal),
  'answers errors': () => () => Promise.reject(new TargetError({ kind: 'retry' }, 'the service is unwell')),
  'is full': () => () =>
    Promise.reject(new TargetError({ kind: 'pause-target', state: 'full' }, 'no space left on the device')),
  'is 100 times slower': slow,
}

/** @param wrong undefined where both are sound. */
function aWorldWhereIll(wrong: Wrong | undefined, folder: string): Promise<World> {
  return aWorld({
    folder,
    targets: ['sound', 'ill'],
    stopGraceMs: 0,
    wrap: (target, { name }) => {
      if (name === 'sound' || wrong === undefined) return target
      const put: Put = (copy, at, work, signal) => target.put(copy, at, work, signal)
      return { ...forwarded(target), put: wrong(put) }
    },
  })
}

/** Times from a settled change to its receipt on disk, at the target `sound`. Unit: ms. */
function receiptTimes(world: World): { readonly tookMs: readonly number[]; closed(path: string): void } {
  const { journal } = world
  const { targetId } = world.seat('sound')
  const closedMs = new Map<string, number>()
  const tookMs: number[] = []
  const finish = journal.finish.bind(journal)
  journal.finish = async (delivery, outcome) => {
    await finish(delivery, outcome)
    const sinceMs = closedMs.get(delivery.path)
    if (delivery.targetId !== targetId || outcome.kind !== 'delivered' || sinceMs === undefined) return
    tookMs.push(performance.now() - sinceMs)
  }
  return { tookMs, closed: (path) => void closedMs.set(path, performance.now()) }
}

function sorted(values: readonly number[]): readonly number[] {
  return [...values].sort((one, other) => one - other)
}

function quantile(values: readonly number[], part: number): number {
  return sorted(values)[Math.ceil(values.length * part) - 1] ?? NaN
}

/** Where a disk in memory can be had, no neighbour's sync is in what is measured. */
function aQuietFolder(): string {
  const folder = aFolder()
  if (canMount) smallDisk(folder, 256)
  return folder
}

/** The sound target's 99th percentile from close to receipt while the other one is as it is. Unit: ms. */
async function p99(wrong: Wrong | undefined, base: string): Promise<number> {
  const folder = mkdtempSync(join(base, 'world-'))
  const world = await aWorldWhereIll(wrong, folder)
  const times = receiptTimes(world)
  // Threads start and tables are made with the first file; that is no part of the comparison.
  await world.put('first', 'first')
  await vi.waitUntil(() => world.journal.counts(world.seat('sound').targetId).delivered === 1, soon)
  const startMs = performance.now()
  const taken: Promise<void>[] = []
  for (let n = 0; n < changesPerRun; n++) {
    await systemClock.sleep(Math.max(0, startMs + n * gapMs - performance.now()), never)
    times.closed(`d${n % 10}/f${n}`)
    taken.push(world.put(`d${n % 10}/f${n}`, `content ${n}`))
  }
  await Promise.all(taken)
  await vi.waitUntil(() => times.tookMs.length >= changesPerRun, soon)
  expect(world.failures).toEqual([])
  await world.stop()
  rmSync(folder, { recursive: true })
  return quantile(times.tookMs, 0.99)
}

test('F82: from close to receipt a target is not later while another one hangs, fails, is full or slow', async () => {
  const base = aQuietFolder()
  const soundMs: number[] = []
  const controlMs: number[] = []
  const laterMs = new Map<string, number[]>(Object.keys(wrongs).map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const beforeMs = await p99(undefined, base)
    const illMs = new Map<string, number>()
    for (const [name, wrong] of Object.entries(wrongs)) illMs.set(name, await p99(wrong, base))
    const afterMs = await p99(undefined, base)
    const baseMs = (beforeMs + afterMs) / 2
    soundMs.push(baseMs)
    controlMs.push(Math.abs(afterMs - beforeMs))
    for (const [name, ms] of illMs) laterMs.get(name)?.push(ms - baseMs)
  }

  // What two runs with two sound targets differ by says nothing of lanes either.
  const allowedMs = Math.max(noiseFloorMs, laterMax * quantile(soundMs, 0.5), quantile(controlMs, 0.5))
  const found = [...laterMs].map(([name, values]) => [name, quantile(values, 0.5)] as const)
  const words = JSON.stringify({ soundMs, controlMs, laterMs: [...laterMs] })
  if (noiseFloorMs === 0) process.stdout.write(`${words}\n`)
  for (const [name, later] of found) expect(later, `while the other ${name}: ${words}`).toBeLessThan(allowedMs)
}, 3_600_000)

/** Changes of files that are there: names of a few inodes, of which a file system allows many. */
function manyFiles(world: World, count: number): readonly Change[] {
  const namesPerInode = 5000
  const changes: Change[] = []
  for (let first = 0; first < count; first += namesPerInode) {
    const paths = Array.from(
      { length: Math.min(namesPerInode, count - first) },
      (_, n) => `m${(first + n) % 97}/${first + n}`,
    )
    const files = paths.map((path) => join(world.folder, 'inbox', path))
    for (const [n, file] of files.entries()) {
      mkdirSync(dirname(file), { recursive: true })
      if (n === 0) writeFileSync(file, `inode ${first}`)
      else linkSync(files[0] ?? '', file)
    }
    // Now that it has all its names its change time stands still.
    const { size, mtimeNs, ctimeNs, ino: inode } = statSync(files[0] ?? '', { bigint: true })
    const stat = { size: Number(size), mtimeNs, ctimeNs, inode }
    for (const path of paths) changes.push({ kind: 'put', source: 'inbox', path: sourcePath(path), stat })
  }
  return changes
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  for (let n = 0; n < 3; n++) runInNewContext('gc()')
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test(
  'F82, F118: what a hanging target is owed lies on disk: memory is flat however much it is',
  { timeout: 3_600_000 },
  async () => {
    const world = await aWorldWhereIll(wrongs['hangs'], aFolder())
    const changes = manyFiles(world, memoryChanges)
    const delivered = (): number => world.journal.counts(world.seat('sound').targetId).delivered
    const takeUntil = async (from: number, to: number): Promise<number> => {
      for (let first = from; first < to; first += batchMax)
        await world.take(changes.slice(first, Math.min(to, first + batchMax)))
      await vi.waitUntil(() => delivered() === to, { timeout: 3_600_000, interval: 20 })
      return heapBytes()
    }

    const fifth = Math.ceil(memoryChanges / 5)
    const earlyBytes = await takeUntil(0, fifth)
    const lateBytes = await takeUntil(fifth, memoryChanges)

    const { waiting } = world.journal.counts(world.seat('ill').targetId)
    const active = world.journal.activeCount(world.seat('ill').targetId)
    expect(world.failures).toEqual([])
    expect(waiting).toBe(memoryChanges)
    expect(active).toBeLessThanOrEqual(slots)
    expect(lateBytes - earlyBytes, `${earlyBytes} bytes after ${fifth} changes`).toBeLessThan(growthBytesMax)
  },
)
