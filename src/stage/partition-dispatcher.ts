/** Partition dispatcher: every event goes to the one subscriber of its partition. Where an event belongs is the hash's concern. */
import type { Dispatcher, Holding, Joining, Seat } from './dispatcher.ts'
import { checkFunctions, checkKnown, parseCount } from './options.ts'
import { Partition, PartitionPlace } from './partition.ts'
import { type Key, partitionOf } from './stable-hash.ts'

export interface PartitionDispatcherOptions<T> {
  /** How many, named 0 to n - 1, or their names. */
  readonly partitions: number | readonly (string | number)[]
  /**
   * To which partition an event goes; undefined drops it, at no cost to anybody's demand. If it throws or names none there is, the event is
   * discarded and counted. Default, only for numbered ones and events that are themselves keys: `partitionOf`. Must not block.
   */
  readonly hash?: (event: T) => string | number | undefined
  /** Events that may wait in each partition's own queue while others are served. Once one is full, all wait for it. Default 10 000. */
  readonly queueSize?: number
}

/** As the buffer of a producer: the queues of four partitions of paths are a few megabytes at most. Unit: events per partition. */
const queueSizeDefault = 10_000
/** Every event looks at none of them but each dispatch at all. */
const partitionsMax = 65_536

type Name = string | number

/** @throws TypeError on an unknown or impossible option. */
export function partitionDispatcher<T>(options: PartitionDispatcherOptions<T>): () => Dispatcher<T> {
  checkKnown('partitionDispatcher', options, ['partitions', 'hash', 'queueSize'])
  checkFunctions({ hash: options.hash })
  const names = parsePartitions(options.partitions)
  const queueSize = parseCount('queueSize', options.queueSize ?? queueSizeDefault, 1)
  const hash = options.hash ?? keyHash(names)
  return () => new PartitionDispatcher<T>(names, hash, queueSize)
}

function parsePartitions(value: number | readonly Name[]): readonly Name[] {
  if (!Array.isArray(value))
    return Array.from({ length: parseCount('partitions', value, 1, partitionsMax) }, (_, at) => at)
  const names: readonly Name[] = value
  parseCount('partitions, how many', names.length, 1, partitionsMax)
  if (new Set(names).size < names.length)
    throw new TypeError(`partitions: expected names, each once, got ${names.join(', ')}`)
  return names
}

/** @throws TypeError where partitions have names of their own: no hash of ours could know which events they are for. */
function keyHash(names: readonly Name[]): (event: unknown) => number {
  if (!names.every((name, at) => name === at))
    throw new TypeError('hash: expected a function, since the partitions are not numbered from 0')
  // No promise that it is a key: what is none is refused there, and so discarded and counted.
  return (event) => partitionOf(event as Key, names.length)
}

class PartitionDispatcher<T> implements Dispatcher<T> {
  readonly seatOptions = ['partition'] as const
  readonly holding: Holding
  readonly #hash: (event: T) => Name | undefined
  readonly #partitions: ReadonlyMap<Name, Partition<T>>
  /** The same, where a number leads to its partition without a search. */
  readonly #numbered: readonly (Partition<T> | undefined)[]
  readonly #all: readonly Partition<T>[]
  /** Worked out when it is asked for; undefined after every change. */
  #wantedCount: number | undefined = 0
  #discardedCount = 0
  readonly #onChange = (): void => {
    this.#wantedCount = undefined
  }

  constructor(names: readonly Name[], hash: (event: T) => Name | undefined, queueSize: number) {
    this.#hash = hash
    this.#all = names.map(() => new Partition<T>(queueSize))
    this.#partitions = new Map(names.map((name, at) => [name, this.#all[at] ?? new Partition<T>(queueSize)]))
    this.#numbered = this.#all.map((_, at) => this.#partitions.get(at))
    this.holding = this.#makeHolding()
  }

  /**
   * What the subscribers are ready for, yet no more than fits wherever it may belong. Events that had to queue up do not lessen it: those for
   * whom they were not are still waiting.
   */
  get wantedCount(): number {
    this.#wantedCount ??= this.#countWanted()
    return this.#wantedCount
  }

  join(seat: Seat<T>): Joining {
    const partition = seat.partition === undefined ? undefined : this.#partitions.get(seat.partition)
    if (partition === undefined) return { kind: 'refused', reason: 'unknown_partition' }
    if (partition.isTaken) return { kind: 'refused', reason: 'partition_taken' }
    const place = new PartitionPlace(seat, partition, this.#onChange)
    partition.sit(place)
    return { kind: 'joined', place }
  }

  dispatch(events: readonly T[]): number {
    let placed = 0
    // More than one round only where some queued up or were dropped, and those who waited still do.
    while (placed < events.length && this.wantedCount > 0) {
      const end = Math.min(events.length, placed + this.wantedCount)
      this.#sort(events, placed, end)
      for (const partition of this.#all) partition.give()
      this.#wantedCount = undefined
      placed = end
    }
    return placed
  }

  #sort(events: readonly T[], start: number, end: number): void {
    // In full, without a copy: an index costs less than a slice here.
    for (let at = start; at < end; at++) {
      const event = events[at]
      // The index is in range; an event may itself be undefined.
      this.#partitionOf(event as T)?.add(event as T)
    }
  }

  #partitionOf(event: T): Partition<T> | undefined {
    try {
      const name = this.#hash(event)
      if (name === undefined) return undefined
      const partition = typeof name === 'number' ? this.#numbered[name] : undefined
      if (partition !== undefined) return partition
      const named = this.#partitions.get(name)
      if (named !== undefined) return named
    } catch {
      // The hash is the event's owner's code. One event that it cannot place must not stop the others; it is counted like one without a partition.
    }
    this.#discardedCount++
    return undefined
  }

  #countWanted(): number {
    let readyCount = 0
    let roomCount = Infinity
    for (const partition of this.#all) {
      readyCount += partition.readyCount
      if (partition.roomCount < roomCount) roomCount = partition.roomCount
    }
    return Math.min(readyCount, roomCount)
  }

  #makeHolding(): Holding {
    const queuedCount = (): number => this.#all.reduce((sum, partition) => sum + partition.queuedCount, 0)
    const discardedCount = (): number => this.#discardedCount
    return {
      get count() {
        return queuedCount()
      },
      get discardedCount() {
        return discardedCount()
      },
      mark: () => {
        const marks = this.#all.map((partition) => partition.mark())
        return () => marks.every((mark) => mark === undefined || mark())
      },
    }
  }
}
