/** The callbacks at the end of a stage: `handleStop` of every stage, `handleEnd` of a producer-consumer. */
import { describe, expect, test } from 'vitest'
import {
  consumer,
  fromIterable,
  partitionDispatcher,
  producer,
  producerConsumer,
  type Reason,
  stream,
} from '../../src/stage/stage.ts'
import { atRest, gate, manual, range, settledOr, watchedConsumer } from './watched.ts'

describe('S5b: handleStop', () => {
  const roles = [
    ['a producer', (handleStop: (reason: Reason) => void | Promise<void>) => producer({ handleStop })],
    [
      'a consumer',
      (handleStop: (reason: Reason) => void | Promise<void>) => consumer({ handleEvents: () => {}, handleStop }),
    ],
    [
      'a producer-consumer',
      (handleStop: (reason: Reason) => void | Promise<void>) =>
        producerConsumer({ handleEvents: () => [], handleStop }),
    ],
  ] as const

  test.each(roles)('of %s runs once, with the reason', async (_, make) => {
    const reasons: Reason[] = []
    const stage = make((reason) => void reasons.push(reason))

    await Promise.all([stage.stop('enough'), stage.stop('again')])
    await stage.stop()

    expect(reasons).toEqual(['enough'])
  })

  test.each(roles)('of %s is awaited, and one that fails makes its error the reason', async (_, make) => {
    const held = gate()
    const fault = new Error('fails as it was told to')
    const stage = make(() => held.opened.then(() => Promise.reject(fault)))
    const stopping = stage.stop()
    const early = await settledOr(stopping)

    held.open()

    expect(early).toBeUndefined()
    expect(await stopping).toBe(fault)
  })

  test.each(roles)('of %s may throw', async (_, make) => {
    const fault = new Error('fails as it was told to')
    const stage = make(() => {
      throw fault
    })

    expect(await stage.stop()).toBe(fault)
  })

  test('runs before the peers learn of the end', async () => {
    const log: string[] = []
    const held = gate()
    const source = producer<number>({ handleStop: () => held.opened.then(() => void log.push('stopped')) })
    const { stage } = watchedConsumer<number>({ handleCancel: (_, reason) => void log.push(`told ${String(reason)}`) })
    stage.subscribe(source, { cancel: 'temporary' })
    const stopping = source.stop('shutdown')
    await atRest()

    held.open()
    await stopping
    await atRest()

    expect(log).toEqual(['stopped', 'told shutdown'])
  })

  test('runs with the error that a callback threw', async () => {
    const fault = new Error('fails as it was told to')
    const reasons: Reason[] = []
    const source = producer<number>({
      handleInfo: () => Promise.reject(fault),
      handleStop: (reason) => void reasons.push(reason),
    })

    source.info('fail')

    expect(await source.stopped).toBe(fault)
    expect(reasons).toEqual([fault])
  })

  test('S2: no other callback runs while it is awaited', async () => {
    const held = gate()
    const source = producer<number>()
    const { stage, events } = watchedConsumer<number>({ handleStop: () => held.opened })
    stage.subscribe(source)
    const stopping = stage.stop()
    source.emit([1])
    await atRest()

    held.open()
    await stopping

    expect(events()).toEqual([])
  })
})

describe('handleEnd', () => {
  /** Adds up what comes in and tells the sum at the end. */
  function adder(options: { readonly every?: number } = {}) {
    let [sum, count] = [0, 0]
    return producerConsumer<number, number>({
      handleEvents(events) {
        const told: number[] = []
        for (const event of events) {
          sum += event
          if (++count % (options.every ?? Infinity) === 0) told.push(sum)
        }
        return told
      },
      handleEnd: () => [sum],
    })
  }

  test('S79: a reducer tells its state after all its producers have ended, and stops behind its buffer', async () => {
    const reducer = adder()
    const last = producer<number>()
    for (const source of [fromIterable(range(1, 100)), fromIterable(range(101, 200)), last])
      reducer.subscribe(source, { cancel: 'drain' })
    const { stage, events } = watchedConsumer<number>()
    const subscription = manual(stage, reducer)
    subscription.ask(1)
    await atRest()
    const early = events()

    last.emit([1000])
    last.end()

    expect(await reducer.stopped).toBe('normal')
    await atRest()
    expect(early).toEqual([])
    expect(events()).toEqual([20_100 + 1000])
  })

  test('S79: mappers and reducers by partition: each key is reduced in one place, and merging is concatenation', async () => {
    const words = range(1, 600).map((number) => `word ${number % 50}`)
    const mapper = producerConsumer<string, string>({
      dispatcher: partitionDispatcher<string>({ partitions: 4 }),
      handleEvents: (events) => events,
    })
    mapper.subscribe(fromIterable(words), { maxDemand: 10, cancel: 'drain' })
    const reducers = range(0, 3).map((partition) => {
      const counts = new Map<string, number>()
      const reducer = producerConsumer<string, readonly [string, number]>({
        handleEvents: (events) => {
          for (const word of events) counts.set(word, (counts.get(word) ?? 0) + 1)
          return []
        },
        handleEnd: () => [...counts],
      })
      reducer.subscribe(mapper, { partition, maxDemand: 10, cancel: 'drain' })
      return reducer
    })

    const merged: (readonly [string, number])[] = []
    for await (const count of stream(reducers)) merged.push(count)

    expect(merged).toHaveLength(50)
    expect(new Map(merged)).toEqual(new Map(range(0, 49).map((number) => [`word ${number}`, 12])))
  })

  test('S80: 1 to 100, told every 10 and at the end: 55, 210, … 5050, 5050', async () => {
    const reducer = adder({ every: 10 })
    reducer.subscribe(fromIterable(range(1, 100)), { maxDemand: 7, cancel: 'drain' })
    const sums: number[] = []

    for await (const sum of stream([reducer])) sums.push(sum)

    expect(sums).toEqual([55, 210, 465, 820, 1275, 1830, 2485, 3240, 4095, 5050, 5050])
  })

  test('runs on `end`, too, and an error in it stops the stage', async () => {
    const fault = new Error('fails as it was told to')
    const ended = adder()
    const failing = producerConsumer<number, number>({ handleEvents: () => [], handleEnd: () => Promise.reject(fault) })
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(ended, { cancel: 'temporary' })

    ended.end()
    failing.end()

    expect(await ended.stopped).toBe('normal')
    expect(await failing.stopped).toBe(fault)
    await atRest()
    expect(events()).toEqual([0])
  })

  test('does not run on `stop`', async () => {
    let isCalled = false
    const stage = producerConsumer<number, number>({ handleEvents: () => [], handleEnd: () => void (isCalled = true) })

    await stage.stop()
    await atRest()

    expect(isCalled).toBe(false)
  })
})
