/** Batcher: a producer-consumer that gathers events by key and hands each batch, once complete, to the worker its key belongs to. */
import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import type { HandOutOptions } from './hand-out.ts'
import { checkFunctions, checkKnown, parseCount } from './options.ts'
import { partitionDispatcher } from './partition-dispatcher.ts'
import { producerConsumer, type ProducerConsumer } from './producer-consumer.ts'
import { type Key, partitionOf } from './stable-hash.ts'

/** A key that is equal to itself: two arrays of the same bytes would be two keys. */
export type BatchKey = Exclude<Key, Uint8Array>

export interface Batch<T> {
  readonly key: BatchKey
  /** At least one, in order of arrival. */
  readonly events: readonly T[]
  /** Why it is complete: full, old enough, or there was need to (nothing more will come, or too many batches are open). */
  readonly trigger: 'size' | 'timeout' | 'flush'
}

export interface BatcherOptions<T> extends Pick<HandOutOptions<Batch<T>>, 'name' | 'handleStop'> {
  /** Events of one batch at most. Default 100. */
  readonly size?: number
  /** How old a batch may get, from its first event on, before it goes as it is; unit: ms, default 1000. Infinity: as old as it likes. */
  readonly timeoutMs?: number
  /** Events of one key share batches. Default: all share one. If it throws, the stage stops. */
  readonly key?: (event: T) => BatchKey
  /** Workers, each a consumer that subscribes with `partition` 0 to n - 1. Default 1. */
  readonly workers?: number
  /** Batches that may wait for one worker while others are served. Default 16. */
  readonly queueSize?: number
  readonly clock?: Clock
}

/** Batches begun and not complete; one more completes the oldest, so that ever new keys cost no memory. */
const openBatchesMax = 10_000
/** Few: a batch is work for a while, and one waiting here is not retried, counted or merged by anybody. Unit: batches. */
const queueSizeDefault = 16

/**
 * One key always belongs to the same worker, in order, and no two workers ever have batches of one key at once, also while one worker takes over
 * from another. A worker asks for one batch at a time with `{ partition: i, maxDemand: 1 }`.
 * When its producers have ended (`drain`) it hands on what is open, then stops `normal`.
 * @throws TypeError on an unknown or impossible option.
 */
export function batcher<T>(options: BatcherOptions<T> = {}): ProducerConsumer<T, Batch<T>> {
  checkKnown('batcher', options, ['name', 'size', 'timeoutMs', 'key', 'workers', 'queueSize', 'clock', 'handleStop'])
  checkFunctions({ key: options.key })
  const { name = 'batcher', key = () => '', handleStop } = options
  const workers = parseCount('workers', options.workers ?? 1, 1)
  const open = new OpenBatches<T>(options, () => {
    // One that ends hands on what is open by itself; what it emitted now would be ignored.
    if (stage.isAccepting) stage.emit(open.takeDue())
    return stage.isAccepting
  })
  const stage: ProducerConsumer<T, Batch<T>> = producerConsumer<T, Batch<T>>({
    name,
    dispatcher: partitionDispatcher<Batch<T>>({
      partitions: workers,
      hash: (batch) => partitionOf(batch.key, workers),
      queueSize: parseCount('queueSize', options.queueSize ?? queueSizeDefault, 1),
    }),
    handleEvents(events) {
      const complete: Batch<T>[] = []
      for (const event of events) open.add(key(event), event, complete)
      return complete
    },
    handleEnd: () => open.takeAll(),
    handleStop(reason) {
      open.takeAll()
      return handleStop?.(reason)
    },
  })
  return stage
}

interface OpenBatch<T> {
  readonly events: T[]
  readonly dueMs: number
}

/** Batches that are not complete, oldest first, and the one timer that all of them need. */
class OpenBatches<T> {
  readonly #size: number
  readonly #timeoutMs: number
  readonly #clock: Clock
  /** @returns whether there is any point in waiting for the next. */
  readonly #onDue: () => boolean
  readonly #open = new Map<BatchKey, OpenBatch<T>>()
  #timer: Timer | undefined

  constructor(options: BatcherOptions<T>, onDue: () => boolean) {
    this.#size = parseCount('size', options.size ?? 100, 1)
    this.#timeoutMs = parseTimeout(options.timeoutMs ?? 1000)
    this.#clock = options.clock ?? systemClock
    this.#onDue = onDue
  }

  /** @param complete gets what this event has completed. */
  add(key: BatchKey, event: T, complete: Batch<T>[]): void {
    const batch = this.#open.get(key) ?? this.#begin(key, complete)
    batch.events.push(event)
    if (batch.events.length === this.#size) complete.push(this.#take(key, batch, 'size'))
  }

  takeDue(): Batch<T>[] {
    const nowMs = this.#clock.monotonicMs()
    const due = [...this.#open].filter(([, batch]) => batch.dueMs <= nowMs)
    return due.map(([key, batch]) => this.#take(key, batch, 'timeout'))
  }

  takeAll(): Batch<T>[] {
    return [...this.#open].map(([key, batch]) => this.#take(key, batch, 'flush'))
  }

  #begin(key: BatchKey, complete: Batch<T>[]): OpenBatch<T> {
    const [oldest] = this.#open.size < openBatchesMax ? [] : this.#open
    if (oldest !== undefined) complete.push(this.#take(oldest[0], oldest[1], 'flush'))
    const batch = { events: [], dueMs: this.#clock.monotonicMs() + this.#timeoutMs }
    this.#open.set(key, batch)
    if (this.#timer === undefined) this.#arm(this.#timeoutMs)
    return batch
  }

  #take(key: BatchKey, { events }: OpenBatch<T>, trigger: Batch<T>['trigger']): Batch<T> {
    this.#open.delete(key)
    if (this.#open.size === 0) this.#disarm()
    return { key, events, trigger }
  }

  #arm(delayMs: number): void {
    if (this.#timeoutMs === Infinity) return
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined
      if (!this.#onDue()) return
      // Its batch may have been completed meanwhile: the timer is set anew for the oldest rather than once per batch.
      const [oldest] = this.#open.values()
      if (oldest !== undefined) this.#arm(Math.max(0, oldest.dueMs - this.#clock.monotonicMs()))
    })
  }

  #disarm(): void {
    this.#timer?.clear()
    this.#timer = undefined
  }
}

function parseTimeout(value: number): number {
  return value === Infinity ? Infinity : parseCount('timeoutMs', value, 1)
}
