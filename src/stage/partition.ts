/**
 * One partition of a partition dispatcher: its subscriber, what that asked for, and the queue of events that wait for it. Knows no other partition.
 *
 * - free: nobody sits here. Events queue up.
 * - taken: the subscriber gets its events as it asks; the queue, if any, first.
 * - taken, held back: the one before it still handles what it was handed. Events queue up until it is done, so that no two ever work on one partition.
 */
import type { Place, Seat } from './dispatcher.ts'
import { EventBuffer } from './event-buffer.ts'

export class PartitionPlace<T> implements Place {
  readonly seat: Seat<T>
  readonly #partition: Partition<T>
  readonly #onChange: () => void

  constructor(seat: Seat<T>, partition: Partition<T>, onChange: () => void) {
    this.seat = seat
    this.#partition = partition
    this.#onChange = onChange
  }

  ask(count: number): void {
    this.#partition.ask(this, count)
    this.#onChange()
  }

  leave(): void {
    this.#partition.leave(this)
    this.#onChange()
  }

  done(): void {
    this.#partition.done(this)
    this.#onChange()
  }
}

export class Partition<T> {
  readonly #queueSize: number
  /** Outlives its subscribers. The dispatcher sends no more than `roomCount`. */
  readonly #queue = new EventBuffer<T>(Infinity, 'last')
  #place: PartitionPlace<T> | undefined
  #pendingCount = 0
  #predecessor: PartitionPlace<T> | undefined
  /** What one dispatch has found for this partition so far. */
  #batch: T[] = []

  constructor(queueSize: number) {
    this.#queueSize = queueSize
  }

  get isTaken(): boolean {
    return this.#place !== undefined
  }

  /** Events that would reach the subscriber at once. */
  get readyCount(): number {
    return this.#predecessor === undefined ? this.#pendingCount : 0
  }

  /** Events that can be taken in: for the subscriber or for the queue. */
  get roomCount(): number {
    return this.readyCount + this.#queueSize - this.#queue.count
  }

  get queuedCount(): number {
    return this.#queue.count
  }

  sit(place: PartitionPlace<T>): void {
    this.#place = place
    this.#pendingCount = 0
  }

  ask(place: PartitionPlace<T>, count: number): void {
    if (this.#place !== place) return
    this.#pendingCount += count
    this.#serveQueue()
  }

  leave(place: PartitionPlace<T>): void {
    if (this.#place !== place) return
    this.#place = undefined
    this.#pendingCount = 0
    if (place.seat.unhandledCount > 0) this.#predecessor = place
  }

  done(place: PartitionPlace<T>): void {
    if (this.#predecessor !== place) return
    this.#predecessor = undefined
    this.#serveQueue()
  }

  /** Notes an event for `give`, so that one dispatch makes one message. */
  add(event: T): void {
    this.#batch.push(event)
  }

  /** Hands over what was added. Where something is queued nobody is ready, so nothing passes it. */
  give(): void {
    const batch = this.#batch
    if (batch.length === 0) return
    this.#batch = []
    const count = Math.min(this.readyCount, batch.length)
    if (count > 0) this.#hand(count === batch.length ? batch : batch.slice(0, count))
    if (count < batch.length) this.#queue.add(batch, count)
  }

  /** @returns whether what is queued now has been handed over by the time it is called; undefined where nothing is. */
  mark(): (() => boolean) | undefined {
    if (this.#queue.count === 0) return undefined
    const leftCount = this.#queue.enteredCount
    return () => this.#queue.leftCount >= leftCount
  }

  #serveQueue(): void {
    const count = Math.min(this.readyCount, this.#queue.count)
    if (count === 0) return
    const events = this.#queue.peek(count)
    this.#queue.drop(count)
    this.#hand(events)
  }

  #hand(events: readonly T[]): void {
    this.#pendingCount -= events.length
    this.#place?.seat.take(events)
  }
}
