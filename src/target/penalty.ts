/**
 * What an account owes after the other side said "too much": a pause, and after it a smaller share of the rate that grows back.
 * Pure but for chance: the time is handed in, monotonic except where it says wall.
 *   calm      whole share                                     -> paused on a penalty
 *   paused    nothing may begin                               -> recovering when the pause is over
 *   recovering  half the share of before, growing in steps    -> calm at the whole share, paused on a new penalty
 */
import type { Random } from '../base/random.ts'

/** The pause where the other side names none; doubles with each penalty that follows closely. Unit: ms. */
const pauseFirstMs = 1000
const pauseLongestMs = 60_000
/** Whoever asks for more than this is not believed: the account is asked again once a day. Unit: ms. */
const retryAfterMsMax = 24 * 3_600_000
/** Added to a pause at most, as a part of it, so that all who were sent away do not come back in one moment. */
const jitterMax = 0.1
/** Answers to requests that went out before the pause come in after it: within this time they are the same trouble. Unit: ms. */
const sameTroubleMs = 1000
/** A penalty this soon after a pause follows closely. Unit: ms. */
const closelyMs = 30_000
const shareMin = 1 / 32
/** The share grows by so much, */
const shareStep = 0.05
/** so often: from a half to the whole in 100 s. Unit: ms. */
export const shareStepMs = 10_000
/** So long after the last trouble is a limit that was only learned from it forgotten. Unit: ms. */
const forgottenMs = 600_000

/** A pause as it is kept over a restart: when it ends by the wall clock, and how long it was at most. */
export interface StoredPause {
  readonly untilMs: number
  readonly waitMs: number
  readonly reason: string
}

export class Penalty {
  readonly #random: Random
  #untilMs = -Infinity
  #shareAfter = 1
  #streak = 0
  #reason = ''

  constructor(random: Random) {
    this.#random = random
  }

  /** Answers how long the pause is now, whether it is a new trouble or more of one being paid for, and whether it is worth writing down. */
  add(
    { retryAfterMs, reason }: { readonly retryAfterMs: number | undefined; readonly reason: string },
    nowMs: number,
  ): { readonly waitMs: number; readonly isNew: boolean; readonly isLonger: boolean } {
    const beforeMs = this.waitMs(nowMs)
    const isNew = nowMs >= this.#untilMs + sameTroubleMs
    if (isNew) {
      this.#streak = nowMs < this.#untilMs + closelyMs ? this.#streak + 1 : 0
      this.#shareAfter = Math.max(shareMin, this.share(nowMs) / 2)
    }
    const untilMs = nowMs + this.#pauseMs(retryAfterMs)
    if (untilMs > this.#untilMs) {
      this.#untilMs = untilMs
      this.#reason = reason
    }
    const waitMs = this.waitMs(nowMs)
    return { waitMs, isNew, isLonger: isNew || waitMs > beforeMs + sameTroubleMs }
  }

  #pauseMs(retryAfterMs: number | undefined): number {
    const asked = retryAfterMs !== undefined && retryAfterMs >= 0 ? retryAfterMs : undefined
    const ownMs = Math.min(pauseLongestMs, pauseFirstMs * 2 ** Math.min(this.#streak, 10))
    return Math.min(retryAfterMsMax, asked ?? ownMs) * (1 + jitterMax * this.#random())
  }

  /** Goes on with a pause of an earlier run. After a wall clock that was set back it lasts at most as long as it did at first (F45). */
  restore({ untilMs, waitMs, reason }: StoredPause, wallMs: number, nowMs: number): void {
    const leftMs = Math.min(untilMs - wallMs, waitMs)
    if (leftMs <= 0) return
    this.#untilMs = nowMs + leftMs
    this.#shareAfter = 1 / 2
    this.#reason = reason
  }

  get reason(): string {
    return this.#reason
  }

  waitMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs)
  }

  /** Which part of the rate is to be used, above 0 and at most 1. */
  share(nowMs: number): number {
    const steps = Math.max(0, Math.floor((nowMs - this.#untilMs) / shareStepMs))
    return steps === Infinity ? 1 : Math.min(1, this.#shareAfter + steps * shareStep)
  }

  isForgotten(nowMs: number): boolean {
    return nowMs >= this.#untilMs + forgottenMs
  }
}
