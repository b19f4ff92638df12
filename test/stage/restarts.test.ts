/** Supervisors over time: how often they restart, and children that come and go. */
import { describe, expect, test } from 'vitest'
import { type Reason, supervise, type Supervisor } from '../../src/stage/stage.ts'
import { ManualClock } from '../manual-clock.ts'
import { Nursery, withNursery } from './nursery.ts'
import { atRest, settledOr, until } from './watched.ts'

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
    const { nursery, tree } = await withNursery({ clock, restartDelayMs: () => 100 }, 'a', 'b')
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
    expect(nursery.log).toEqual(['-a'])
  })

  test.each([
    ['one_for_one', 'its own restarts', ['1 a', '2 a', '1 b', '3 a']],
    ['rest_for_one', 'those of the supervisor', ['1 a', '2 a', '3 b', '4 a']],
    ['one_for_all', 'those of the supervisor', ['1 a', '2 a', '3 b', '4 a']],
  ] as const)('%s: the delay of a child goes by %s, and is told its name', async (strategy, _, expected) => {
    const told: string[] = []
    const restartDelayMs = (restarts: number, name: string): number => {
      told.push(`${restarts} ${name}`)
      return 0
    }
    const { nursery, tree } = await withNursery({ strategy, restartDelayMs }, 'a', 'b')

    for (const name of ['a', 'a', 'b', 'a']) {
      nursery.end(name)
      await atRest()
    }

    expect(told).toEqual(expected)
    await tree.stop()
  })

  test('a start that fails counts for the delay of that child; one removed and added again begins anew', async () => {
    const told: number[] = []
    const restartDelayMs = (restarts: number): number => {
      told.push(restarts)
      return 0
    }
    const { nursery, tree } = await withNursery({ restartDelayMs }, 'a')
    nursery.failing.set('a', 2)
    nursery.end('a')
    await atRest()
    await tree.remove('a')
    await tree.add(nursery.child('a'))

    nursery.end('a')
    await atRest()

    expect(told).toEqual([1, 2, 3, 1])
    await tree.stop()
  })

  test('restartsMax Infinity: it never gives up, and tells no more than 1000 restarts', async () => {
    let told = 0
    const restartDelayMs = (restarts: number): number => {
      told = restarts
      return 0
    }
    const { nursery, tree } = await withNursery(
      { restartsMax: Infinity, restartDelayMs, clock: new ManualClock() },
      'a',
    )
    nursery.failing.set('a', 1500)

    nursery.end('a')
    await until('it runs again', () => nursery.log.length > 0)

    expect(told).toBe(1000)
    expect(nursery.log).toEqual(['+a'])
    await tree.stop()
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
