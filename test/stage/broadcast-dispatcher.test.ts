/** Broadcast dispatcher: everybody gets everything they select, at the pace of the one that has asked for least. */
import { describe, expect, test } from 'vitest'
import {
  broadcastDispatcher,
  consumer,
  type Dispatcher,
  type Place,
  type Producer,
  type ProducerOptions,
} from '../../src/stage/stage.ts'
import {
  atRest,
  countingProducer,
  gate,
  HandSeat,
  manual,
  range,
  settledOr,
  watchedConsumer,
  watchedProducer,
} from './watched.ts'

function seated<T>(dispatcher: Dispatcher<T>, seat: HandSeat<T>): Place {
  const joining = dispatcher.join(seat)
  if (joining.kind === 'refused') throw new Error(joining.reason)
  return joining.place
}

function broadcasting(options: ProducerOptions<number> = {}): {
  readonly stage: Producer<number>
  readonly asks: number[]
} {
  return watchedProducer<number>({ dispatcher: broadcastDispatcher(), ...options })
}

const isEven = (event: number): boolean => event % 2 === 0

describe('by hand', () => {
  test('S36: what is wanted is the least of what anybody has asked for', () => {
    const dispatcher = broadcastDispatcher<number>()()
    const a = seated(dispatcher, new HandSeat())
    const b = seated(dispatcher, new HandSeat())

    const wanted = [() => a.ask(10), () => b.ask(3), () => b.ask(20)].map((ask) => {
      ask()
      return dispatcher.wantedCount
    })

    expect(wanted).toEqual([0, 3, 10])
  })

  test('S37: as many events as all want go to all, as one shared array; the rest stays', () => {
    const dispatcher = broadcastDispatcher<number>()()
    const seats = [new HandSeat<number>(), new HandSeat<number>()]
    for (const seat of seats) seated(dispatcher, seat).ask(3)

    const placed = dispatcher.dispatch([1, 2, 3, 4])

    expect(placed).toBe(3)
    expect(seats.map((seat) => seat.messages)).toEqual([[[1, 2, 3]], [[1, 2, 3]]])
    expect(seats[0]?.messages[0]).toBe(seats[1]?.messages[0])
    expect(dispatcher.wantedCount).toBe(0)
  })

  test('S38: a newcomer stops everybody until it asks', () => {
    const dispatcher = broadcastDispatcher<number>()()
    seated(dispatcher, new HandSeat()).ask(10)

    const newcomer = seated(dispatcher, new HandSeat())
    const wantedBefore = dispatcher.wantedCount
    newcomer.ask(4)

    expect(wantedBefore).toBe(0)
    expect(dispatcher.wantedCount).toBe(4)
  })

  test('S39: one that leaves stops nobody any more', () => {
    const dispatcher = broadcastDispatcher<number>()()
    seated(dispatcher, new HandSeat()).ask(15)
    const slow = seated(dispatcher, new HandSeat())

    slow.leave()
    slow.ask(1)

    expect(dispatcher.wantedCount).toBe(15)
  })

  test('S41: of 4 events A takes 2 and B none: A got [2,4], and 2 more are wanted', () => {
    const dispatcher = broadcastDispatcher<number>()()
    const a = new HandSeat<number>(isEven)
    const b = new HandSeat<number>(() => false)
    for (const seat of [a, b]) seated(dispatcher, seat).ask(4)

    const placed = dispatcher.dispatch([1, 2, 3, 4])

    expect(placed).toBe(4)
    expect(a.messages).toEqual([[2, 4]])
    expect(dispatcher.wantedCount).toBe(2)
  })

  test('S42, D10: a subscriber none of whose events were selected is sent nothing', () => {
    const dispatcher = broadcastDispatcher<number>()()
    const none = new HandSeat<number>(() => false)
    seated(dispatcher, none).ask(2)

    dispatcher.dispatch(range(1, 10))

    expect(none.messages).toEqual([])
    expect(dispatcher.wantedCount).toBe(2)
  })

  test('S43, D2: a second seat of the same occupant is refused, however often it tries', () => {
    const dispatcher = broadcastDispatcher<number>()()
    const occupant = {}
    seated(dispatcher, new HandSeat(undefined, occupant))

    const kinds = range(1, 3).map(() => dispatcher.join(new HandSeat(undefined, occupant)))

    for (const joining of kinds) expect(joining).toEqual({ kind: 'refused', reason: 'already_subscribed' })
  })

  test('D5: a selector that throws costs its own seat only, which keeps what it had selected before', () => {
    const dispatcher = broadcastDispatcher<number>()()
    const broken = new HandSeat<number>((event) => {
      if (event === 3) throw new Error('cannot tell')
      return true
    })
    const whole = new HandSeat<number>()
    for (const seat of [broken, whole]) seated(dispatcher, seat).ask(8)

    dispatcher.dispatch(range(1, 4))
    dispatcher.dispatch([5])

    expect(broken.messages).toEqual([[1, 2]])
    expect(broken.failures.map((failure) => failure.message)).toEqual(['cannot tell'])
    expect(whole.messages).toEqual([range(1, 4), [5]])
  })
})

