/** What an account does after "too much": all of it waits, goes on slower, and comes back step by step. */
import { expect, test } from 'vitest'
import { PaceClosed } from '../../src/target/verdict.ts'
import { ManualClock } from '../manual-clock.ts'
import { aPace, breathe, MemoryStore, never, pass, watched } from './pace-rig.ts'

const aSecond = { retryAfterMs: 1000, reason: '429 from the account' }
const noWish = { retryAfterMs: undefined, reason: '403 rate' }
const ask = (): Promise<void> => Promise.resolve()
const tenASecond = { count: 10, intervalMs: 1000 }

test('F67: every request and upload of the account waits for Retry-After', async () => {
  const clock = new ManualClock()
  const pace = aPace({}, { clock })

  pace.penalise(aSecond)
  const asked = [pace.request(never, ask), pace.upload(never, ask), pace.request(never, ask)].map(watched)
  await pass(clock, 990)
  const before = asked.map(({ state }) => state)
  await pass(clock, 2500)

  expect(before).toEqual(['waiting', 'waiting', 'waiting'])
  expect(asked.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
})

test('F67: what waited already waits for Retry-After, too', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 1, intervalMs: 500 } }, { clock })
  await pace.request(never, ask)
  const waiting = watched(pace.request(never, ask))
  await breathe()

  pace.penalise({ ...aSecond, retryAfterMs: 5000 })
  await pass(clock, 4990)
  const before = waiting.state
  await pass(clock, 2000)

  expect([before, waiting.state]).toEqual(['waiting', 'done'])
})

test('F67: a pause is a little longer than asked for, by chance, and never shorter', () => {
  const waits = [0, 0.5, 0.999].map((chance) => {
    const pace = aPace({}, { clock: new ManualClock(), random: () => chance })
    pace.penalise({ ...aSecond, retryAfterMs: 10_000 })
    return Math.round(pace.snapshot().pause?.waitMs ?? 0)
  })

  expect(waits).toEqual([10_000, 10_500, 10_999])
})

test('F67: without Retry-After the pause doubles with each trouble that follows closely, up to a minute', async () => {
  const clock = new ManualClock()
  const pace = aPace({}, { clock })
  const waits: number[] = []

  for (let n = 0; n < 9; n++) {
    pace.penalise(noWish)
    waits.push(pace.snapshot().pause?.waitMs ?? 0)
    await pass(clock, (waits.at(-1) ?? 0) + 2000, 1000)
  }

  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
})

test('F67: a wish that is no time is none', () => {
  for (const retryAfterMs of [Number.NaN, -5]) {
    const pace = aPace({}, { clock: new ManualClock() })
    pace.penalise({ ...aSecond, retryAfterMs })

    expect(pace.snapshot().pause?.waitMs).toBe(1000)
  }
})

test('F67: the rate is halved, and comes back by steps within 100 s after the pause', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: tenASecond, uploads: { count: 4, intervalMs: 1000 } }, { clock })

  pace.penalise(aSecond)
  const counts: (number | undefined)[] = []
  for (let step = 0; step < 6; step++) {
    counts.push(pace.snapshot().requests?.count)
    await pass(clock, 20_000 + (step === 0 ? 1000 : 0), 1000)
  }

  expect(counts).toEqual([5, 6, 7, 8, 9, 10])
  expect(pace.snapshot().uploads?.count).toBe(4)
  expect(pace.snapshot().share).toBe(1)
})

test('F67: many answers of one trouble halve the rate once', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 64, intervalMs: 1000 } }, { clock })

  for (let worker = 0; worker < 16; worker++) pace.penalise(aSecond)
  await pass(clock, 1500)
  pace.penalise(aSecond)

  expect(pace.snapshot().requests?.count).toBe(32)
})

test('F67: trouble after trouble lowers the rate to a floor, never to nothing', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 64, intervalMs: 1000 } }, { clock })

  for (let n = 0; n < 20; n++) {
    pace.penalise(aSecond)
    await pass(clock, 2100, 100)
  }

  expect(pace.snapshot().requests?.count).toBe(2)
})

test('F67: an account without a rate is held to half of what it was seen to take, and let go after ten quiet minutes', async () => {
  const clock = new ManualClock()
  const pace = aPace({}, { clock })
  for (let n = 0; n < 100; n++) {
    await pace.request(never, ask)
    await pass(clock, 50)
  }
  const before = pace.snapshot().requests

  pace.penalise(aSecond)
  const lowered = pace.snapshot().requests
  await pass(clock, 200_000, 1000)
  const recovered = pace.snapshot().requests
  await pass(clock, 500_000, 1000)

  expect(before).toBeUndefined()
  expect(lowered).toEqual({ count: 10, intervalMs: 1000 })
  expect(recovered).toEqual({ count: 20, intervalMs: 1000 })
  expect(pace.snapshot().requests).toBeUndefined()
})

test('F67: a pause too long to be held is a verdict at once, for what waits as well', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 1, intervalMs: 1000 } }, { clock })
  await pace.request(never, ask)
  const waiting = pace.request(never, ask)
  await breathe()

  pace.penalise({ ...aSecond, retryAfterMs: 3_600_000 })

  await expect(waiting).rejects.toBeInstanceOf(PaceClosed)
  await expect(pace.upload(never, ask)).rejects.toMatchObject({ next: { kind: 'pause-target', againInMs: 3_600_000 } })
  expect(pace.verdict()).toMatchObject({ kind: 'closed', why: 'penalty', waitMs: 3_600_000 })
})

test('F67: a pause goes on after a restart, with a lowered rate', async () => {
  const store = new MemoryStore()
  const earlier = aPace({ requests: tenASecond }, { clock: new ManualClock(1_000_000), store })
  earlier.penalise({ ...aSecond, retryAfterMs: 20_000 })
  await breathe()

  const pace = aPace({ requests: tenASecond }, { clock: new ManualClock(1_005_000), store })

  expect(pace.snapshot().pause).toEqual({ waitMs: 15_000, reason: '429 from the account' })
  expect(pace.snapshot().requests?.count).toBe(5)
})

test('F45: after a clock that was set back a stored pause lasts at most as long as it was', async () => {
  const store = new MemoryStore()
  const earlier = aPace({}, { clock: new ManualClock(1_000_000_000), store })
  earlier.penalise({ ...aSecond, retryAfterMs: 20_000 })
  await breathe()

  const pace = aPace({}, { clock: new ManualClock(0), store })

  expect(pace.snapshot().pause?.waitMs).toBe(20_000)
})

test('F45: a wall clock that jumps changes no wait that is under way', async () => {
  const clock = new ManualClock(1_000_000_000)
  const pace = aPace({ requests: { count: 1, intervalMs: 1000 } }, { clock })
  await pace.request(never, ask)
  const waiting = watched(pace.request(never, ask))

  clock.setWall(0)
  await pass(clock, 900)
  clock.setWall(2_000_000_000)
  const before = waiting.state
  await pass(clock, 200)

  expect([before, waiting.state]).toEqual(['waiting', 'done'])
})
