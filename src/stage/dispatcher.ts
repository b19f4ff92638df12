/** The contract between a producing stage and its dispatcher: who gets which event. README.md says it in words, with an example. */

/** One subscriber, as a dispatcher sees it. */
export interface Seat<T> {
  /** The stage that sits here: two seats with one occupant are two subscriptions of the same consumer. */
  readonly occupant: object
  /** Which events it takes; undefined: all. */
  readonly selector: ((event: T) => boolean) | undefined
  /** Which partition it wants. */
  readonly partition: string | number | undefined
  /** What a dispatcher of one's own wants to know of it: the `custom` of `subscribe`. */
  readonly custom: unknown
  /** Events handed over here and not yet handled. Goes on falling after the seat was left, until `done`. */
  readonly unhandledCount: number
  /** Hands over events, at least one and no more than it asked for. The array may be shared with other seats. */
  take(events: readonly T[]): void
  /** This subscriber's own code threw. The dispatcher has already taken it off its list. */
  fail(error: Error): void
}

/** A seat that was accepted. */
export interface Place {
  /** The subscriber wants `count` events more, at least 1. Events that the dispatcher holds for it may be handed over right here. */
  ask(count: number): void
  /** The subscriber is gone and what it asked for is void. May be called twice. */
  leave(): void
  /** It has handled all it was handed, or dropped it, after it left. Only for a dispatcher that lets nobody follow before. */
  done?(): void
}

export type Joining =
  | { readonly kind: 'joined'; readonly place: Place }
  /** The subscriber is turned away with this reason; neither it nor the producer stops. */
  | { readonly kind: 'refused'; readonly reason: string }

/** A subscribe option that has a meaning under some dispatchers only. */
export type SeatOption = 'selector' | 'partition' | 'custom'

/** What a dispatcher keeps to itself, for those that do not place every event at once or not at all. */
export interface Holding {
  /** Events taken by `dispatch` and not yet handed over. A producer that ends waits until there are none. */
  readonly count: number
  /** Events taken by `dispatch` that nobody will get, since the start: they could not be placed by fault. */
  readonly discardedCount: number
  /** Notes what is held now. @returns whether all of that has been handed over by the time it is called. */
  mark(): () => boolean
}

/**
 * State of one producer: how much each subscriber asked for. It calls nothing but its seats, and the producer calls it one
 * call at a time, so it needs no guard of its own.
 */
export interface Dispatcher<T> {
  /** Words of `subscribe` that mean something here; any other one is refused, since it would be silently without effect. */
  readonly seatOptions: readonly SeatOption[]
  /** How many events could be placed now. The producer asks upstream for what of this is not already on its way. */
  readonly wantedCount: number
  join(seat: Seat<T>): Joining
  /** Places events from the first on, in order, as long as `wantedCount` > 0. @returns how many were placed; the producer keeps the rest. */
  dispatch(events: readonly T[]): number
  readonly holding?: Holding
}
