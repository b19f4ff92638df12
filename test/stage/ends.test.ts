/** Ends: how subscriptions close, what a consumer does about it, and how stages stop, drain and are replaced. */
import { describe, expect, test } from 'vitest'
import {
  broadcastDispatcher,
  type Cancel,
  consumer,
  producer,
  producerConsumer,
  type Reason,
} from '../../src/stage/stage.ts'
import {
  atRest,
  countingProducer,
  gate,
  manual,
  range,
  settledOr,
  until,
  watchedConsumer,
  watchedProducer,
} from './watched.ts'

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

describe('D4: end of stream', () => {
  function tripling(cancel: Cancel) {
    const source = countingProducer(1)
    const middle = producerConsumer<number, number>({ handleEvents: (events) => events.flatMap((n) => [n, n, n]) })
    const end = watchedConsumer<number>()
    middle.subscribe(source.stage, { maxDemand: 6, minDemand: 0, cancel })
    const subscription = end.stage.subscribe(middle, { maxDemand: 2, minDemand: 1, cancel })
    return { source, middle, end, subscription }
  }

  test('1 to 6 tripled through drain: all 18 arrive, then both stop normal', async () => {
    const source = producer<number>()
    const middle = producerConsumer<number, number>({ handleEvents: (events) => events.flatMap((n) => [n, n, n]) })
    const end = watchedConsumer<number>()
    middle.subscribe(source, { cancel: 'drain' })
    end.stage.subscribe(middle, { maxDemand: 2, minDemand: 1, cancel: 'drain' })

    source.emit(range(1, 6))
    source.end()

    expect(await source.stopped).toBe('normal')
    expect(await middle.stopped).toBe('normal')
    expect(await end.stage.stopped).toBe('normal')
    expect(end.events()).toEqual(range(1, 6).flatMap((n) => [n, n, n]))
  })

  test('permanent stays as the original: the middle stops at once and its buffer is lost', async () => {
    const { source, middle, end } = tripling('permanent')
    await until('some events', () => end.events().length > 2)

    await source.stage.stop()

    expect(await middle.stopped).toBe('normal')
    expect(await end.stage.stopped).toBe('normal')
    expect(middle.bufferedCount).toBe(0)
  })

  test('drain waits for the last of several producers', async () => {
    const [first, second] = [producer<number>(), producer<number>()]
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(first, { cancel: 'drain' })
    stage.subscribe(second, { cancel: 'drain' })
    first.end()
    const afterFirst = await settledOr(stage.stopped)

    second.emit([1, 2])
    second.end()

    expect(afterFirst).toBeUndefined()
    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual([1, 2])
  })

  test('a draining middle with events and no consumer waits for one', async () => {
    const source = producer<number>()
    const middle = producerConsumer<number, number>({ handleEvents: (events) => events })
    middle.subscribe(source, { cancel: 'drain' })
    source.emit([1, 2])
    source.end()
    const withoutConsumer = await settledOr(middle.stopped)

    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(middle, { cancel: 'drain' })

    expect(withoutConsumer).toBeUndefined()
    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual([1, 2])
  })
})

describe('end', () => {
  test('S29: finishes behind the buffer, then stops normal; what is emitted after it is ignored and counted', async () => {
    const source = producer<number>()
    source.emit([1, 2, 3])
    source.end()
    source.emit([4, 5])
    const beforeConsumer = await settledOr(source.stopped)

    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, { maxDemand: 1, cancel: 'drain' })

    expect(beforeConsumer).toBeUndefined()
    expect(await source.stopped).toBe('normal')
    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual([1, 2, 3])
    expect(source.ignoredCount).toBe(2)
  })

  test('what the callback that ended it returns is still handed over', async () => {
    const source = producer<number>({
      handleDemand(_, self) {
        self.end()
        return [1, 2]
      },
    })
    const { stage, events } = watchedConsumer<number>()

    stage.subscribe(source, { cancel: 'drain' })

    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual([1, 2])
  })

  test('an ending producer is asked for nothing more', async () => {
    const source = watchedProducer<number>()
    source.stage.emit([1, 2])
    source.stage.end()

    watchedConsumer<number>().stage.subscribe(source.stage, { maxDemand: 2, minDemand: 0 })
    await source.stage.stopped

    expect(source.asks).toEqual([])
  })

  test('of a producer-consumer cancels upstream, handles what it holds and hands that over', async () => {
    const source = producer<number>()
    const middle = producerConsumer<number, number>({ handleEvents: (events) => events.map((n) => n * 2) })
    const subscription = middle.subscribe(source)
    source.emit([1, 2])
    middle.end()
    source.emit([3])

    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(middle, { cancel: 'drain' })

    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual([2, 4])
    expect(await subscription.closed).toBe('normal')
    expect(source.bufferedCount).toBe(1)
  })
})

