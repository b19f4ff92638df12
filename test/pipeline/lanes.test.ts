import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { silentLog, type Log } from '../../src/base/log.ts'
import { TargetError, type Target } from '../../src/target/target.ts'
import { treeOf } from '../tree.ts'
import { aTargetConfig, aWorld, forwarded } from './rig.ts'

/** A log that breaks when it is told of the target `name` for the first `times`. */
function brokenFor(name: string, times: number): { readonly log: Log; readonly starts: string[] } {
  const starts: string[] = []
  const log: Log = {
    ...silentLog,
    info(message, fields) {
      if (message !== 'target running') return
      starts.push(String(fields?.['target']))
      if (fields?.['target'] === name && starts.filter((start) => start === name).length <= times)
        throw new Error('the log is broken')
    },
  }
  return { log, starts }
}

/** A target whose puts wait until they are let go. */
function gated(target: Target): { readonly target: Target; letGo(): void; readonly waiting: () => number } {
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  let waiting = 0
  return {
    target: {
      ...forwarded(target),
      async put(copy, at, work, signal) {
        waiting++
        await gate
        return target.put(copy, at, work, signal)
      },
    },
    letGo: () => open(),
    waiting: () => waiting,
  }
}

/** Copies that are there, by path; a target that was never opened has none. What lies in the target's own folders comes and goes. */
function copiesIn(folder: string, below = ''): string[] {
  if (!existsSync(join(folder, below))) return []
  const entries = readdirSync(join(folder, below), { withFileTypes: true })
  const ours = entries.filter(({ name }) => !name.startsWith('.fanfold'))
  return ours
    .flatMap((entry) => (entry.isDirectory() ? copiesIn(folder, join(below, entry.name)) : [join(below, entry.name)]))
    .sort()
}

const soon = { timeout: 30_000, interval: 10 }

describe('lanes under their supervisor', () => {
  test('S82: a lane that throws is started afresh alone, and delivers what it owed', async () => {
    const { log, starts } = brokenFor('nas', 2)
    const world = await aWorld({ targets: ['nas', 'usb'], log })
    const usb = await vi.waitUntil(() => world.seat('usb').lane, soon)

    await world.put('a/letter.txt', 'dear reader')
    await vi.waitUntil(() => existsSync(join(world.copies('nas'), 'a/letter.txt')), soon)

    expect(world.seat('usb').lane).toBe(usb)
    expect(starts.filter((name) => name === 'nas')).toHaveLength(3)
    expect(starts.filter((name) => name === 'usb')).toHaveLength(1)
    expect(treeOf(world.copies('nas'))).toEqual(treeOf(world.copies('usb')))
    expect(world.failures).toEqual([])
    expect(world.journal.history(null, 20).filter(({ event }) => event === 'lane-failed')).toHaveLength(2)
  })

  test('what a failed lane had under way is owed again, and nothing keeps its lease', async () => {
    const { log } = brokenFor('nas', 1)
    const world = await aWorld({ targets: ['nas'], log })
    for (let count = 0; count < 40; count++) await world.put(`file-${count}`, String(count))

    await vi.waitUntil(() => copiesIn(world.copies('nas')).length === 40, soon)

    await vi.waitUntil(() => world.journal.activeCount(world.seat('nas').targetId) === 0, soon)
    expect(world.journal.counts(world.seat('nas').targetId)).toMatchObject({ waiting: 0, postponed: 0, delivered: 40 })
  })

  test('S83: a target that joins while it runs gets everything, one that leaves takes nobody with it', async () => {
    const world = await aWorld({ targets: ['nas', 'usb'] })
    await world.put('first', '1')
    for (const name of ['nas', 'usb']) await vi.waitUntil(() => copiesIn(world.copies(name)).length === 1, soon)
    const usb = world.seat('usb').lane

    await world.pipeline.change(aTargetConfig(world.folder, 'disk'))
    await world.pipeline.remove('nas')
    await world.put('second', '2')
    await vi.waitUntil(() => copiesIn(world.copies('disk')).length === 2, soon)

    expect(world.seat('usb').lane).toBe(usb)
    expect(copiesIn(world.copies('nas'))).toEqual(['first'])
    await vi.waitUntil(() => copiesIn(world.copies('usb')).length === 2, soon)
  })

  test('F95: a running upload of an unchanged target is not disturbed by what is done to the others', async () => {
    const gates = new Map<string, ReturnType<typeof gated>>()
    const world = await aWorld({
      targets: ['nas', 'usb'],
      wrap(target, { name }) {
        if (name !== 'usb') return target
        const made = gated(target)
        gates.set(name, made)
        return made.target
      },
    })
    await world.put('long', 'long')
    await vi.waitUntil(() => gates.get('usb')?.waiting() === 1, soon)

    await world.pipeline.change(aTargetConfig(world.folder, 'nas', { path: join(world.folder, 'copies', 'nas-2') }))
    await world.pipeline.change(aTargetConfig(world.folder, 'disk'))
    gates.get('usb')?.letGo()

    await vi.waitUntil(() => existsSync(join(world.copies('usb'), 'long')), soon)
    expect(gates.get('usb')?.waiting()).toBe(1)
    await vi.waitUntil(() => existsSync(join(world.copies('nas-2'), 'long')), soon)
  })

  test('F93: a changed selector takes effect without a new life of the lane; what it leaves out now is kept', async () => {
    const world = await aWorld({ targets: ['nas'] })
    await world.put('a.txt', 'a')
    await world.put('b.pdf', 'b')
    await vi.waitUntil(() => copiesIn(world.copies('nas')).length === 2, soon)
    const lane = world.seat('nas').lane

    const { config } = world.seat('nas')
    await world.pipeline.change({ ...config, select: { ...config.select, include: ['*.pdf'] } })
    await world.put('c.txt', 'c')
    await world.put('d.pdf', 'd')
    await vi.waitUntil(() => existsSync(join(world.copies('nas'), 'd.pdf')), soon)

    expect(world.seat('nas').lane).toBe(lane)
    expect(copiesIn(world.copies('nas'))).toEqual(['a.txt', 'b.pdf', 'd.pdf'])
  })

  test('a held target gets nothing until it is let go, over restarts of its lane', async () => {
    const world = await aWorld({ targets: ['nas', 'usb'] })
    world.journal.hold('nas', 'stopped by its owner')
    world.seat('nas').lane?.hold('stopped by its owner')

    await world.put('a', 'a')
    await vi.waitUntil(() => existsSync(join(world.copies('usb'), 'a')), soon)
    await world.seat('nas').lane?.stop()
    expect(copiesIn(world.copies('nas'))).toEqual([])
    expect(world.journal.heldBecause('nas')).toBe('stopped by its owner')
  })
})

