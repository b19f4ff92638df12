/** Ends of subscriptions: who may close one, what each side hears of it, and what a consumer does then. */
import { describe, expect, test } from 'vitest'
import { broadcastDispatcher, consumer, producer, type Cancel, type Reason } from '../../src/stage/stage.ts'
import { atRest, gate, manual, range, settledOr, until, watchedConsumer, watchedProducer } from './watched.ts'

const broken = new Error('broken')

test('S50: both ends hear of a subscription, the producer before the subscriber is served, the consumer before it asks', async () => {
  const log: string[] = []
  const admission = gate()
  const source = producer<number>({
    async handleSubscribe() {
      log.push('producer: subscribed')
      await admission.opened
      log.push('producer: admitted')
    },
    handleDemand: (demand) => void log.push(`producer: asked ${demand}`),
  })
  const stage = consumer<number>({
    handleSubscribe: () => void log.push('consumer: subscribed'),
    handleEvents: () => {},
  })

  stage.subscribe(source, { maxDemand: 7 })
  await atRest()
  const logBeforeAdmission = [...log]
  admission.open()
  await until('the ask', () => log.length === 4)

  expect(logBeforeAdmission).toEqual(['producer: subscribed', 'consumer: subscribed'])
  expect(log.slice(2)).toEqual(['producer: admitted', 'producer: asked 7'])
})

test('S51: subscribing to a consumer throws and says what was expected', () => {
  const stage = consumer<number>({ handleEvents: () => {} })
  const act = (): unknown => Reflect.apply(stage.subscribe.bind(stage), undefined, [stage])

  expect(act).toThrow('subscribe: expected a producer or producerConsumer')
})

test.each<[Cancel, Reason | undefined]>([
  ['permanent', 'noproc'],
  ['transient', 'noproc'],
  ['temporary', undefined],
  ['drain', 'normal'],
])(
  'S52: a %s subscription to a stopped producer closes with noproc; the consumer stops with %s',
  async (cancel, stops) => {
    const source = producer<number>()
    await source.stop()
    const { stage } = watchedConsumer<number>()

    const subscription = stage.subscribe(source, { cancel })

    expect(await subscription.closed).toBe('noproc')
    expect(await settledOr(stage.stopped)).toBe(stops)
  },
)

test('a stopped consumer subscribes to nothing: closed with noproc, and the producer never hears of it', async () => {
  const source = watchedProducer<number>()
  const { stage } = watchedConsumer<number>()
  await stage.stop()

  const subscription = stage.subscribe(source.stage)

  expect(await subscription.closed).toBe('noproc')
  expect(subscription.isOpen).toBe(false)
  expect(source.asks).toEqual([])
})

describe('S53: cancel', () => {
  test('the producer drops it and runs handleCancel; the consumer runs its own after that and behind what it holds', async () => {
    const log: string[] = []
    const source = producer<number>({ handleCancel: (_, reason) => void log.push(`producer: ${String(reason)}`) })
    const stage = consumer<number>({
      handleEvents: (events) => void log.push(`events ${events.join(',')}`),
      handleCancel: (_, reason) => void log.push(`consumer: ${String(reason)}`),
    })
    const subscription = stage.subscribe(source, { cancel: 'temporary' })
    source.emit([1, 2])

    subscription.cancel('enough')
    source.emit([3])
    const reason = await subscription.closed

    expect(log).toEqual(['events 1,2', 'producer: enough', 'consumer: enough'])
    expect(reason).toBe('enough')
    expect(source.bufferedCount).toBe(1)
  })

  test('frees the producer at once even while the handler is stuck; what was handed over is still handled', async () => {
    const stuck = gate()
    const source = producer<number>({ dispatcher: broadcastDispatcher() })
    const other = watchedConsumer<number>()
    const slow = watchedConsumer<number>({ handleEvents: () => stuck.opened })
    other.stage.subscribe(source, { maxDemand: 2, minDemand: 0 })
    const subscription = slow.stage.subscribe(source, { maxDemand: 2, minDemand: 1, cancel: 'temporary' })
    source.emit(range(1, 6))
    await atRest()

    subscription.cancel()
    await atRest()
    const otherMeanwhile = other.events()
    stuck.open()
    await subscription.closed

    expect(otherMeanwhile).toEqual(range(1, 6))
    expect(slow.events()).toEqual([1, 2])
  })

  test('the first reason wins, and S57: asks after it are void', async () => {
    const source = watchedProducer<number>()
    const { stage } = watchedConsumer<number>()
    const subscription = stage.subscribe(source.stage, { mode: 'manual', cancel: 'temporary' })

    subscription.cancel('first')
    subscription.cancel('second')
    subscription.ask(3)
    await atRest()

    expect(await subscription.closed).toBe('first')
    expect(source.asks).toEqual([])
  })
})

