/** Info messages: in order with events, at no cost to demand, never dropped. */
import { describe, expect, test } from 'vitest'
import { partitionDispatcher, producer, producerConsumer } from '../../src/stage/stage.ts'
import { atRest, gate, manual, range, settledOr, until, watchedConsumer } from './watched.ts'

/** A producer and a consumer that write into one log what reaches them. */
function logged(bufferSize = 100) {
  const log: string[] = []
  const source = producer<string>({ bufferSize, handleInfo: (message) => void log.push(`info ${String(message)}`) })
  const { stage } = watchedConsumer<string>({}, log)
  return { log, source, subscription: stage.subscribe(source, { mode: 'manual' }) }
}

describe('a producer', () => {
  test('S26: hears an info message at once where nothing is buffered', async () => {
    const { log, source } = logged()

    source.info('hello')
    await atRest()

    expect(log).toEqual(['info hello'])
  })

  test('S26: hears one only when every event that was buffered at that moment has left the buffer', async () => {
    const { log, source, subscription } = logged()
    source.emit(['a', 'b', 'c'])
    source.info('behind c')
    source.emit(['d'])

    subscription.ask(2)
    await atRest()
    const early = [...log]
    subscription.ask(2)
    await atRest()

    expect(early).toEqual(['chunk a,b'])
    expect(new Set(log)).toEqual(new Set(['chunk a,b', 'chunk c', 'info behind c', 'chunk d']))
    expect(log.indexOf('chunk c')).toBeLessThan(log.indexOf('chunk d'))
  })

  test('S27: [a,b,c] d! e! f! [g,h] i! and ask 5 gives [a,b,c], [g,h] and the messages d, e, f, i in order', async () => {
    const { log, source, subscription } = logged()
    source.emit(['a', 'b', 'c'])
    for (const message of ['d', 'e', 'f']) source.info(message)
    source.emit(['g', 'h'])
    source.info('i')

    subscription.ask(5)
    await atRest()

    expect(log.filter((line) => line.startsWith('chunk'))).toEqual(['chunk a,b,c', 'chunk g,h'])
    expect(log.filter((line) => line.startsWith('info'))).toEqual(['info d', 'info e', 'info f', 'info i'])
  })

  test('S27: an info message whose event overflows is delivered at that moment', async () => {
    const { log, source } = logged(3)
    source.emit(['a', 'b'])
    source.info('behind b')
    source.emit(['c'])
    await atRest()
    const before = [...log]

    source.emit(['d', 'e'])
    await atRest()

    expect(before).toEqual([])
    expect(log).toEqual(['info behind b'])
  })

  test('S3: what handleInfo returns is emitted', async () => {
    const source = producer<number>({ handleInfo: (message) => [Number(message)] })
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source)

    source.info(7)
    await atRest()

    expect(events()).toEqual([7])
  })

  test('S29: emits the last events, sends itself a message and stops on it: nothing buffered is lost', async () => {
    let stopping: Promise<unknown> | undefined
    const source = producer<number>({
      handleInfo: (_, self) => {
        stopping = self.stop()
      },
    })
    const { stage, events } = watchedConsumer<number>()
    const subscription = manual(stage, source)
    source.emit([1, 2, 3])
    source.info('stop')
    const early = await settledOr(source.stopped)

    subscription.ask(3)

    expect(await source.stopped).toBe('normal')
    expect(await stopping).toBe('normal')
    await atRest()
    expect(early).toBeUndefined()
    expect(events()).toEqual([1, 2, 3])
  })

  test('S29: `end` waits for the messages on their way', async () => {
    const log: string[] = []
    const source = producer<number>({ handleInfo: (message) => void log.push(String(message)) })

    source.info('last words')
    source.end()
    await source.stopped

    expect(log).toEqual(['last words'])
  })

  test('S26: a message sent while accumulating waits behind the events', async () => {
    const log: string[] = []
    const source = producer<string>({
      demand: 'accumulate',
      handleInfo: (message) => void log.push(`info ${String(message)}`),
    })
    const { stage } = watchedConsumer<string>({}, log)
    stage.subscribe(source)
    source.emit(['a'])
    source.info('b')
    await atRest()
    const early = [...log]

    source.setDemand('forward')
    await atRest()

    expect(early).toEqual([])
    expect(new Set(log)).toEqual(new Set(['chunk a', 'info b']))
  })
})

