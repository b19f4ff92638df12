/** How long a delivery waits for its next attempt. */
import type { Random } from '../base/random.ts'

/** Unit: ms. */
const firstMs = 1000
const longestMs = 6 * 3_600_000

/** Doubles with each failed attempt up to 6 h; half of it is chance, so that what failed together does not return together. */
export function retryDelayMs(attemptsBefore: number, random: Random): number {
  const wholeMs = Math.min(longestMs, firstMs * 2 ** Math.min(attemptsBefore, 30))
  return wholeMs * (0.5 + random() / 2)
}
