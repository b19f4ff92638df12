/** The producing half of a stage: its subscribers, its buffer, and what is owed to them. Knows nothing of where events come from. */
import { asError } from '../base/errors.ts'
import { Deferred } from './deferred.ts'
import type { Dispatcher } from './dispatcher.ts'
import { EventBuffer, type Keep } from './event-buffer.ts'
import { Fifo } from './fifo.ts'
import { asPromise, type Events, isPromiseLike, type Life, type Made, type Nothing, type Reason } from './life.ts'
import { InfoLine } from './info-line.ts'
import { type DemandLetter, OwedDemand } from './owed-demand.ts'
import { checkEvents } from './options.ts'
import { type DemandMode, RecordedAsks } from './recorded-asks.ts'
import type { OutletSnapshot } from './snapshot.ts'
import type { Link, ProducerEnd, Subscription } from './subscription.ts'
import { traces } from './trace.ts'

/** Where a consumer finds the outlet of a producer; kept off the public face. */
export const outletOf: unique symbol = Symbol('outlet')

/** Any stage that can be subscribed to. */
export interface Source<T> {
  readonly [outletOf]: Outlet<T>
}

export interface OutletParts<T> {
  readonly dispatcher: Dispatcher<T>
  readonly bufferSize: number
  readonly bufferKeep: Keep
  readonly demand: DemandMode
  readonly handleDemand: ((count: number) => Made<T>) | undefined
  readonly handleSubscribe: ((from: Subscription) => Nothing) | undefined
  readonly handleCancel: ((from: Subscription, reason: Reason) => Nothing) | undefined
  readonly handleInfo: ((message: unknown) => Made<T>) | undefined
  readonly onDiscard: ((count: number) => void) | undefined
}

type Letter<T> =
  | DemandLetter
  | { readonly kind: 'joining'; readonly link: Link<T>; readonly replacing: Link<T> | undefined }
  | { readonly kind: 'left'; readonly link: Link<T>; readonly reason: Reason }
  | { readonly kind: 'info'; readonly message: unknown }

export class Outlet<T> implements ProducerEnd<T> {
  readonly #parts: OutletParts<T>
  readonly #life: Life
  readonly #dispatcher: Dispatcher<T>
  readonly #buffer: EventBuffer<T>
  readonly #links = new Set<Link<T>>()
  /** Callbacks to run. Bounded by asksWaitingMax, infosWaitingMax and the number of subscriptions made and ended meanwhile. */
  readonly #letters = new Fifo<Letter<T>>()
  #mode: DemandMode
  readonly #recordedAsks = new RecordedAsks<Link<T>>()
  readonly #infos = new InfoLine()
  /** Letters of info messages, those whose callback runs included. */
  #infoLetters = 0
  readonly #markHolding = (): (() => boolean) => this.#dispatcher.holding?.mark() ?? hasPassed
  readonly #owed = new OwedDemand()
  /** Selectors are foreign code in the middle of a dispatch: what they call here waits until the dispatch is over. */
  #isDispatching = false
  readonly #afterDispatch = new Deferred()
  #isEnding = false
  #isClosed = false
  #emittedCount = 0
  #discardedCount = 0
  #discardedByDispatcher = 0
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

  get isEnding(): boolean {
    return this.#isEnding
  }

  get isAccepting(): boolean {
    return !this.#isEnding && this.#life.isLive
  }

  /** Info messages whose callback has not ended. */
  get infoCount(): number {
    return this.#infos.count + this.#infoLetters
  }

  /** Ending, and nothing left to hand over. */
  get isDrained(): boolean {
    if (!this.#isEnding || this.#isDispatching || !this.#afterDispatch.isEmpty) return false
    return this.#buffer.count === 0 && this.#heldCount === 0 && this.infoCount === 0
  }

  get name(): string {
    return this.#life.name
  }

  get #heldCount(): number {
    return this.#isClosed ? 0 : (this.#dispatcher.holding?.count ?? 0)
  }

