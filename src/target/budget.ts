/**
 * How much of a day's or a month's allowance is used, so that a restart of any kind never lets more go than it allows: what may go is written
 * down ahead of its use, in steps, and a process that is killed has lost what is left of its step. Waiting is not its concern.
 */

export interface Used {
  /** The local day or month, `2026-11-20` or `2026-11`. */
  readonly period: string
  /** What may have gone in it. */
  readonly amount: number
}

export interface BudgetParts {
  /** The day or month of an instant; later ones sort behind. */
  readonly periodOf: (wallMs: number) => string
  /** Written down ahead at once: a hundredth of the limit, within these bounds. */
  readonly stepMin: number
  readonly stepMax: number
  /** Writes down what `count` says now; resolves once a crash cannot lose it. */
  readonly write: () => Promise<void>
}

export class Budget {
  readonly #parts: BudgetParts
  #period: string
  #used: number
  /** What any record has to say from now on; ahead of what is on disk while it is being written. */
  #claimed: number
  #durable: number
  /** When it was last said that it is time to write. */
  #told: number
  #isSpent = false

  constructor(stored: Used | undefined, wallMs: number, parts: BudgetParts) {
    this.#parts = parts
    this.#period = stored?.period ?? parts.periodOf(wallMs)
    this.#used = this.#claimed = this.#durable = this.#told = stored?.amount ?? 0
    this.#turn(wallMs)
  }

  /** As it has to be written down. */
  get count(): Used {
    return { period: this.#period, amount: this.#claimed }
  }

  used(wallMs: number): number {
    this.#turn(wallMs)
    return this.#used
  }

  /** Nothing goes any more in this period: the limit is reached, or something asked for more than was left. */
  isSpent(limit: number, wallMs: number): boolean {
    this.#turn(wallMs)
    return this.#isSpent || this.#used >= limit
  }

  /** The limit is another one: what was refused under the old one may go under the new one. */
  reopen(): void {
    this.#isSpent = false
  }

  /** Counts what no limit holds back, in case one is set during the period. @returns whether it is time to write that down. */
  note(amount: number, wallMs: number): boolean {
    this.#turn(wallMs)
    this.#used += amount
    this.#claimed = Math.max(this.#claimed, this.#used)
    if (this.#claimed - this.#told < this.#parts.stepMax) return false
    this.#told = this.#claimed
    return true
  }

  /** Counts an amount if the period still has it; it may go once this resolves to true. One call at a time. */
  async take(amount: number, limit: number, wallMs: () => number): Promise<boolean> {
    this.#turn(wallMs())
    if (this.#isSpent || this.#used + amount > limit) {
      this.#isSpent = true
      return false
    }
    // Once more only when midnight passed while it was being written.
    while (this.#used + amount > this.#durable) await this.#claim(amount, limit, wallMs)
    this.#used += amount
    return true
  }

  async #claim(amount: number, limit: number, wallMs: () => number): Promise<void> {
    const { stepMin, stepMax } = this.#parts
    const step = Math.min(stepMax, Math.max(stepMin, limit / 100))
    const claimed = Math.floor(Math.min(limit, this.#used + amount + step))
    const period = this.#period
    this.#claimed = claimed
    await this.#parts.write()
    this.#turn(wallMs())
    if (this.#period === period) this.#durable = claimed
  }

  /** Gives back what was written down ahead and not used. */
  async settle(): Promise<void> {
    if (this.#claimed === this.#used && this.#durable === this.#used) return
    this.#claimed = this.#durable = this.#used
    await this.#parts.write()
  }

  /** A later period begins at nothing. A clock that was set back gets no second one: the count goes on under the earlier name. */
  #turn(wallMs: number): void {
    const now = this.#parts.periodOf(wallMs)
    if (now > this.#period) {
      this.#used = this.#claimed = this.#durable = this.#told = 0
      this.#isSpent = false
    }
    this.#period = now
  }
}
