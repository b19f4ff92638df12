/**
 * The link between a producing and a consuming stage, seen from both ends. Moves no events by itself.
 *
 * - open: asks go up, events come down.
 * - closing: the producer has forgotten it, so it holds nobody back; what was handed over is still handled.
 * - closed: the consumer is done with it. Nothing of it will reach a handler any more.
 */
import type { Place, Seat } from './dispatcher.ts'
import type { Reason } from './life.ts'
import { checkFunctions, checkKnown, parseCount, parseWord } from './options.ts'
import { Window } from './window.ts'

/** What `subscribe` returns, and what handlers get as `from`. */
export interface Subscription {
  /** Asks for `count` events more. In automatic mode this comes on top of the window. @throws TypeError unless a whole number of at least 0. */
  ask(count: number): void
  /** Frees the producer at once, even while the handler is stuck. The first reason wins. */
  cancel(reason?: Reason): void
  /** Resolves with the reason once everything handed over has been handled and the consumer's `handleCancel` has run. */
  readonly closed: Promise<Reason>
  /** False as soon as it is cancelled from either side. */
  readonly isOpen: boolean
}

/** What the consumer does once the subscription has closed. README.md, "Ends". */
export type Cancel = 'permanent' | 'transient' | 'temporary' | 'drain'

export interface SubscribeOptions<T> {
  /** Events asked for and not yet handled, at most. Default 1000. */
  readonly maxDemand?: number
  /** More is asked for once no more than this is pending, 0 to maxDemand - 1. Default half of maxDemand, rounded down. */
  readonly minDemand?: number
  /** Default `permanent`. */
  readonly cancel?: Cancel
  /** Which events to take, run in the producer; only with a broadcast dispatcher. A rejected event costs no demand. Must not block. */
  readonly selector?: (event: T) => boolean
  /** `manual`: nothing is asked for but by `ask`, and each message is handled whole. Default `automatic`. */
  readonly mode?: 'automatic' | 'manual'
  /** A subscription of the same two stages that this one takes over from, in one step. Its consumer does not stop over that. */
  readonly replacing?: Subscription
}

/** The producing end, as a link sees it. */
export interface ProducerEnd<T> {
  asked(link: Link<T>, count: number): void
  left(link: Link<T>, reason: Reason): void
}

/** The consuming end, as a link sees it. */
export interface ConsumerEnd<T> {
  arrived(link: Link<T>, events: readonly T[]): void
  ended(link: Link<T>, reason: Reason): void
}

export class Link<T> implements Subscription, Seat<T> {
  readonly #producer: ProducerEnd<T>
  readonly #consumer: ConsumerEnd<T>
  readonly selector: ((event: T) => boolean) | undefined
  readonly cancelMode: Cancel
  /** undefined in manual mode. */
  readonly window: Window | undefined
  readonly closed: Promise<Reason>
  /** Where it sits at the producer's dispatcher; undefined until it does. */
  place: Place | undefined
  /** Asked for before it had a place. */
  earlyCount = 0
  /** Closing it says nothing about the producer (refused, taken over), so the consumer lives on whatever its mode. */
  isHarmless = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #reason: Reason | undefined
  #resolveClosed: (reason: Reason) => void = () => {}

  constructor(producer: ProducerEnd<T>, consumer: ConsumerEnd<T>, options: SubscribeOptions<T>) {
    checkSubscribeOptions(options)
    this.#producer = producer
    this.#consumer = consumer
    this.selector = options.selector
    this.cancelMode = parseWord('cancel', options.cancel ?? 'permanent', [
      'permanent',
      'transient',
      'temporary',
      'drain',
    ])
    this.window = openWindow(options)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  get occupant(): object {
    return this.#consumer
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  leadsFrom(producer: object): boolean {
    return this.#producer === producer
  }

  ask(count: number): void {
    parseCount('ask', count, 0)
    if (count > 0 && this.#state === 'open') this.#producer.asked(this, count)
  }

  cancel(reason: Reason = 'normal'): void {
    this.close(reason)
  }

  take(events: readonly T[]): void {
    // A selector that cancels its own subscription does so in the middle of a dispatch; the rest of it is no longer wanted.
    if (this.#state === 'open') this.#consumer.arrived(this, events)
  }

  fail(error: Error): void {
    this.close(error)
  }

  /** Frees the producer now; the consumer learns of it behind the events that it holds. */
  close(reason: Reason): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#reason = reason
    this.#producer.left(this, reason)
    this.#consumer.ended(this, reason)
  }

  /** The consumer is done with it: it has handled everything, or has stopped. */
  finish(reason: Reason): void {
    const wasOpen = this.#state === 'open'
    this.#state = 'closed'
    this.#reason ??= reason
    if (wasOpen) this.#producer.left(this, reason)
    this.#resolveClosed(this.#reason)
  }
}

function checkSubscribeOptions(options: object): void {
  checkKnown('subscribe', options, ['maxDemand', 'minDemand', 'cancel', 'selector', 'mode', 'replacing'])
  if ('selector' in options) checkFunctions({ selector: options.selector })
}

function openWindow(options: SubscribeOptions<never>): Window | undefined {
  const maxDemand = parseCount('maxDemand', options.maxDemand ?? 1000, 1)
  const minDemand = parseCount('minDemand', options.minDemand ?? Math.floor(maxDemand / 2), 0, maxDemand - 1)
  const mode = parseWord('mode', options.mode ?? 'automatic', ['automatic', 'manual'])
  return mode === 'manual' ? undefined : new Window(maxDemand, minDemand)
}
