/** Producer-consumer: the role that takes events and hands on what it makes of them, only as long as somebody wants that. */
import type { TakeIn } from './consumer.ts'
import { type HandOut, type HandOutOptions, HandOutStage, handOutWords, parseHandOut } from './hand-out.ts'
import { Inlet } from './inlet.ts'
import { asPromise, type Events, isPromiseLike, Life, type Made, type Nothing, type Reason } from './life.ts'
import { checkFunction, checkFunctions, checkKnown } from './options.ts'
import { Outlet, outletOf, type Source } from './outlet.ts'
import type { StageSnapshot } from './snapshot.ts'
import type { SubscribeOptions, Subscription } from './subscription.ts'

/** What the other end of a subscription is to this stage. */
export type Peer = 'producer' | 'consumer'

export interface ProducerConsumerOptions<I, O> extends HandOutOptions<O> {
  /**
   * As a consumer's; what it returns is handed on before more is asked for. No message is begun unless somebody wants events; one begun is
   * handled to its end, and what is too much is buffered.
   */
  readonly handleEvents: (events: readonly I[], from: Subscription) => Made<O>
  /** As a producer's where `peer` is a consumer, as a consumer's where it is a producer. */
  readonly handleSubscribe?: (from: Subscription, peer: Peer) => Nothing
  readonly handleCancel?: (from: Subscription, reason: Reason, peer: Peer) => Nothing
  /** A message of `info` has passed both the events that had arrived and what was made of them. What it returns is emitted. */
  readonly handleInfo?: (message: unknown) => Made<O>
  /** Nothing more will come in and all that came is handled: called once before a normal end (`drain` or `end`). What it returns is handed on last. */
  readonly handleEnd?: () => Made<O>
}

/** Its `end` cancels its subscriptions, handles what they have brought, hands over what it made of that, then stops `normal`. */
export interface ProducerConsumer<I, O> extends HandOut<O>, TakeIn<I> {
  snapshot(): StageSnapshot & { readonly role: 'producerConsumer' }
}

const callbackWords = ['handleEvents', 'handleSubscribe', 'handleCancel', 'handleInfo', 'handleEnd']

/** @throws TypeError on an unknown or impossible option. */
export function producerConsumer<I, O>(options: ProducerConsumerOptions<I, O>): ProducerConsumer<I, O> {
  checkKnown('producerConsumer', options, [...handOutWords, ...callbackWords])
  const { handleEvents, handleSubscribe, handleCancel, handleInfo, handleEnd, handleStop } = options
  checkFunction('handleEvents', handleEvents)
  checkFunctions({ handleSubscribe, handleCancel, handleInfo, handleEnd, handleStop })
  checkFunctions({ onDiscard: options.onDiscard, dispatcher: options.dispatcher })
  const life: Life = new Life(options.name ?? 'producerConsumer', {
    hasStep: () => outlet.hasStep() || inlet.hasStep(outlet.wantedCount > 0) || lastWords.isDue,
    step: () => (outlet.hasStep() ? outlet.step() : inlet.isIdle ? lastWords.say() : inlet.step()),
    isFinished: () => outlet.isDrained && inlet.isIdle && !lastWords.isDue,
    handleStop: (reason) => asPromise(handleStop?.(reason)),
    close(reason) {
      inlet.close(reason)
      outlet.close(reason)
    },
  })
  const outlet = openOutlet(options, life)
  const inlet: Inlet<I, Events<O>> = new Inlet<I, Events<O>>(
    {
      handleEvents,
      handleSubscribe: handleSubscribe === undefined ? undefined : (from) => handleSubscribe(from, 'producer'),
      handleCancel: handleCancel === undefined ? undefined : (from, reason) => handleCancel(from, reason, 'producer'),
      // Not heard yet: first it has to get past what was made of the events ahead of it.
      handleInfo: (message) => outlet.info(message),
      onResult: (events) => outlet.returned(events),
      onDrained: () => outlet.end(),
    },
    life,
  )
  const lastWords = new LastWords(handleEnd, inlet, outlet)
  return new ProducerConsumerStage(inlet, outlet, life, handleInfo)
}

function openOutlet<I, O>(options: ProducerConsumerOptions<I, O>, life: Life): Outlet<O> {
  const { handleSubscribe, handleCancel } = options
  return new Outlet(
    {
      // What it was given to handle must come out, so nothing is dropped; its demand upstream is what bounds it.
      ...parseHandOut(options, Infinity),
      demand: 'forward',
      handleDemand: undefined,
      handleInfo: options.handleInfo,
      handleSubscribe: handleSubscribe === undefined ? undefined : (from) => handleSubscribe(from, 'consumer'),
      handleCancel: handleCancel === undefined ? undefined : (from, reason) => handleCancel(from, reason, 'consumer'),
    },
    life,
  )
}

/** The one call of `handleEnd`, between the last event that came in and the stop. */
class LastWords<O> {
  readonly #handleEnd: (() => Made<O>) | undefined
  readonly #inlet: { readonly isIdle: boolean }
  readonly #outlet: Outlet<O>
  #isSaid = false

  constructor(handleEnd: (() => Made<O>) | undefined, inlet: { readonly isIdle: boolean }, outlet: Outlet<O>) {
    this.#handleEnd = handleEnd
    this.#inlet = inlet
    this.#outlet = outlet
  }

  get isDue(): boolean {
    return this.#handleEnd !== undefined && !this.#isSaid && this.#outlet.isEnding && this.#inlet.isIdle
  }

  say(): Promise<void> | undefined {
    if (!this.isDue) return undefined
    this.#isSaid = true
    const result = this.#handleEnd?.()
    if (isPromiseLike(result)) return Promise.resolve(result).then((events) => this.#outlet.returned(events))
    this.#outlet.returned(result)
    return undefined
  }
}

class ProducerConsumerStage<I, O> extends HandOutStage<O> implements ProducerConsumer<I, O> {
  readonly #inlet: Inlet<I, Events<O>>

  constructor(inlet: Inlet<I, Events<O>>, outlet: Outlet<O>, life: Life, handleInfo: unknown) {
    super(outlet, life, handleInfo)
    this.#inlet = inlet
  }

  subscribe(source: Source<I>, options: SubscribeOptions<I> = {}): Subscription {
    return this.#inlet.subscribe(source, options)
  }

  override end(): void {
    this.#inlet.cancelAll()
    super.end()
  }

  snapshot(): StageSnapshot & { readonly role: 'producerConsumer' } {
    return { role: 'producerConsumer', ...this.lifeSnapshot(), ...this.#inlet.snapshot(), ...this[outletOf].snapshot() }
  }

  protected override get infosWaiting(): number {
    return this.#inlet.infoCount + super.infosWaiting
  }

  protected override sendInfo(message: unknown): void {
    this.#inlet.info(message)
  }
}
