/** Producer-consumer: the role that takes events and hands on what it makes of them, only as long as somebody wants that. */
import type { Consumer } from './consumer.ts'
import { type HandOut, type HandOutOptions, HandOutStage, handOutWords, parseHandOut } from './hand-out.ts'
import { Inlet } from './inlet.ts'
import { type Events, Life, type Made, type Nothing, type Reason } from './life.ts'
import { checkFunction, checkFunctions, checkKnown } from './options.ts'
import { Outlet, type Source } from './outlet.ts'
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
}

/** Its `end` cancels its subscriptions, handles what they have brought, hands over what it made of that, then stops `normal`. */
export type ProducerConsumer<I, O> = HandOut<O> & Consumer<I>

/** @throws TypeError on an unknown or impossible option. */
export function producerConsumer<I, O>(options: ProducerConsumerOptions<I, O>): ProducerConsumer<I, O> {
  checkKnown('producerConsumer', options, [...handOutWords, 'handleEvents', 'handleSubscribe', 'handleCancel'])
  const { handleEvents, handleSubscribe, handleCancel, onDiscard, dispatcher } = options
  checkFunction('handleEvents', handleEvents)
  checkFunctions({ handleSubscribe, handleCancel, onDiscard, dispatcher })
  const life: Life = new Life({
    hasStep: () => outlet.hasStep() || inlet.hasStep(outlet.wantedCount > 0),
    step: () => (outlet.hasStep() ? outlet.step() : inlet.step()),
    isFinished: () => outlet.isDrained && inlet.isEmpty,
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
      onResult: (events) => outlet.returned(events),
      onDrained: () => outlet.end(),
    },
    life,
  )
  return new ProducerConsumerStage(options.name ?? 'producerConsumer', inlet, outlet, life)
}

function openOutlet<I, O>(options: ProducerConsumerOptions<I, O>, life: Life): Outlet<O> {
  const { handleSubscribe, handleCancel } = options
  return new Outlet(
    {
      // What it was given to handle must come out, so nothing is dropped; its demand upstream is what bounds it.
      ...parseHandOut(options, Infinity),
      demand: 'forward',
      handleDemand: undefined,
      handleSubscribe: handleSubscribe === undefined ? undefined : (from) => handleSubscribe(from, 'consumer'),
      handleCancel: handleCancel === undefined ? undefined : (from, reason) => handleCancel(from, reason, 'consumer'),
    },
    life,
  )
}

class ProducerConsumerStage<I, O> extends HandOutStage<O> implements ProducerConsumer<I, O> {
  readonly #inlet: Inlet<I, Events<O>>

  constructor(name: string, inlet: Inlet<I, Events<O>>, outlet: Outlet<O>, life: Life) {
    super(name, outlet, life)
    this.#inlet = inlet
  }

  subscribe(source: Source<I>, options: SubscribeOptions<I> = {}): Subscription {
    return this.#inlet.subscribe(source, options)
  }

  override end(): void {
    this.#inlet.cancelAll()
    super.end()
  }
}
