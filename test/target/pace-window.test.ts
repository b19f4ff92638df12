/** Rates under a clock that stands still: never more than the rate in any window, and nearly all of it used. */
import { expect, test } from 'vitest'
import type { Rate } from '../../src/base/units.ts'
import { seededRandom } from '../../src/base/random.ts'
import { shareOf, SlidingWindow } from '../../src/target/sliding-window.ts'
import { aSeed } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { aPace, breathe, free, never, pass } from './pace-rig.ts'

/** The most that began in any window of that length. */
function mostIn(beganMs: readonly number[], intervalMs: number): number {
  let first = 0
  return beganMs.reduce((most, ms, at) => {
    while ((beganMs[first] ?? 0) <= ms - intervalMs) first++
    return Math.max(most, at - first + 1)
  }, 0)
}

test('F71: whatever the rate and whenever one asks, no window holds more than the rate', () => {
  const seed = aSeed()
  const random = seededRandom(seed)
  for (let world = 0; world < 300; world++) {
    const rate = { count: 1 + Math.floor(random() * 40), intervalMs: 1 + Math.floor(random() * 5000) }
    const window = new SlidingWindow()
    const beganMs: number[] = []
    let nowMs = 0
    while (beganMs.length < 200) {
      nowMs += random() < 0.3 ? random() * rate.intervalMs * 2 : window.waitMs(rate, nowMs)
      if (window.waitMs(rate, nowMs) > 0) continue
      window.note(nowMs)
      beganMs.push(nowMs)
    }

    expect(mostIn(beganMs, rate.intervalMs), `seed ${seed}, world ${world}`).toBeLessThanOrEqual(rate.count)
  }
})

test('a rate of more than is remembered stays below itself', () => {
  const rate = { count: 25_000, intervalMs: 1000 }
  const window = new SlidingWindow()
  const beganMs: number[] = []

  for (let nowMs = 0; nowMs < 3000; nowMs++)
    for (let tries = 0; tries < 100 && window.waitMs(rate, nowMs) === 0; tries++) {
      window.note(nowMs)
      beganMs.push(nowMs)
    }

  expect(mostIn(beganMs, rate.intervalMs)).toBeLessThanOrEqual(rate.count)
  expect(beganMs.length).toBeGreaterThan(3 * 25_000 * 0.85)
})

test('a share of a rate is never more than that part of it, and never nothing', () => {
  expect(shareOf({ count: 10, intervalMs: 1000 }, 0.5)).toEqual({ count: 5, intervalMs: 1000 })
  expect(shareOf({ count: 3, intervalMs: 1000 }, 0.5)).toEqual({ count: 1, intervalMs: 1000 })
  expect(shareOf({ count: 1, intervalMs: 1000 }, 0.25)).toEqual({ count: 1, intervalMs: 4000 })
})

/** Asks of all kinds at random moments, while the limits change; answers what began when. */
async function aBusyWorld(
  seed: number,
  rates: readonly Rate[],
): Promise<{ requestsMs: number[]; uploadsMs: number[] }> {
  const random = seededRandom(seed)
  const clock = new ManualClock()
  const uploads = { count: 2, intervalMs: 1000 }
  const pace = aPace({ requests: rates[0], uploads }, { clock })
  const requestsMs: number[] = []
  const uploadsMs: number[] = []
  const note = (...lists: number[][]) => {
    for (const list of lists) list.push(clock.monotonicMs())
    return Promise.resolve()
  }
  const asks: Promise<void>[] = []
  for (const [at, requests] of rates.entries()) {
    if (at > 0) pace.change({ ...free, requests, uploads })
    for (let asked = 0; asked < 30; asked++) {
      if (random() < 0.3) asks.push(pace.upload(never, () => note(requestsMs, uploadsMs)))
      else asks.push(pace.request(never, () => note(requestsMs)))
      if (random() < 0.3) await pass(clock, random() * 500, 20)
    }
  }
  while (requestsMs.length < asks.length) await pass(clock, 100, 20)
  await Promise.all(asks)
  return { requestsMs, uploadsMs }
}