test('S38: of consumers 10/0 and 20/0 the producer hears handleDemand(10) once', async () => {
  const source = broadcasting()
  const [a, b] = [watchedConsumer<number>(), watchedConsumer<number>()]
  a.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 0 })
  await atRest()

  b.stage.subscribe(source.stage, { maxDemand: 20, minDemand: 0 })
  await atRest()

  expect(source.asks).toEqual([10])
})

test('S39: A asked 15 and is held at 10 by B; B leaves, and 5 more are asked for', async () => {
  const source = broadcasting()
  const subscriptionA = manual(watchedConsumer<number>().stage, source.stage)
  subscriptionA.ask(10)
  const subscriptionB = manual(watchedConsumer<number>().stage, source.stage)
  subscriptionA.ask(5)
  await atRest()
  const asksBefore = [...source.asks]

  subscriptionB.cancel()
  await atRest()

  expect(asksBefore).toEqual([10])
  expect(source.asks).toEqual([10, 5])
})

test('S39: two 10/5, one asleep in its first chunk: of 30 the other gets 10, and the 20 once the sleeper is cancelled', async () => {
  const asleep = gate()
  const source = broadcasting()
  const fast = watchedConsumer<number>()
  const slow = watchedConsumer<number>({ handleEvents: () => asleep.opened })
  fast.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 5 })
  const subscription = slow.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 5, cancel: 'temporary' })
  source.stage.emit(range(1, 30))
  await atRest()
  const before = { fast: fast.events(), buffered: source.stage.bufferedCount, slow: slow.events() }

  subscription.cancel()
  await atRest()
  const fastAfter = fast.events()
  asleep.open()
  await subscription.closed

  expect(before).toEqual({ fast: range(1, 10), buffered: 20, slow: range(1, 5) })
  expect(fastAfter).toEqual(range(1, 30))
  expect(slow.events()).toEqual(range(1, 10))
})

test('S40: only those present at the dispatch get an event', async () => {
  const source = countingProducer(1, { dispatcher: broadcastDispatcher() })
  const [early, late] = [watchedConsumer<number>(), watchedConsumer<number>()]
  manual(early.stage, source.stage).ask(5)
  await atRest()

  manual(late.stage, source.stage).ask(5)
  await atRest()

  expect(early.events()).toEqual(range(1, 5))
  expect(late.events()).toEqual([])
})

test('S40: starting in accumulate, all who join before forward get the first batch', async () => {
  const source = countingProducer(1, { dispatcher: broadcastDispatcher(), demand: 'accumulate' })
  const consumers = [watchedConsumer<number>(), watchedConsumer<number>()]
  for (const { stage } of consumers) {
    manual(stage, source.stage).ask(5)
    await atRest()
  }

  source.stage.setDemand('forward')
  await atRest()

  expect(consumers.map(({ events }) => events())).toEqual([range(1, 5), range(1, 5)])
  expect(source.asks).toEqual([5])
})

test('S41: with 4/0 windows, 4 events, A taking 2 and B none, the producer is asked for 4 and then 2', async () => {
  const source = broadcasting({ demand: 'accumulate' })
  const [a, b] = [watchedConsumer<number>(), watchedConsumer<number>()]
  a.stage.subscribe(source.stage, { maxDemand: 4, minDemand: 0, selector: isEven })
  b.stage.subscribe(source.stage, { maxDemand: 4, minDemand: 0, selector: () => false })
  source.stage.setDemand('forward')
  await atRest()

  source.stage.emit([1, 2, 3, 4])
  await atRest()

  expect(a.events()).toEqual([2, 4])
  expect(b.chunks).toEqual([])
  expect(source.asks).toEqual([4, 2])
})

test('S41: one that rejects everything never holds the others back', async () => {
  const source = countingProducer(1, { dispatcher: broadcastDispatcher(), demand: 'accumulate' })
  const [all, none] = [watchedConsumer<number>(), watchedConsumer<number>()]
  const subscription = manual(all.stage, source.stage)
  none.stage.subscribe(source.stage, { maxDemand: 1, selector: () => false })
  subscription.ask(100)

  source.stage.setDemand('forward')
  await atRest()

  expect(all.events()).toEqual(range(1, 100))
  expect(none.chunks).toEqual([])
})

