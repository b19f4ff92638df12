/** Options: what is refused, where, and in which words. */
import { describe, expect, test } from 'vitest'
import { broadcastDispatcher, consumer, demandDispatcher, producer, producerConsumer } from '../../src/stage/stage.ts'
import { atRest, watchedConsumer, watchedProducer } from './watched.ts'

/** Calls without the compiler's check, as a caller in plain JavaScript would. */
function call(work: (...args: never[]) => unknown, ...args: unknown[]): () => unknown {
  return (): unknown => Reflect.apply(work, undefined, args)
}

const handleEvents = (): void => {}

describe('S1: constructors', () => {
  test.each<[string, () => unknown]>([
    [
      'producer: expected options name, dispatcher, bufferSize, bufferKeep, onDiscard, handleStop, handleDemand, handleSubscribe, handleCancel, handleInfo, demand, got buffersize',
      call(producer, { buffersize: 1 }),
    ],
    ['bufferSize: expected a whole number of at least 0, or Infinity, got -1', call(producer, { bufferSize: -1 })],
    ['bufferSize: expected a whole number of at least 0, or Infinity, got 1.5', call(producer, { bufferSize: 1.5 })],
    ['bufferKeep: expected first or last, got "middle"', call(producer, { bufferKeep: 'middle' })],
    ['demand: expected forward or accumulate, got "stop"', call(producer, { demand: 'stop' })],
    ['handleDemand: expected a function, got 7', call(producer, { handleDemand: 7 })],
    ['dispatcher: expected a function, got "demand"', call(producer, { dispatcher: 'demand' })],
    [
      'consumer: expected options name, handleEvents, handleSubscribe, handleCancel, handleInfo, handleStop, got bufferSize',
      call(consumer, { handleEvents, bufferSize: 1 }),
    ],
    ['handleEvents: expected a function, got undefined', call(consumer, {})],
    [
      'producerConsumer: expected options name, dispatcher, bufferSize, bufferKeep, onDiscard, handleStop, handleEvents, handleSubscribe, handleCancel, handleInfo, handleEnd, got demand',
      call(producerConsumer, { handleEvents, demand: 'forward' }),
    ],
    ['handleEvents: expected a function, got null', call(producerConsumer, { handleEvents: null })],
    ['start: expected a whole number of at least 0, got -1', call(demandDispatcher, { start: -1 })],
    ['demandDispatcher: expected options start, got shuffle', call(demandDispatcher, { shuffle: true })],
  ])('throw "%s"', (message, act) => {
    expect(act).toThrow(new TypeError(message))
  })
})

describe('S9: subscribe', () => {
  test.each<[string, object]>([
    ['maxDemand: expected a whole number of at least 1, got 0', { maxDemand: 0 }],
    ['maxDemand: expected a whole number of at least 1, got Infinity', { maxDemand: Infinity }],
    ['minDemand: expected a whole number from 0 to 999, got 2000', { minDemand: 2000 }],
    ['minDemand: expected a whole number from 0 to 0, got 1', { maxDemand: 1, minDemand: 1 }],
    ['cancel: expected permanent or transient or temporary or drain, got "never"', { cancel: 'never' }],
    ['mode: expected automatic or manual, got "auto"', { mode: 'auto' }],
    ['selector: expected a function, got 3', { selector: 3 }],
    [
      'subscribe: expected options maxDemand, minDemand, cancel, selector, partition, custom, mode, replacing, got maxdemand',
      { maxdemand: 1 },
    ],
  ])('throws "%s" and leaves both stages as they were', async (message, options) => {
    const source = watchedProducer<number>({ dispatcher: broadcastDispatcher() })
    const { stage, events } = watchedConsumer<number>()

    expect(call(stage.subscribe.bind(stage), source.stage, options)).toThrow(new TypeError(message))

    stage.subscribe(source.stage)
    source.stage.emit([1])
    await atRest()
    expect(events()).toEqual([1])
  })

  test('a selector that the producer’s dispatcher would not heed is refused', () => {
    const { stage } = watchedConsumer<number>()
    const act = (): unknown => stage.subscribe(producer<number>(), { selector: () => true })

    expect(act).toThrow('selector: expected a producer whose dispatcher heeds it')
  })
})

test.each([
  [{}, 1000, 500],
  [{ maxDemand: 1 }, 1, 1],
  [{ maxDemand: 7 }, 7, 4],
])('S2: %j asks %i first and handles %i at most at once', async (options, ask, chunkMax) => {
  const source = watchedProducer<number>()
  const { stage, chunks } = watchedConsumer<number>()
  stage.subscribe(source.stage, options)
  await atRest()

  source.stage.emit(new Array<number>(ask).fill(0))
  await atRest()

  expect(source.asks[0]).toBe(ask)
  expect(Math.max(...chunks.map((chunk) => chunk.length))).toBe(chunkMax)
})

test('S2: a producer-consumer buffers without bound by default', async () => {
  const source = producer<number>()
  const middle = producerConsumer<number, number>({
    handleEvents: (events) => events.flatMap((event) => new Array<number>(20_000).fill(event)),
  })
  const { stage } = watchedConsumer<number>()
  middle.subscribe(source)
  stage.subscribe(middle, { mode: 'manual' }).ask(1)

  source.emit([1])
  await atRest()

  expect(middle.bufferedCount).toBe(19_999)
  expect(middle.discardedCount).toBe(0)
})