describe('a lane', () => {
  test('a target that hangs while it tidies up holds up neither the stop of its lane nor the others', async () => {
    const world = await aWorld({
      targets: ['nas', 'usb'],
      stopGraceMs: 100,
      wrap: (target, { name }) =>
        name === 'nas' ? { ...forwarded(target), rest: () => new Promise<void>(() => {}) } : target,
    })
    await world.put('letter', 'dear reader')
    for (const name of ['nas', 'usb']) await vi.waitUntil(() => copiesIn(world.copies(name)).length === 1, soon)

    const stopped = world.pipeline.stop().then(() => 'stopped')
    const tooLate = new Promise((resolve) => setTimeout(() => resolve('still stopping'), 20_000))
    expect(await Promise.race([stopped, tooLate])).toBe('stopped')
  })

  test('F29: a file that changes again and again during its upload is delivered when it rests, without being asked', async () => {
    let made: ReturnType<typeof gated> | undefined
    const world = await aWorld({ targets: ['nas'], wrap: (target) => (made ??= gated(target)).target })
    await world.put('diary', 'monday')
    await vi.waitUntil(() => made?.waiting() === 1, soon)

    // Taken while the first version is under way: nothing else will wake the lane.
    await world.put('diary', 'tuesday')
    made?.letGo()

    await vi.waitUntil(() => world.journal.counts(world.seat('nas').targetId).waiting === 0, soon)
    await vi.waitUntil(() => readFileSync(join(world.copies('nas'), 'diary'), 'utf8') === 'tuesday', soon)
  })
})

/** A target that answers errors while `isIll` says so, and counts the tries. */
function ailing(target: Target, isIll: (path: string) => boolean, onTry: () => void): Target {
  return {
    ...forwarded(target),
    put(copy, at, work, signal) {
      if (!isIll(at)) return target.put(copy, at, work, signal)
      onTry()
      return Promise.reject(new TargetError({ kind: 'retry' }, 'the service is unwell'))
    },
  }
}

