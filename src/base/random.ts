/** Chance, handed in: the only place that draws random numbers. */
import { randomBytes } from 'node:crypto'

/** A number in [0, 1). */
export type Random = () => number

export const systemRandom: Random = () => Math.random()

/** A repeatable sequence (mulberry32), so that a failing random test can be run again from its seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A name nobody else will pick: `bytes` random bytes in hex. */
export function randomName(bytes: number): string {
  return randomBytes(bytes).toString('hex')
}
