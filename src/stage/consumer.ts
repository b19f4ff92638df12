/** Consumer: the role that takes events and hands none on. */
import { Inlet } from './inlet.ts'
import { Life, type Nothing, type Reason } from './life.ts'
import { checkFunction, checkFunctions, checkKnown } from './options.ts'
import type { Source } from './outlet.ts'
import type { SubscribeOptions, Subscription } from './subscription.ts'

export interface ConsumerOptions<I> {
  /** Who this is, for people. Default: its role. */
  readonly name?: string
  /**
   * One chunk of one subscription, in the order emitted; read-only, since others may hold the same array. `from` is what `subscribe` returned.
   * If it throws, the stage stops with that error.
   */
  readonly handleEvents: (events: readonly I[], from: Subscription) => Nothing
  /** A subscription was made; nothing is asked for before this is done. */
  readonly handleSubscribe?: (from: Subscription) => Nothing
  /** A subscription has ended and all that it brought is handled. What its cancel mode says follows. */
  readonly handleCancel?: (from: Subscription, reason: Reason) => Nothing
}

/** What every stage that takes events can do. */
export interface Consumer<I> {
  readonly name: string
  /** A producer that has stopped closes the subscription with `noproc`. @throws TypeError on an unknown or impossible option. */
  subscribe(source: Source<I>, options?: SubscribeOptions<I>): Subscription
  /** Ends the stage after the running callback, if any; what it has not begun to handle is dropped. Not to be awaited inside one of its own callbacks. */
  stop(reason?: Reason): Promise<Reason>
  /** Resolves with the reason when the stage is over; never rejects. */
  readonly stopped: Promise<Reason>
}

/** @throws TypeError on an unknown or impossible option. */
export function consumer<I>(options: ConsumerOptions<I>): Consumer<I> {
  checkKnown('consumer', options, ['name', 'handleEvents', 'handleSubscribe', 'handleCancel'])
  const { handleEvents, handleSubscribe, handleCancel } = options
  checkFunction('handleEvents', handleEvents)
  checkFunctions({ handleSubscribe, handleCancel })
  const life: Life = new Life({
    hasStep: () => inlet.hasStep(true),
    step: () => inlet.step(),
    isFinished: () => false,
    close: (reason) => inlet.close(reason),
  })
  const inlet: Inlet<I, unknown> = new Inlet<I, unknown>(
    {
      handleEvents,
      handleSubscribe,
      handleCancel,
      onResult: () => {},
      onDrained: () => life.stop('normal'),
    },
    life,
  )
  return new ConsumerStage(options.name ?? 'consumer', inlet, life)
}

class ConsumerStage<I> implements Consumer<I> {
  readonly name: string
  readonly #inlet: Inlet<I, unknown>
  readonly #life: Life

  constructor(name: string, inlet: Inlet<I, unknown>, life: Life) {
    this.name = name
    this.#inlet = inlet
    this.#life = life
  }

  get stopped(): Promise<Reason> {
    return this.#life.stopped
  }

  subscribe(source: Source<I>, options: SubscribeOptions<I> = {}): Subscription {
    return this.#inlet.subscribe(source, options)
  }

  stop(reason: Reason = 'normal'): Promise<Reason> {
    this.#life.stop(reason)
    return this.stopped
  }
}
