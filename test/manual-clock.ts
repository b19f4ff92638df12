/** A clock that stands still until a test moves it on. */
import { abortReason, type Clock, type Timer } from '../src/base/clock.ts'
import { onAbort } from '../src/base/abort.ts'

export class ManualClock implements Clock {
  #nowMs = 0
  #jumpedMs = 0
  readonly #timers = new Set<{ readonly atMs: number; readonly work: () => void }>()

  get timerCount(): number {
    return this.#timers.size
  }

  wallMs(): number {
    return this.#nowMs + this.#jumpedMs
  }

  /** The wall clock alone is set to another time. */
  jump(ms: number): void {
    this.#jumpedMs += ms
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, work: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, work }
    this.#timers.add(timer)
    return { clear: () => void this.#timers.delete(timer) }
  }

  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.after(delayMs, resolve)
      onAbort(signal, () => {
        timer.clear()
        reject(abortReason(signal))
      })
    })
  }

  /** Moves on, running each timer at its time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let due = this.#nextUntil(endMs); due !== undefined; due = this.#nextUntil(endMs)) {
      this.#timers.delete(due)
      this.#nowMs = due.atMs
      due.work()
    }
    this.#nowMs = endMs
  }

  #nextUntil(endMs: number): { readonly atMs: number; readonly work: () => void } | undefined {
    return [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((one, other) => one.atMs - other.atMs)[0]
  }
}
