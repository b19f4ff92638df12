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
  type SuperviseOptions,
  type Supervisor,
  traceStages,
} from '../../src/stage/stage.ts'
import { ManualClock } from './manual-clock.ts'
import { atRest, gate, settledOr, until } from './watched.ts'

/** Children that write down when they start and stop, and end when the test says so. */
class Nursery {
  readonly log: string[] = []
  readonly #ends = new Map<string, (reason: Reason) => void>()
  /** Starts that shall fail, per name. */
  readonly failing = new Map<string, number>()

  child(name: string, options: Partial<ChildOptions> = {}): ChildOptions {
    return { name, start: () => this.#start(name), ...options }
  }

  children(...names: string[]): ChildOptions[] {
    return names.map((name) => this.child(name))
  }

  end(name: string, reason: Reason = new Error(`${name} fell`)): void {
    this.#ends.get(name)?.(reason)
  }

  takeLog(): string[] {
    return this.log.splice(0)
  }

  #start(name: string): Child {
    const failures = this.failing.get(name) ?? 0
    this.failing.set(name, failures - 1)
    if (failures > 0) throw new Error(`${name} cannot start`)
    this.log.push(`+${name}`)
    const stopped = new Promise<Reason>((resolve) => this.#ends.set(name, resolve))
    return {
      stopped,
      stop: (reason: Reason = 'normal') => {
        this.log.push(`-${name}`)
        this.end(name, reason)
      },
    }
  }
}

async function withNursery(options: SuperviseOptions, ...names: string[]) {
  const nursery = new Nursery()
  const tree = await supervise({ restartsMax: 100, ...options, children: nursery.children(...names) })
  nursery.takeLog()
  return { nursery, tree }
}

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

describe('S82: restart intensity', () => {
  test('a fourth restart within 5 s: the supervisor stops its children and ends with an error', async () => {
    const clock = new ManualClock()
    const nursery = new Nursery()
    const tree = await supervise({ name: 'tree', clock, children: nursery.children('a', 'b') })
    for (let fall = 1; fall <= 3; fall++) {
      nursery.end('b')
      await atRest()
    }
    const early = await settledOr(tree.stopped)
    nursery.takeLog()

    nursery.end('b')

    expect(String(await tree.stopped)).toContain('tree: restarting does not help, the last end was: b fell')
    expect(early).toBeUndefined()
    expect(nursery.log).toEqual(['-a'])
  })

  test('restarts that are 5 s apart are forgotten', async () => {
    const clock = new ManualClock()
    const nursery = new Nursery()
    const tree = await supervise({ clock, children: nursery.children('a') })

    for (let fall = 1; fall <= 8; fall++) {
      nursery.end('a')
      await atRest()
      clock.advance(1700)
    }

    expect(await settledOr(tree.stopped)).toBeUndefined()
    await tree.stop()
  })

  test('a start that fails is an end again: it counts, and is tried again', async () => {
    const { nursery, tree } = await withNursery({ restartsMax: 3 }, 'a')
    nursery.failing.set('a', 2)

    nursery.end('a')
    await atRest()

    expect(nursery.log).toEqual(['+a'])
    nursery.failing.set('a', 1)
    nursery.end('a')
    expect(String(await tree.stopped)).toContain('restarting does not help')
  })

  test('it dies upward: its own supervisor starts it anew', async () => {
    const nursery = new Nursery()
    let inner: Supervisor | undefined
    const outer = await supervise({
      children: [
        {
          name: 'inner',
          start: async () => (inner = await supervise({ restartsMax: 0, children: nursery.children('a', 'b') })),
        },
      ],
    })
    const first = inner
    nursery.takeLog()

    nursery.end('a')
    await until('the inner one is new', () => inner !== first && outer.child('inner') === inner)

    expect(nursery.log).toEqual(['-b', '+a', '+b'])
    await outer.stop()
  })

  test('with a delay, the restart waits, others do not, and a stop does not wait for it', async () => {
    const clock = new ManualClock()
    const delays: number[] = []
    const restartDelayMs = (restarts: number): number => {
      delays.push(restarts)
      return restarts * 100
    }
    const { nursery, tree } = await withNursery({ clock, restartDelayMs }, 'a', 'b')
    nursery.end('a')
    await atRest()
    clock.advance(99)
    await atRest()
    const early = nursery.takeLog()
    clock.advance(1)
    await atRest()
    const later = nursery.takeLog()
    nursery.end('b')
    await atRest()

    await tree.stop()

    expect(early).toEqual([])
    expect(later).toEqual(['+a'])
    expect(delays).toEqual([1, 2])
    expect(nursery.log).toEqual(['-a'])
  })
})

describe('S82: at run time', () => {
  test('adding and removing one touches no other', async () => {
    const { nursery, tree } = await withNursery({}, 'a', 'b')

    await tree.add(nursery.child('c'))
    await tree.remove('a')

    expect(nursery.log).toEqual(['+c', '-a'])
    expect(tree.children).toEqual(['b', 'c'])
    await tree.stop()
    expect(nursery.log).toEqual(['+c', '-a', '-c', '-b'])
  })

  test('one that is slow to stop keeps no other from being added or restarted', async () => {
    const { nursery, tree } = await withNursery({}, 'a')
    await tree.add({
      name: 'slow',
      start: () => ({ stopped: new Promise<Reason>(() => {}), stop: () => undefined }),
      stopMs: 60_000,
    })
    const removing = tree.remove('slow')

    await tree.add(nursery.child('b'))
    nursery.end('a')
    await atRest()

    expect(nursery.log).toEqual(['+b', '+a'])
    expect(await settledOr(removing)).toBeUndefined()
  })

  test('S8: a taken name is refused as already_started', async () => {
    const { nursery, tree } = await withNursery({}, 'a')

    await expect(tree.add(nursery.child('a'))).rejects.toThrow('add: expected a free name, got a (already_started)')

    expect(nursery.log).toEqual([])
    await tree.stop()
  })

  test('one that does not start is told so and forgotten', async () => {
    const { nursery, tree } = await withNursery({}, 'a')
    nursery.failing.set('b', 1)

    await expect(tree.add(nursery.child('b'))).rejects.toThrow('b did not start')

    expect(tree.children).toEqual(['a'])
    await tree.stop()
  })

  test('a removed one does not come back, even where its restart was due', async () => {
    const clock = new ManualClock()
    const { nursery, tree } = await withNursery({ clock, restartDelayMs: () => 50 }, 'a')
    nursery.end('a')
    await atRest()

    await tree.remove('a')
    clock.advance(50)
    await atRest()

    expect(nursery.log).toEqual([])
    expect(tree.children).toEqual([])
    await tree.stop()
  })

  test('beyond its bound, and once it stops, nothing is added; an unknown one cannot be removed', async () => {
    const { nursery, tree } = await withNursery({ childrenMax: 1 }, 'a')

    await expect(tree.add(nursery.child('b'))).rejects.toThrow('at most 1 children')
    await expect(tree.remove('b')).rejects.toThrow('got b')
    await tree.stop()
    await expect(tree.add(nursery.child('b'))).rejects.toThrow('which is stopping')
  })

  test('`child` is the one that runs now', async () => {
    const { nursery, tree } = await withNursery({}, 'a')
    const first = tree.child('a')

    nursery.end('a')
    await atRest()

    expect(tree.child('a')).toBeDefined()
    expect(tree.child('a')).not.toBe(first)
    expect(tree.child('b')).toBeUndefined()
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
          start() {
            const middle = (parts.middle = producerConsumer<number, number>({
              handleEvents: (events) => events.map((n) => n * 2),
            }))
            if (parts.source !== undefined) middle.subscribe(parts.source)
            return counted(middle)
          },
        },
        {
          name: 'gather',
          start() {
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

test.each([
  [
    'supervise: expected options name, strategy, children, childrenMax, restartsMax, restartsWithinMs, restartDelayMs, clock, got kids',
    { kids: [] },
  ],
  ['strategy: expected one_for_one or rest_for_one or one_for_all, got "all"', { strategy: 'all' }],
  ['restartsMax: expected a whole number of at least 0, got -1', { restartsMax: -1 }],
  ['name: expected a name for each child', { children: [{ start: () => undefined }] }],
  ['start: expected a function, got undefined', { children: [{ name: 'a' }] }],
  [
    'restart: expected permanent or transient or temporary, got "always"',
    { children: [{ name: 'a', start: () => undefined, restart: 'always' }] },
  ],
])('S82: rejects with "%s"', async (message, options) => {
  await expect(Promise.resolve(Reflect.apply(supervise, undefined, [options]))).rejects.toThrow(new TypeError(message))
})
