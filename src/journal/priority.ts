/** In which order what waits is claimed: fresh before offered again, and large copies never in the way of small ones (F72). */

/** `0` and `1` are fresh, `2` and `3` are offered again; the odd ones are large. */
export type Priority = 0 | 1 | 2 | 3

/** Copies above this take long enough to be waited for. Unit: bytes. */
const smallBytesMax = 8 * 2 ** 20

export const priorities: readonly Priority[] = [0, 1, 2, 3]

export function isLarge(bytes: number): boolean {
  return bytes > smallBytesMax
}

export function freshPriority(bytes: number): Priority {
  return isLarge(bytes) ? 1 : 0
}

export function offeredPriority(bytes: number): Priority {
  return isLarge(bytes) ? 3 : 2
}
