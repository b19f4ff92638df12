/** Producer: the role that makes events, on demand or by being pushed. */
import { type HandOut, type HandOutOptions, HandOutStage, handOutWords, parseHandOut } from './hand-out.ts'
import { asPromise, Life, type Made, type Nothing, type Reason } from './life.ts'
import { checkFunctions, checkKnown, parseWord } from './options.ts'
import { Outlet, outletOf } from './outlet.ts'
import type { DemandMode } from './recorded-asks.ts'
import type { StageSnapshot } from './snapshot.ts'
import type { Subscription } from './subscription.ts'

export interface ProducerOptions<T> extends HandOutOptions<T> {
  /**
   * Called once per ask with how many events (at least 1) are wanted and not yet owed. Fewer may be returned and the rest emitted later, since the
   * same demand is never asked for twice; what is too much is buffered. Left out by a producer that is only pushed. If it throws, the stage stops.
   */
  readonly handleDemand?: (demand: number, self: Producer<T>) => Made<T>
  /** A subscriber has come; it gets its place once this is done. */
  readonly handleSubscribe?: (from: Subscription) => Nothing
  /** A subscriber has gone. */
  readonly handleCancel?: (from: Subscription, reason: Reason) => Nothing
  /** A message of `info` has come to the front. What it returns is emitted. */
  readonly handleInfo?: (message: unknown, self: Producer<T>) => Made<T>
  /** `accumulate` withholds all events and records all asks until `setDemand('forward')`. Default `forward`. */
  readonly demand?: DemandMode
}

export interface Producer<T> extends HandOut<T> {
  readonly demand: DemandMode
  setDemand(mode: DemandMode): void
  snapshot(): StageSnapshot & { readonly role: 'producer' }
}

const demandModes = ['forward', 'accumulate'] as const
/** Events a producer keeps unless told otherwise. */
const bufferSizeDefault = 10_000

const producerWords = [...handOutWords, 'handleDemand', 'handleSubscribe', 'handleCancel', 'handleInfo', 'demand']

/** @throws TypeError on an unknown or impossible option. */
export function producer<T>(options: ProducerOptions<T> = {}): Producer<T> {
  checkKnown('producer', options, producerWords)
  const { handleDemand, handleSubscribe, handleCancel, handleInfo, handleStop, onDiscard, dispatcher } = options
  checkFunctions({ handleDemand, handleSubscribe, handleCancel, handleInfo, handleStop, onDiscard, dispatcher })
  const life: Life = new Life(options.name ?? 'producer', {
    hasStep: () => outlet.hasStep(),
    step: () => outlet.step(),
    isFinished: () => outlet.isDrained,
    handleStop: (reason) => asPromise(handleStop?.(reason)),
    close: (reason) => outlet.close(reason),
  })
  const outlet: Outlet<T> = new Outlet(
    {
      ...parseHandOut(options, bufferSizeDefault),
      demand: parseWord('demand', options.demand ?? 'forward', demandModes),
      handleDemand: handleDemand === undefined ? undefined : (count) => handleDemand(count, self),
      handleInfo: handleInfo === undefined ? undefined : (message) => handleInfo(message, self),
      handleSubscribe,
      handleCancel,
    },
    life,
  )
  const self = new ProducerStage(outlet, life, handleInfo)
  return self
}

class ProducerStage<T> extends HandOutStage<T> implements Producer<T> {
  get demand(): DemandMode {
    return this[outletOf].demandMode
  }

  setDemand(mode: DemandMode): void {
    this[outletOf].setDemand(parseWord('setDemand', mode, demandModes))
  }

  snapshot(): StageSnapshot & { readonly role: 'producer' } {
    return { role: 'producer', ...this.lifeSnapshot(), ...this[outletOf].snapshot() }
  }
}
