/** A file's time as Box takes it: whole seconds, not before 1970. */

/** undefined for what Box does not take; then the time of the upload stands there. */
export function boxTime(mtimeNs: bigint): string | undefined {
  const seconds = secondsOf(mtimeNs)
  if (mtimeNs < 0n || seconds > lastSecond) return undefined
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}

/** What becomes of a time there. */
export function isSameTime(aNs: bigint, bNs: bigint): boolean {
  return aNs / 1_000_000_000n === bNs / 1_000_000_000n
}

/** Of the year 9999. */
const lastSecond = 253_402_300_799

function secondsOf(mtimeNs: bigint): number {
  return Number(mtimeNs / 1_000_000_000n)
}
