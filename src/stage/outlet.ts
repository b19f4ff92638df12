/** The producing half of a stage: its subscribers, its buffer, and what is owed to them. Knows nothing of where events come from. */
import { asError } from '../base/errors.ts'
import type { Dispatcher } from './dispatcher.ts'
import { EventBuffer, type Keep } from './event-buffer.ts'
import { Fifo } from './fifo.ts'
import { asPromise, type Events, isPromiseLike, type Life, type Made, type Nothing, type Reason } from './life.ts'
import type { Link, ProducerEnd, Subscription } from './subscription.ts'

/** Where a consumer finds the outlet of a producer; kept off the public face. */
export const outletOf: unique symbol = Symbol('outlet')

/** Any stage that can be subscribed to. */
export interface Source<T> {
  readonly [outletOf]: Outlet<T>
}

export type DemandMode = 'forward' | 'accumulate'

export interface OutletParts<T> {
  readonly dispatcher: Dispatcher<T>
  readonly bufferSize: number
  readonly bufferKeep: Keep
  readonly demand: DemandMode
  readonly handleDemand: ((count: number) => Made<T>) | undefined
  readonly handleSubscribe: ((from: Subscription) => Nothing) | undefined
  readonly handleCancel: ((from: Subscription, reason: Reason) => Nothing) | undefined
  readonly onDiscard: ((count: number) => void) | undefined
}

/** Asks that wait one by one, be it for their `handleDemand` or for `forward`; beyond that they are added to the last one, so that a consumer which asks in a loop costs no memory. */
const asksWaitingMax = 1024

type Letter<T> =
  | { readonly kind: 'demand'; count: number }
  | { readonly kind: 'joining'; readonly link: Link<T>; readonly replacing: Link<T> | undefined }
  | { readonly kind: 'left'; readonly link: Link<T>; readonly reason: Reason }

export class Outlet<T> implements ProducerEnd<T> {
  readonly #parts: OutletParts<T>
  readonly #life: Life
  readonly #dispatcher: Dispatcher<T>
  readonly #buffer: EventBuffer<T>
  readonly #links = new Set<Link<T>>()
  /** Callbacks to run. Bounded by asksWaitingMax and the number of subscriptions made and ended meanwhile. */
  readonly #letters = new Fifo<Letter<T>>()
  #demandsWaiting = 0
  #lastDemand: { count: number } = { count: 0 }
  #mode: DemandMode
  /** Asks made while accumulating, in order. */
  #recordedAsks: { readonly link: Link<T>; count: number }[] = []
  /** Asked of handleDemand and not yet emitted. The producer remembers it, so it is never asked for twice. */
  #owedCount = 0
  /** Selectors are foreign code in the middle of a dispatch: what they call here waits until the dispatch is over. */
  #isDispatching = false
  /** Bounded by what the selectors do in one dispatch. */
  readonly #afterDispatch: (() => void)[] = []
  #isRunningDeferred = false
  #isEnding = false
  #isClosed = false
  #discardedCount = 0
  #ignoredCount = 0

  constructor(parts: OutletParts<T>, life: Life) {
    this.#parts = parts
    this.#life = life
    this.#dispatcher = parts.dispatcher
    this.#buffer = new EventBuffer(parts.bufferSize, parts.bufferKeep)
    this.#mode = parts.demand
  }

  get bufferedCount(): number {
    return this.#buffer.count
  }

  get discardedCount(): number {
    return this.#discardedCount
  }

  get ignoredCount(): number {
    return this.#ignoredCount
  }

  /** Events that would find a taker now. */
  get wantedCount(): number {
    return this.#mode === 'forward' && !this.#isClosed ? this.#dispatcher.wantedCount : 0
  }

  get demandMode(): DemandMode {
    return this.#mode
  }

  /** Ending, and nothing left to hand over. */
  get isDrained(): boolean {
    return this.#isEnding && !this.#isDispatching && this.#afterDispatch.length === 0 && this.#buffer.count === 0
  }

