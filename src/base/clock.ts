/** Time, handed in: the only place that reads the machine's clocks or starts a timer. */

/** Something that can be waited for less: clears a timer. */
export interface Timer {
  clear(): void
}

export interface Clock {
  /** Milliseconds since 1970; may jump. Only for what people or files see. */
  wallMs(): number
  /** Milliseconds since an arbitrary start; never jumps. For every duration. */
  monotonicMs(): number
  /** Runs `work` once after `delayMs`. Such a timer never keeps the process alive by itself. */
  after(delayMs: number, work: () => void): Timer
  /** Resolves after `delayMs`. @throws the signal's reason when aborted earlier. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>
}

/** setTimeout counts in 32 bits; a longer wait would fire at once. Unit: ms (24.8 days). */
const timerDelayMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, work) {
    const timer = setTimeout(work, Math.min(delayMs, timerDelayMsMax))
    timer.unref()
    return { clear: () => clearTimeout(timer) }
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal))
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(abortReason(signal))
      }
      const timer = setTimeout(
        () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
        Math.min(delayMs, timerDelayMsMax),
      )
      signal.addEventListener('abort', onAbort, { once: true })
    })
  },
}

/** The kernel's CLOCK_MONOTONIC in whole microseconds, as other processes of this machine read it. */
export function kernelMonotonicUs(): bigint {
  return process.hrtime.bigint() / 1000n
}

/** The signal's reason as an Error, since anything may be given to `abort()`. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new Error(String(reason))
}