describe('F70: a target that fails one file after the other', () => {
  const files = 60

  test('is paused as a whole, tried with one file at a time, and takes everything once it is well', async () => {
    let isIll = true
    let tries = 0
    const wrap = (target: Target): Target =>
      ailing(
        target,
        () => isIll,
        () => tries++,
      )
    const world = await aWorld({ targets: ['nas'], wrap })
    for (let count = 0; count < files; count++) await world.put(`file-${count}`, String(count))

    const paused = await vi.waitUntil(() => {
      const state = world.seat('nas').lane?.state
      return state?.kind === 'paused' && state.flaps > 1 ? state : undefined
    }, soon)
    expect(paused.reason).toContain('one file after the other failed, the last one so: the service is unwell')
    // Sixteen until it is to blame, those under way by then, and one for each look.
    expect(tries).toBeLessThanOrEqual(16 + 8 + paused.flaps)
    isIll = false

    const { targetId } = world.seat('nas')
    await vi.waitUntil(() => world.journal.counts(targetId).delivered === files, soon)
    expect(world.journal.counts(targetId)).toMatchObject({ waiting: 0, postponed: 0, parked: 0 })
  })

  test('is not to blame for a few files that it never takes: the others are delivered meanwhile', async () => {
    const wrap = (target: Target): Target =>
      ailing(
        target,
        (path) => path.endsWith('7'),
        () => {},
      )
    const world = await aWorld({ targets: ['nas'], wrap })
    for (let count = 0; count < files; count++) await world.put(`file-${count}`, String(count))

    const { targetId } = world.seat('nas')
    await vi.waitUntil(() => world.journal.counts(targetId).delivered === files - 6, soon)
    expect(world.journal.counts(targetId).postponed).toBe(6)
    expect(world.seat('nas').lane?.state.kind).toBe('running')
  })
})

describe('the slots of a lane', () => {
  test('a changed number of slots takes effect while the lane works', async () => {
    let made: ReturnType<typeof gated> | undefined
    const world = await aWorld({ targets: ['nas'], wrap: (target) => (made ??= gated(target)).target })
    for (let count = 0; count < 30; count++) await world.put(`file-${count}`, String(count))
    await vi.waitUntil(() => made?.waiting() === 8, soon)
    const { config, lane } = world.seat('nas')

    await world.pipeline.change({ ...config, pace: { ...config.pace, concurrency: 20 } })

    await vi.waitUntil(() => made?.waiting() === 20, soon)
    expect(world.seat('nas').lane).toBe(lane)
    made?.letGo()
    await vi.waitUntil(() => copiesIn(world.copies('nas')).length === 30, soon)
  })
})

describe('F72: large files', () => {
  const large = Buffer.alloc(9 * 2 ** 20)

  test('never take all slots: a small one that comes later passes them', async () => {
    let made: ReturnType<typeof gated> | undefined
    const largeOnly = (target: Target): Target => {
      made = gated(target)
      const { target: waits } = made
      return {
        ...forwarded(target),
        put: (copy, ...rest) => (copy.size > 2 ** 20 ? waits : target).put(copy, ...rest),
      }
    }
    const world = await aWorld({ targets: ['nas'], wrap: largeOnly })
    for (let count = 0; count < 12; count++) await world.put(`film-${count}`, large)
    await vi.waitUntil(() => made?.waiting() === 4, soon)

    await world.put('note.txt', 'small')
    await vi.waitUntil(() => existsSync(join(world.copies('nas'), 'note.txt')), soon)

    expect(made?.waiting()).toBe(4)
    made?.letGo()
    await vi.waitUntil(() => copiesIn(world.copies('nas')).length === 13, soon)
  })

  test('are not starved by small ones: one of them is always under way', async () => {
    const begun: string[] = []
    const world = await aWorld({
      targets: ['nas'],
      wrap: (target) => ({
        ...forwarded(target),
        put: (copy, at, ...rest) => {
          begun.push(at)
          return target.put(copy, at, ...rest)
        },
      }),
    })
    world.seat('nas').lane?.hold('until everything waits')
    for (let count = 0; count < 200; count++) await world.put(`note-${count}`, String(count))
    await world.put('film', large)
    world.seat('nas').lane?.resume()

    await vi.waitUntil(() => copiesIn(world.copies('nas')).length === 201, soon)

    // It is digested first, while small ones go.
    expect(begun.indexOf('film')).toBeLessThan(100)
  })
})
