/** How many deliveries of one lane may be under way, and how many are. Where that is to be found out, measures rounds and obeys what comes of them. */
import type { Clock, Timer } from '../base/clock.ts'
import type { Pace } from '../target/pace.ts'
import { afterRound, afterTrouble, bytesPerFile, firstSlots, type AdaptiveSlots } from './adaptive-slots.ts'

/** One round: long enough to see what a link takes, short enough to try many. Unit: ms. */
const roundMs = 2_000
/** Small files tell sooner: a round may end after this, */
const roundMsMin = 250
/** once so many of them ended for each slot. */
const filesPerSlotMin = 2
/** More large copies at once only compete with each other. */
const largeMax = 4

/** What a lane needs of its target's pace. */
export type LanePace = Pick<Pace, 'verdict' | 'snapshot' | 'change' | 'close'>

export interface SlotsParts {
  readonly clock: Clock
  /** The configured concurrency, as it is now. */
  readonly most: () => number
  /** Fewer than `most` may be better, and which number is has to be found out, from these on (F73); undefined: `most` are right. */
  readonly first: number | undefined
  /** Bytes that went so far. */
  readonly bytesSent: () => number
  /** There are more than before. */
  readonly onMore: () => void
}

export class Slots {
  readonly #parts: SlotsParts
  #adaptive: AdaptiveSlots
  #underWay = 0
  #largeUnderWay = 0
  #ended = 0
  #wasFull = false
  #timer: Timer | undefined
  #startedMs = 0
  #bytesBefore = 0
  #endedBefore = 0

  constructor(parts: SlotsParts) {
    this.#parts = parts
    this.#adaptive = firstSlots({ most: parts.most() }, parts.first)
  }

  get limit(): number {
    const most = this.#parts.most()
    return this.#parts.first !== undefined ? Math.min(most, this.#adaptive.slots) : most
  }

  get free(): number {
    return Math.max(0, this.limit - this.#underWay)
  }

  /** Where no more than one is to be under way. */
  get freeOfOne(): number {
    return Math.max(0, 1 - this.#underWay)
  }

  /** Large copies leave at least half of the slots to small ones, which pass them (F72); with a single slot they take turns. */
  get large(): { readonly most: number; readonly isTurn: boolean } {
    const most = Math.min(largeMax, Math.max(1, Math.floor(this.limit / 2))) - this.#largeUnderWay
    return { most: Math.max(0, most), isTurn: most > 0 && this.#largeUnderWay === 0 && this.limit > 1 }
  }

  /** @param count deliveries that begin; fewer than were free say that there is no more work, and that the round proves nothing. */
  begin(count: number, large: number): void {
    if (count < this.free) this.#wasFull = false
    this.#underWay += count
    this.#largeUnderWay += large
    if (this.#parts.first === undefined || count === 0) return
    if (this.#timer === undefined) this.#beginRound()
    else if (this.#hasSeenEnough()) this.#endRound()
  }

  #hasSeenEnough(): boolean {
    const isLong = this.#parts.clock.monotonicMs() - this.#startedMs >= roundMsMin
    return isLong && this.#ended - this.#endedBefore >= filesPerSlotMin * this.limit
  }

  /** @param isOverloaded it ended because the other side did not keep up: a stall, a timeout. */
  end({ isLarge, isOverloaded }: { readonly isLarge: boolean; readonly isOverloaded: boolean }): void {
    if (isLarge) this.#largeUnderWay--
    this.#ended++
    this.#underWay--
    if (isOverloaded) this.#adaptive = afterTrouble(this.#adaptive)
  }

  stop(): void {
    this.#timer?.clear()
  }

  #beginRound(): void {
    this.#startedMs = this.#parts.clock.monotonicMs()
    this.#bytesBefore = this.#parts.bytesSent()
    this.#endedBefore = this.#ended
    this.#wasFull = this.#underWay >= this.limit
    this.#timer = this.#parts.clock.after(roundMs, () => this.#endRound())
  }

  #endRound(): void {
    this.#timer?.clear()
    this.#timer = undefined
    const files = this.#ended - this.#endedBefore
    const amount = this.#parts.bytesSent() - this.#bytesBefore + files * bytesPerFile
    const durationMs = this.#parts.clock.monotonicMs() - this.#startedMs
    const isFull = this.#wasFull && this.#underWay >= this.limit
    const before = this.limit
    this.#adaptive = afterRound(this.#adaptive, { amount, durationMs, isFull }, { most: this.#parts.most() })
    if (this.#underWay > 0) this.#beginRound()
    if (this.limit > before) this.#parts.onMore()
  }
}