test('a consumer that stops before it has noticed a cancel leaves the reason of the cancel', async () => {
  const source = producer<number>()
  const { stage } = watchedConsumer<number>()
  const subscription = stage.subscribe(source, { cancel: 'temporary' })

  subscription.cancel('first')
  await stage.stop('second')

  expect(await subscription.closed).toBe('first')
})

const afterClose: [Cancel, Reason, Reason | undefined][] = [
  ['permanent', 'normal', 'normal'],
  ['permanent', 'shutdown', 'shutdown'],
  ['permanent', broken, broken],
  ['transient', 'normal', undefined],
  ['transient', 'shutdown', undefined],
  ['transient', 'other', 'other'],
  ['transient', broken, broken],
  ['temporary', 'normal', undefined],
  ['temporary', broken, undefined],
  ['drain', 'normal', 'normal'],
  ['drain', broken, 'normal'],
]

describe('S54: after the end of its only producer', () => {
  test.each(afterClose)('%s and %s: the consumer stops with %s', async (cancel, reason, stops) => {
    const source = producer<number>()
    const { stage } = watchedConsumer<number>()
    const subscription = stage.subscribe(source, { cancel })

    await source.stop(reason)

    expect(await subscription.closed).toBe(reason)
    expect(await settledOr(stage.stopped)).toBe(stops)
  })

  test.each(afterClose)(
    '%s cancelled by the consumer itself with %s: it stops with %s',
    async (cancel, reason, stops) => {
      const { stage } = watchedConsumer<number>()
      const subscription = stage.subscribe(producer<number>(), { cancel })

      subscription.cancel(reason)

      expect(await subscription.closed).toBe(reason)
      expect(await settledOr(stage.stopped)).toBe(stops)
    },
  )
})

test('S55: a permanent consumer stops when the first of its producers ends', async () => {
  const [ending, going] = [producer<number>(), watchedProducer<number>()]
  const { stage } = watchedConsumer<number>()
  stage.subscribe(ending)
  const other = stage.subscribe(going.stage)

  await ending.stop('done')

  expect(await stage.stopped).toBe('done')
  expect(await other.closed).toBe('done')
  expect(going.stage.wantedCount).toBe(0)
})

describe('S56: replacing', () => {
  test('the new subscription takes the old one’s place in one step: no demand is released in between, nobody stops', async () => {
    const source = watchedProducer<number>({ dispatcher: broadcastDispatcher() })
    const [fast, slow] = [watchedConsumer<number>(), watchedConsumer<number>()]
    const old = slow.stage.subscribe(source.stage, { maxDemand: 2 })
    manual(fast.stage, source.stage).ask(10)
    await atRest()
    const asksBefore = [...source.asks]

    const renewed = slow.stage.subscribe(source.stage, { maxDemand: 4, replacing: old })
    source.stage.emit(range(1, 10))
    await atRest()

    expect(await old.closed).toBe('normal')
    expect(renewed.isOpen).toBe(true)
    expect(asksBefore).toEqual([2])
    expect(source.asks[1]).toBe(2)
    expect(slow.events()).toEqual(range(1, 10))
    expect(fast.events()).toEqual(range(1, 10))
    expect(await settledOr(slow.stage.stopped)).toBeUndefined()
  })

  test('an old one that has closed already is fine', async () => {
    const source = producer<number>()
    const { stage, events } = watchedConsumer<number>()
    const old = stage.subscribe(source, { cancel: 'temporary' })
    old.cancel()
    await old.closed

    stage.subscribe(source, { replacing: old })
    source.emit([1])
    await atRest()

    expect(events()).toEqual([1])
  })

  test('one of another producer is refused', () => {
    const { stage } = watchedConsumer<number>()
    const old = stage.subscribe(producer<number>())
    const act = (): unknown => stage.subscribe(producer<number>(), { replacing: old })

    expect(act).toThrow('replacing: expected a subscription of this consumer to this producer')
  })
})

test('S58: what a stopped consumer held is lost; what it had not been given stays with the producer', async () => {
  const handling = gate()
  const source = producer<number>()
  const stopping = watchedConsumer<number>({ handleEvents: () => handling.opened })
  const subscription = stopping.stage.subscribe(source, { maxDemand: 4, minDemand: 3 })
  source.emit(range(1, 6))
  await atRest()
  const stopped = stopping.stage.stop('enough')
  const next = watchedConsumer<number>()
  next.stage.subscribe(source)
  await atRest()
  const stoppedMeanwhile = await settledOr(stopped)

  handling.open()

  expect(stoppedMeanwhile).toBeUndefined()
  expect(await stopped).toBe('enough')
  expect(await subscription.closed).toBe('enough')
  expect(stopping.events()).toEqual([1])
  expect(next.events()).toEqual([5, 6])
})