  snapshot(): OutletSnapshot {
    return {
      wantedCount: this.wantedCount,
      owedCount: this.#owed.count,
      bufferedCount: this.#buffer.count,
      heldCount: this.#heldCount,
      emittedCount: this.#emittedCount,
      discardedCount: this.#discardedCount,
      ignoredCount: this.#ignoredCount,
      subscribers: [...this.#links].map((link) => link.snapshot()),
    }
  }

  get seatOptions(): readonly string[] {
    return this.#dispatcher.seatOptions
  }

  /** Events from outside any callback. */
  push(events: readonly T[]): void {
    checkEvents('emit', events)
    if (this.isAccepting) this.produced(events)
    else this.#ignoredCount += events.length
  }

  /** Events that a callback returned: they count even if that callback also ended the stage. */
  produced(events: readonly T[]): void {
    if (events.length === 0) return
    if (this.#isDispatching) return this.#produceLater(events)
    if (this.#isClosed) {
      this.#ignoredCount += events.length
      return
    }
    this.#emittedCount += events.length
    this.#owed.emitted(events.length)
    // A fresh event never passes a buffered one: where something is buffered nobody wants anything, or is said to while accumulating.
    const placed = this.wantedCount > 0 ? this.#place(events) : 0
    if (placed < events.length) this.#keep(events, placed)
    if (traces.isOn) this.#traceEmission(events.length)
    this.#settle()
  }

  /** A message for `handleInfo`, behind every event that waits here now. */
  info(message: unknown): void {
    if (this.#isDispatching) return this.#defer(() => this.info(message))
    if (!this.#life.isLive) return
    this.#infos.add(message, this.#buffer.enteredCount)
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
    const asks = this.#recordedAsks.takeAll()
    this.#settle()
    // One who has left meanwhile has no place any more, so its ask is void.
    for (const { link, count } of asks) this.asked(link, count)
  }

  /** Finishes behind the buffer: nothing new is taken, nobody is asked for more. */
  end(): void {
    this.#isEnding = true
    this.#life.finishIfDone()
    this.#life.wake()
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
    else if (this.#mode === 'accumulate') this.#recordedAsks.add(link, count)
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

  /** One that left has also handled, or dropped, what it was handed. */
  finished(link: Link<T>): void {
    if (this.#isDispatching) return this.#defer(() => this.finished(link))
    if (link.place?.done === undefined) return
    link.place.done()
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
      case 'info':
        return this.#handleInfo(letter.message)
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
    this.#infos.clear()
    this.#recordedAsks.takeAll()
  }

  #handleDemand(count: number): Promise<void> | undefined {
    this.#owed.heard()
    // Owed stays as it is: what an ending producer was not asked for it does not owe, and nobody is asked again.
    if (this.#isEnding) return undefined
    if (traces.isOn) traces.write({ kind: 'demanded', stage: this.name, count })
    return this.#made(this.#parts.handleDemand?.(count))
  }

  #handleInfo(message: unknown): Promise<void> | undefined {
    this.#infoLetters--
    return this.#made(this.#parts.handleInfo?.(message))
  }

  /** Takes what a callback made, now or once its promise resolves. */
  #made(result: Made<T>): Promise<void> | undefined {
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

  #place(events: readonly T[]): number {
    this.#isDispatching = true
    try {
      return this.#dispatcher.dispatch(events)
    } finally {
      this.#isDispatching = false
      if (this.#dispatcher.holding !== undefined) this.#countFaults(this.#dispatcher.holding.discardedCount)
    }
  }

  #countFaults(discardedCount: number): void {
    const count = discardedCount - this.#discardedByDispatcher
    this.#discardedByDispatcher = discardedCount
    this.#discarded(count)
  }

  #keep(events: readonly T[], start: number): void {
    this.#discarded(this.#buffer.add(events, start))
  }

  #discarded(count: number): void {
    if (count === 0) return
    this.#discardedCount += count
    if (traces.isOn) traces.write({ kind: 'discarded', stage: this.name, count })
    try {
      this.#parts.onDiscard?.(count)
    } catch (thrown) {
      this.#life.stop(asError(thrown))
    }
  }

  /** After every change: serves the buffer first, then asks for what is wanted and not on its way. */
  #settle(): void {
    if (this.#infos.count > 0) this.#releaseInfos()
    while (this.#buffer.count > 0 && this.wantedCount > 0) this.#serveBuffer()
    this.#askUpstream()
    if (!this.#afterDispatch.isEmpty) this.#afterDispatch.run()
    if (this.#isEnding) this.#life.finishIfDone()
    this.#life.wake()
  }

  /** No further than the next info message, which stands between the events before and behind it. */
  #serveBuffer(): void {
    const count = Math.min(this.wantedCount, this.#infos.eventsAhead(this.#buffer.leftCount))
    this.#buffer.drop(this.#place(this.#buffer.peek(count)))
    if (this.#infos.count > 0) this.#releaseInfos()
  }

  #releaseInfos(): void {
    this.#infos.passBuffer(this.#buffer.leftCount, this.#markHolding)
    for (let info = this.#infos.takePassed(); info !== undefined; info = this.#infos.takePassed()) {
      this.#infoLetters++
      this.#post({ kind: 'info', message: info.message })
    }
  }

  #traceEmission(count: number): void {
    traces.write({ kind: 'emitted', stage: this.name, count, bufferedCount: this.#buffer.count })
  }

  #askUpstream(): void {
    const count = this.wantedCount - this.#owed.count
    if (count <= 0 || this.#parts.handleDemand === undefined || this.#isEnding) return
    const letter = this.#owed.ask(count)
    if (letter !== undefined) this.#post(letter)
  }

  #defer(work: () => void): void {
    this.#afterDispatch.add(work)
  }

  // Methods of their own, so that the common case makes no closure.
  #askLater(link: Link<T>, count: number): void {
    this.#defer(() => this.asked(link, count))
  }

  #produceLater(events: readonly T[]): void {
    this.#defer(() => this.produced(events))
  }
}

function hasPassed(): boolean {
  return true
}
