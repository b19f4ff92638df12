/** Partition dispatcher: every event to the subscriber of its partition, in order, with queues that are bounded and outlive their subscribers. */
import { describe, expect, test } from 'vitest'
import {
  consumer,
  partitionDispatcher,
  partitionOf,
  producer,
  stableHash,
  type Key,
  type Subscription,
} from '../../src/stage/stage.ts'
import {
  atRest,
  countingProducer,
  gate,
  HandSeat,
  range,
  settledOr,
  until,
  watchedConsumer,
  watchedProducer,
} from './watched.ts'

/** A producer of numbers by remainder, and one manual consumer per partition that is to have one. */
function partitioned(partitions: number, taken: readonly number[], queueSize = 100) {
  const source = watchedProducer<number>({
    dispatcher: partitionDispatcher({ partitions, queueSize, hash: (event) => event % partitions }),
  })
  const readers = taken.map((partition) => {
    const watched = watchedConsumer<number>()
    return { ...watched, subscription: watched.stage.subscribe(source.stage, { mode: 'manual', partition }) }
  })
  return { ...source, readers }
}

describe('the dispatcher alone', () => {
  /** Seats by name of the partition, each having asked for so many. */
  function seated(asks: Readonly<Record<number, number>>, partitions = 3, queueSize = 100) {
    const dispatcher = partitionDispatcher<number>({ partitions, queueSize, hash: (event) => event % partitions })()
    const seats = Object.entries(asks).map(([name, count]) => {
      const seat = new HandSeat<number>(undefined, {}, Number(name))
      const joining = dispatcher.join(seat)
      if (joining.kind !== 'joined') throw new Error(joining.reason)
      if (count > 0) joining.place.ask(count)
      return { seat, place: joining.place }
    })
    return { dispatcher, seats }
  }

  test('S44: gives each subscriber the events of its partition in one message, and queues what it did not ask for', () => {
    const { dispatcher, seats } = seated({ 0: 2, 1: 5, 2: 5 })

    const placed = dispatcher.dispatch([0, 1, 3, 2, 6, 4])

    expect(placed).toBe(6)
    expect(seats.map(({ seat }) => seat.messages)).toEqual([[[0, 3]], [[1, 4]], [[2]]])
    expect(dispatcher.holding?.count).toBe(1)
  })

  test('S47: an ask is served from the queue first', () => {
    const { dispatcher, seats } = seated({ 0: 0, 1: 5 })
    dispatcher.dispatch([0, 3, 6])

    seats[0]?.place.ask(2)

    expect(seats[0]?.seat.messages).toEqual([[0, 3]])
    expect(dispatcher.wantedCount).toBe(5)
  })

  test('S46: what queues up for one costs the others nothing: they are still said to be waiting', () => {
    const { dispatcher } = seated({ 0: 1, 1: 10, 2: 10 })

    dispatcher.dispatch([0, 3, 6, 9, 12])

    expect(dispatcher.wantedCount).toBe(20)
  })

  test('S46: a partition without a subscriber queues from the start', () => {
    const { dispatcher } = seated({ 1: 10 })

    dispatcher.dispatch([0, 3])

    expect(dispatcher.holding?.count).toBe(2)
  })

  test('S46, D3: a queue is bounded: once it is full nothing more is wanted or placed, and room makes it go on', () => {
    const { dispatcher, seats } = seated({ 0: 0, 1: 10, 2: 10 }, 3, 2)

    const placed = dispatcher.dispatch([0, 3, 6, 1])
    const full = dispatcher.wantedCount
    seats[0]?.place.ask(1)

    expect(placed).toBe(2)
    expect(full).toBe(0)
    expect(dispatcher.wantedCount).toBe(1)
  })

  test('S45: partitions 1, odd only, ask 4, then 1,2,4,6,8,3: [1,3], and two are still wanted', () => {
    const dispatcher = partitionDispatcher<number>({
      partitions: 1,
      hash: (event) => (event % 2 === 0 ? undefined : 0),
    })()
    const seat = new HandSeat<number>(undefined, {}, 0)
    const joining = dispatcher.join(seat)
    if (joining.kind === 'joined') joining.place.ask(4)

    const placed = dispatcher.dispatch([1, 2, 4, 6, 8, 3])

    expect(placed).toBe(6)
    expect(seat.messages.flat()).toEqual([1, 3])
    expect(dispatcher.wantedCount).toBe(2)
  })

  test('S48: what one who left had asked for is void', () => {
    const { dispatcher, seats } = seated({ 0: 4, 1: 3 })

    seats[0]?.place.leave()

    expect(dispatcher.wantedCount).toBe(3)
  })

  test('D3: the successor gets nothing while the one before still handles, and the queue once that is done', () => {
    const { dispatcher, seats } = seated({ 0: 2, 1: 10 })
    dispatcher.dispatch([0, 3])
    const before = seats[0]
    if (before === undefined) throw new Error('no seat')
    before.seat.unhandledCount = 2
    before.place.leave()
    const successor = new HandSeat<number>(undefined, {}, 0)
    const joining = dispatcher.join(successor)
    if (joining.kind === 'joined') joining.place.ask(5)
    dispatcher.dispatch([6, 9])
    const early = [...successor.messages]

    before.place.done?.()

    expect(early).toEqual([])
    expect(successor.messages).toEqual([[6, 9]])
  })

  test('partitions may have names of their own', () => {
    const dispatcher = partitionDispatcher<number>({
      partitions: ['odd', 'even'],
      hash: (n) => (n % 2 === 0 ? 'even' : 'odd'),
    })()
    const even = new HandSeat<number>(undefined, {}, 'even')
    const joining = dispatcher.join(even)
    if (joining.kind === 'joined') joining.place.ask(5)

    dispatcher.dispatch([1, 2, 3, 4])

    expect(even.messages).toEqual([[2, 4]])
  })
})

