/** Producers out of iterables: exactly as many items as are asked for, and the iterator let go of exactly once. */
import { describe, expect, test } from 'vitest'
import { fromIterable } from '../../src/stage/stage.ts'
import { atRest, gate, manual, nextRound, range, settledOr, until, watchedConsumer } from './watched.ts'

/** Numbers from 1 on that write down what is done to their iterator. */
function numbers(last = Infinity) {
  const seen = { pulled: 0, returned: 0 }
  const iterator: IterableIterator<number> = {
    [Symbol.iterator]: () => iterator,
    next() {
      if (seen.pulled === last) return { done: true, value: undefined }
      seen.pulled++
      return { done: false, value: seen.pulled }
    },
    return() {
      seen.returned++
      return { done: true, value: undefined }
    },
  }
  return { iterator, seen }
}

describe('a synchronous iterable', () => {
  test('S61: exactly as many items are pulled as are asked for', async () => {
    const { iterator, seen } = numbers()
    const { stage, events } = watchedConsumer<number>()
    const subscription = manual(stage, fromIterable(iterator))

    subscription.ask(3)
    await atRest()

    expect(events()).toEqual([1, 2, 3])
    expect(seen.pulled).toBe(3)
  })

  test('S61: at the end it emits what it has and stops normal', async () => {
    const source = fromIterable([1, 2, 3])
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, { cancel: 'drain' })

    expect(await stage.stopped).toBe('normal')
    expect(await source.stopped).toBe('normal')
    expect(events()).toEqual([1, 2, 3])
  })

  test('S61: an exact multiple is only noticed by the next demand', async () => {
    const source = fromIterable([1, 2, 3])
    const { stage } = watchedConsumer<number>()
    const subscription = manual(stage, source)
    subscription.ask(3)
    const early = await settledOr(source.stopped)

    subscription.ask(1)

    expect(early).toBeUndefined()
    expect(await source.stopped).toBe('normal')
  })

  test('S61: stopped early it calls return() once; ended by itself it does not', async () => {
    const [stopped, ended] = [numbers(), numbers(2)]
    const early = fromIterable(stopped.iterator)
    const { stage } = watchedConsumer<number>()
    stage.subscribe(fromIterable(ended.iterator), { cancel: 'drain' })

    await early.stop()
    await early.stop()
    await stage.stopped
    await atRest()

    expect(stopped.seen.returned).toBe(1)
    expect(ended.seen.returned).toBe(0)
  })

  test('S5: an iterator that throws hands on what it brought and stops the stage with the error', async () => {
    const fault = new Error('fails as it was told to')
    const source = fromIterable<number>(
      (function* () {
        yield 1
        yield 2
        throw fault
      })(),
    )
    const { stage, events } = watchedConsumer<number>()
    const subscription = stage.subscribe(source, { cancel: 'temporary' })

    expect(await source.stopped).toBe(fault)
    expect(await subscription.closed).toBe(fault)
    expect(events()).toEqual([1, 2])
  })

  test('S61: with onCancel stop it stops once the last subscriber has left, by default it lives on', async () => {
    const [stopping, going] = [fromIterable(numbers().iterator, { onCancel: 'stop' }), fromIterable(numbers().iterator)]
    const { stage } = watchedConsumer<number>()
    const subscriptions = [stopping, stopping, going].map((source) => manual(stage, source))
    for (const subscription of subscriptions) subscription.cancel()
    stage.subscribe(going, { maxDemand: 1, mode: 'manual', cancel: 'temporary' })

    expect(await stopping.stopped).toBe('normal')
    expect(await settledOr(going.stopped)).toBeUndefined()
  })

  test('S61: with onCancel stop it lives as long as one subscriber stays', async () => {
    const source = fromIterable(numbers().iterator, { onCancel: 'stop' })
    const [one, other] = [watchedConsumer<number>(), watchedConsumer<number>()]
    manual(one.stage, source)
    other.stage.subscribe(source, { mode: 'manual', cancel: 'temporary' }).cancel()

    expect(await settledOr(source.stopped)).toBeUndefined()
  })
})

describe('an asynchronous iterable', () => {
  test('S61: gives its items in order and stops normal', async () => {
    const source = fromIterable(
      (async function* () {
        for (const number of range(1, 1000)) {
          if (number % 300 === 0) await nextRound()
          yield number
        }
      })(),
    )
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, { maxDemand: 70, cancel: 'drain' })

    expect(await stage.stopped).toBe('normal')
    expect(events()).toEqual(range(1, 1000))
  })

  test('S62: a slow source does not hold back what it has brought', async () => {
    const held = gate()
    const source = fromIterable<number>(
      (async function* () {
        yield 1
        yield 2
        await held.opened
        yield 3
      })(),
    )
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, { cancel: 'drain' })

    await until('the first two came', () => events().length === 2)

    held.open()
    await stage.stopped
    expect(events()).toEqual([1, 2, 3])
  })

  test('S61: stops at once though the source hangs, and calls return() once', async () => {
    let returned = 0
    const hanging: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return() {
          returned++
          return Promise.resolve({ done: true, value: undefined })
        },
      }),
    }
    const source = fromIterable(hanging)
    const { stage } = watchedConsumer<number>()
    stage.subscribe(source)
    await atRest()

    expect(await source.stop('enough')).toBe('enough')
    await atRest()

    expect(returned).toBe(1)
  })

  test('S5: a source that throws hands on what it brought and stops the stage with the error', async () => {
    const fault = new Error('fails as it was told to')
    const source = fromIterable(
      // eslint-disable-next-line @typescript-eslint/require-await -- an iterable that could wait, and does not
      (async function* () {
        yield 1
        throw fault
      })(),
    )
    const { stage, events } = watchedConsumer<number>()
    stage.subscribe(source, { cancel: 'temporary' })

    expect(await source.stopped).toBe(fault)
    await atRest()
    expect(events()).toEqual([1])
  })

  test('pulls no more than is asked for', async () => {
    const { iterator, seen } = numbers()
    const source = fromIterable({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(iterator.next()) }),
    } as AsyncIterable<number>)
    const { stage } = watchedConsumer<number>()

    manual(stage, source).ask(4)
    await atRest()

    expect(seen.pulled).toBe(4)
  })
})

test.each([
  ['fromIterable: expected an iterable or an async iterable, got number', 7, {}],
  ['fromIterable: expected an iterable or an async iterable, got object', {}, {}],
  ['onCancel: expected continue or stop, got "die"', [], { onCancel: 'die' }],
  ['fromIterable: expected no handleDemand, since the items are the demand’s answer', [], { handleDemand: () => [] }],
])('S61: throws "%s"', (message, iterable, options) => {
  expect((): unknown => Reflect.apply(fromIterable, undefined, [iterable, options])).toThrow(new TypeError(message))
})