  get seatOptions(): readonly string[] {
    return this.#dispatcher.seatOptions
  }

  /** Events from outside any callback. */
  push(events: readonly T[]): void {
    checkEvents('emit', events)
    if (this.#isEnding || !this.#life.isLive) this.#ignoredCount += events.length
    else this.produced(events)
  }

  /** Events that a callback returned: they count even if that callback also ended the stage. */
  produced(events: readonly T[]): void {
    if (events.length === 0) return
    if (this.#isDispatching) return this.#produceLater(events)
    if (this.#isClosed) {
      this.#ignoredCount += events.length
      return
    }
    this.#owedCount = Math.max(0, this.#owedCount - events.length)
    // A fresh event never passes a buffered one: where something is buffered nobody wants anything, or is said to while accumulating.
    const placed = this.wantedCount > 0 ? this.#place(events) : 0
    if (placed < events.length) this.#keep(events, placed)
    this.#settle()
  }

  /** What a callback gave back. @throws TypeError on anything but an array or nothing. */
  returned(events: Events<T>): void {
    if (events === undefined) return
    checkEvents('returned by a handler', events)
    this.produced(events)
  }

  setDemand(mode: DemandMode): void {
    if (this.#isDispatching) return this.#defer(() => this.setDemand(mode))
    this.#mode = mode
    if (mode === 'accumulate') return
    const asks = this.#recordedAsks
    this.#recordedAsks = []
    this.#settle()
    // One who has left meanwhile has no place any more, so its ask is void.
    for (const { link, count } of asks) this.asked(link, count)
  }

  /** Finishes behind the buffer: nothing new is taken, nobody is asked for more. */
  end(): void {
    this.#isEnding = true
    this.#life.finishIfDone()
  }

  join(link: Link<T>, replacing: Link<T> | undefined): void {
    if (this.#isDispatching) return this.#defer(() => this.join(link, replacing))
    if (!this.#life.isLive) return link.close('noproc')
    this.#links.add(link)
    if (this.#parts.handleSubscribe === undefined) this.#seat(link, replacing)
    else this.#post({ kind: 'joining', link, replacing })
  }

  asked(link: Link<T>, count: number): void {
    if (this.#isDispatching) this.#askLater(link, count)
    else if (link.place === undefined) link.earlyCount += count
    else if (this.#mode === 'accumulate') this.#record(link, count)
    else {
      link.place.ask(count)
      this.#settle()
    }
  }

  left(link: Link<T>, reason: Reason): void {
    if (this.#isDispatching) return this.#defer(() => this.left(link, reason))
    if (!this.#links.delete(link)) return
    link.place?.leave()
    if (this.#parts.handleCancel !== undefined) this.#post({ kind: 'left', link, reason })
    this.#settle()
  }

  hasStep(): boolean {
    return this.#letters.count > 0
  }

  step(): Promise<void> | undefined {
    const letter = this.#letters.shift()
    switch (letter?.kind) {
      case 'demand':
        return this.#handleDemand(letter.count)
      case 'joining':
        return this.#handleSubscribe(letter.link, letter.replacing)
      case 'left':
        return asPromise(this.#parts.handleCancel?.(letter.link, letter.reason))
      case undefined:
        return undefined
    }
  }

  close(reason: Reason): void {
    if (this.#isDispatching) return this.#defer(() => this.close(reason))
    this.#isClosed = true
    const links = [...this.#links]
    this.#links.clear()
    for (const link of links) link.close(reason)
    this.#letters.clear()
    this.#buffer.clear()
    this.#recordedAsks = []
  }

  #handleDemand(count: number): Promise<void> | undefined {
    this.#demandsWaiting--
    // Owed stays as it is: what an ending producer was not asked for it does not owe, and nobody is asked again.
    if (this.#isEnding) return undefined
    const result = this.#parts.handleDemand?.(count)
    if (isPromiseLike(result)) return Promise.resolve(result).then((events) => this.returned(events))
    this.returned(result)
    return undefined
  }

  #handleSubscribe(link: Link<T>, replacing: Link<T> | undefined): Promise<void> | undefined {
    const awaited = asPromise(this.#parts.handleSubscribe?.(link))
    if (awaited !== undefined) return awaited.then(() => this.#seat(link, replacing))
    this.#seat(link, replacing)
    return undefined
  }

  #seat(link: Link<T>, replacing: Link<T> | undefined): void {
    if (!link.isOpen) return
    if (replacing !== undefined) this.#handOver(replacing)
    const joining = this.#dispatcher.join(link)
    if (joining.kind === 'refused') {
      link.isHarmless = true
      return link.close(joining.reason)
    }
    link.place = joining.place
    if (link.earlyCount > 0) this.asked(link, link.earlyCount)
    this.#settle()
  }

  /** Frees the old one's seat for the new one. What else its leaving brings waits, so that no demand is worked out in between. */
  #handOver(replaced: Link<T>): void {
    replaced.isHarmless = true
    replaced.place?.leave()
    this.#isDispatching = true
    replaced.close('normal')
    this.#isDispatching = false
  }

  #post(letter: Letter<T>): void {
    this.#letters.push(letter)
    this.#life.wake()
  }

  #record(link: Link<T>, count: number): void {
    const merged =
      this.#recordedAsks.length < asksWaitingMax ? undefined : this.#recordedAsks.find((ask) => ask.link === link)
    if (merged === undefined) this.#recordedAsks.push({ link, count })
    else merged.count += count
  }

  #place(events: readonly T[]): number {
    this.#isDispatching = true
    try {
      return this.#dispatcher.dispatch(events)
    } finally {
      this.#isDispatching = false
    }
  }

  #keep(events: readonly T[], start: number): void {
    const count = this.#buffer.add(events, start)
    if (count === 0) return
    this.#discardedCount += count
    try {
      this.#parts.onDiscard?.(count)
    } catch (thrown) {
      this.#life.stop(asError(thrown))
    }
  }

  /** After every change: serves the buffer first, then asks for what is wanted and not on its way. */
  #settle(): void {
    while (this.#buffer.count > 0 && this.wantedCount > 0)
      this.#buffer.drop(this.#place(this.#buffer.peek(this.wantedCount)))
    this.#askUpstream()
    if (this.#afterDispatch.length > 0) this.#runDeferred()
    if (this.#isEnding) this.#life.finishIfDone()
    this.#life.wake()
  }

  #askUpstream(): void {
    const count = this.wantedCount - this.#owedCount
    if (count <= 0 || this.#parts.handleDemand === undefined || this.#isEnding) return
    this.#owedCount += count
    if (this.#demandsWaiting >= asksWaitingMax) {
      this.#lastDemand.count += count
      return
    }
    const letter = { kind: 'demand' as const, count }
    this.#demandsWaiting++
    this.#lastDemand = letter
    this.#post(letter)
  }

  #defer(work: () => void): void {
    this.#afterDispatch.push(work)
  }

  // Methods of their own, so that the common case makes no closure.
  #askLater(link: Link<T>, count: number): void {
    this.#defer(() => this.asked(link, count))
  }

  #produceLater(events: readonly T[]): void {
    this.#defer(() => this.produced(events))
  }

  #runDeferred(): void {
    if (this.#isRunningDeferred) return
    this.#isRunningDeferred = true
    for (let work = this.#afterDispatch.shift(); work !== undefined; work = this.#afterDispatch.shift()) work()
    this.#isRunningDeferred = false
  }
}

function checkEvents(where: string, events: unknown): void {
  if (!Array.isArray(events)) throw new TypeError(`${where}: expected an array of events, got ${typeof events}`)
}
