/** How often something has been restarted lately, and whether that is too often to help. */
import type { Clock } from '../base/clock.ts'

/** Restarts remembered where any number is allowed; more than this many within the time that counts are told as this many. */
const countedMax = 1000

export class Restarts {
  readonly #max: number
  readonly #withinMs: number
  readonly #clock: Clock
  /** When the last ones were, at most one more than `max`. */
  #timesMs: number[] = []

  /** @param max Infinity for one that never gives up. */
  constructor(max: number, withinMs: number, clock: Clock) {
    this.#max = max
    this.#withinMs = withinMs
    this.#clock = clock
  }

  /** Restarts within the time that counts. */
  get recentCount(): number {
    return this.#timesMs.length
  }

  /** @returns whether one more may be made; it is counted. */
  allowOne(): boolean {
    const nowMs = this.#clock.monotonicMs()
    const recent = this.#timesMs.filter((timeMs) => nowMs - timeMs < this.#withinMs)
    this.#timesMs = [...recent, nowMs].slice(-Math.min(this.#max + 1, countedMax))
    return this.#max === Infinity || this.#timesMs.length <= this.#max
  }
}
