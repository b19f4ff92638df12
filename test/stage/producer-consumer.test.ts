/** Producer-consumers: when they handle, what they keep, and how back-pressure goes through them. */
import { expect, test } from 'vitest'
import { producer, producerConsumer, type ProducerConsumer } from '../../src/stage/stage.ts'
import { atRest, countingProducer, gate, manual, range, until, watchedConsumer, watchedProducer } from './watched.ts'

function watchedMiddle(make: (events: readonly number[]) => readonly number[] = (events) => events): {
  readonly stage: ProducerConsumer<number, number>
  readonly chunks: (readonly number[])[]
} {
  const chunks: (readonly number[])[] = []
  const stage = producerConsumer<number, number>({
    handleEvents(events) {
      chunks.push(events)
      return make(events)
    },
  })
  return { stage, chunks }
}

test('S16: without a consumer it prefetches its window and handles nothing', async () => {
  const source = countingProducer(1)
  const middle = watchedMiddle()

  middle.stage.subscribe(source.stage, { maxDemand: 10 })
  await atRest()

  expect(source.asks).toEqual([10])
  expect(middle.chunks).toEqual([])
})

test('S16: it begins a message only while somebody wants events', async () => {
  const source = watchedProducer<number>()
  const middle = watchedMiddle()
  const { stage, events } = watchedConsumer<number>()
  middle.stage.subscribe(source.stage, { maxDemand: 10 })
  const subscription = manual(stage, middle.stage)
  source.stage.emit([1, 2])
  source.stage.emit([3, 4])

  subscription.ask(2)
  await atRest()

  expect(middle.chunks).toEqual([[1, 2]])
  expect(events()).toEqual([1, 2])
})

test('S17: a message begun is handled to its end; the rest is buffered and served first', async () => {
  const source = watchedProducer<number>()
  const middle = watchedMiddle()
  const { stage, chunks } = watchedConsumer<number>()
  middle.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 8 })
  const subscription = manual(stage, middle.stage)
  subscription.ask(3)
  source.stage.emit(range(1, 6))
  source.stage.emit([7, 8])
  await atRest()
  const handledFirst = [...middle.chunks]
  const bufferedFirst = middle.stage.bufferedCount

  subscription.ask(4)
  await atRest()

  expect(handledFirst).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ])
  expect(bufferedFirst).toBe(3)
  expect(chunks).toEqual([[1, 2], [3], [4, 5, 6], [7]])
  expect(middle.stage.bufferedCount).toBe(1)
})

test('S18: one that filters everything keeps its credit and keeps pulling', async () => {
  const source = countingProducer(0)
  const middle = watchedMiddle(() => [])
  const { stage, events } = watchedConsumer<number>()
  middle.stage.subscribe(source.stage, { maxDemand: 100, minDemand: 80 })

  stage.subscribe(middle.stage)
  await until('event 1000', () => middle.chunks.length > 50)
  await middle.stage.stop()

  expect(middle.chunks[0]).toEqual(range(0, 19))
  expect(middle.chunks[50]).toEqual(range(1000, 1019))
  expect(events()).toEqual([])
})

test('S19: the end of an upstream is noticed behind the events it had sent', async () => {
  const log: string[] = []
  const source = producer<number>()
  const middle = producerConsumer<number, number>({
    handleEvents(events) {
      log.push(`handled ${events.join(',')}`)
      return events
    },
    handleCancel: (_, reason, peer) => void log.push(`${peer} gone: ${String(reason)}`),
  })
  middle.subscribe(source, { cancel: 'temporary' })
  source.emit([1, 2])
  await source.stop()
  await atRest()
  const logWithoutConsumer = [...log]

  watchedConsumer<number>().stage.subscribe(middle)
  await atRest()

  expect(logWithoutConsumer).toEqual([])
  expect(log).toEqual(['handled 1,2', 'producer gone: normal'])
})

test('S20: behind a consumer that sleeps in its first chunk, 10/8 goes as far as [8,9] and never to [10,11]', async () => {
  const asleep = gate()
  const source = countingProducer(0)
  const middle = watchedMiddle()
  const sleeper = watchedConsumer<number>({ handleEvents: () => asleep.opened })
  middle.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 8 })

  sleeper.stage.subscribe(middle.stage, { maxDemand: 10, minDemand: 5 })
  await atRest()

  expect(middle.chunks).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
    [8, 9],
  ])
  asleep.open()
})

test('an asynchronous one hands on in order, and asks upstream only after its result is out', async () => {
  const source = countingProducer(1)
  const middle = producerConsumer<number, number>({
    async handleEvents(events) {
      await Promise.resolve()
      return events.map((event) => event * 2)
    },
  })
  const { stage, events } = watchedConsumer<number>()
  middle.subscribe(source.stage, { maxDemand: 3, minDemand: 1 })

  stage.subscribe(middle, { maxDemand: 4 })
  await until('fifty events', () => events().length >= 50)
  await source.stage.stop()

  expect(events().slice(0, 50)).toEqual(range(1, 50).map((event) => event * 2))
})

test('S3: it may emit outside of its handler, in order with what that returns', async () => {
  const middle = watchedMiddle()
  const { stage, events } = watchedConsumer<number>()
  stage.subscribe(middle.stage)

  middle.stage.emit([1])
  middle.stage.emit([2, 3])
  await atRest()

  expect(events()).toEqual([1, 2, 3])
})

test('S21: it has no demand mode to set', () => {
  const middle = watchedMiddle()

  expect('setDemand' in middle.stage).toBe(false)
})
