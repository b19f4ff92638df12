/** A clock that goes on when it is told to. */
import type { Clock } from '../../src/base/clock.ts'

export class ManualClock implements Clock {
  #nowMs = 0
  #timers = new Set<{ atMs: number; work: () => void }>()

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  get timerCount(): number {
    return this.#timers.size
  }

  after(delayMs: number, work: () => void): { clear(): void } {
    const timer = { atMs: this.#nowMs + delayMs, work }
    this.#timers.add(timer)
    return { clear: () => void this.#timers.delete(timer) }
  }

  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.after(delayMs, resolve)
      signal.addEventListener('abort', () => {
        timer.clear()
        reject(new Error('aborted'))
      })
    })
  }

  /** Moves on, running each timer at its time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const due = [...this.#timers]
        .filter((timer) => timer.atMs <= endMs)
        .sort((one, other) => one.atMs - other.atMs)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#nowMs = due.atMs
      due.work()
    }
    this.#nowMs = endMs
  }
}
