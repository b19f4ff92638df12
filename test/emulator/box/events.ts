/** The log of changes that /events tells from, by position. Duplicates and disorder are faults a test asks for. */
import type { MovableClock } from '../core/clock.ts'
import type { Item } from './tree.ts'

export interface LoggedEvent {
  readonly id: string
  readonly type: string
  readonly item: Item
  readonly atMs: number
}

/** Older ones are forgotten, as after some weeks. */
const eventsMax = 200_000

export class Events {
  readonly #clock: MovableClock
  #events: LoggedEvent[] = []
  #forgotten = 0

  constructor(clock: MovableClock) {
    this.#clock = clock
  }

  /** The position behind the last one. */
  get end(): number {
    return this.#forgotten + this.#events.length
  }

  add(type: string, item: Item): void {
    this.#events.push({ id: `event-${this.end}`, type, item, atMs: this.#clock.nowMs() })
    if (this.#events.length <= 2 * eventsMax) return
    this.#forgotten += this.#events.length - eventsMax
    this.#events = this.#events.slice(-eventsMax)
  }

  from(position: number, count: number): readonly LoggedEvent[] {
    const at = Math.max(0, position - this.#forgotten)
    return this.#events.slice(at, at + count)
  }
}
