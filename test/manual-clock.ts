/** A clock that stands still until a test moves it on. */
import { abortReason, type Clock, type Timer } from '../src/base/clock.ts'
import { onAbort } from '../src/base/abort.ts'

export class ManualClock implements Clock {
  #nowMs = 0
  #wallAheadMs: number
  readonly #timers = new Set<{ readonly atMs: number; readonly work: () => void }>()

  /** @param wallMs what the wall clock shows at first; the monotonic one begins at 0. */
  constructor(wallMs = 0) {
    this.#wallAheadMs = wallMs
  }

  get timerCount(): number {
    return this.#timers.size
  }

  wallMs(): number {
    return this.#nowMs + this.#wallAheadMs
  }

  /** Sets the wall clock, as its owner or a time server does. */
  setWall(wallMs: number): void {
    this.#wallAheadMs = wallMs - this.#nowMs
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
