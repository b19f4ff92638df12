/** The face of every stage that hands out events: what producers and producer-consumers have in common. */
import type { Dispatcher } from './dispatcher.ts'
import { demandDispatcher } from './demand-dispatcher.ts'
import type { Keep } from './event-buffer.ts'
import type { Life, Reason } from './life.ts'
import { parseBufferSize, parseWord } from './options.ts'
import { type Outlet, type OutletParts, outletOf, type Source } from './outlet.ts'

export interface HandOutOptions<T> {
  /** Who this is, for people. Default: its role. */
  readonly name?: string
  /** Who gets which event. Default `demandDispatcher()`. */
  readonly dispatcher?: () => Dispatcher<T>
  /** Events kept that nobody has asked for, at most; 0 keeps nothing. Default 10 000 in a producer, Infinity in a producerConsumer. */
  readonly bufferSize?: number
  /** Which events stay when the buffer overflows: the oldest or the newest. Default `last`. */
  readonly bufferKeep?: Keep
  /** Called once per emission that overflowed, in the middle of it, with the number of events lost. If it throws, the stage stops. */
  readonly onDiscard?: (count: number) => void
}

export const handOutWords = ['name', 'dispatcher', 'bufferSize', 'bufferKeep', 'onDiscard'] as const

/** @param bufferSize the default of the role. */
export function parseHandOut<T>(
  options: HandOutOptions<T>,
  bufferSize: number,
): Pick<OutletParts<T>, 'dispatcher' | 'bufferSize' | 'bufferKeep' | 'onDiscard'> {
  return {
    dispatcher: (options.dispatcher ?? demandDispatcher<T>())(),
    bufferSize: parseBufferSize(options.bufferSize ?? bufferSize),
    bufferKeep: parseWord('bufferKeep', options.bufferKeep ?? 'last', ['first', 'last']),
    onDiscard: options.onDiscard,
  }
}

export interface HandOut<T> extends Source<T> {
  readonly name: string
  /** Events that wait for somebody to ask. */
  readonly bufferedCount: number
  /** Events lost because the buffer was full, since the start. */
  readonly discardedCount: number
  /** Events emitted after `stop` or `end`, since the start; nobody gets them. */
  readonly ignoredCount: number
  /** Events that would find a taker if they were emitted now. */
  readonly wantedCount: number
  /** Hands events over: to whoever has asked, else into the buffer. Returns before anything is handled. The array must not be changed afterwards. */
  emit(events: readonly T[]): void
  /** Takes nothing more in, hands over what is there, waiting for consumers as long as it takes, then stops `normal`. */
  end(): void
  /** Ends the stage after the running callback, if any, and drops its buffer. Not to be awaited inside one of its own callbacks. */
  stop(reason?: Reason): Promise<Reason>
  /** Resolves with the reason when the stage is over; never rejects. */
  readonly stopped: Promise<Reason>
}

export class HandOutStage<T> implements HandOut<T> {
  readonly name: string
  readonly [outletOf]: Outlet<T>
  readonly #life: Life

  constructor(name: string, outlet: Outlet<T>, life: Life) {
    this.name = name
    this[outletOf] = outlet
    this.#life = life
  }

  get bufferedCount(): number {
    return this[outletOf].bufferedCount
  }

  get discardedCount(): number {
    return this[outletOf].discardedCount
  }

  get ignoredCount(): number {
    return this[outletOf].ignoredCount
  }

  get wantedCount(): number {
    return this[outletOf].wantedCount
  }

  get stopped(): Promise<Reason> {
    return this.#life.stopped
  }

  emit(events: readonly T[]): void {
    this[outletOf].push(events)
  }

  end(): void {
    this[outletOf].end()
  }

  stop(reason: Reason = 'normal'): Promise<Reason> {
    this.#life.stop(reason)
    return this.stopped
  }
}
