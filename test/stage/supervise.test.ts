/** Supervisors: who is restarted when somebody ends, how often, and how all of them are stopped. */
import { describe, expect, test } from 'vitest'
import {
  type Child,
  type ChildOptions,
  consumer,
  type Producer,
  producer,
  producerConsumer,
  type ProducerConsumer,
  type Reason,
  type StageTrace,
  type Strategy,
  supervise,
  traceStages,
} from '../../src/stage/stage.ts'
import { ManualClock } from '../manual-clock.ts'
import { Nursery, withNursery } from './nursery.ts'
import { atRest, gate, settledOr, until } from './watched.ts'

describe('S82: starting and stopping', () => {
  test('children start in order and stop in reverse', async () => {
    const nursery = new Nursery()
    const tree = await supervise({ children: nursery.children('a', 'b', 'c') })
    const started = nursery.takeLog()

    const reason = await tree.stop()

    expect(started).toEqual(['+a', '+b', '+c'])
    expect(nursery.log).toEqual(['-c', '-b', '-a'])
    expect(reason).toBe('normal')
  })

  test('one that does not start stops those before it, and its error is told', async () => {
    const nursery = new Nursery()
    nursery.failing.set('c', 1)

    const starting = supervise({ name: 'tree', children: nursery.children('a', 'b', 'c', 'd') })

    await expect(starting).rejects.toThrow('tree: c did not start')
    expect(nursery.log).toEqual(['+a', '+b', '-b', '-a'])
  })

  test('a child that does not stop within its deadline is killed, and the others are stopped all the same', async () => {
    const clock = new ManualClock()
    const nursery = new Nursery()
    const stuck: Child = {
      stopped: new Promise(() => {}),
      stop: () => nursery.log.push('-stuck'),
      kill: () => nursery.log.push('killed'),
    }
    const tree = await supervise({
      clock,
      children: [nursery.child('a'), { name: 'stuck', stopMs: 200, start: () => stuck }, nursery.child('c')],
    })
    nursery.takeLog()

    const stopping = tree.stop()
    await atRest()
    clock.advance(199)
    await atRest()
    const early = [...nursery.log]
    clock.advance(1)
    await stopping

    expect(early).toEqual(['-c', '-stuck'])
    expect(nursery.log).toEqual(['-c', '-stuck', 'killed', '-a'])
  })

  test('the deadline is 5 s by default, and one without kill is left behind', async () => {
    const clock = new ManualClock()
    const tree = await supervise({
      clock,
      children: [{ name: 'stuck', start: () => ({ stopped: new Promise<Reason>(() => {}), stop: () => undefined }) }],
    })
    const stopping = tree.stop()
    await atRest()
    clock.advance(4999)
    const early = await settledOr(stopping)

    clock.advance(1)

    expect(await stopping).toBe('normal')
    expect(early).toBeUndefined()
  })

  test('a start that hangs is given up after its time, and what it still brings is stopped', async () => {
    const clock = new ManualClock()
    const nursery = new Nursery()
    const held = gate()
    const starting = supervise({
      clock,
      children: [
        {
          name: 'late',
          startMs: 100,
          start: () => held.opened.then(() => nursery.child('late').start(new AbortController().signal)),
        },
      ],
    })
    const outcome = starting.then(
      () => 'started',
      (error: unknown) => String(error),
    )
    await atRest()

    clock.advance(100)
    const seen = await outcome
    held.open()
    await until('the late one was stopped', () => nursery.log.length === 2)

    expect(seen).toContain('late did not start')
    expect(nursery.log).toEqual(['+late', '-late'])
  })

  test('a start that hangs does not keep the supervisor from stopping', async () => {
    const tree = await supervise({})
    const adding = tree.add({ name: 'hangs', start: () => new Promise(() => {}) })
    await atRest()

    const reason = await tree.stop('shutdown')

    expect(reason).toBe('shutdown')
    await expect(adding).rejects.toThrow('hangs did not start')
  })
})

