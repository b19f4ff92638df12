/** Streams: the events of producers in a plain loop, asked for as the loop goes on. */
import { describe, expect, test } from 'vitest'
import {
  fromIterable,
  producer,
  type Reason,
  stream,
  type StreamSource,
  type SubscribeOptions,
} from '../../src/stage/stage.ts'
import { atRest, countingProducer, range, settledOr } from './watched.ts'

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = []
  for await (const event of events) seen.push(event)
  return seen
}

describe('S63: a stream', () => {
  test('gives all events of its producer in order and ends with it', async () => {
    expect(await all(stream([[fromIterable(range(1, 2500)), { maxDemand: 10 }]]))).toEqual(range(1, 2500))
  })

  test('gives the events of several producers and ends when the last has', async () => {
    const seen = await all(stream([fromIterable(range(1, 50)), [fromIterable(range(101, 300)), { maxDemand: 7 }]]))

    expect(seen.filter((event) => event <= 50)).toEqual(range(1, 50))
    expect(seen.filter((event) => event > 100)).toEqual(range(101, 300))
  })

  test('asks for more only once a chunk has been consumed', async () => {
    const { stage: source, asks } = countingProducer(1)
    const asked: number[] = []

    for await (const event of stream([[source, { maxDemand: 4, minDemand: 2 }]])) {
      await atRest()
      asked.push(asks.length)
      if (event === 5) break
    }

    expect(asked).toEqual([1, 1, 2, 2, 3])
  })

  test('does not subscribe before it is iterated', async () => {
    const { stage: source, asks } = countingProducer(1)

    stream([source])
    await atRest()

    expect(asks).toEqual([])
  })

  test('leaving the loop cancels all subscriptions and asks for nothing more', async () => {
    const cancelled: Reason[] = []
    const { stage: source, asks } = countingProducer(1, { handleCancel: (_, reason) => void cancelled.push(reason) })

    for await (const event of stream([[source, { maxDemand: 3, minDemand: 2 }]])) if (event === 1) break
    await atRest()

    expect(cancelled).toEqual(['normal'])
    expect(asks).toEqual([3])
    expect(source.snapshot().subscribers).toEqual([])
  })

  test('an error in the loop leaves it just so', async () => {
    const { stage: source } = countingProducer(1)
    const looped = async (): Promise<void> => {
      for await (const event of stream([source])) throw new Error(`at ${event}`)
    }

    await expect(looped()).rejects.toThrow('at 1')
    await atRest()

    expect(source.snapshot().subscribers).toEqual([])
  })

  test('sets its producers to forward after subscribing, so that none misses the first events', async () => {
    const source = producer<number>({ demand: 'accumulate' })
    source.emit([1, 2, 3])
    source.end()

    expect(await all(stream([source]))).toEqual([1, 2, 3])
  })

  test('sets the producers it is told to', async () => {
    const [source, other] = [producer<number>({ demand: 'accumulate' }), producer<number>({ demand: 'accumulate' })]

    const iterator = stream([source], { producers: [other] })[Symbol.asyncIterator]()
    const next = iterator.next()
    await atRest()
    source.end()

    expect([source.demand, other.demand]).toEqual(['accumulate', 'forward'])
    expect(await next).toEqual({ done: true, value: undefined })
  })

  const ends: readonly (readonly [SubscribeOptions<number>, Reason, string | undefined])[] = [
    [{}, 'normal', undefined],
    [{}, 'shutdown', undefined],
    [{}, new Error('torn'), 'torn'],
    [{ cancel: 'permanent' }, 'normal', undefined],
    [{ cancel: 'permanent' }, 'shutdown', 'stream: its producer ended with shutdown'],
    [{ cancel: 'permanent' }, new Error('torn'), 'torn'],
    [{ cancel: 'transient' }, 'shutdown', undefined],
    [{ cancel: 'transient' }, new Error('torn'), 'torn'],
    [{ cancel: 'temporary' }, new Error('torn'), undefined],
  ]
  test.each(ends)(
    'under %o a producer that ends with %s ends it, throwing %s, behind all that came',
    async (options, reason, message) => {
      const source = producer<number>()
      const seen: number[] = []
      const reading = (async () => {
        for await (const event of stream([[source, options]])) seen.push(event)
      })()
      await atRest()
      source.emit([1, 2, 3])
      await source.stop(reason)

      if (message === undefined) await reading
      else await expect(reading).rejects.toThrow(message)

      expect(seen).toEqual([1, 2, 3])
    },
  )

  test('a permanent end ends it though others go on', async () => {
    const [ending, going] = [producer<number>(), producer<number>()]
    const reading = all(stream([[ending, { cancel: 'permanent' }], going]))
    await atRest()

    await ending.stop()

    expect(await reading).toEqual([])
    await atRest()
    expect(await settledOr(going.stopped)).toBeUndefined()
    expect(going.snapshot().subscribers).toEqual([])
  })

  test('of a producer that had stopped before throws', async () => {
    const source = producer<number>()
    await source.stop()

    await expect(all(stream([source]))).rejects.toThrow('stream: its producer ended with noproc')
  })

  test('of nothing is empty', async () => {
    expect(await all(stream([]))).toEqual([])
  })

  test('may be iterated again, each time with subscriptions of its own', async () => {
    const { stage: source } = countingProducer(1)
    const events = stream([[source, { maxDemand: 1 }]])
    const seen: number[] = []

    for await (const event of events) if (seen.push(event) === 2) break
    for await (const event of events) if (seen.push(event) === 4) break

    expect(seen).toHaveLength(4)
    expect(new Set(seen).size).toBe(4)
  })

  test.each<[string, readonly StreamSource<number>[] | readonly unknown[], object]>([
    ['maxDemand: expected a whole number of at least 1, got 0', [[producer<number>(), { maxDemand: 0 }]], {}],
    ['subscribe: expected a producer or producerConsumer', [7], {}],
    ['demand: expected forward or accumulate, got "now"', [], { demand: 'now' }],
    ['stream: expected options demand, producers, got max', [], { max: 1 }],
  ])('throws "%s" where it is written', (message, sources, options) => {
    expect((): unknown => Reflect.apply(stream, undefined, [sources, options])).toThrow(new TypeError(message))
  })
})
