/** The consuming half of a stage: its subscriptions, what they brought, and the chunks in which it is handled. Knows nothing of where results go. */
import { Fifo } from './fifo.ts'
import { asPromise, isPromiseLike, type Life, type Nothing, type Reason } from './life.ts'
import { type Outlet, outletOf, type Source } from './outlet.ts'
import type { InletSnapshot } from './snapshot.ts'
import {
  checkSeatOptions,
  checkSubscribeOptions,
  type ConsumerEnd,
  Link,
  type SubscribeOptions,
  type Subscription,
} from './subscription.ts'
import { traces } from './trace.ts'

export interface InletParts<I, R> {
  readonly handleEvents: (events: readonly I[], from: Subscription) => R | PromiseLike<R>
  readonly handleSubscribe: ((from: Subscription) => Nothing) | undefined
  readonly handleCancel: ((from: Subscription, reason: Reason) => Nothing) | undefined
  /** An info message has come to the front. */
  readonly handleInfo: ((message: unknown) => Nothing) | undefined
  /** Takes what handleEvents returned, before more is asked for. */
  readonly onResult: (result: R) => void
  /** Every upstream has ended, and one of them asked for draining. */
  readonly onDrained: () => void
}

type Letter<I> =
  | { readonly kind: 'events'; readonly link: Link<I>; readonly events: readonly I[] }
  | { readonly kind: 'closing'; readonly link: Link<I>; readonly reason: Reason }
  | { readonly kind: 'info'; readonly message: unknown }

export class Inlet<I, R> implements ConsumerEnd<I> {
  readonly #parts: InletParts<I, R>
  readonly #life: Life
  readonly #links = new Set<Link<I>>()
  /** Subscriptions whose handleSubscribe has not run. Before that nothing is asked for, so they are ahead of all events. */
  readonly #joining = new Fifo<Link<I>>()
  /** Messages in order of arrival. Bounded by demand: each holds at least one event that was asked for, or is the last of its subscription; and by infosWaitingMax. */
  readonly #letters = new Fifo<Letter<I>>()
  /** Events of the first letter that have been handled. */
  #handledCount = 0
  #handledEver = 0
  #infoCount = 0
  #isDraining = false

  constructor(parts: InletParts<I, R>, life: Life) {
    this.#parts = parts
    this.#life = life
  }

  /** Nothing has come that is not handled, and no subscription waits for its callback. */
  get isIdle(): boolean {
    return this.#letters.count === 0 && this.#joining.count === 0
  }

  get name(): string {
    return this.#life.name
  }

  get infoCount(): number {
    return this.#infoCount
  }

