/** Events that nobody has asked for yet, oldest first, up to a bound. Knows neither who will take them nor why they wait. */

export type Keep = 'first' | 'last'

/** Taken events leave the array in one move once they are at least this many and half of it: each event is moved once on average. */
const compactFrom = 64

export class EventBuffer<T> {
  readonly #size: number
  readonly #keep: Keep
  #events: T[] = []
  #taken = 0
  /** Events that have left since the start, be it to a taker or because there was no room. */
  leftCount = 0

  /** @param size events held at most, 0 to Infinity. @param keep which ones stay when more come: the oldest or the newest. */
  constructor(size: number, keep: Keep) {
    this.#size = size
    this.#keep = keep
  }

  get count(): number {
    return this.#events.length - this.#taken
  }

  /** Events that have come in since the start. */
  get enteredCount(): number {
    return this.leftCount + this.count
  }

  /** Adds the events from index `start` on. @returns how many events, old or new, fell out. */
  add(events: readonly T[], start: number): number {
    const comingCount = events.length - start
    const overCount = Math.max(0, this.count + comingCount - this.#size)
    if (this.#keep === 'first') {
      this.#append(events, start, events.length - overCount)
    } else {
      const oldCount = Math.min(overCount, this.count)
      this.drop(oldCount)
      this.#append(events, start + overCount - oldCount, events.length)
    }
    return overCount
  }

  /** The oldest `count` events, or all where there are fewer; they stay. */
  peek(count: number): T[] {
    return this.#events.slice(this.#taken, this.#taken + count)
  }

  /** Forgets the oldest `count` events. */
  drop(count: number): void {
    this.#taken += count
    this.leftCount += count
    if (this.#taken >= compactFrom && this.#taken * 2 >= this.#events.length) {
      this.#events = this.#events.slice(this.#taken)
      this.#taken = 0
    }
  }

  clear(): void {
    this.leftCount += this.count
    this.#events = []
    this.#taken = 0
  }

  #append(events: readonly T[], start: number, end: number): void {
    // Not push(...slice): a spread puts every event on the call stack.
    for (const event of start === 0 && end === events.length ? events : events.slice(start, end))
      this.#events.push(event)
  }
}
