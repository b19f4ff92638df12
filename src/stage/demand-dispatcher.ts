/** Demand dispatcher: every event goes to one subscriber, the one that has asked for most. */
import type { Dispatcher, Joining, Place, Seat } from './dispatcher.ts'
import { checkKnown, parseCount } from './options.ts'

export interface DemandDispatcherOptions {
  /**
   * Index of this producer among its sisters, default 0. Several producers with the same consumers all know them in the same order and
   * would all serve the same one first; before the first dispatch this one rotates those with equal demand by so many places.
   */
  readonly start?: number
}

export function demandDispatcher<T>(options: DemandDispatcherOptions = {}): () => Dispatcher<T> {
  checkKnown('demandDispatcher', options, ['start'])
  const start = parseCount('start', options.start ?? 0, 0)
  return () => new DemandDispatcher<T>(start)
}

class DemandPlace<T> implements Place {
  readonly seat: Seat<T>
  readonly #dispatcher: DemandDispatcher<T>
  pendingCount = 0

  constructor(seat: Seat<T>, dispatcher: DemandDispatcher<T>) {
    this.seat = seat
    this.#dispatcher = dispatcher
  }

  ask(count: number): void {
    this.#dispatcher.ask(this, count)
  }

  leave(): void {
    this.#dispatcher.leave(this)
  }
}

class DemandDispatcher<T> implements Dispatcher<T> {
  readonly seatOptions = []
  readonly #start: number
  /** By pending demand, largest first; among equals the one that came to its amount first. */
  readonly #places: DemandPlace<T>[] = []
  #wantedCount = 0
  #hasDispatched = false

  constructor(start: number) {
    this.#start = start
  }

  get wantedCount(): number {
    return this.#wantedCount
  }

  join(seat: Seat<T>): Joining {
    const place = new DemandPlace(seat, this)
    this.#places.push(place)
    return { kind: 'joined', place }
  }

  ask(place: DemandPlace<T>, count: number): void {
    let at = this.#places.indexOf(place)
    if (at < 0) return
    place.pendingCount += count
    this.#wantedCount += count
    for (; at > 0; at--) {
      const above = this.#places[at - 1]
      if (above === undefined || above.pendingCount >= place.pendingCount) break
      this.#places[at] = above
    }
    this.#places[at] = place
  }

  leave(place: DemandPlace<T>): void {
    const at = this.#places.indexOf(place)
    if (at < 0) return
    this.#places.splice(at, 1)
    this.#wantedCount -= place.pendingCount
  }

  dispatch(events: readonly T[]): number {
    if (!this.#hasDispatched) this.#rotateEquals()
    this.#hasDispatched = true
    let placed = 0
    while (placed < events.length) {
      const first = this.#places[0]
      if (first === undefined || first.pendingCount === 0) break
      const count = Math.min(first.pendingCount, events.length - placed)
      first.pendingCount -= count
      this.#wantedCount -= count
      this.#sinkFirst(first)
      first.seat.take(count === events.length ? events : events.slice(placed, placed + count))
      placed += count
    }
    return placed
  }

  #sinkFirst(place: DemandPlace<T>): void {
    let at = 0
    for (; at + 1 < this.#places.length; at++) {
      const below = this.#places[at + 1]
      if (below === undefined || below.pendingCount < place.pendingCount) break
      this.#places[at] = below
    }
    this.#places[at] = place
  }

  #rotateEquals(): void {
    for (let from = 0; from < this.#places.length;) {
      const pendingCount = this.#places[from]?.pendingCount
      let end = from
      while (end < this.#places.length && this.#places[end]?.pendingCount === pendingCount) end++
      const equals = this.#places.slice(from, end)
      const shift = this.#start % equals.length
      this.#places.splice(from, equals.length, ...equals.slice(shift), ...equals.slice(0, shift))
      from = end
    }
  }
}