describe('under a producer', () => {
  test('S44: beyond what anybody wants, events wait in the buffer', async () => {
    const { stage, readers } = partitioned(2, [0, 1])
    readers[0]?.subscription.ask(1)

    stage.emit([0, 2, 4])
    await atRest()

    expect(readers[0]?.events()).toEqual([0])
    expect(stage.bufferedCount).toBe(2)
  })

  test('S45: dropped events are asked for again, so that the demand is met in the end', async () => {
    const { stage: source, asks } = countingProducer(1, {
      dispatcher: partitionDispatcher<number>({ partitions: 1, hash: (event) => (event % 2 === 0 ? undefined : 0) }),
    })
    const { stage, events } = watchedConsumer<number>()

    stage.subscribe(source, { mode: 'manual', partition: 0 }).ask(4)
    await atRest()

    expect(events()).toEqual([1, 3, 5, 7])
    expect(asks).toEqual([4, 2, 1])
    expect(source.discardedCount).toBe(0)
  })

  test('D3, S48: 1 to 6 for a 1/0 subscriber that leaves after 1: its successor gets 2 to 6', async () => {
    const source = producer<number>({ dispatcher: partitionDispatcher({ partitions: 2, hash: () => 0 }) })
    const other = watchedConsumer<number>()
    other.stage.subscribe(source, { partition: 1 })
    const first = watchedConsumer<number>({ handleEvents: (_, from) => from.cancel() })
    first.stage.subscribe(source, { partition: 0, maxDemand: 1, cancel: 'temporary' })
    await atRest()
    source.emit(range(1, 6))
    await atRest()

    const second = watchedConsumer<number>()
    second.stage.subscribe(source, { partition: 0 })
    await atRest()

    expect(first.events()).toEqual([1])
    expect(second.events()).toEqual([2, 3, 4, 5, 6])
  })

  test('D3: no two consumers work on one partition, also while the first one is stuck after it was cancelled', async () => {
    const held = gate()
    const source = producer<number>({ dispatcher: partitionDispatcher({ partitions: 1 }) })
    const log: string[] = []
    const first = watchedConsumer<number>({ handleEvents: () => held.opened }, log, 'first')
    const second = watchedConsumer<number>({}, log, 'second')
    const subscription = first.stage.subscribe(source, { partition: 0, maxDemand: 2, cancel: 'temporary' })
    source.emit([1, 2])
    await atRest()
    subscription.cancel()
    second.stage.subscribe(source, { partition: 0 })
    source.emit([3])
    await atRest()
    const early = [...log]

    held.open()
    await until('all was handled', () => log.length === 3)

    expect(early).toEqual(['first 1'])
    expect(log).toEqual(['first 1', 'first 2', 'second 3'])
  })

  test('D3: a dead consumer’s partition goes on with its successor', async () => {
    const source = producer<number>({ dispatcher: partitionDispatcher({ partitions: 1 }) })
    const first = consumer<number>({
      handleEvents: () => {
        throw new Error('fails as it was told to')
      },
    })
    first.subscribe(source, { partition: 0, maxDemand: 1 })
    source.emit([1, 2, 3])
    await first.stopped

    const second = watchedConsumer<number>()
    second.stage.subscribe(source, { partition: 0 })
    await atRest()

    expect(second.events()).toEqual([2, 3])
  })

  test('S46: a slow partition holds the others back only once its queue is full', async () => {
    const { stage, readers } = partitioned(2, [0, 1], 3)
    readers[1]?.subscription.ask(100)

    stage.emit([0, 2])
    stage.emit([1, 3])
    await atRest()
    const open = [...(readers[1]?.events() ?? [])]
    stage.emit([4, 6, 5])
    await atRest()
    const closed = [...(readers[1]?.events() ?? [])]
    readers[0]?.subscription.ask(4)
    await atRest()

    expect(open).toEqual([1, 3])
    expect(closed).toEqual([1, 3])
    expect(readers[0]?.events()).toEqual([0, 2, 4, 6])
    expect(readers[1]?.events()).toEqual([1, 3, 5])
  })

  test('D4: `end` waits for the queues of the partitions, too', async () => {
    const { stage, readers } = partitioned(2, [0, 1])
    readers[1]?.subscription.ask(1)
    stage.emit([0])
    stage.end()
    const early = await settledOr(stage.stopped)

    readers[0]?.subscription.ask(1)

    expect(await stage.stopped).toBe('normal')
    expect(early).toBeUndefined()
  })

  test('D5, S49: an event whose hash throws or names no partition is discarded and counted; the producer and the others go on', async () => {
    const discards: number[] = []
    const source = producer<number>({
      onDiscard: (count) => discards.push(count),
      dispatcher: partitionDispatcher<number>({
        partitions: 1,
        hash(event) {
          if (event === 2) throw new Error('fails as it was told to')
          return event === 3 ? 17 : 0
        },
      }),
    })
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, { partition: 0 })

    source.emit([1, 2, 3, 4])
    await atRest()

    expect(events()).toEqual([1, 4])
    expect(source.discardedCount).toBe(2)
    expect(discards).toEqual([2])
  })

  test.each([
    [{}, 'unknown_partition'],
    [{ partition: 9 }, 'unknown_partition'],
    [{ partition: 0 }, 'partition_taken'],
  ])('D5, S49: a subscriber with %o is refused (%s) and harms nobody', async (options, reason) => {
    const { stage: source, readers } = partitioned(2, [0])
    const { stage } = watchedConsumer<number>()

    const refused: Subscription = stage.subscribe(source, options)

    expect(await refused.closed).toBe(reason)
    expect(await settledOr(stage.stopped)).toBeUndefined()
    expect(await settledOr(source.stopped)).toBeUndefined()
    expect(readers[0]?.subscription.isOpen).toBe(true)
  })

  test('S43: one consumer may take several partitions', async () => {
    const source = producer<number>({ dispatcher: partitionDispatcher({ partitions: 2, hash: (n) => n % 2 }) })
    const { stage, events } = watchedConsumer<number>()
    for (const partition of [0, 1]) stage.subscribe(source, { partition })

    source.emit([1, 2, 3, 4])
    await atRest()

    expect(events().sort()).toEqual([1, 2, 3, 4])
  })
})

