/** Demand dispatcher: who gets an event when several have asked, and what a producer is asked for on their behalf. */
import { describe, expect, test } from 'vitest'
import { demandDispatcher, type Dispatcher, type Place, producer } from '../../src/stage/stage.ts'
import { atRest, HandSeat, manual, range, watchedConsumer, watchedProducer } from './watched.ts'

function seated<T>(dispatcher: Dispatcher<T>, seat: HandSeat<T>): Place {
  const joining = dispatcher.join(seat)
  if (joining.kind === 'refused') throw new Error(joining.reason)
  return joining.place
}

function twoSeats(askedA: number, askedB: number, start = 0) {
  const dispatcher = demandDispatcher<string>({ start })()
  const [a, b] = [new HandSeat<string>(), new HandSeat<string>()]
  const [placeA, placeB] = [seated(dispatcher, a), seated(dispatcher, b)]
  if (askedA > 0) placeA.ask(askedA)
  if (askedB > 0) placeB.ask(askedB)
  return { dispatcher, a, b, placeA, placeB }
}

describe('by hand', () => {
  test('S30: pending 3 and 2 share five events as [a,b,c] and [d,e]', () => {
    const { dispatcher, a, b } = twoSeats(3, 2)

    const placed = dispatcher.dispatch(['a', 'b', 'c', 'd', 'e'])

    expect(placed).toBe(5)
    expect(a.messages).toEqual([['a', 'b', 'c']])
    expect(b.messages).toEqual([['d', 'e']])
  })

  test('S30: with pending 3 and 3 the one with most left is next, and what nobody asked for stays', () => {
    const { dispatcher, a, b } = twoSeats(3, 3)

    const placed = [
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f', 'g'],
    ].map((events) => dispatcher.dispatch(events))

    expect(placed).toEqual([2, 2, 2])
    expect(a.messages).toEqual([['a', 'b'], ['e']])
    expect(b.messages).toEqual([['c', 'd'], ['f']])
    expect(dispatcher.wantedCount).toBe(0)
  })

  test('S30: an ask moves its subscriber ahead of all with less, behind all with as much', () => {
    const { dispatcher, a, b, placeA } = twoSeats(1, 3)
    placeA.ask(2)

    dispatcher.dispatch(['x', 'y', 'z'])

    expect(b.messages).toEqual([['x', 'y', 'z']])
    expect(a.messages).toEqual([])
  })

  test('S31: what a leaving subscriber had asked for is wanted no more; leaving twice changes nothing', () => {
    const { dispatcher, b, placeA } = twoSeats(10, 3)

    placeA.leave()
    placeA.leave()
    placeA.ask(5)

    expect(dispatcher.wantedCount).toBe(3)
    expect(dispatcher.dispatch(['a', 'b', 'c', 'd'])).toBe(3)
    expect(b.messages).toEqual([['a', 'b', 'c']])
  })

  test.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 0],
    [7, 1],
  ])('D7: of three equals, start %i serves number %i first', (start, first) => {
    const dispatcher = demandDispatcher<string>({ start })()
    const seats = [new HandSeat<string>(), new HandSeat<string>(), new HandSeat<string>()]
    for (const seat of seats) seated(dispatcher, seat).ask(10)

    dispatcher.dispatch(['a'])

    expect(seats.map((seat) => seat.messages.length)).toEqual([0, 1, 2].map((at) => (at === first ? 1 : 0)))
  })

  test('D7: only equals are rotated, and only before the first dispatch', () => {
    const { dispatcher, a, b, placeA, placeB } = twoSeats(3, 2, 1)

    dispatcher.dispatch(range(1, 5).map(String))
    placeA.ask(2)
    placeB.ask(2)
    dispatcher.dispatch(['x'])

    expect(a.messages).toEqual([['1', '2', '3'], ['x']])
    expect(b.messages).toEqual([['4', '5']])
  })
})

test('D7, S34: ten producers with ten equal consumers give their first events to ten different ones', async () => {
  const producers = range(0, 9).map((start) => producer<number>({ dispatcher: demandDispatcher({ start }) }))
  const consumers = range(0, 9).map(() => watchedConsumer<number>())
  for (const { stage } of consumers) for (const source of producers) stage.subscribe(source, { maxDemand: 10 })

  producers.forEach((source, at) => source.emit([at]))
  await atRest()

  expect(consumers.map(({ events }) => events().length)).toEqual(range(0, 9).map(() => 1))
})

describe('S31: demand of one who left is netted', () => {
  test('ask 10, cancel, and a newcomer that asks 5 adds nothing upstream', async () => {
    const source = watchedProducer<number>()
    const subscription = manual(watchedConsumer<number>().stage, source.stage)
    subscription.ask(10)
    await atRest()

    subscription.cancel()
    manual(watchedConsumer<number>().stage, source.stage).ask(5)
    await atRest()

    expect(source.asks).toEqual([10])
  })

  test('a newcomer that asks for more than that adds only the difference', async () => {
    const source = watchedProducer<number>()
    const subscription = manual(watchedConsumer<number>().stage, source.stage)
    subscription.ask(10)
    subscription.cancel()

    manual(watchedConsumer<number>().stage, source.stage).ask(12)
    await atRest()

    expect(source.asks).toEqual([10, 2])
  })
})

test('D1: A asks 10 and dies, 1-3 are buffered, B asks 5: B gets 1-3 at once, then 4, 5, and nothing passes them', async () => {
  const source = watchedProducer<number>()
  const a = watchedConsumer<number>()
  a.stage.subscribe(source.stage, { maxDemand: 10, minDemand: 0 })
  await a.stage.stop()
  source.stage.emit([1, 2, 3])
  const b = watchedConsumer<number>()
  const subscription = manual(b.stage, source.stage)

  subscription.ask(5)
  await atRest()
  const afterAsk = b.events()
  source.stage.emit([4])
  source.stage.emit(range(5, 10))
  await atRest()

  expect(afterAsk).toEqual([1, 2, 3])
  expect(b.events()).toEqual([1, 2, 3, 4, 5])
  expect(source.stage.bufferedCount).toBe(5)
  expect(source.asks).toEqual([10])
})
