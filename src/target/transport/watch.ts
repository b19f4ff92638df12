/** One exchange's deadlines: a short one that every byte moves on, and one for all of it. What happens then is the exchange's concern. */
import type { Clock, Timer } from '../../base/clock.ts'

export class Watch {
  readonly #clock: Clock
  readonly #onLate: (what: string, isTotal: boolean) => void
  readonly #total: Timer
  #timer: Timer | undefined
  #what = ''
  #deadlineMs = Infinity
  #dueMs = Infinity
  #isOver = false

  constructor(clock: Clock, totalMs: number, onLate: (what: string, isTotal: boolean) => void) {
    this.#clock = clock
    this.#onLate = onLate
    this.#total = clock.after(totalMs, () => onLate(`not done after ${totalMs} ms`, true))
  }

  /** From now on something has to happen within `withinMs`. Called for each piece, so it moves a number and not a timer. */
  expect(what: string, withinMs: number): void {
    this.#what = `${what} for ${withinMs} ms`
    this.#deadlineMs = this.#clock.monotonicMs() + withinMs
    if (this.#deadlineMs < this.#dueMs) this.#arm(withinMs)
  }

  /** Nothing is waited for. */
  rest(): void {
    this.#deadlineMs = Infinity
  }

  end(): void {
    this.#isOver = true
    this.#timer?.clear()
    this.#total.clear()
  }

  #arm(delayMs: number): void {
    if (this.#isOver) return
    this.#timer?.clear()
    this.#dueMs = this.#clock.monotonicMs() + delayMs
    this.#timer = this.#clock.after(delayMs, () => {
      this.#dueMs = Infinity
      if (this.#deadlineMs === Infinity) return
      const leftMs = this.#deadlineMs - this.#clock.monotonicMs()
      if (leftMs <= 0) this.#onLate(this.#what, false)
      else this.#arm(leftMs)
    })
  }
}