  snapshot(): InletSnapshot {
    return { handledCount: this.#handledEver, subscriptions: [...this.#links].map((link) => link.snapshot()) }
  }

  /** A message for `handleInfo`, behind everything that has arrived. */
  info(message: unknown): void {
    if (!this.#life.isLive) return
    this.#infoCount++
    this.#letters.push({ kind: 'info', message })
    this.#life.wake()
  }

  subscribe(source: Source<I>, options: SubscribeOptions<I>): Subscription {
    const outlet = outletAt(source)
    const link = new Link(outlet, this, options)
    checkSeatOptions(options, outlet.seatOptions)
    const replacing = options.replacing === undefined ? undefined : this.#replaced(options.replacing, outlet)
    if (!this.#life.isLive) {
      link.finish('noproc')
      return link
    }
    this.#links.add(link)
    if (traces.isOn) traces.write({ kind: 'subscribed', stage: this.name, peer: outlet.name })
    outlet.join(link, replacing)
    if (this.#parts.handleSubscribe === undefined) this.#open(link)
    else this.#joining.push(link)
    this.#life.wake()
    return link
  }

  arrived(link: Link<I>, events: readonly I[]): void {
    this.#letters.push({ kind: 'events', link, events })
    this.#life.wake()
  }

  ended(link: Link<I>, reason: Reason): void {
    this.#letters.push({ kind: 'closing', link, reason })
    this.#life.wake()
  }

  /** Is there a callback to run? @param mayHandle whether a new message may be begun; one begun is always handled to its end. */
  hasStep(mayHandle: boolean): boolean {
    if (this.#joining.count > 0 || this.#handledCount > 0) return true
    const letter = this.#letters.peek()
    return letter !== undefined && (mayHandle || letter.kind !== 'events')
  }

  step(): Promise<void> | undefined {
    const joining = this.#joining.shift()
    if (joining !== undefined) return this.#join(joining)
    const letter = this.#letters.peek()
    switch (letter?.kind) {
      case 'events':
        return this.#handle(letter.link, letter.events)
      case 'closing':
        this.#letters.shift()
        return this.#close(letter.link, letter.reason)
      case 'info':
        this.#letters.shift()
        this.#infoCount--
        return asPromise(this.#parts.handleInfo?.(letter.message))
      case undefined:
        return undefined
    }
  }

  /** Ends every subscription without stopping over it; what was handed over is still handled. */
  cancelAll(): void {
    for (const link of this.#links) {
      link.isHarmless = true
      link.cancel('normal')
    }
  }

  /** The stage is over. */
  close(reason: Reason): void {
    const links = [...this.#links]
    this.#links.clear()
    this.#letters.clear()
    this.#joining.clear()
    for (const link of links) link.finish(reason)
  }

  #replaced(subscription: Subscription, outlet: object): Link<I> | undefined {
    // One that has closed by itself meanwhile leaves nothing to take over.
    if (!subscription.isOpen) return undefined
    for (const link of this.#links) if (link === subscription && link.leadsFrom(outlet)) return link
    throw new TypeError('replacing: expected a subscription of this consumer to this producer')
  }

  #open(link: Link<I>): void {
    if (link.window !== undefined) link.ask(link.window.open())
  }

  #join(link: Link<I>): Promise<void> | undefined {
    const awaited = asPromise(this.#parts.handleSubscribe?.(link))
    if (awaited !== undefined) return awaited.then(() => this.#open(link))
    this.#open(link)
    return undefined
  }

  #handle(link: Link<I>, events: readonly I[]): Promise<void> | undefined {
    if (this.#handledCount === 0) link.window?.begin(events.length)
    const restCount = events.length - this.#handledCount
    const count = link.window === undefined ? restCount : Math.min(restCount, link.window.chunkMax)
    const chunk = count === events.length ? events : events.slice(this.#handledCount, this.#handledCount + count)
    this.#life.charged = link
    if (traces.isOn) this.#traceChunk(link, count)
    const result = this.#parts.handleEvents(chunk, link)
    if (isPromiseLike(result)) return this.#handledLater(result, link, count, count === restCount)
    this.#handled(result, link, count, count === restCount)
    return undefined
  }

  // A method of its own, so that a synchronous chunk makes no closure.
  #handledLater(result: PromiseLike<R>, link: Link<I>, count: number, isLast: boolean): Promise<void> {
    return Promise.resolve(result).then((value) => this.#handled(value, link, count, isLast))
  }

  #handled(result: R, link: Link<I>, count: number, isLast: boolean): void {
    if (isLast) {
      this.#letters.shift()
      this.#handledCount = 0
    } else this.#handledCount += count
    this.#handledEver += count
    link.handled(count)
    this.#parts.onResult(result)
    const ask = link.window?.handled(count) ?? 0
    if (ask > 0) link.ask(ask)
  }

  #traceChunk(link: Link<I>, count: number): void {
    traces.write({ kind: 'handling', stage: this.name, peer: link.producerName, count })
  }

  #close(link: Link<I>, reason: Reason): Promise<void> | undefined {
    const awaited = asPromise(this.#parts.handleCancel?.(link, reason))
    if (awaited !== undefined) return awaited.then(() => this.#closed(link, reason))
    this.#closed(link, reason)
    return undefined
  }

  #closed(link: Link<I>, reason: Reason): void {
    this.#links.delete(link)
    link.finish(reason)
    if (!link.isHarmless) this.#lose(link, reason)
    if (this.#isDraining && this.#links.size === 0) this.#parts.onDrained()
  }

  #lose(link: Link<I>, reason: Reason): void {
    switch (link.cancelMode) {
      case 'permanent':
        return this.#life.stop(reason)
      case 'transient':
        return reason === 'normal' || reason === 'shutdown' ? undefined : this.#life.stop(reason)
      case 'temporary':
        return
      case 'drain':
        this.#isDraining = true
    }
  }
}

/** @throws TypeError as `subscribe` would, without subscribing. */
export function checkSubscription<I>(source: Source<I>, options: SubscribeOptions<I>): void {
  const { seatOptions } = outletAt(source)
  checkSubscribeOptions(options)
  checkSeatOptions(options, seatOptions)
}

function outletAt<I>(source: Source<I>): Outlet<I> {
  const given: unknown = source
  if (typeof given !== 'object' || given === null || !(outletOf in given))
    throw new TypeError('subscribe: expected a producer or producerConsumer')
  return source[outletOf]
}
