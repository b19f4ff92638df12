/** Partitioned children: several copies of one child under a supervisor, and the way from a key to the copy that it belongs to. */
import { availableParallelism } from 'node:os'
import type { Child, ChildOptions } from './child.ts'
import type { Reason } from './life.ts'
import { checkFunction, parseCount } from './options.ts'
import { type Key, stableHash } from './stable-hash.ts'
import { type RestartOptions, supervise, type Supervisor } from './supervise.ts'

export interface PartitionedOptions<C extends Child> extends RestartOptions, Omit<ChildOptions, 'name' | 'start'> {
  /** Who this is, for people. Default `partitioned`. */
  readonly name?: string
  /** Copies; default: as many as the machine can run at once. */
  readonly partitions?: number
  /** Starts copy number `index`, from 0 on. Called again for every restart of that copy alone. */
  readonly start: (index: number, signal: AbortSignal) => C | Promise<C>
}

export interface Partitioned<C extends Child> extends Child {
  readonly partitions: number
  /** Undefined between two lives of that copy. */
  child(index: number): C | undefined
  /** Where a key belongs, the same at every time: an integer by its remainder, anything else by `stableHash`. */
  indexOf(key: Key): number
  /** The copy that a key belongs to; undefined between two of its lives. */
  route(key: Key): C | undefined
  stop(reason?: Reason): Promise<Reason>
}

/** @throws TypeError on an unknown or impossible option, and what `supervise` throws. */
export async function partitioned<C extends Child>(options: PartitionedOptions<C>): Promise<Partitioned<C>> {
  const { name = 'partitioned', partitions: given, start, restart, startMs, stopMs, ...restarts } = options
  const partitions = parseCount('partitions', given ?? availableParallelism(), 1)
  checkFunction('start', start)
  const copies: (C | undefined)[] = []
  const child = (index: number): ChildOptions => ({
    ...(restart === undefined ? {} : { restart }),
    ...(startMs === undefined ? {} : { startMs }),
    ...(stopMs === undefined ? {} : { stopMs }),
    name: String(index),
    start: async (signal) => (copies[index] = await start(index, signal)),
  })
  const children = Array.from({ length: partitions }, (_, index) => child(index))
  return new PartitionedChildren(await supervise({ ...restarts, name, children }), partitions, copies)
}

class PartitionedChildren<C extends Child> implements Partitioned<C> {
  readonly partitions: number
  readonly #supervisor: Supervisor
  readonly #copies: readonly (C | undefined)[]

  constructor(supervisor: Supervisor, partitions: number, copies: readonly (C | undefined)[]) {
    this.#supervisor = supervisor
    this.partitions = partitions
    this.#copies = copies
  }

  get stopped(): Promise<Reason> {
    return this.#supervisor.stopped
  }

  child(index: number): C | undefined {
    const copy = this.#copies[index]
    return copy !== undefined && this.#supervisor.child(String(index)) === copy ? copy : undefined
  }

  indexOf(key: Key): number {
    if (typeof key === 'bigint') return Number((key < 0n ? -key : key) % BigInt(this.partitions))
    const number = typeof key === 'number' && Number.isInteger(key) ? Math.abs(key) : stableHash(key)
    return number % this.partitions
  }

  route(key: Key): C | undefined {
    return this.child(this.indexOf(key))
  }

  stop(reason?: Reason): Promise<Reason> {
    return this.#supervisor.stop(reason)
  }
}
