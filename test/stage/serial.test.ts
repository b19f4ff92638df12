/** How concurrent work becomes serial though every stage is free, and what cures it: measured in workers and in time. */
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { consumer, demandDispatcher, producer } from '../../src/stage/stage.ts'
import { range, until } from './watched.ts'

const workMs = 30
const count = 10
/** Time that ten pieces of work take one after the other; a timer is never early by more than 1 ms. */
const serialMs = count * (workMs - 1)

/** Ten consumers, each subscribed to every producer; each producer emits its share of ten messages once all have asked. */
async function run(producers: number, maxDemand: number, start: (index: number) => number) {
  const sources = range(0, producers - 1).map((index) =>
    producer<number>({ dispatcher: demandDispatcher({ start: start(index) }) }),
  )
  const loads = range(1, count).map(() => 0)
  const signal = new AbortController().signal
  let done = 0
  range(0, count - 1).forEach((worker) => {
    const stage = consumer<number>({
      async handleEvents(events) {
        loads[worker] = (loads[worker] ?? 0) + events.length
        for (let event = 0; event < events.length; event++) await systemClock.sleep(workMs, signal)
        done += events.length
      },
    })
    for (const source of sources) stage.subscribe(source, { maxDemand })
  })
  const beganMs = systemClock.monotonicMs()
  for (const source of sources) source.emit(range(1, count / producers))
  await new Promise<void>((resolve) => {
    const look = (): void => (done === count ? resolve() : void systemClock.after(1, look))
    look()
  })
  return { busiest: Math.max(...loads), elapsedMs: systemClock.monotonicMs() - beganMs }
}

describe('S34: ten producers, ten consumers, one message of 30 ms per producer', () => {
  test('with one and the same order everywhere, one consumer does all the work, one piece after the other', async () => {
    const { busiest, elapsedMs } = await run(10, 10, () => 0)

    expect(busiest).toBe(10)
    expect(elapsedMs).toBeGreaterThanOrEqual(serialMs)
  })

  test('S35: a maxDemand of 1 alone changes nothing', async () => {
    const { busiest, elapsedMs } = await run(10, 1, () => 0)

    expect(busiest).toBe(10)
    expect(elapsedMs).toBeGreaterThanOrEqual(serialMs)
  })

  test('D7, S33: rotated by the producer’s index, each does one, all at once', async () => {
    const { busiest, elapsedMs } = await run(10, 10, (index) => index)

    expect(busiest).toBe(1)
    expect(elapsedMs).toBeLessThan(serialMs / 2)
  })
})

describe('S35: one producer', () => {
  test('with a maxDemand of 10: one consumer takes all ten', async () => {
    const { busiest, elapsedMs } = await run(1, 10, () => 0)

    expect(busiest).toBe(10)
    expect(elapsedMs).toBeGreaterThanOrEqual(serialMs)
  })

  test('with a maxDemand of 1: each takes one, all at once', async () => {
    const { busiest, elapsedMs } = await run(1, 1, () => 0)

    expect(busiest).toBe(1)
    expect(elapsedMs).toBeLessThan(serialMs / 2)
  })
})

test('S32: an ask greater than any before is honoured', async () => {
  const source = producer<number>()
  const seen: number[] = []
  const stage = consumer<number>({ handleEvents: (events) => void seen.push(...events) })
  const subscription = stage.subscribe(source, { mode: 'manual', maxDemand: 5 })
  subscription.ask(1)

  subscription.ask(50)
  source.emit(range(1, 60))
  await until('all asked for came', () => seen.length === 51)

  expect(source.bufferedCount).toBe(9)
})