test('S43, D2: second and third subscriptions are refused, do not stop their permanent consumer, and every event comes once', async () => {
  const source = broadcasting()
  const { stage, events } = watchedConsumer<number>()
  stage.subscribe(source.stage)

  const refused = [stage.subscribe(source.stage), stage.subscribe(source.stage)]
  const reasons = await Promise.all(refused.map((subscription) => subscription.closed))
  const third = stage.subscribe(source.stage)
  source.stage.emit([1, 2])
  await atRest()

  expect(reasons).toEqual(['already_subscribed', 'already_subscribed'])
  expect(await third.closed).toBe('already_subscribed')
  expect(events()).toEqual([1, 2])
  expect(await settledOr(stage.stopped)).toBeUndefined()
})

test('S43: once the first subscription is gone, the same consumer may come again', async () => {
  const source = broadcasting()
  const { stage, events } = watchedConsumer<number>()
  const first = stage.subscribe(source.stage, { cancel: 'temporary' })
  first.cancel()
  await first.closed

  stage.subscribe(source.stage)
  source.stage.emit([1])
  await atRest()

  expect(events()).toEqual([1])
})

test('D1: A 10/0 dies, 1-3 are buffered, B 10/0 gets them at once and everything after in order', async () => {
  const source = broadcasting()
  const a = watchedConsumer<number>()
  a.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 0 })
  await a.stage.stop()
  source.stage.emit([1, 2, 3])
  const b = watchedConsumer<number>()

  b.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 0 })
  await atRest()
  const afterJoining = b.events()
  source.stage.emit([4])
  source.stage.emit(range(5, 14))
  await atRest()

  expect(afterJoining).toEqual([1, 2, 3])
  expect(b.events()).toEqual(range(1, 14))
  expect(source.stage.bufferedCount).toBe(0)
})

describe('D5: a selector that throws', () => {
  test('closes its subscription with the error, harms neither producer nor others', async () => {
    const broken = new Error('cannot tell')
    const source = broadcasting()
    const [whole, failing] = [watchedConsumer<number>(), watchedConsumer<number>()]
    whole.stage.subscribe(source.stage)
    const subscription = failing.stage.subscribe(source.stage, {
      selector(event) {
        if (event === 2) throw broken
        return true
      },
    })

    source.stage.emit([1, 2, 3])
    source.stage.emit([4])
    await atRest()

    expect(await subscription.closed).toBe(broken)
    expect(await failing.stage.stopped).toBe(broken)
    expect(failing.events()).toEqual([1])
    expect(whole.events()).toEqual([1, 2, 3, 4])
    expect(await settledOr(source.stage.stopped)).toBeUndefined()
  })

  test('as the last subscriber leaves the rest of the emission in the buffer', async () => {
    const source = broadcasting()
    const failing = watchedConsumer<number>()
    failing.stage.subscribe(source.stage, {
      maxDemand: 2,
      selector() {
        throw new Error('cannot tell')
      },
    })

    source.stage.emit(range(1, 5))
    await atRest()

    expect(source.stage.bufferedCount).toBe(3)
  })
})

test('a selector may emit, cancel and stop: all of it happens after the dispatch it runs in', async () => {
  const log: string[] = []
  const source = broadcasting()
  const other = watchedConsumer<number>({}, log, 'other')
  const meddler = consumer<number>({ handleEvents: (events) => void log.push(`meddler ${events.join(',')}`) })
  const subscription = meddler.subscribe(source.stage, {
    cancel: 'temporary',
    selector(event) {
      if (event === 1) source.stage.emit([10])
      if (event === 10) subscription.cancel()
      return true
    },
  })
  other.stage.subscribe(source.stage)

  source.stage.emit([1, 2])
  source.stage.emit([3])
  await atRest()

  expect(log).toEqual(['meddler 1,2', 'other 1,2', 'other 10', 'other 3'])
})

test('a selector that emits the next event for each one it sees does not grow the stack', async () => {
  const source = broadcasting({ bufferSize: Infinity })
  const { stage, chunks } = watchedConsumer<number>()
  stage.subscribe(source.stage, {
    selector(event) {
      if (event < 50_000) source.stage.emit([event + 1])
      return false
    },
  })

  source.stage.emit([1])
  await atRest()

  expect(chunks).toEqual([])
  expect(source.stage.bufferedCount).toBe(0)
  expect(await settledOr(source.stage.stopped)).toBeUndefined()
})
