/** Batcher: batches by key, complete by size, age or need, and one key with one worker. */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { type Batch, batcher, type BatcherOptions, consumer, fromIterable, producer } from '../../src/stage/stage.ts'
import { ManualClock } from '../manual-clock.ts'
import { atRest, gate, nextRound, range, until, watchedConsumer } from './watched.ts'

/** A source, a batcher and one worker, which has asked for plenty. */
function line(options: BatcherOptions<number>) {
  const clock = new ManualClock()
  const source = producer<number>()
  const stage = batcher({ clock, ...options })
  const worker = watchedConsumer<Batch<number>>()
  stage.subscribe(source, { cancel: 'drain' })
  worker.stage.subscribe(stage, { partition: 0, cancel: 'drain' })
  return { clock, source, stage, worker, batches: worker.events }
}

describe('S71: a batch is complete', () => {
  test('when it has its size', async () => {
    const { source, batches } = line({ size: 3 })

    source.emit(range(1, 7))
    await atRest()

    expect(batches()).toEqual([
      { key: '', events: [1, 2, 3], trigger: 'size' },
      { key: '', events: [4, 5, 6], trigger: 'size' },
    ])
  })

  test('when its first event is old enough, counted per batch', async () => {
    const { clock, source, batches } = line({ size: 100, timeoutMs: 1000, key: (event) => event % 2 })
    source.emit([1])
    await atRest()
    clock.advance(600)
    source.emit([2, 3])
    await atRest()
    clock.advance(399)
    await atRest()
    const early = batches()

    clock.advance(1)
    await atRest()
    const first = batches()
    clock.advance(600)
    await atRest()

    expect(early).toEqual([])
    expect(first).toEqual([{ key: 1, events: [1, 3], trigger: 'timeout' }])
    expect(batches().slice(1)).toEqual([{ key: 0, events: [2], trigger: 'timeout' }])
    expect(clock.timerCount).toBe(0)
  })

  test('when its producers have ended: what is open is flushed, then the batcher stops normal', async () => {
    const { clock, source, stage, worker, batches } = line({ size: 4, key: (event) => event % 2 })
    source.emit([1, 2, 3])
    source.end()

    expect(await stage.stopped).toBe('normal')
    expect(await worker.stage.stopped).toBe('normal')
    expect(batches()).toEqual([
      { key: 1, events: [1, 3], trigger: 'flush' },
      { key: 0, events: [2], trigger: 'flush' },
    ])
    expect(clock.timerCount).toBe(0)
  })

  test('when its own `end` is called, also while a batch grows old', async () => {
    const { clock, source, stage, batches } = line({ size: 4, timeoutMs: 10 })
    source.emit([1])
    await atRest()
    stage.end()
    clock.advance(10)

    await stage.stopped

    await atRest()
    expect(batches()).toEqual([{ key: '', events: [1], trigger: 'flush' }])
  })

  test('when too many others were begun after it: ever new keys cost no memory', async () => {
    const { source, batches } = line({ size: 2, timeoutMs: Infinity, key: (event) => event })

    source.emit(range(1, 10_002))
    await until('the oldest were flushed', () => batches().length === 2)

    expect(batches()).toEqual([
      { key: 1, events: [1], trigger: 'flush' },
      { key: 2, events: [2], trigger: 'flush' },
    ])
  })
})

test('S71: batches 1 to 4 of one key never run on two workers at once, though both are free', async () => {
  const held = gate()
  const source = producer<number>()
  const stage = batcher<number>({ size: 2, workers: 2, key: () => 'one' })
  stage.subscribe(source)
  let [running, most] = [0, 0]
  const seen: number[] = []
  for (const partition of [0, 1]) {
    const worker = consumer<Batch<number>>({
      async handleEvents(batches) {
        most = Math.max(most, ++running)
        await held.opened
        seen.push(...batches.flatMap(({ events }) => events))
        running--
      },
    })
    worker.subscribe(stage, { partition, maxDemand: 1 })
  }

  source.emit([1, 2, 3, 4])
  await atRest()
  held.open()
  await until('both were handled', () => seen.length === 4)

  expect(most).toBe(1)
  expect(seen).toEqual([1, 2, 3, 4])
})

