/** The emulators' time: the machine's, moved on by what a test asks. Speed of the network is not its concern: that is real time. */

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
  timer: NodeJS.Timeout | undefined
}

/** setTimeout counts in 32 bits; a longer wait would fire at once. Unit: ms (24.8 days). */
const timerDelayMsMax = 2 ** 31 - 1

export class MovableClock {
  #aheadMs = 0
  readonly #sleepers = new Set<Sleeper>()

  /** Milliseconds since 1970, moved. */
  nowMs(): number {
    return Date.now() + this.#aheadMs
  }

  /** Moves on; whoever waits for a time that has come by then is woken. */
  advance(ms: number): void {
    this.#aheadMs += ms
    for (const sleeper of this.#sleepers) this.#arm(sleeper)
  }

  /** Resolves after `ms` of this clock, or when the signal is aborted: who waits looks at the signal. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(sleeper.timer)
        signal.removeEventListener('abort', wake)
        this.#sleepers.delete(sleeper)
        resolve()
      }
      const sleeper: Sleeper = { atMs: this.nowMs() + ms, wake, timer: undefined }
      this.#sleepers.add(sleeper)
      signal.addEventListener('abort', wake)
      this.#arm(sleeper)
    })
  }

  #arm(sleeper: Sleeper): void {
    clearTimeout(sleeper.timer)
    const restMs = Math.min(Math.max(sleeper.atMs - this.nowMs(), 0), timerDelayMsMax)
    sleeper.timer = setTimeout(sleeper.wake, restMs)
  }
}
