/** What can be seen from outside: the numbers of a stage and of its subscriptions, and the trace of what they do. */
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import {
  consumer,
  partitionDispatcher,
  producer,
  producerConsumer,
  type StageTrace,
  traceStages,
} from '../../src/stage/stage.ts'
import { atRest, gate, range, until, watchedConsumer } from './watched.ts'

/** Keeps the thread busy. */
function toil(ms: number): void {
  const endMs = systemClock.monotonicMs() + ms
  while (systemClock.monotonicMs() < endMs);
}

describe('a snapshot', () => {
  test('of a producer counts demand, buffer, discards and what was emitted', async () => {
    const source = producer<number>({ name: 'numbers', bufferSize: 2, handleDemand: () => {} })
    const { stage } = watchedConsumer<number>({ name: 'reader' })
    const subscription = stage.subscribe(source, { mode: 'manual' })
    subscription.ask(5)
    source.emit([1, 2, 3])
    await atRest()
    const wanting = source.snapshot()
    source.emit(range(4, 9))
    await atRest()
    await source.stop()
    source.emit([10])

    expect(wanting).toMatchObject({
      role: 'producer',
      name: 'numbers',
      isLive: true,
      wantedCount: 2,
      owedCount: 2,
      bufferedCount: 0,
      emittedCount: 3,
      discardedCount: 0,
      subscribers: [
        { producer: 'numbers', consumer: 'reader', isOpen: true, demandCount: 2, waitingCount: 0, handledCount: 3 },
      ],
    })
    expect(source.snapshot()).toMatchObject({
      isLive: false,
      wantedCount: 0,
      bufferedCount: 0,
      emittedCount: 9,
      discardedCount: 2,
      ignoredCount: 1,
      subscribers: [],
    })
  })

  test('D9: a stall and the lag behind it are numbers: nothing asked for, so much buffered, and who holds it up', async () => {
    const held = gate()
    const source = producer<number>({ name: 'numbers', bufferSize: 100 })
    const stuck = consumer<number>({ name: 'stuck', handleEvents: () => held.opened })
    stuck.subscribe(source, { maxDemand: 4 })
    source.emit(range(1, 30))
    await atRest()
    const stalled = source.snapshot()

    held.open()
    await until('the lag is gone', () => source.snapshot().bufferedCount === 0)

    expect(stalled).toMatchObject({
      bufferedCount: 26,
      subscribers: [{ consumer: 'stuck', demandCount: 0, waitingCount: 4 }],
    })
    expect(source.snapshot()).toMatchObject({ bufferedCount: 0, subscribers: [{ waitingCount: 0 }] })
  })

  test('of a consumer counts what waits and what is handled, per subscription', async () => {
    const held = gate()
    const source = producer<number>({ name: 'numbers' })
    const stage = consumer<number>({ name: 'slow', handleEvents: () => held.opened })
    const subscription = stage.subscribe(source, { maxDemand: 10 })
    source.emit(range(1, 7))
    await atRest()
    const waiting = stage.snapshot()

    held.open()
    await until('all is handled', () => subscription.snapshot().waitingCount === 0)

    const seen = { producer: 'numbers', consumer: 'slow', isOpen: true }
    expect(waiting).toMatchObject({
      role: 'consumer',
      handledCount: 0,
      subscriptions: [{ ...seen, demandCount: 3, waitingCount: 7, handledCount: 0 }],
    })
    expect(stage.snapshot()).toMatchObject({
      handledCount: 7,
      subscriptions: [{ ...seen, demandCount: 8, handledCount: 7 }],
    })
  })

  test('of a producer-consumer has both halves', async () => {
    const source = producer<number>()
    const middle = producerConsumer<number, number>({ handleEvents: (events) => [...events, ...events] })
    middle.subscribe(source)
    const { stage } = watchedConsumer<number>()
    stage.subscribe(middle, { maxDemand: 3, mode: 'manual' }).ask(3)

    source.emit([1, 2])
    await atRest()

    expect(middle.snapshot()).toMatchObject({
      role: 'producerConsumer',
      handledCount: 2,
      emittedCount: 4,
      bufferedCount: 1,
      subscriptions: [{ handledCount: 2 }],
      subscribers: [{ handledCount: 3, demandCount: 0 }],
    })
  })

  test('counts what waits in the queues of partitions', async () => {
    const source = producer<number>({ dispatcher: partitionDispatcher({ partitions: 2, hash: (n) => n % 2 }) })
    const { stage } = watchedConsumer<number>()
    stage.subscribe(source, { partition: 0 })

    source.emit([1, 2, 3])
    await atRest()

    expect(source.snapshot()).toMatchObject({ bufferedCount: 0, heldCount: 2 })
  })

  test('measures the time that handlers take, waiting included, per stage and subscription', async () => {
    const held = gate()
    const [quick, slow] = [producer<number>(), producer<number>()]
    const stage = consumer<number>({
      handleEvents([event]) {
        toil(20)
        return event === 2 ? held.opened : undefined
      },
    })
    const waits = stage.subscribe(slow)
    const toils = stage.subscribe(quick)
    quick.emit([1])
    slow.emit([2])
    await until('the slow one is being handled', () => toils.snapshot().handledCount === 1)
    await atRest()
    const sinceMs = systemClock.monotonicMs()
    await until('30 ms have gone by', () => systemClock.monotonicMs() - sinceMs >= 30)

    held.open()
    await until('it is handled', () => waits.snapshot().handledCount === 1 && waits.snapshot().busyMs >= 50)

    expect(toils.snapshot().busyMs).toBeGreaterThanOrEqual(20)
    const both = toils.snapshot().busyMs + waits.snapshot().busyMs
    expect(stage.snapshot().busyMs).toBeGreaterThanOrEqual(both)
    expect(stage.snapshot().busyMs - both).toBeLessThan(5)
  })
})

describe('the trace', () => {
  test('tells what the stages of the thread do, while somebody listens', async () => {
    const traces: StageTrace[] = []
    const source = producer<number>({ name: 'numbers', bufferSize: 1, handleDemand: (demand) => range(1, demand) })
    const { stage } = watchedConsumer<number>({ name: 'reader' })
    const stopTracing = traceStages((trace) => traces.push(trace))

    const subscription = stage.subscribe(source, { mode: 'manual', cancel: 'temporary' })
    subscription.ask(2)
    await atRest()
    source.emit([3, 4])
    subscription.cancel('enough')
    await subscription.closed
    await source.stop()
    stopTracing()
    await stage.stop()

    const [numbers, reader] = [{ stage: 'numbers' }, { stage: 'reader', peer: 'numbers' }]
    expect(traces).toEqual([
      { kind: 'subscribed', ...reader },
      { kind: 'asked', ...reader, count: 2 },
      { kind: 'demanded', ...numbers, count: 2 },
      { kind: 'emitted', ...numbers, count: 2, bufferedCount: 0 },
      { kind: 'handling', ...reader, count: 2 },
      { kind: 'discarded', ...numbers, count: 1 },
      { kind: 'emitted', ...numbers, count: 2, bufferedCount: 1 },
      { kind: 'closed', ...reader, reason: 'enough' },
      { kind: 'stopped', ...numbers, reason: 'normal' },
    ])
  })

  test('a listener that throws harms nobody and is shown nothing more', async () => {
    let shown = 0
    const stopTracing = traceStages(() => {
      shown++
      throw new Error('fails as it was told to')
    })
    const source = producer<number>()
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source)

    source.emit([1, 2])
    await atRest()
    stopTracing()

    expect(events()).toEqual([1, 2])
    expect(shown).toBe(1)
  })
})
