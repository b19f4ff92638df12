/** Endless chains share the event loop: timers come in time, and no chain grows the stack. */
import { expect, test } from 'vitest'
import {
  broadcastDispatcher,
  consumer,
  type Consumer,
  producer,
  producerConsumer,
  type Producer,
  type Source,
  type SubscribeOptions,
} from '../../src/stage/stage.ts'
import { atRest, countingProducer, range, until, watchedConsumer } from './watched.ts'

const timerMs = 10
const lateMsMax = 20
const timers = 12

/**
 * How late each of a row of timers is, ms. What counts is the time this process had, of which an endless chain takes all: on the clock it
 * is late as well while others use the machine. The kindest half decides.
 */
async function medianLateness(): Promise<number> {
  const late: number[] = []
  for (let timer = 0; timer < timers; timer++) {
    const before = process.cpuUsage()
    await new Promise((resolve) => setTimeout(resolve, timerMs))
    const { user, system } = process.cpuUsage(before)
    late.push((user + system) / 1000 - timerMs)
  }
  late.sort((a, b) => a - b)
  return late[timers / 2] ?? Infinity
}

function busyFor(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

/** Joins a consumer to the source and answers it, so that it can be stopped: what it was given, it would handle first. */
const endless: [string, (source: Source<number>, count: () => void) => Consumer<number>][] = [
  ['synchronous', (source, count) => joined(consumer({ handleEvents: count }), source, { maxDemand: 1 })],
  [
    'asynchronous, settled at once',
    (source, count) =>
      joined(consumer({ handleEvents: () => Promise.resolve().then(count) }), source, { maxDemand: 1 }),
  ],
  [
    'with a producer-consumer that filters everything',
    (source, count) => {
      const middle = producerConsumer<number, number>({ handleEvents: () => (count(), []) })
      middle.subscribe(source, { maxDemand: 2 })
      return joined(consumer({ handleEvents: () => {} }), middle, {})
    },
  ],
  [
    'of slow chunks out of one large message',
    (source, count) => {
      const handleEvents = (): void => {
        count()
        busyFor(1)
      }
      return joined(consumer({ handleEvents }), source, { maxDemand: 10_000, minDemand: 9_999 })
    },
  ],
]

function joined(stage: Consumer<number>, source: Source<number>, options: SubscribeOptions<number>): Consumer<number> {
  stage.subscribe(source, options)
  return stage
}

test.each(endless)('a chain without end (%s) delays a 10 ms timer by less than 20 ms', async (_, join) => {
  const { stage: source } = countingProducer(1)
  let chunks = 0
  const last = join(source, () => {
    chunks++
  })
  await until('running', () => chunks > 10)

  const lateMs = await medianLateness()
  const chunksAfter = chunks
  await Promise.all([source.stop(), last.stop()])

  expect(lateMs).toBeLessThan(lateMsMax)
  expect(chunksAfter).toBeGreaterThan(50)
})

test('S41: a broadcast to selectors that reject everything, without end, delays no timer either', async () => {
  const { stage: source } = countingProducer(1, { dispatcher: broadcastDispatcher() })
  let seen = 0
  consumer<number>({ handleEvents: () => {} }).subscribe(source, {
    maxDemand: 10,
    selector() {
      seen++
      return false
    },
  })
  await until('running', () => seen > 100)

  const lateMs = await medianLateness()
  await source.stop()

  expect(lateMs).toBeLessThan(lateMsMax)
})

test('two endless chains get their turns alternately', async () => {
  const chains = range(0, 1).map(() => {
    const { stage: source } = countingProducer(1)
    let count = 0
    consumer<number>({
      handleEvents() {
        count++
      },
    }).subscribe(source, { maxDemand: 1 })
    return { source, count: () => count }
  })

  await until('a thousand each', () => chains.every(({ count }) => count() > 1000))
  const [first = 0, second = 0] = chains.map(({ count }) => count())
  for (const { source } of chains) await source.stop()

  expect(Math.abs(first - second)).toBeLessThan(0.1 * first)
})

test('a chain of 3000 stages hands events through and ends in order, without growing the stack', async () => {
  const first: Producer<number> = producer<number>()
  let last: Source<number> = first
  for (let depth = 0; depth < 3000; depth++) {
    const middle = producerConsumer<number, number>({ handleEvents: (events) => events })
    middle.subscribe(last, { maxDemand: 4, cancel: 'drain' })
    last = middle
  }
  const { stage, events } = watchedConsumer<number>()
  stage.subscribe(last, { cancel: 'drain' })

  first.emit(range(1, 100))
  first.end()

  expect(await stage.stopped).toBe('normal')
  expect(events()).toEqual(range(1, 100))
})

test('a stage that is stopped leaves nothing running: the next rounds of the event loop are quiet', async () => {
  const source = countingProducer(1)
  const { stage, chunks } = watchedConsumer<number>()
  stage.subscribe(source.stage, { maxDemand: 1 })
  await until('running', () => chunks.length > 100)

  await stage.stop()
  const countAtStop = chunks.length
  await atRest()

  expect(chunks.length).toBe(countAtStop)
  expect(source.asks.length).toBeLessThanOrEqual(countAtStop + 1)
})