test('F71: requests and uploads keep their rates together, under any mix of asks', async () => {
  const seed = aSeed()

  const { requestsMs, uploadsMs } = await aBusyWorld(seed, [{ count: 5, intervalMs: 1000 }])

  expect(mostIn(requestsMs, 1000), `seed ${seed}`).toBeLessThanOrEqual(5)
  expect(mostIn(uploadsMs, 1000), `seed ${seed}`).toBeLessThanOrEqual(2)
})

test('F71: a rate that changes under load is kept from that moment on, counting what began before it', async () => {
  const seed = aSeed()
  const rates = [20, 4, 9].map((count) => ({ count, intervalMs: 1000 }))

  const { requestsMs, uploadsMs } = await aBusyWorld(seed, rates)

  expect(mostIn(requestsMs, 1000), `seed ${seed}`).toBeLessThanOrEqual(20)
  expect(mostIn(requestsMs.slice(60), 1000), `seed ${seed}`).toBeLessThanOrEqual(9)
  expect(mostIn(uploadsMs, 1000), `seed ${seed}`).toBeLessThanOrEqual(2)
})

test('all of a rate is used: 10 a second are 98 in ten seconds and the burst at first', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 10, intervalMs: 1000 } }, { clock })
  let begun = 0
  const asks = Array.from({ length: 200 }, () => pace.request(never, () => Promise.resolve(begun++)).catch(() => -1))

  await pass(clock, 10_000, 5)

  expect(begun).toBe(100)
  await pace.close()
  await Promise.all(asks)
})

test('requests are let through in the order in which they asked', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 3, intervalMs: 1000 } }, { clock })
  const order: number[] = []
  const asks = Array.from({ length: 9 }, (_, n) => pace.request(never, () => Promise.resolve(order.push(n))))

  await pass(clock, 3000)
  await Promise.all(asks)

  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
})

test('uploads that wait for their own rate do not hold up requests', async () => {
  const clock = new ManualClock()
  const pace = aPace(
    { requests: { count: 100, intervalMs: 1000 }, uploads: { count: 1, intervalMs: 60_000 } },
    { clock },
  )
  const uploads = [1, 2].map(() => pace.upload(never, () => Promise.resolve()).catch(() => undefined))
  await breathe()

  const answer = await pace.request(never, () => Promise.resolve('asked'))

  expect(answer).toBe('asked')
  await pace.close()
  await Promise.all(uploads)
})

test('an abort takes a request out of the line; the others move up', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 1, intervalMs: 1000 } }, { clock })
  const stop = new AbortController()
  await pace.request(never, () => Promise.resolve())
  const aborted = [1, 2].map(() => pace.request(stop.signal, () => Promise.resolve()))
  const next = pace.request(never, () => Promise.resolve('next'))
  stop.abort(new Error('enough'))

  for (const request of aborted) await expect(request).rejects.toThrow('enough')
  await pass(clock, 1100)

  expect(await next).toBe('next')
  expect(pace.snapshot().waiting).toBe(0)
})

test('a change of the limits is in force at once for what waits already', async () => {
  const clock = new ManualClock()
  const pace = aPace({ requests: { count: 1, intervalMs: 3_600_000 } }, { clock })
  let begun = 0
  const asks = Array.from({ length: 5 }, () => pace.request(never, () => Promise.resolve(begun++)))
  await pass(clock, 50)
  const before = begun

  pace.change(free)
  await Promise.all(asks)

  expect([before, begun]).toEqual([1, 5])
})

test('what a call throws is its caller’s to know, and takes no other call with it', async () => {
  const pace = aPace({ requests: { count: 100, intervalMs: 1000 } }, { clock: new ManualClock() })

  const failed = pace.request(never, () => Promise.reject(new Error('500')))
  const other = pace.request(never, () => Promise.resolve('fine'))

  await expect(failed).rejects.toThrow('500')
  expect(await other).toBe('fine')
})

test('a call that has begun is not given up by an abort: how it ends is its own', async () => {
  const pace = aPace({ requests: { count: 100, intervalMs: 1000 } }, { clock: new ManualClock() })
  const stop = new AbortController()

  const first = pace.request(stop.signal, () => Promise.resolve('first'))
  const second = pace.request(stop.signal, () => {
    stop.abort(new Error('enough'))
    return Promise.resolve('second')
  })

  expect(await Promise.all([first, second])).toEqual(['first', 'second'])
})
