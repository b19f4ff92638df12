/** What a stage and its subscriptions look like at this moment: plain numbers, for people and metrics. Kept by counting, so that taking one costs next to nothing. */

/** One subscription, seen from either end. */
export interface SubscriptionSnapshot {
  readonly producer: string
  readonly consumer: string
  readonly isOpen: boolean
  /** Events asked for and not yet brought. */
  readonly demandCount: number
  /** Events brought and not yet handled. */
  readonly waitingCount: number
  /** Events handled since the start. */
  readonly handledCount: number
  /** Time that handlers of its events have taken, waiting included, ms. */
  readonly busyMs: number
}

/** The producing half. */
export interface OutletSnapshot {
  /** Events that would find a taker now. */
  readonly wantedCount: number
  /** Events asked of `handleDemand` and not yet emitted. */
  readonly owedCount: number
  /** Events that wait for somebody to ask. */
  readonly bufferedCount: number
  /** Events that wait in a partition's own queue. */
  readonly heldCount: number
  readonly emittedCount: number
  readonly discardedCount: number
  readonly ignoredCount: number
  readonly subscribers: readonly SubscriptionSnapshot[]
}

/** The consuming half. */
export interface InletSnapshot {
  /** Events handled since the start, those of ended subscriptions included. */
  readonly handledCount: number
  /** Live subscriptions. */
  readonly subscriptions: readonly SubscriptionSnapshot[]
}

/** What every stage has. */
export interface LifeSnapshot {
  readonly name: string
  readonly isLive: boolean
  /** Time that callbacks have taken, waiting included, ms. */
  readonly busyMs: number
}

export type StageSnapshot = LifeSnapshot &
  (
    | ({ readonly role: 'producer' } & OutletSnapshot)
    | ({ readonly role: 'consumer' } & InletSnapshot)
    | ({ readonly role: 'producerConsumer' } & OutletSnapshot & InletSnapshot)
  )
