/** Ends of stages: draining, finishing, stopping and failing. */
import { describe, expect, test } from 'vitest'
import {
  broadcastDispatcher,
  consumer,
  producer,
  producerConsumer,
  type Cancel,
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

  test('nor does it hear of demand that was on its way', async () => {
    const source = watchedProducer<number>()
    const subscription = manual(watchedConsumer<number>().stage, source.stage)
    subscription.ask(2)
    subscription.cancel()
    source.stage.emit([1, 2, 3])

    source.stage.end()
    await atRest()

    expect(source.asks).toEqual([])
    expect(source.stage.bufferedCount).toBe(3)
  })

  test('called by a selector, it comes behind everything that selector emitted', async () => {
    const source = producer<number>({ dispatcher: broadcastDispatcher() })
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, {
      cancel: 'drain',
      selector(event) {
        if (event > 1) return true
        source.emit([10])
        source.emit([11])
        source.end()
        return true
      },
    })

    source.emit([1])

    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual([1, 10, 11])
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

  test('the first reason wins, also while the callback that it waits for runs and fails', async () => {
    const handling = gate()
    const source = producer<number>()
    const { stage } = watchedConsumer<number>({
      handleEvents: () => handling.opened.then(() => Promise.reject(broken)),
    })
    stage.subscribe(source)
    source.emit([1])
    await atRest()
    const stopping = [stage.stop('first'), stage.stop('second')]

    handling.open()

    expect(await Promise.all(stopping)).toEqual(['first', 'first'])
  })

  test('a stopped producer wants nothing', async () => {
    const source = producer<number>()
    manual(watchedConsumer<number>().stage, source).ask(3)
    const wantedBefore = source.wantedCount

    await source.stop()

    expect(wantedBefore).toBe(3)
    expect(source.wantedCount).toBe(0)
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
