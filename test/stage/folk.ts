/** Who lives in the random world of the property test, and what is written down of each. */
import type { Consumer, HandOut, Producer, ProducerConsumer, Subscription } from '../../src/stage/stage.ts'

/** Made by source number `origin`, as its number `seq`, from 0 without gaps. */
export interface Made {
  readonly origin: number
  readonly seq: number
}

/** One subscription of a consumer, with what it saw. */
export interface Reader {
  readonly from: Outlet
  readonly eater: Eater
  readonly partition: number | undefined
  readonly subscription: Subscription
  readonly seen: Made[]
  readonly selector: ((event: Made) => boolean) | undefined
  /** Events asked for and not handled, worked out anew from the rule of S11. */
  pending: number
  readonly window: { readonly max: number; readonly min: number } | undefined
}

export type Kind = 'demand' | 'broadcast' | 'partition'

export interface Outlet {
  readonly stage: Producer<Made> | ProducerConsumer<Made, Made>
  readonly kind: Kind
  /** The last one handled of each partition. */
  readonly lastSeqs: number[]
  /** Undefined for a middle. */
  readonly origin: number | undefined
}

/** What a middle took from its source; it hands on all of it. */
export interface Passing {
  readonly from: Outlet
  readonly to: HandOut<Made>
  readonly seen: Made[]
}

export interface Eater {
  readonly stage: Consumer<Made>
  readonly readers: Reader[]
  isDead: boolean
}
