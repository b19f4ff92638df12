/** Wakes one waiting loop: by ringing, or when its time has come. A ring while nobody waits is kept. */
import type { Clock } from '../base/clock.ts'

export class Bell {
  readonly #clock: Clock
  #isRung = false
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(): void {
    this.#isRung = true
    this.#wake?.()
  }

  /** Resolves at the next ring, after `delayMs` where one is given, or when aborted: the caller looks which. */
  async wait(delayMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (!this.#isRung && !signal.aborted) await this.#sleep(delayMs, signal)
    this.#isRung = false
  }

  #sleep(delayMs: number | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer?.clear()
        signal.removeEventListener('abort', wake)
        this.#wake = undefined
        resolve()
      }
      const timer = delayMs === undefined ? undefined : this.#clock.after(delayMs, wake)
      signal.addEventListener('abort', wake, { once: true })
      this.#wake = wake
    })
  }
}