describe('options', () => {
  test.each([
    ['partitions: expected a whole number from 1 to 65536, got undefined', {}],
    ['partitions: expected a whole number from 1 to 65536, got 0', { partitions: 0 }],
    ['partitions: expected names, each once, got a, a', { partitions: ['a', 'a'], hash: () => 'a' }],
    ['hash: expected a function, since the partitions are not numbered from 0', { partitions: ['a'] }],
    ['hash: expected a function, got 7', { partitions: 1, hash: 7 }],
    ['queueSize: expected a whole number of at least 1, got 0', { partitions: 1, queueSize: 0 }],
  ])('S49: throw "%s"', (message, options) => {
    expect((): unknown => Reflect.apply(partitionDispatcher, undefined, [options])).toThrow(new TypeError(message))
  })
})

describe('the stable hash', () => {
  // Those of strings are published vectors of MurmurHash3 x86 32 with seed 0; the others were written down once and must never change.
  const vectors: readonly (readonly [Key, number])[] = [
    ['', 0],
    ['test', 0xba6bd213],
    ['hello', 0x248bfa47],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
    ['häß', 0xf0c39a5c],
    [new TextEncoder().encode('test'), 0xba6bd213],
    [0, 0x63852afc],
    [-0, 0x63852afc],
    [1, 0xf783608f],
    [-1, 0xe289df71],
    [1.5, 0xf07a83db],
    [2 ** 53 - 1, 0xc37a7a79],
    [10n, 0x86e4093f],
    [true, 0xf783608f],
  ]

  test.each(vectors)('S44: of %o never changes', (key, hash) => {
    expect(stableHash(key)).toBe(hash)
  })

  test('S44: without a hash, events that are keys go by their own stable hash', async () => {
    const words = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const source = producer<string>({ dispatcher: partitionDispatcher({ partitions: 3 }) })
    const readers = [0, 1, 2].map((partition) => {
      const watched = watchedConsumer<string>()
      watched.stage.subscribe(source, { partition })
      return watched
    })

    source.emit(words)
    await atRest()

    expect(readers.map(({ events }) => events())).toEqual(
      [0, 1, 2].map((partition) => words.filter((word) => partitionOf(word, 3) === partition)),
    )
  })

  test('D5: without a hash, an event that is no key is discarded and counted', async () => {
    const source = producer<unknown>({ dispatcher: partitionDispatcher({ partitions: 1 }) })
    const { stage, events } = watchedConsumer<unknown>()
    stage.subscribe(source, { partition: 0 })

    source.emit([{}, 'key', undefined])
    await atRest()

    expect(events()).toEqual(['key'])
    expect(source.discardedCount).toBe(2)
  })

  test('S44: spreads 10,000 names over 4 partitions within 5 %', () => {
    const counts = [0, 0, 0, 0]
    for (const number of range(1, 10_000)) {
      const at = partitionOf(`folder/file-${number}.pdf`, 4)
      counts[at] = (counts[at] ?? 0) + 1
    }

    for (const count of counts) expect(Math.abs(count - 2500)).toBeLessThan(125)
  })
})
