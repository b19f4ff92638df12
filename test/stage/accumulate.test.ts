/** Accumulate and forward: what is withheld, what is recorded, and in which order it is replayed. */
import { expect, test } from 'vitest'
import { broadcastDispatcher, producer } from '../../src/stage/stage.ts'
import { atRest, countingProducer, manual, range, watchedConsumer, watchedProducer } from './watched.ts'

test('S59: two asks of 2 made while accumulating become handleDemand(2) twice', async () => {
  const source = watchedProducer<number>({ demand: 'accumulate' })
  manual(watchedConsumer<number>().stage, source.stage).ask(2)
  manual(watchedConsumer<number>().stage, source.stage).ask(2)
  await atRest()
  const asksBefore = [...source.asks]

  source.stage.setDemand('forward')
  await atRest()

  expect(asksBefore).toEqual([])
  expect(source.asks).toEqual([2, 2])
})

test('S59: events emitted while accumulating reach nobody and are served first, in order', async () => {
  const source = watchedProducer<number>({ demand: 'accumulate' })
  const { stage, events } = watchedConsumer<number>()
  manual(stage, source.stage).ask(5)
  source.stage.emit([1, 2])
  source.stage.emit([3])
  await atRest()
  const before = { events: events(), buffered: source.stage.bufferedCount }

  source.stage.setDemand('forward')
  await atRest()

  expect(before).toEqual({ events: [], buffered: 3 })
  expect(events()).toEqual([1, 2, 3])
  expect(source.asks).toEqual([2])
})

test('S59: what is withheld counts against bufferSize', () => {
  const source = producer<number>({ demand: 'accumulate', bufferSize: 2 })

  source.emit([1, 2, 3])

  expect(source.bufferedCount).toBe(2)
  expect(source.discardedCount).toBe(1)
})

test('S59: demand from before accumulate is served at forward, and not asked for again', async () => {
  const source = watchedProducer<number>()
  const { stage, events } = watchedConsumer<number>()
  manual(stage, source.stage).ask(4)
  await atRest()

  source.stage.setDemand('accumulate')
  source.stage.emit([1, 2])
  await atRest()
  const eventsBefore = events()
  source.stage.setDemand('forward')
  source.stage.emit([3, 4])
  await atRest()

  expect(eventsBefore).toEqual([])
  expect(events()).toEqual([1, 2, 3, 4])
  expect(source.asks).toEqual([4])
})

test('S59: asks of one who has left are not replayed', async () => {
  const source = watchedProducer<number>({ demand: 'accumulate' })
  const leaving = manual(watchedConsumer<number>().stage, source.stage)
  leaving.ask(7)
  manual(watchedConsumer<number>().stage, source.stage).ask(2)

  leaving.cancel()
  source.stage.setDemand('forward')
  await atRest()

  expect(source.asks).toEqual([2])
})

test('S60: setting accumulate twice forgets nothing, and the mode can be read', async () => {
  const source = countingProducer(1, { demand: 'accumulate' })
  const { stage, events } = watchedConsumer<number>()
  manual(stage, source.stage).ask(3)
  const modes = [source.stage.demand]

  source.stage.setDemand('accumulate')
  source.stage.setDemand('forward')
  modes.push(source.stage.demand)
  await atRest()

  expect(modes).toEqual(['accumulate', 'forward'])
  expect(events()).toEqual(range(1, 3))
})

test('asks recorded in a loop beyond a thousand are added up, and none is lost', async () => {
  const source = watchedProducer<number>({ demand: 'accumulate' })
  const subscription = manual(watchedConsumer<number>().stage, source.stage)
  for (let ask = 0; ask < 3000; ask++) subscription.ask(1)

  source.stage.setDemand('forward')
  await atRest()

  expect(source.stage.wantedCount).toBe(3000)
  expect(source.asks.reduce((sum, ask) => sum + ask, 0)).toBe(3000)
  expect(source.asks.length).toBeLessThanOrEqual(1025)
})

test('a selector may set the mode: it takes effect after the dispatch it runs in', async () => {
  const source = producer<number>({ dispatcher: broadcastDispatcher() })
  const { stage, events } = watchedConsumer<number>()
  stage.subscribe(source, {
    maxDemand: 4,
    selector(event) {
      if (event === 2) source.setDemand('accumulate')
      if (event === 3) source.setDemand('forward')
      return true
    },
  })

  source.emit(range(1, 3))
  source.emit(range(4, 9))
  await atRest()

  expect(events()).toEqual(range(1, 9))
  expect(source.demand).toBe('forward')
})
