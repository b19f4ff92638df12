/** Partitioned children: copies of one child, keys that always find the same copy, and copies that fall alone. */
import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import {
  type Child,
  consumer,
  partitioned,
  type Partitioned,
  producer,
  type Reason,
  stableHash,
  supervise,
} from '../../src/stage/stage.ts'
import { atRest, range, until } from './watched.ts'

function idle(index: number) {
  return Object.assign(consumer<number>({ name: `copy ${index}`, handleEvents: () => {} }), { index })
}

describe('S84: partitioned children', () => {
  test('are as many as the machine can run at once, unless told otherwise, and each knows its number', async () => {
    const copies = await partitioned({ start: idle })

    expect(copies.partitions).toBe(availableParallelism())
    expect(range(0, copies.partitions - 1).map((at) => copies.child(at)?.index)).toEqual(
      range(0, copies.partitions - 1),
    )
    await copies.stop()
  })

  test('an integer goes by its remainder, whatever its sign, and anything else by its stable hash', async () => {
    const copies = await partitioned({ partitions: 3, start: idle })

    expect([0, 4, -4, 5, 7n, -5n].map((key) => copies.indexOf(key))).toEqual([0, 1, 1, 2, 1, 2])
    for (const key of ['1', '2', 'papers/a.pdf', 1.5]) expect(copies.indexOf(key)).toBe(stableHash(key) % 3)
    expect(copies.route(5)?.index).toBe(2)
    await copies.stop()
  })

  test('the hash of "1" to "5" over 3 copies never changes', async () => {
    const copies = await partitioned({ partitions: 3, start: idle })

    expect(['1', '2', '3', '4', '5'].map((key) => copies.indexOf(key))).toEqual([0, 0, 0, 2, 0])
    await copies.stop()
  })

  test('one copy falls and comes back alone; meanwhile there is no route to it', async () => {
    const copies = await partitioned({ partitions: 2, start: idle })
    const [zero, one] = [copies.child(0), copies.child(1)]

    await one?.stop(new Error('fell'))
    await atRest()

    expect(copies.child(0)).toBe(zero)
    expect(copies.child(1)).not.toBe(one)
    expect(copies.child(1)?.index).toBe(1)
    await copies.stop()
    expect(copies.child(0)).toBeUndefined()
  })

  test('a partitioned family is itself a child', async () => {
    let family: Partitioned<ReturnType<typeof idle>> | undefined
    const start = async (): Promise<Child> => (family = await partitioned({ partitions: 2, start: idle }))
    const tree = await supervise({ children: [{ name: 'family', start }] })

    expect(family?.child(1)).toBeDefined()
    expect(await tree.stop()).toBe('normal')
    expect(family?.child(1)).toBeUndefined()
  })
})

/** Counts per key; what is taken stays until it is acknowledged. */
class Collector {
  readonly stopped: Promise<Reason>
  #stop: (reason: Reason) => void = () => {}
  readonly #counts = new Map<string, number>()

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve
    })
  }

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  take(): ReadonlyMap<string, number> {
    return new Map(this.#counts)
  }

  acknowledge(taken: ReadonlyMap<string, number>): void {
    for (const [key, count] of taken) {
      const rest = (this.#counts.get(key) ?? 0) - count
      if (rest === 0) this.#counts.delete(key)
      else this.#counts.set(key, rest)
    }
  }

  stop(reason: Reason = 'normal'): void {
    this.#stop(reason)
  }
}

test('S85, D6: a flusher takes, writes, acknowledges; one that dies before it has written loses nothing, and its collector does not even notice', async () => {
  const written = new Map<string, number>()
  let fails = 1
  const collectors = await partitioned({ partitions: 3, start: () => new Collector() })
  const ticks: { emit(events: readonly number[]): void }[] = []
  const flushers = await partitioned({
    partitions: 3,
    start(index) {
      const tick = (ticks[index] = producer<number>())
      const flusher = consumer<number>({
        handleEvents() {
          const taken = collectors.child(index)?.take() ?? new Map<string, number>()
          if (index === 1 && fails-- > 0) throw new Error('dies between taking and writing')
          for (const [key, count] of taken) written.set(key, (written.get(key) ?? 0) + count)
          collectors.child(index)?.acknowledge(taken)
        },
      })
      flusher.subscribe(tick, { maxDemand: 1 })
      return flusher
    },
  })
  const keys = range(1, 300).map((number) => `user ${number % 7}`)
  const first = flushers.child(1)
  for (const key of keys) collectors.route(key)?.add(key)

  for (const tick of ticks) tick.emit([1])
  await until('the fallen flusher stands again', () => flushers.child(1) !== first && flushers.child(1) !== undefined)
  for (const tick of ticks) tick.emit([2])
  await atRest()

  expect([...written.values()].reduce((sum, count) => sum + count, 0)).toBe(300)
  for (const [key, count] of written) expect(count).toBe(keys.filter((other) => other === key).length)
  await flushers.stop()
  await collectors.stop()
})
