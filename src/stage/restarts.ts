/** How often a supervisor has restarted lately, and whether that is too often to help. */
import type { Clock } from '../base/clock.ts'

export class Restarts {
  readonly #max: number
  readonly #withinMs: number
  readonly #clock: Clock
  /** When the last ones were, at most one more than `max`. */
  #timesMs: number[] = []

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
    this.#timesMs = [...this.#timesMs.filter((timeMs) => nowMs - timeMs < this.#withinMs), nowMs]
    return this.#timesMs.length <= this.#max
  }
}
