/** The buffer of a producing stage: what it keeps, in which order it serves, what it drops and how that is known. */
import { expect, test } from 'vitest'
import { type Keep, producer } from '../../src/stage/stage.ts'
import { EventBuffer } from '../../src/stage/event-buffer.ts'
import { atRest, countingProducer, manual, range, watchedConsumer, watchedProducer } from './watched.ts'

test('S22: an ask is served from the buffer, and only what is missing reaches handleDemand', async () => {
  const source = watchedProducer<string>()
  const { stage, chunks } = watchedConsumer<string>()
  source.stage.emit(['a', 'b', 'c'])
  const subscription = stage.subscribe(source.stage, { mode: 'manual' })

  subscription.ask(2)
  subscription.ask(4)
  await atRest()

  expect(chunks).toEqual([['a', 'b'], ['c']])
  expect(source.asks).toEqual([3])
})

test('S23: a buffered rest and fresh events come as messages of their own', async () => {
  let next = 0
  const asks: number[] = []
  const source = producer<string | number>({
    handleDemand(demand) {
      asks.push(demand)
      if (asks.length > 2) return
      next += demand
      return range(next - demand, next - 1)
    },
  })
  const { stage, chunks } = watchedConsumer<string | number>()
  source.emit(['a', 'b'])
  source.emit(['c', 'd', 'e'])

  stage.subscribe(source, { maxDemand: 4, minDemand: 0 })
  await atRest()

  expect(chunks).toEqual([['a', 'b', 'c', 'd'], ['e'], [0, 1, 2], [3, 4, 5, 6]])
  expect(asks).toEqual([3, 4, 4])
})

test.each<[Keep, string[]]>([
  ['last', ['d', 'e', 'f', 'g', 'h']],
  ['first', ['a', 'b', 'c', 'd', 'e']],
])('S24: of a-e and then f, g, h a buffer of 5 that keeps the %s holds %j', async (bufferKeep, kept) => {
  const source = producer<string>({ bufferSize: 5, bufferKeep })
  source.emit(['a', 'b', 'c', 'd', 'e'])
  source.emit(['f', 'g', 'h'])

  const { stage, events } = watchedConsumer<string>()
  stage.subscribe(source)
  await atRest()

  expect(events()).toEqual(kept)
})

test('S24, S25, D9: each emission that overflowed is reported once, with its excess, and all are counted', () => {
  const reports: number[] = []
  const source = producer<number>({ bufferSize: 5, onDiscard: (count) => void reports.push(count) })

  source.emit(range(1, 5))
  source.emit([6, 7, 8])
  source.emit(range(9, 20))

  expect(reports).toEqual([3, 12])
  expect(source.discardedCount).toBe(15)
  expect(source.bufferedCount).toBe(5)
})

test('S24: what can be placed is placed before anything is dropped', async () => {
  const source = producer<number>({ bufferSize: 2, bufferKeep: 'first' })
  const { stage, events } = watchedConsumer<number>()
  manual(stage, source).ask(3)

  source.emit(range(1, 6))
  await atRest()

  expect(events()).toEqual([1, 2, 3])
  expect(source.bufferedCount).toBe(2)
  expect(source.discardedCount).toBe(1)
})

test('D8: a buffer of 0 keeps nothing, reports it, and still serves demand', async () => {
  const reports: number[] = []
  const source = producer<number>({ bufferSize: 0, onDiscard: (count) => void reports.push(count) })
  source.emit([1, 2])
  const { stage, events } = watchedConsumer<number>()
  manual(stage, source).ask(1)

  source.emit([3, 4])
  await atRest()

  expect(events()).toEqual([3])
  expect(reports).toEqual([2, 1])
  expect(source.bufferedCount).toBe(0)
})

test('S28: bufferedCount is 10 000 at most by default', () => {
  const source = producer<number>()

  source.emit(range(1, 10_001))

  expect(source.bufferedCount).toBe(10_000)
  expect(source.discardedCount).toBe(1)
})

test('an onDiscard that throws stops the stage with that error, and emit does not throw', async () => {
  const broken = new Error('no room to report')
  const source = producer<number>({
    bufferSize: 0,
    onDiscard() {
      throw broken
    },
  })

  source.emit([1])
  const reason = await source.stopped

  expect(reason).toBe(broken)
})

test('undefined is an event like any other', async () => {
  const source = producer<number | undefined>()
  const { stage, events } = watchedConsumer<number | undefined>()
  source.emit([undefined, 1])
  source.emit([undefined])

  stage.subscribe(source)
  await atRest()

  expect(events()).toEqual([undefined, 1, undefined])
})

test('a long-lived buffer keeps order and count through many additions and takings', () => {
  const buffer = new EventBuffer<number>(100, 'last')
  let added = 0
  let taken = 0

  for (let round = 0; round < 1000; round++) {
    buffer.add(range(added, added + (round % 7)), 0)
    added += (round % 7) + 1
    const batch = buffer.peek(round % 6)
    expect(batch).toEqual(range(added - buffer.count, added - buffer.count + batch.length - 1))
    buffer.drop(batch.length)
    taken += batch.length
  }

  expect(buffer.count).toBeLessThanOrEqual(100)
  expect(taken).toBeGreaterThan(1000)
})

test('a producer that is never short serves ask after ask without buffering', async () => {
  const source = countingProducer(1)
  const { stage, events } = watchedConsumer<number>()
  const subscription = manual(stage, source.stage)

  for (const count of [1, 2, 3]) subscription.ask(count)
  await atRest()

  expect(events()).toEqual(range(1, 6))
  expect(source.stage.bufferedCount).toBe(0)
})
