/** The face of every stage that hands out events: what producers and producer-consumers have in common. */
import type { Dispatcher } from './dispatcher.ts'
import { demandDispatcher } from './demand-dispatcher.ts'
import type { Keep } from './event-buffer.ts'
import type { Life, Nothing, Reason } from './life.ts'
import { checkInfo } from './info-line.ts'
import type { LifeSnapshot } from './snapshot.ts'
import { parseCountOrInfinity, parseWord } from './options.ts'
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
  /** The last callback, with the reason, before the subscribers learn of the end. If it throws, that error becomes the reason. */
  readonly handleStop?: (reason: Reason) => Nothing
}

export const handOutWords = ['name', 'dispatcher', 'bufferSize', 'bufferKeep', 'onDiscard', 'handleStop'] as const

/** @param bufferSize the default of the role. */
export function parseHandOut<T>(
  options: HandOutOptions<T>,
  bufferSize: number,
): Pick<OutletParts<T>, 'dispatcher' | 'bufferSize' | 'bufferKeep' | 'onDiscard'> {
  return {
    dispatcher: (options.dispatcher ?? demandDispatcher<T>())(),
    bufferSize: parseCountOrInfinity('bufferSize', options.bufferSize ?? bufferSize),
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
  /** False once `stop` or `end` was asked for: what is emitted then is ignored. */
  readonly isAccepting: boolean
  /** Hands events over: to whoever has asked, else into the buffer. Returns before anything is handled. The array must not be changed afterwards. */
  emit(events: readonly T[]): void
  /**
   * A message to this stage's own `handleInfo`, behind every event that it has taken and not yet handed over, and behind earlier messages. It needs no
   * demand and is never dropped, unless the stage stops first. @throws TypeError without handleInfo. @throws RangeError while 1024 are on their way.
   */
  info(message: unknown): void
  /** Takes nothing more in, hands over what is there, waiting for consumers as long as it takes, then stops `normal`. */
  end(): void
  /** Ends the stage after the running callback, if any, and drops its buffer. Not to be awaited inside one of its own callbacks. */
  stop(reason?: Reason): Promise<Reason>
  /** Resolves with the reason when the stage is over; never rejects. */
  readonly stopped: Promise<Reason>
}

export abstract class HandOutStage<T> implements HandOut<T> {
  readonly [outletOf]: Outlet<T>
  readonly #life: Life
  readonly #handleInfo: unknown

  constructor(outlet: Outlet<T>, life: Life, handleInfo: unknown) {
    this[outletOf] = outlet
    this.#life = life
    this.#handleInfo = handleInfo
  }

  get name(): string {
    return this.#life.name
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

  get isAccepting(): boolean {
    return this[outletOf].isAccepting
  }

  get stopped(): Promise<Reason> {
    return this.#life.stopped
  }

  emit(events: readonly T[]): void {
    this[outletOf].push(events)
  }

  info(message: unknown): void {
    checkInfo(this.#handleInfo, this.infosWaiting)
    this.sendInfo(message)
  }

  end(): void {
    this[outletOf].end()
  }

  stop(reason: Reason = 'normal'): Promise<Reason> {
    this.#life.stop(reason)
    return this.stopped
  }

  protected lifeSnapshot(): LifeSnapshot {
    return this.#life.snapshot()
  }

  protected get infosWaiting(): number {
    return this[outletOf].infoCount
  }

  protected sendInfo(message: unknown): void {
    this[outletOf].info(message)
  }
}
