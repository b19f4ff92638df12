/** Consumer: the role that takes events and hands none on. */
import { checkInfo } from './info-line.ts'
import { Inlet } from './inlet.ts'
import { asPromise, Life, type Nothing, type Reason } from './life.ts'
import { checkFunction, checkFunctions, checkKnown } from './options.ts'
import type { Source } from './outlet.ts'
import type { StageSnapshot } from './snapshot.ts'
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
  /** A message of `info` has come to the front. */
  readonly handleInfo?: (message: unknown) => Nothing
  /** The last callback, with the reason, before the producers learn of the end. If it throws, that error becomes the reason. */
  readonly handleStop?: (reason: Reason) => Nothing
}

/** What every stage that takes events can do. */
export interface TakeIn<I> {
  readonly name: string
  /** A producer that has stopped closes the subscription with `noproc`. @throws TypeError on an unknown or impossible option. */
  subscribe(source: Source<I>, options?: SubscribeOptions<I>): Subscription
  /**
   * A message to this stage's own `handleInfo`, behind every event that has arrived, and behind earlier messages. It is never dropped, unless the
   * stage stops first. @throws TypeError without handleInfo. @throws RangeError while 1024 are on their way.
   */
  info(message: unknown): void
  /** Ends the stage after the running callback, if any; what it has not begun to handle is dropped. Not to be awaited inside one of its own callbacks. */
  stop(reason?: Reason): Promise<Reason>
  /** Resolves with the reason when the stage is over; never rejects. */
  readonly stopped: Promise<Reason>
}

export interface Consumer<I> extends TakeIn<I> {
  snapshot(): StageSnapshot & { readonly role: 'consumer' }
}

const consumerWords = ['name', 'handleEvents', 'handleSubscribe', 'handleCancel', 'handleInfo', 'handleStop']

/** @throws TypeError on an unknown or impossible option. */
export function consumer<I>(options: ConsumerOptions<I>): Consumer<I> {
  checkKnown('consumer', options, consumerWords)
  const { handleEvents, handleSubscribe, handleCancel, handleInfo, handleStop } = options
  checkFunction('handleEvents', handleEvents)
  checkFunctions({ handleSubscribe, handleCancel, handleInfo, handleStop })
  const life: Life = new Life(options.name ?? 'consumer', {
    hasStep: () => inlet.hasStep(true),
    step: () => inlet.step(),
    isFinished: () => false,
    handleStop: (reason) => asPromise(handleStop?.(reason)),
    close: (reason) => inlet.close(reason),
  })
  const inlet: Inlet<I, unknown> = new Inlet<I, unknown>(
    {
      handleEvents,
      handleSubscribe,
      handleCancel,
      handleInfo,
      onResult: () => {},
      onDrained: () => life.stop('normal'),
    },
    life,
  )
  return new ConsumerStage(inlet, life, handleInfo)
}

class ConsumerStage<I> implements Consumer<I> {
  readonly #inlet: Inlet<I, unknown>
  readonly #life: Life
  readonly #handleInfo: unknown

  constructor(inlet: Inlet<I, unknown>, life: Life, handleInfo: unknown) {
    this.#inlet = inlet
    this.#life = life
    this.#handleInfo = handleInfo
  }

  get name(): string {
    return this.#life.name
  }

  get stopped(): Promise<Reason> {
    return this.#life.stopped
  }

  subscribe(source: Source<I>, options: SubscribeOptions<I> = {}): Subscription {
    return this.#inlet.subscribe(source, options)
  }

  info(message: unknown): void {
    checkInfo(this.#handleInfo, this.#inlet.infoCount)
    this.#inlet.info(message)
  }

  stop(reason: Reason = 'normal'): Promise<Reason> {
    this.#life.stop(reason)
    return this.stopped
  }

  snapshot(): StageSnapshot & { readonly role: 'consumer' } {
    return { role: 'consumer', ...this.#life.snapshot(), ...this.#inlet.snapshot() }
  }
}