describe('a consumer', () => {
  test('S26: hears a message behind the events that had arrived', async () => {
    const log: string[] = []
    const held = gate()
    const source = producer<number>()
    const { stage } = watchedConsumer<number>(
      { handleEvents: () => held.opened, handleInfo: (message) => void log.push(`info ${String(message)}`) },
      log,
    )
    stage.subscribe(source, { maxDemand: 10 })
    source.emit(range(1, 10))
    stage.info('behind 10')
    source.emit([11])

    held.open()
    await until('the message was heard', () => log.length >= 3)

    expect(log.slice(0, 3)).toEqual(['chunk 1,2,3,4,5', 'chunk 6,7,8,9,10', 'info behind 10'])
  })

  test('S2: an asynchronous handleInfo is awaited before the next callback', async () => {
    const log: string[] = []
    const held = gate()
    const source = producer<number>()
    const { stage } = watchedConsumer<number>({ handleInfo: () => held.opened }, log)
    stage.subscribe(source)
    stage.info('wait')
    await atRest()
    source.emit([1])
    await atRest()
    const early = [...log]

    held.open()
    await until('the event was handled', () => log.length > 0)

    expect(early).toEqual([])
    expect(log).toEqual(['chunk 1'])
  })
})

describe('a producer-consumer', () => {
  test('S19, S26: hears a message behind what has arrived and behind what it made of that', async () => {
    const log: string[] = []
    const source = producer<number>()
    const middle = producerConsumer<number, number>({
      handleEvents: (events) => {
        log.push(`middle ${events.join(',')}`)
        return events
      },
      handleInfo: (message) => void log.push(`info ${String(message)}`),
    })
    const { stage } = watchedConsumer<number>({}, log, 'end')
    middle.subscribe(source, { maxDemand: 4, minDemand: 0 })
    const subscription = manual(stage, middle)
    source.emit([1, 2, 3, 4])
    await atRest()
    middle.info('behind 4')
    await atRest()
    const unasked = [...log]

    subscription.ask(2)
    await atRest()
    const half = [...log]
    subscription.ask(2)
    await atRest()

    expect(unasked).toEqual([])
    expect(half).toEqual(['middle 1,2,3,4', 'end 1,2'])
    expect(new Set(log.slice(2))).toEqual(new Set(['end 3,4', 'info behind 4']))
  })

  test('S26: hears one at once where nothing has come, though nobody wants events', async () => {
    const log: string[] = []
    const middle = producerConsumer<number, number>({
      handleEvents: (events) => events,
      handleInfo: (message) => void log.push(String(message)),
    })

    middle.info('hello')
    await atRest()

    expect(log).toEqual(['hello'])
  })
})

test('S26: behind a partition dispatcher a message waits until every queue that was not empty has passed that point', async () => {
  const log: string[] = []
  const source = producer<number>({
    dispatcher: partitionDispatcher({ partitions: 3, hash: (event) => event % 3 }),
    handleInfo: (message) => void log.push(String(message)),
  })
  const [zero, one, two] = [0, 1, 2].map((partition) => {
    const watched = watchedConsumer<number>()
    return watched.stage.subscribe(source, { mode: 'manual', partition })
  })
  two?.ask(2)
  source.emit([0, 1])
  source.info('behind 0 and 1')
  source.emit([3, 2])

  await atRest()
  const unasked = [...log]
  zero?.ask(1)
  await atRest()
  const half = [...log]
  one?.ask(1)
  await atRest()

  expect(unasked).toEqual([])
  expect(half).toEqual([])
  expect(log).toEqual(['behind 0 and 1'])
})

describe('sending one', () => {
  test.each([
    ['a producer', () => producer()],
    ['a consumer', () => watchedConsumer().stage],
    ['a producer-consumer', () => producerConsumer({ handleEvents: () => [] })],
  ])('%s without handleInfo refuses it, since nobody would hear it', (_, make) => {
    const stage = make()

    expect(() => stage.info('hello')).toThrow(new TypeError('info: expected a stage with handleInfo'))
  })

  test('the 1025th on its way is refused, and the others all arrive', async () => {
    let heard = 0
    const source = producer<number>({
      handleInfo: () => {
        heard++
      },
    })
    for (let sent = 0; sent < 1024; sent++) source.info(sent)

    expect(() => source.info('one more')).toThrow(RangeError)

    await until('all were heard', () => heard === 1024)
  })

  test('after the stop it is ignored', async () => {
    const log: unknown[] = []
    const source = producer<number>({ handleInfo: (message) => void log.push(message) })
    await source.stop()

    source.info('too late')
    await atRest()

    expect(log).toEqual([])
  })
})