test.each(range(1, 20))(
  'S71, S72: whatever the keys, sizes and workers, also with workers that are replaced: each event once, in order per key, no key with two workers (seed %i)',
  async (seed) => {
    const random = seededRandom(seed)
    const workers = 1 + Math.floor(random() * 4)
    const keys = 1 + Math.floor(random() * 8)
    const last = 400
    const stage = batcher<number>({
      size: 1 + Math.floor(random() * 9),
      timeoutMs: 3,
      workers,
      key: (event) => event % keys,
    })
    const busy = new Map<unknown, number>()
    const seen: number[] = []
    const faults: string[] = []
    const hire = (partition: number): void => {
      const worker = consumer<Batch<number>>({
        async handleEvents(batches, from) {
          const key = batches[0]?.key
          if ((busy.get(key) ?? 0) > 0) faults.push(`key ${String(key)} with two workers`)
          busy.set(key, (busy.get(key) ?? 0) + 1)
          for (let round = Math.floor(random() * 4); round > 0; round--) await nextRound()
          if (random() < 0.2) {
            from.cancel()
            hire(partition)
            await nextRound()
          }
          seen.push(...batches.flatMap(({ events }) => events))
          busy.set(key, (busy.get(key) ?? 0) - 1)
        },
      })
      worker.subscribe(stage, { partition, maxDemand: 1, cancel: 'temporary' })
    }
    for (const partition of range(0, workers - 1)) hire(partition)

    stage.subscribe(fromIterable(range(0, last - 1)), { maxDemand: 20, cancel: 'drain' })
    await stage.stopped
    await until('all were handled', () => seen.length >= last)

    expect(faults, `seed ${seed}`).toEqual([])
    expect(
      [...seen].sort((one, other) => one - other),
      `seed ${seed}`,
    ).toEqual(range(0, last - 1))
    for (const key of range(0, keys - 1)) {
      const ofKey = seen.filter((event) => event % keys === key)
      expect(ofKey, `seed ${seed}, key ${key}`).toEqual([...ofKey].sort((one, other) => one - other))
    }
  },
)

test('S5: a key that throws stops the batcher with that error', async () => {
  const fault = new Error('fails as it was told to')
  const { source, stage } = line({
    key: () => {
      throw fault
    },
  })

  source.emit([1])

  expect(await stage.stopped).toBe(fault)
})

test('S71: a worker that does not keep up makes the batcher stop taking events', async () => {
  const source = producer<number>()
  const stage = batcher<number>({ size: 1, queueSize: 2 })
  stage.subscribe(source, { maxDemand: 5, minDemand: 4 })
  const idle = consumer<Batch<number>>({ handleEvents: () => {} })
  idle.subscribe(stage, { partition: 0, mode: 'manual' }).ask(1)

  source.emit(range(1, 20))
  await atRest()

  expect(stage.snapshot().handledCount).toBeLessThanOrEqual(5)
  expect(source.bufferedCount).toBeGreaterThanOrEqual(10)
})

test.each([
  ['size: expected a whole number of at least 1, got 0', { size: 0 }],
  ['timeoutMs: expected a whole number of at least 1, got -1', { timeoutMs: -1 }],
  ['workers: expected a whole number of at least 1, got 0', { workers: 0 }],
  ['queueSize: expected a whole number of at least 1, got 0', { queueSize: 0 }],
  ['key: expected a function, got "id"', { key: 'id' }],
])('S71: throws "%s"', (message, options) => {
  expect((): unknown => Reflect.apply(batcher, undefined, [options])).toThrow(new TypeError(message))
})
