/** Two targets of one account: what they do is counted together, and what the cloud says to one of them holds for both. */
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { AccountPaces } from '../../src/target/account-paces.ts'
import type { Pace, PaceRecord, PaceSettings } from '../../src/target/pace.ts'
import { ManualClock } from '../manual-clock.ts'
import { breathe, free, never, pass, watched } from './pace-rig.ts'

const MiB = 2 ** 20
/** Local, whatever the zone. */
const noon = new Date(2026, 10, 20, 12).getTime()
const perSecond = (count: number): PaceSettings['requests'] => ({ count, intervalMs: 1000 })

interface World {
  readonly clock: ManualClock
  readonly records: Map<string, PaceRecord>
  readonly join: (target: string, settings?: Partial<PaceSettings>, account?: string) => Pace
}

function aWorld(records = new Map<string, PaceRecord>(), clock = new ManualClock(noon)): World {
  const store = {
    load: (target: string) => records.get(target),
    save: (target: string, record: PaceRecord) => {
      records.set(target, record)
      return Promise.resolve()
    },
  }
  const onFailure = (error: Error): never => {
    throw error
  }
  const paces = new AccountPaces({ clock, random: () => 0, log: silentLog, onFailure, store })
  return {
    clock,
    records,
    join: (target, settings = {}, account = 'dropbox account main') => {
      const pace = paces.join({ target, settings: { ...free, ...settings }, account, others: ['one', 'two'] })
      onTestFinished(() => pace.close())
      return pace
    },
  }
}

/** Begins as much as it may; answers how much that was so far. */
function busy(pace: Pace, verb: 'request' | 'upload'): () => number {
  let count = 0
  const work = (): Promise<number> => Promise.resolve(++count)
  for (let n = 0; n < 100; n++) pace[verb](never, work).catch(() => {})
  return () => count
}

test.each(['request', 'upload'] as const)('F71: two targets share the %ss of their account', async (verb) => {
  const { clock, join } = aWorld()
  const rate = verb === 'request' ? { requests: perSecond(10) } : { uploads: perSecond(10) }
  const counts = [busy(join('one', rate), verb), busy(join('two', rate), verb)]

  await pass(clock, 3000)

  const total = counts.reduce((sum, count) => sum + count(), 0)
  expect(total).toBeGreaterThanOrEqual(28)
  expect(total).toBeLessThanOrEqual(31)
})

test('the strictest of their settings counts, and counts no more when its target has left', async () => {
  const { join } = aWorld()
  const one = join('one', { requests: perSecond(10), bytesPerSecond: MiB })
  const two = join('two', { requests: { count: 120, intervalMs: 60_000 }, bytesPerSecond: 3 * MiB })

  const together = one.snapshot()
  await two.close()
  const alone = one.snapshot()

  expect([together.requests, together.bytesPerSecond]).toEqual([{ count: 120, intervalMs: 60_000 }, MiB])
  expect([alone.requests, alone.bytesPerSecond]).toEqual([perSecond(10), MiB])
})

test('F71: two targets share the bandwidth of their account', async () => {
  const { clock, join } = aWorld()
  let bytes = 0
  for (const target of ['one', 'two']) {
    const pace = join(target, { bytesPerSecond: MiB })
    for (let n = 0; n < 200; n++)
      pace.bytes(65_536, never).then(
        () => (bytes += 65_536),
        () => {},
      )
  }

  await pass(clock, 5000)

  expect(bytes / MiB).toBeGreaterThan(4.5)
  expect(bytes / MiB).toBeLessThan(5.6)
})

test('F67: a rest that one of them was asked for is the rest of both, and outlives a restart whoever comes first', async () => {
  const { clock, join, records } = aWorld()
  const [one, two] = [join('one'), join('two')]

  one.penalise({ retryAfterMs: 300_000, reason: 'answered 429' })
  const verdict = two.verdict()
  await Promise.all([one.close(), two.close()])
  // The row of the one that comes first may be an older one.
  records.delete('two')
  const later = aWorld(records, clock)

  expect(verdict).toMatchObject({ kind: 'closed', why: 'penalty', waitMs: 300_000 })
  expect(later.join('two').verdict()).toMatchObject({ kind: 'closed', why: 'penalty' })
})

test('F69: two targets spend one day', async () => {
  const { join, records } = aWorld()
  const settings = { dailyBytes: 64 * MiB }
  const [one, two] = [join('one', settings), join('two', settings)]

  for (let n = 0; n < 32; n++) await Promise.all([one.bytes(MiB, never), two.bytes(MiB, never)])
  const beyond = watched(two.bytes(1, never))
  await breathe()
  await Promise.all([one.close(), two.close()])

  expect(beyond.state).toBeInstanceOf(Error)
  expect(records.get('two')).toEqual(records.get('one'))
  expect(records.get('one')?.bytes).toBe(64 * MiB)
})

test('hours are each target’s own', async () => {
  const { join } = aWorld()
  const night = join('one', { hours: [{ fromMinute: 22 * 60, toMinute: 6 * 60 }] })
  const day = join('two')

  await expect(night.upload(never, () => Promise.resolve())).rejects.toThrow('outside its hours')

  expect(night.verdict()).toMatchObject({ kind: 'closed', why: 'hours' })
  expect(day.verdict()).toEqual({ kind: 'open' })
  expect(await day.upload(never, () => Promise.resolve('gone'))).toBe('gone')
})

test('another account’s pace is another one', () => {
  const { join } = aWorld()
  const one = join('one')
  const other = join('three', {}, 'dropbox account second')

  one.penalise({ retryAfterMs: 300_000, reason: 'answered 429' })

  expect(other.verdict()).toEqual({ kind: 'open' })
})

test('new settings of one are in force for what the other waits for', async () => {
  const { clock, join } = aWorld()
  const [slow, quick] = [join('one', { requests: perSecond(1) }), join('two')]
  const count = busy(quick, 'request')
  await pass(clock, 2000)
  const before = count()

  slow.change(free)
  await pass(clock, 100)

  expect(before).toBeLessThanOrEqual(3)
  expect(count()).toBe(100)
})
