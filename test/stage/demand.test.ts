/** Demand: who asks for how much, when, and in which chunks events are handled. */
import { describe, expect, test } from 'vitest'
import { consumer, producer, producerConsumer } from '../../src/stage/stage.ts'
import { atRest, countingProducer, gate, manual, range, until, watchedConsumer, watchedProducer } from './watched.ts'

/** [max, min, pending before the message, events in it, chunks, ask after each chunk, pending after] */
const table: [number, number, number, number, number[], number[], number][] = [
  [1000, 500, 1000, 1000, [500, 500], [500, 500], 1000],
  [100, 80, 100, 100, [20, 20, 20, 20, 20], [20, 20, 20, 20, 20], 100],
  [100, 20, 100, 100, [80, 20], [80, 0], 80],
  [1, 0, 1, 1, [1], [1], 1],
  [5, 2, 5, 5, [3, 2], [3, 0], 3],
  [20, 2, 20, 20, [18, 2], [18, 0], 18],
  [10, 5, 10, 3, [3], [0], 7],
  [10, 5, 7, 4, [4], [7], 10],
  [4, 3, 4, 4, [1, 1, 1, 1], [1, 1, 1, 1], 4],
  [10, 9, 10, 3, [1, 1, 1], [1, 1, 1], 10],
]

describe('automatic subscriptions', () => {
  test('S10: asks maxDemand right after subscribing, 1000 by default, in a window of its own per producer', async () => {
    const first = watchedProducer<number>()
    const second = watchedProducer<number>()
    const { stage } = watchedConsumer<number>()

    stage.subscribe(first.stage)
    stage.subscribe(second.stage, { maxDemand: 10 })
    await atRest()

    expect(first.asks).toEqual([1000])
    expect(second.asks).toEqual([10])
  })

  test.each(table)(
    'S11, S12: %i/%i with %i pending takes a message of %i in chunks %j and asks %j',
    async (maxDemand, minDemand, pendingBefore, count, chunks, asks, pendingAfter) => {
      const log: string[] = []
      const source = watchedProducer<number>({}, log)
      const { stage, chunks: handled } = watchedConsumer<number>({
        handleEvents: (events) => void log.push(`chunk ${events.length}`),
      })
      stage.subscribe(source.stage, { maxDemand, minDemand })
      await atRest()
      if (pendingBefore < maxDemand) source.stage.emit(range(1, maxDemand - pendingBefore))
      await atRest()
      log.length = 0
      handled.length = 0

      source.stage.emit(range(1, count))
      await atRest()

      const expected = chunks.flatMap((chunk, at) => [`chunk ${chunk}`, ...(asks[at] === 0 ? [] : [`ask ${asks[at]}`])])
      expect(log).toEqual(expected)
      expect(handled.flat()).toEqual(range(1, count))
      expect(source.stage.wantedCount).toBe(pendingAfter)
    },
  )

  test('S11: the ask for a chunk goes out after its asynchronous handler has ended, never before', async () => {
    const handling = gate()
    const source = watchedProducer<number>()
    const { stage } = watchedConsumer<number>({ handleEvents: () => handling.opened })
    stage.subscribe(source.stage, { maxDemand: 2, minDemand: 0 })
    source.stage.emit([1, 2])
    await atRest()
    const asksMeanwhile = [...source.asks]

    handling.open()
    await until('the second ask', () => source.asks.length === 2)

    expect(asksMeanwhile).toEqual([2])
    expect(source.asks).toEqual([2, 2])
  })

  test('S13: events asked for by hand besides are handled but earn no ask: 10/5 and 12 events', async () => {
    const source = watchedProducer<number>()
    const { stage, chunks } = watchedConsumer<number>()
    const subscription = stage.subscribe(source.stage, { maxDemand: 10, minDemand: 5 })
    subscription.ask(2)
    await atRest()

    source.stage.emit(range(1, 12))
    await atRest()

    source.stage.emit(range(13, 15))
    await atRest()

    expect(chunks.map((chunk) => chunk.length)).toEqual([5, 5, 2, 3])
    expect(source.asks).toEqual([10, 2, 5, 5])
    expect(source.stage.wantedCount).toBe(7)
  })
})

describe('manual subscriptions', () => {
  test('S14: nothing is asked for but by ask, and a message is one chunk', async () => {
    const source = countingProducer(1)
    const { stage, chunks } = watchedConsumer<number>()
    const subscription = manual(stage, source.stage)
    await atRest()
    const asksBefore = [...source.asks]

    subscription.ask(2000)
    await atRest()

    expect(asksBefore).toEqual([])
    expect(source.asks).toEqual([2000])
    expect(chunks.map((chunk) => chunk.length)).toEqual([2000])
  })

  test('S14: ask(0) does nothing', async () => {
    const source = countingProducer(1)
    const { stage } = watchedConsumer<number>()

    manual(stage, source.stage).ask(0)
    await atRest()

    expect(source.asks).toEqual([])
  })

  test.each([-1, 1.5, NaN, Infinity])('ask(%d) throws and says what it expected', (count) => {
    const { stage } = watchedConsumer<number>()
    const subscription = manual(stage, producer<number>())

    const act = (): void => subscription.ask(count)

    expect(act).toThrow(`ask: expected a whole number of at least 0, got ${count}`)
  })

  test('S14: a consumer asks for one more from inside its handler', async () => {
    const source = countingProducer(1)
    const seen: number[] = []
    const stage = consumer<number>({
      handleEvents(events, from) {
        seen.push(...events)
        if (seen.length < 5) from.ask(1)
      },
    })

    manual(stage, source.stage).ask(1)
    await atRest()

    expect(seen).toEqual([1, 2, 3, 4, 5])
  })

  test('from is the subscription that subscribe returned', async () => {
    const source = countingProducer(1)
    const froms: unknown[] = []
    const stage = consumer<number>({ handleEvents: (_, from) => void froms.push(from) })

    const subscription = manual(stage, source.stage)
    subscription.ask(1)
    await atRest()

    expect(froms).toEqual([subscription])
    expect(froms[0]).toBe(subscription)
  })
})