describe('stop', () => {
  test('drops the buffer, closes all subscriptions, and the first reason wins', async () => {
    const source = producer<number>()
    const { stage } = watchedConsumer<number>()
    const subscription = stage.subscribe(source, { mode: 'manual', cancel: 'temporary' })
    source.emit([1])

    const reasons = await Promise.all([source.stop('first'), source.stop('second')])
    source.emit([2, 3])

    expect(reasons).toEqual(['first', 'first'])
    expect(await subscription.closed).toBe('first')
    expect(source.bufferedCount).toBe(0)
    expect(source.ignoredCount).toBe(2)
  })

  test('waits for the running callback, whose events still go to those who asked', async () => {
    const making = gate()
    const source = producer<number>({
      async handleDemand() {
        await making.opened
        return [1, 2, 3]
      },
    })
    const { stage, events } = watchedConsumer<number>()
    const subscription = stage.subscribe(source, { mode: 'manual', cancel: 'temporary' })
    subscription.ask(2)
    await atRest()
    const stopped = source.stop()
    const meanwhile = await settledOr(stopped)

    making.open()
    await stopped
    await subscription.closed

    expect(meanwhile).toBeUndefined()
    expect(events()).toEqual([1, 2])
  })

  test('S5: a stage stopped from inside its own handler handles nothing after it', async () => {
    const source = countingProducer(1)
    const seen: number[] = []
    const stage = consumer<number>({
      handleEvents(events) {
        seen.push(...events)
        if (seen.length === 3) stopping.push(stage.stop('enough'))
      },
    })
    const stopping: Promise<Reason>[] = []

    stage.subscribe(source.stage, { maxDemand: 1 })

    expect(await stage.stopped).toBe('enough')
    await atRest()
    expect(seen).toEqual([1, 2, 3])
  })
})

describe('S5: a handler that throws stops its stage with that error, which both neighbours see', () => {
  test.each([
    [
      'thrown',
      () => {
        throw broken
      },
    ],
    ['rejected', () => Promise.reject(broken)],
  ])('%s', async (_, fail) => {
    const source = watchedProducer<number>()
    const gone: Reason[] = []
    const middle = producerConsumer<number, number>({ handleEvents: fail })
    const end = watchedConsumer<number>({ handleCancel: (_from, reason) => void gone.push(reason) })
    const upstream = middle.subscribe(source.stage)
    end.stage.subscribe(middle)

    source.stage.emit([1])

    expect(await middle.stopped).toBe(broken)
    expect(await upstream.closed).toBe(broken)
    expect(await end.stage.stopped).toBe(broken)
    expect(gone).toEqual([broken])
    expect(await settledOr(source.stage.stopped)).toBeUndefined()
  })

  test('S4: a consumer that returns events lives on, and they go nowhere', async () => {
    const seen: number[] = []
    const handleEvents = (events: readonly number[]): undefined => {
      seen.push(...events)
      return JSON.parse('[3]') as undefined
    }
    const source = producer<number>()
    const stage = consumer<number>({ handleEvents })
    stage.subscribe(source)

    source.emit([1])
    await atRest()
    source.emit([2])
    await atRest()

    expect(seen).toEqual([1, 2])
    expect(await settledOr(stage.stopped)).toBeUndefined()
  })

  test('a producer that returns something else than events', async () => {
    const handleDemand = (): never => JSON.parse('7') as never
    const source = producer<number>({ handleDemand })

    watchedConsumer<number>().stage.subscribe(source)

    expect(String(await source.stopped)).toBe(
      'TypeError: returned by a handler: expected an array of events, got number',
    )
  })
})
