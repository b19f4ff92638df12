/** Broadcast dispatcher: every event goes to every subscriber whose selector takes it, at the pace of the one that has asked for least. */
import { asError } from '../base/errors.ts'
import type { Dispatcher, Joining, Place, Seat } from './dispatcher.ts'

export function broadcastDispatcher<T>(): () => Dispatcher<T> {
  return () => new BroadcastDispatcher<T>()
}

class BroadcastPlace<T> implements Place {
  readonly seat: Seat<T>
  readonly #dispatcher: BroadcastDispatcher<T>
  /** Asked for and neither received nor rejected by its selector. */
  pendingCount = 0

  constructor(seat: Seat<T>, dispatcher: BroadcastDispatcher<T>) {
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

class BroadcastDispatcher<T> implements Dispatcher<T> {
  readonly seatOptions = ['selector'] as const
  #places: readonly BroadcastPlace<T>[] = []
  /** The least pending count of all places, 0 without one. A newcomer has asked for nothing, so all wait for its first ask. */
  #wantedCount = 0

  get wantedCount(): number {
    return this.#wantedCount
  }

  join(seat: Seat<T>): Joining {
    // Looked up among those seated, not kept in a set of its own: a refused second subscription that is cleared away must not clear the first's entry.
    if (this.#places.some((place) => place.seat.occupant === seat.occupant))
      return { kind: 'refused', reason: 'already_subscribed' }
    const place = new BroadcastPlace(seat, this)
    this.#places = [...this.#places, place]
    this.#wantedCount = 0
    return { kind: 'joined', place }
  }

  ask(place: BroadcastPlace<T>, count: number): void {
    if (!this.#places.includes(place)) return
    const wasLeast = place.pendingCount === this.#wantedCount
    place.pendingCount += count
    if (wasLeast) this.#findLeast()
  }

  leave(place: BroadcastPlace<T>): void {
    this.#places = this.#places.filter((other) => other !== place)
    this.#findLeast()
  }

  dispatch(events: readonly T[]): number {
    let placed = 0
    // More than one round only where selectors rejected events and so gave demand back.
    while (placed < events.length && this.#wantedCount > 0) {
      const count = Math.min(this.#wantedCount, events.length - placed)
      this.#giveAll(count === events.length ? events : events.slice(placed, placed + count))
      placed += count
    }
    return placed
  }

  #giveAll(events: readonly T[]): void {
    for (const place of this.#places) {
      if (place.seat.selector === undefined) {
        place.pendingCount -= events.length
        place.seat.take(events)
      } else this.#giveSelected(place, place.seat.selector, events)
    }
    this.#findLeast()
  }

  #giveSelected(place: BroadcastPlace<T>, selector: (event: T) => boolean, events: readonly T[]): void {
    const selected: T[] = []
    let failure: Error | undefined
    try {
      for (const event of events) if (selector(event)) selected.push(event)
    } catch (thrown) {
      failure = asError(thrown)
    }
    place.pendingCount -= selected.length
    if (selected.length > 0) place.seat.take(selected)
    if (failure === undefined) return
    this.leave(place)
    place.seat.fail(failure)
  }

  #findLeast(): void {
    let least = Infinity
    for (const place of this.#places) if (place.pendingCount < least) least = place.pendingCount
    this.#wantedCount = this.#places.length === 0 ? 0 : least
  }
}