describe('a producer', () => {
  test('S6: hears of demand once per ask, not merged, and never again', async () => {
    const source = watchedProducer<number>()
    const { stage } = watchedConsumer<number>()
    const subscription = manual(stage, source.stage)

    subscription.ask(2)
    subscription.ask(3)
    await atRest()
    source.stage.emit([1])
    await atRest()

    expect(source.asks).toEqual([2, 3])
    expect(source.stage.wantedCount).toBe(4)
  })

  test('S6: what it emits beyond demand is buffered', async () => {
    const { stage, events } = watchedConsumer<number>()
    const source = producer<number>({ handleDemand: (demand) => range(1, demand + 3) })

    manual(stage, source).ask(2)
    await atRest()

    expect(events()).toEqual([1, 2])
    expect(source.bufferedCount).toBe(3)
  })

  test('S7: without handleDemand it is pushed, and demand that came before is served at once', async () => {
    const source = producer<number>()
    const { stage, events } = watchedConsumer<number>()
    manual(stage, source).ask(3)

    source.emit([1, 2])
    source.emit([3, 4])
    await atRest()

    expect(events()).toEqual([1, 2, 3])
    expect(source.bufferedCount).toBe(1)
  })

  test('S2: none of its callbacks begins while another one is awaited', async () => {
    const first = gate()
    const log: string[] = []
    const source = producer<number>({
      async handleDemand(demand) {
        log.push(`begin ${demand}`)
        if (demand === 1) await first.opened
        log.push(`end ${demand}`)
      },
    })
    const { stage } = watchedConsumer<number>()
    const subscription = manual(stage, source)
    subscription.ask(1)
    subscription.ask(2)
    await atRest()
    const logMeanwhile = [...log]

    first.open()
    await until('both asks answered', () => log.length === 4)

    expect(logMeanwhile).toEqual(['begin 1'])
    expect(log).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
  })

  test('S2: nor does a consumer handle anything while a handler is awaited', async () => {
    const source = countingProducer(1)
    let running = 0
    let runningMost = 0
    let handled = 0
    const stage = consumer<number>({
      async handleEvents(events) {
        runningMost = Math.max(runningMost, ++running)
        await Promise.resolve()
        running--
        handled += events.length
      },
    })

    stage.subscribe(source.stage, { maxDemand: 4, minDemand: 3 })
    stage.subscribe(countingProducer(1).stage, { maxDemand: 4, minDemand: 3 })
    await until('a hundred events', () => handled >= 100)
    await stage.stop()

    expect(runningMost).toBe(1)
  })

  test('asks beyond the thousand that wait are added up, so that asking in a loop costs no memory', async () => {
    const source = watchedProducer<number>()
    const { stage } = watchedConsumer<number>()
    const subscription = manual(stage, source.stage)

    for (let ask = 0; ask < 3000; ask++) subscription.ask(1)
    await until('all asks', () => source.asks.reduce((sum, ask) => sum + ask, 0) === 3000)

    expect(source.asks).toHaveLength(1024)
  })

  test('what subscribe and emit set off is handled after they have returned', async () => {
    const { stage, events } = watchedConsumer<number>()
    const source = producer<number>()

    stage.subscribe(source)
    source.emit([1])
    const seenAtOnce = events()
    await atRest()

    expect(seenAtOnce).toEqual([])
    expect(events()).toEqual([1])
  })
})

test('S14b: one subscription gets its events in the order emitted; several producers never mix inside a chunk', async () => {
  const { stage, chunks, events } = watchedConsumer<number>()
  const odd = producer<number>()
  const even = producer<number>()
  stage.subscribe(odd, { maxDemand: 4 })
  stage.subscribe(even, { maxDemand: 4 })

  for (let round = 0; round < 10; round++) {
    odd.emit([4 * round + 1, 4 * round + 3])
    even.emit([4 * round + 2, 4 * round + 4])
  }
  await atRest()

  expect(events().filter((event) => event % 2 === 1)).toEqual(range(1, 40).filter((event) => event % 2 === 1))
  expect(events().filter((event) => event % 2 === 0)).toEqual(range(1, 40).filter((event) => event % 2 === 0))
  expect(chunks.every((chunk) => new Set(chunk.map((event) => event % 2)).size === 1)).toBe(true)
})

test('S15: in the chain 20/2, 5/2 the middle handles 1-18, 19-20 and the end 3, 2, 3, 3, 2, 3, 3, 1', async () => {
  const middleChunks: (readonly number[])[] = []
  const asks: number[] = []
  const making = producer<number>({
    handleDemand(demand) {
      asks.push(demand)
      return asks.length === 1 ? range(1, 20) : undefined
    },
  })
  const baking = producerConsumer<number, number>({
    handleEvents(events) {
      middleChunks.push(events)
      return events
    },
  })
  const packing = watchedConsumer<number>()

  packing.stage.subscribe(baking, { maxDemand: 5, minDemand: 2 })
  baking.subscribe(making, { maxDemand: 20, minDemand: 2 })
  await atRest()

  expect(middleChunks).toEqual([range(1, 18), [19, 20]])
  expect(asks).toEqual([20, 18])
  expect(packing.chunks).toEqual([
    [1, 2, 3],
    [4, 5],
    [6, 7, 8],
    [9, 10, 11],
    [12, 13],
    [14, 15, 16],
    [17, 18, 19],
    [20],
  ])
})