describe('S82: the strategies', () => {
  test.each<[Strategy, string[]]>([
    ['one_for_one', ['+b']],
    ['rest_for_one', ['-d', '-c', '+b', '+c', '+d']],
    ['one_for_all', ['-d', '-c', '-a', '+a', '+b', '+c', '+d']],
  ])('%s: when b of a, b, c, d falls: %o', async (strategy, expected) => {
    const { nursery, tree } = await withNursery({ strategy }, 'a', 'b', 'c', 'd')

    nursery.end('b')
    await atRest()

    expect(nursery.log).toEqual(expected)
    expect(tree.children).toEqual(['a', 'b', 'c', 'd'])
    await tree.stop()
  })

  test('rest_for_one: several that fall together are one restart, from the first of them on', async () => {
    const { nursery, tree } = await withNursery({ strategy: 'rest_for_one', restartsMax: 1 }, 'a', 'b', 'c')

    for (const name of ['c', 'b', 'a']) nursery.end(name)
    await atRest()

    expect(nursery.log).toEqual(['+a', '+b', '+c'])
    expect(await settledOr(tree.stopped)).toBeUndefined()
    await tree.stop()
  })

  test.each<[ChildOptions['restart'], Reason, boolean]>([
    ['permanent', 'normal', true],
    ['permanent', new Error('fell'), true],
    ['transient', 'normal', false],
    ['transient', 'shutdown', false],
    ['transient', 'worn out', true],
    ['transient', new Error('fell'), true],
    ['temporary', new Error('fell'), false],
  ])('a %s child that ends with %s: restarted %s', async (restart, reason, isRestarted) => {
    const nursery = new Nursery()
    const tree = await supervise({ children: [nursery.child('a', restart === undefined ? {} : { restart })] })
    nursery.takeLog()

    nursery.end('a', reason)
    await atRest()

    expect(nursery.log).toEqual(isRestarted ? ['+a'] : [])
    expect(tree.children).toEqual(isRestarted ? ['a'] : [])
    await tree.stop()
  })

  test('one_for_all: a temporary sister is stopped with the others and stays away', async () => {
    const nursery = new Nursery()
    const tree = await supervise({
      strategy: 'one_for_all',
      children: [nursery.child('a'), nursery.child('once', { restart: 'temporary' })],
    })
    nursery.takeLog()

    nursery.end('a')
    await atRest()

    expect(nursery.log).toEqual(['-once', '+a'])
    expect(tree.children).toEqual(['a'])
    await tree.stop()
  })
})

describe('S83: a chain of stages, each permanently subscribed to the one before', () => {
  /** Numbers, doubled, gathered; the producer can be made to fail. */
  async function chain(strategy: Strategy) {
    const parts: { source?: Producer<number>; middle?: ProducerConsumer<number, number> } = {}
    const seen: number[] = []
    let starts = 0
    const counted = <C extends Child>(stage: C): C => {
      starts++
      return stage
    }
    const tree = await supervise({
      strategy,
      children: [
        {
          name: 'numbers',
          start: () =>
            counted((parts.source = producer<number>({ handleInfo: () => Promise.reject(new Error('fell')) }))),
        },
        {
          name: 'double',
          start(): Child {
            const middle = (parts.middle = producerConsumer<number, number>({
              handleEvents: (events) => events.map((n) => n * 2),
            }))
            if (parts.source !== undefined) middle.subscribe(parts.source)
            return counted(middle)
          },
        },
        {
          name: 'gather',
          start(): Child {
            const end = consumer<number>({ handleEvents: (events) => void seen.push(...events) })
            if (parts.middle !== undefined) end.subscribe(parts.middle)
            return counted(end)
          },
        },
      ],
    })
    return { tree, parts, seen, starts: () => starts }
  }

  test('under rest_for_one a crash of the first is one restart of the chain, and events flow again', async () => {
    const { tree, parts, seen, starts } = await chain('rest_for_one')

    for (let crash = 1; crash <= 3; crash++) {
      parts.source?.info('fall')
      await until('the chain stands again', () => starts() === 3 + crash * 3)
      await atRest()
    }
    parts.source?.emit([1, 2, 3])
    await atRest()

    expect(seen).toEqual([2, 4, 6])
    expect(await settledOr(tree.stopped)).toBeUndefined()
    await tree.stop()
  })

  test('under one_for_one the same crashes burn the restart budget', async () => {
    const { tree, parts } = await chain('one_for_one')

    for (let crash = 1; crash <= 3; crash++) {
      parts.source?.info('fall')
      await atRest()
    }

    expect(String(await tree.stopped)).toContain('restarting does not help')
  })
})

test('what happens to the children of a supervisor is traced', async () => {
  const traces: StageTrace[] = []
  const nursery = new Nursery()
  const stopTracing = traceStages((trace) => traces.push(trace))

  const tree = await supervise({ name: 'tree', children: nursery.children('a') })
  nursery.end('a')
  await atRest()
  stopTracing()
  await tree.stop()

  expect(traces).toEqual([
    { kind: 'child', stage: 'tree', peer: 'a', event: 'started', reason: '' },
    { kind: 'child', stage: 'tree', peer: 'a', event: 'ended', reason: 'a fell' },
    { kind: 'child', stage: 'tree', peer: 'a', event: 'started', reason: '' },
  ])
})

const idle = (): undefined => undefined

test.each([
  [
    'supervise: expected options name, strategy, children, childrenMax, restartsMax, restartsWithinMs, restartDelayMs, clock, got kids',
    { kids: [] },
  ],
  ['strategy: expected one_for_one or rest_for_one or one_for_all, got "all"', { strategy: 'all' }],
  ['restartsMax: expected a whole number of at least 0, or Infinity, got -1', { restartsMax: -1 }],
  ['restartDelayMs: expected a function beside restartsMax Infinity, got undefined', { restartsMax: Infinity }],
  ['name: expected a name for each child', { children: [{ start: idle }] }],
  ['start: expected a function, got undefined', { children: [{ name: 'a' }] }],
  [
    'restart: expected permanent or transient or temporary, got "always"',
    { children: [{ name: 'a', start: idle, restart: 'always' }] },
  ],
])('S82: rejects with "%s"', async (message, options) => {
  await expect(Promise.resolve(Reflect.apply(supervise, undefined, [options]))).rejects.toThrow(new TypeError(message))
})
