/** The contract between a producing stage and its dispatcher: who gets which event. README.md says it in words, with an example. */

/** One subscriber, as a dispatcher sees it. */
export interface Seat<T> {
  /** The stage that sits here: two seats with one occupant are two subscriptions of the same consumer. */
  readonly occupant: object
  /** Which events it takes; undefined: all. */
  readonly selector: ((event: T) => boolean) | undefined
  /** Hands over events, at least one and no more than it asked for. The array may be shared with other seats. */
  take(events: readonly T[]): void
  /** This subscriber's own code threw. The dispatcher has already taken it off its list. */
  fail(error: Error): void
}

/** A seat that was accepted. */
export interface Place {
  /** The subscriber wants `count` events more, at least 1. */
  ask(count: number): void
  /** The subscriber is gone and what it asked for is void. May be called twice. */
  leave(): void
}

export type Joining =
  | { readonly kind: 'joined'; readonly place: Place }
  /** The subscriber is turned away with this reason; neither it nor the producer stops. */
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * State of one producer: how much each subscriber asked for. It calls nothing but its seats, and the producer calls it one
 * call at a time, so it needs no guard of its own.
 */
export interface Dispatcher<T> {
  /** Words of `subscribe` that mean something here; any other one is refused, since it would be silently without effect. */
  readonly seatOptions: readonly 'selector'[]
  /** How many events could be placed now. The producer asks upstream for what of this is not already on its way. */
  readonly wantedCount: number
  join(seat: Seat<T>): Joining
  /** Places events from the first on, in order, as long as `wantedCount` > 0. @returns how many were placed; the producer keeps the rest. */
  dispatch(events: readonly T[]): number
}
