/** What the transport asks of an account's pace. Who keeps it, and how, is not said here. */

/** Why the server asked for rest, and for how long if it said so. */
export interface Verdict {
  readonly retryAfterMs: number | undefined
  readonly reason: string
}

/** One account's pace: totals of all its calls. */
export interface CallPace {
  /** Begins a call when the account may make one. */
  request<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  /** Begins a file when the account may. */
  upload<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  /** Waits until so many bytes may pass. */
  bytes(count: number, signal: AbortSignal): Promise<void>
  /** The server said that it is too much. */
  penalise(verdict: Verdict): void
}
