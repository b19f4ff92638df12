/** When things began lately, and how soon one more may begin under a rate. Pure: the time is handed in. Who waits, and in what order, is not its concern. */
import type { Rate } from '../base/units.ts'

/** Beginnings remembered. A rate of more per interval is kept as the same rate over a shorter one, which is stricter, never looser. */
const beganMax = 10_000
/** Timers are early by a hair and the way to a server varies, while servers count exactly: an interval this much longer keeps below. */
const intervalSlack = 1.02

export class SlidingWindow {
  /** A ring of monotonic times. They outlive a change of the rate, so that a new one counts what began under the old one. */
  readonly #beganMs = new Float64Array(beganMax).fill(-Infinity)
  #next = 0

  /** How long until one more may begin without there being more than `rate.count` in any interval; 0: now. */
  waitMs(rate: Rate, nowMs: number): number {
    const { count, intervalMs } = withinMemory(rate)
    return Math.max(0, this.#beganAt(count) + intervalMs * intervalSlack - nowMs)
  }

  note(nowMs: number): void {
    this.#beganMs[this.#next] = nowMs
    this.#next = (this.#next + 1) % beganMax
  }

  /** How many began at `sinceMs` or later; at most what is remembered. */
  countSince(sinceMs: number): number {
    let count = 0
    while (count < beganMax && this.#beganAt(count + 1) >= sinceMs) count++
    return count
  }

  /** When the last, the one before it, the n-th one back began. */
  #beganAt(back: number): number {
    return this.#beganMs[(this.#next - back + beganMax) % beganMax] ?? -Infinity
  }
}

function withinMemory({ count, intervalMs }: Rate): Rate {
  if (count <= beganMax) return { count, intervalMs }
  // Rounded up, so that the shorter intervals that cover a whole one never allow more than it does.
  const parts = Math.ceil(count / beganMax)
  return { count: Math.floor(count / parts), intervalMs: intervalMs / parts }
}

/** A share of a rate: fewer in the same interval, and where that would be none, one in a longer interval. */
export function shareOf(rate: Rate, share: number): Rate {
  const count = rate.count * share
  return count >= 1
    ? { count: Math.floor(count), intervalMs: rate.intervalMs }
    : { count: 1, intervalMs: rate.intervalMs / count }
}
