/**
 * The link between a producing and a consuming stage, seen from both ends. Moves no events by itself.
 *
 * - open: asks go up, events come down.
 * - closing: the producer has forgotten it, so it holds nobody back; what was handed over is still handled.
 * - closed: the consumer is done with it. Nothing of it will reach a handler any more.
 */
import type { Place, Seat, SeatOption } from './dispatcher.ts'
import { type Charged, type Reason, showReason } from './life.ts'
import { checkFunctions, checkKnown, parseCount, parseWord } from './options.ts'
import type { SubscriptionSnapshot } from './snapshot.ts'
import { traces } from './trace.ts'
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
  /** The `custom` it was made with. */
  readonly custom: unknown
  snapshot(): SubscriptionSnapshot
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
  /** Which partition to take; needed with a partition dispatcher, and only there. */
  readonly partition?: string | number
  /** Anything that a dispatcher of one's own wants to know of this subscriber; only where it does. */
  readonly custom?: unknown
  /** `manual`: nothing is asked for but by `ask`, and each message is handled whole. Default `automatic`. */
  readonly mode?: 'automatic' | 'manual'
  /** A subscription of the same two stages that this one takes over from, in one step. Its consumer does not stop over that. */
  readonly replacing?: Subscription
}

/** The producing end, as a link sees it. */
export interface ProducerEnd<T> {
  readonly name: string
  asked(link: Link<T>, count: number): void
  left(link: Link<T>, reason: Reason): void
  /** After `left`: nothing that it was handed is waiting or being handled any more. */
  finished(link: Link<T>): void
}

/** The consuming end, as a link sees it. */
export interface ConsumerEnd<T> {
  readonly name: string
  arrived(link: Link<T>, events: readonly T[]): void
  ended(link: Link<T>, reason: Reason): void
}

export class Link<T> implements Subscription, Seat<T>, Charged {
  readonly #producer: ProducerEnd<T>
  readonly #consumer: ConsumerEnd<T>
  readonly selector: ((event: T) => boolean) | undefined
  readonly partition: string | number | undefined
  readonly custom: unknown
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
  busyMs = 0
  #askedCount = 0
  #takenCount = 0
  #handledCount = 0
  #state: 'open' | 'closing' | 'closed' = 'open'
  #reason: Reason | undefined
  #resolveClosed: (reason: Reason) => void = () => {}

  constructor(producer: ProducerEnd<T>, consumer: ConsumerEnd<T>, options: SubscribeOptions<T>) {
    checkSubscribeOptions(options)
    this.#producer = producer
    this.#consumer = consumer
    this.selector = options.selector
    this.partition = options.partition
    this.custom = options.custom
    this.cancelMode = options.cancel ?? 'permanent'
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

  get producerName(): string {
    return this.#producer.name
  }

  get unhandledCount(): number {
    return this.#takenCount - this.#handledCount
  }

  snapshot(): SubscriptionSnapshot {
    return {
      producer: this.#producer.name,
      consumer: this.#consumer.name,
      isOpen: this.isOpen,
      demandCount: this.isOpen ? this.#askedCount - this.#takenCount : 0,
      waitingCount: this.unhandledCount,
      handledCount: this.#handledCount,
      busyMs: this.busyMs,
    }
  }

  /** Its consumer has handled `count` events more. */
  handled(count: number): void {
    this.#handledCount += count
  }

  leadsFrom(producer: object): boolean {
    return this.#producer === producer
  }

  ask(count: number): void {
    parseCount('ask', count, 0)
    if (count === 0 || this.#state !== 'open') return
    this.#askedCount += count
    if (traces.isOn) traces.write({ kind: 'asked', stage: this.#consumer.name, peer: this.#producer.name, count })
    this.#producer.asked(this, count)
  }

  cancel(reason: Reason = 'normal'): void {
    this.close(reason)
  }

  take(events: readonly T[]): void {
    // A selector that cancels its own subscription does so in the middle of a dispatch; the rest of it is no longer wanted.
    if (this.#state !== 'open') return
    this.#takenCount += events.length
    this.#consumer.arrived(this, events)
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
    this.#handledCount = this.#takenCount
    if (wasOpen) this.#producer.left(this, reason)
    this.#producer.finished(this)
    if (traces.isOn) this.#traceClosed(this.#reason)
    this.#resolveClosed(this.#reason)
  }

  #traceClosed(reason: Reason): void {
    const { name: peer } = this.#producer
    traces.write({ kind: 'closed', stage: this.#consumer.name, peer, reason: showReason(reason) })
  }
}

const subscribeWords = ['maxDemand', 'minDemand', 'cancel', 'selector', 'partition', 'custom', 'mode', 'replacing']

const cancelModes = ['permanent', 'transient', 'temporary', 'drain'] as const

/** @throws TypeError on an unknown or impossible option. */
export function checkSubscribeOptions(options: SubscribeOptions<never>): void {
  checkKnown('subscribe', options, subscribeWords)
  checkFunctions({ selector: options.selector })
  parseWord('cancel', options.cancel ?? 'permanent', cancelModes)
  openWindow(options)
}

/** @throws TypeError on an option that this producer's dispatcher would not heed. */
export function checkSeatOptions(options: SubscribeOptions<never>, heeded: readonly string[]): void {
  for (const option of ['selector', 'partition', 'custom'] satisfies SeatOption[])
    if (options[option] !== undefined && !heeded.includes(option))
      throw new TypeError(`${option}: expected a producer whose dispatcher heeds it, got one that does not`)
}

function openWindow(options: SubscribeOptions<never>): Window | undefined {
  const maxDemand = parseCount('maxDemand', options.maxDemand ?? 1000, 1)
  const minDemand = parseCount('minDemand', options.minDemand ?? Math.floor(maxDemand / 2), 0, maxDemand - 1)
  const mode = parseWord('mode', options.mode ?? 'automatic', ['automatic', 'manual'])
  return mode === 'manual' ? undefined : new Window(maxDemand, minDemand)
}
