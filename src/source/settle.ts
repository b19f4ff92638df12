/**
 * When a changed path counts as complete: a pure machine from what was seen to what follows. Holds no clock and no timer.
 *
 * A path enters with its first event and waits, until a look at it leads out:
 * - *put*: a close after the last write and a file that differs from what is believed (F20), or, where no close was seen, no event
 *   for `settleMs` and two looks `settleMs` apart that agree on size, mtime, ctime and inode (F20, F22, F42);
 * - *remove*: believed to exist, and for `settleMs` after the last event not there (F26);
 * - *drop*: equal to what is believed, or ignored, skipped, unreadable, or gone before anybody knew of it (F25).
 */
import { unreachable } from '../base/errors.ts'
import type { FileStat, Look } from './scan.ts'

/**
 * What an event says of a path. `closed`: complete after writing or renamed to here; `open`: created or written to; `attributes`:
 * times, mode or links; `found`: a scan saw it different; `gone`: a name went away, or a folder took its place.
 */
export type Sign = 'closed' | 'open' | 'attributes' | 'found' | 'gone'

/** What identifies a version of a file; what is believed of it has to agree on all of it. */
export type Version = Pick<FileStat, 'size' | 'mtimeNs' | 'ctimeNs' | 'inode'>

export interface Settling {
  readonly isClosed: boolean
  /** Content may have been written: a file that looks as believed may still differ (F43). */
  readonly isWritten: boolean
  /** A folder of that name went away: files below it go with it. */
  readonly isTree: boolean
  /** Monotonic ms of the last event. */
  readonly touchedMs: number
  /** Monotonic ms at which it is to be looked at. */
  readonly dueMs: number
  readonly seen: { readonly version: Version; readonly atMs: number } | undefined
}

/** Pause before the first look, ms. A file written and at once renamed over its target is never seen under its first name (F25). */
export const firstLookMs = 3

/** Files written less than this before they are looked at may be written again without a trace in their times, ns (F43). */
const racyNs = 2_000_000_000n
/** The same where both times are of whole seconds, as those of a clock that ticks once in 2 s are (FAT): a write then looks up to 2 s older (F44). */
const coarseRacyNs = 4_000_000_000n
const nsPerSecond = 1_000_000_000n

export function touch(before: Settling | undefined, sign: Sign, now: { nowMs: number; settleMs: number }): Settling {
  // Nothing has happened to it: whoever finds it again and again must not keep it from settling.
  if (sign === 'found' && before !== undefined) return { ...before }
  const soonMs = Math.min(before?.dueMs ?? Infinity, now.nowMs + firstLookMs)
  const after: Settling = {
    isClosed: before?.isClosed ?? false,
    isWritten: before?.isWritten ?? false,
    isTree: before?.isTree ?? false,
    touchedMs: now.nowMs,
    dueMs: before?.seen === undefined ? soonMs : now.nowMs + now.settleMs,
    seen: before?.seen,
  }
  switch (sign) {
    case 'closed':
      return { ...after, isClosed: true, isWritten: true, dueMs: soonMs, seen: undefined }
    case 'open':
      return { ...after, isClosed: false, isWritten: true }
    case 'gone':
      return { ...after, isClosed: false, dueMs: soonMs, seen: undefined }
    case 'found':
    case 'attributes':
      return after
    default:
      return unreachable(sign)
  }
}

export type Outcome =
  | { readonly kind: 'wait'; readonly settling: Settling }
  | { readonly kind: 'put'; readonly stat: FileStat }
  | { readonly kind: 'remove' }
  | { readonly kind: 'drop' }

export interface Moment {
  readonly nowMs: number
  readonly wallNs: bigint
  readonly settleMs: number
}

/** @param known what is believed of the file; `isKnown` says whether anything is believed at the path, or below it where that went away. */
export function judge(
  settling: Settling,
  look: Look,
  known: Version | undefined,
  isKnown: boolean,
  at: Moment,
): Outcome {
  switch (look.kind) {
    case 'file':
      return judgeFile(settling, look.stat, known, at)
    case 'absent':
      return isKnown ? judgeGone(settling, at) : { kind: 'drop' }
    case 'folder':
    case 'skipped':
      // Something else has the name now, so the file will not come back as it was: nothing is gained by waiting (F39).
      return isKnown ? { kind: 'remove' } : { kind: 'drop' }
    case 'ignored':
    case 'unreadable':
      return { kind: 'drop' }
    default:
      return unreachable(look)
  }
}

function judgeGone(settling: Settling, at: Moment): Outcome {
  const settledMs = settling.touchedMs + at.settleMs
  if (at.nowMs >= settledMs) return { kind: 'remove' }
  return { kind: 'wait', settling: { ...settling, dueMs: settledMs, seen: undefined } }
}

function judgeFile(settling: Settling, stat: FileStat, known: Version | undefined, at: Moment): Outcome {
  const isAsBelieved = known !== undefined && isSameVersion(known, stat)
  if (isAsBelieved && !(settling.isWritten && !isOlderThan(stat, racyNsOf(stat), at.wallNs))) return { kind: 'drop' }
  if (settling.isClosed) return { kind: 'put', stat }
  const { seen } = settling
  if (seen === undefined || !isSameVersion(seen.version, stat)) {
    const dueMs = at.nowMs + at.settleMs
    return { kind: 'wait', settling: { ...settling, dueMs, seen: { version: stat, atMs: at.nowMs } } }
  }
  const settledMs = Math.max(seen.atMs, settling.touchedMs) + at.settleMs
  if (at.nowMs >= settledMs) return { kind: 'put', stat }
  return { kind: 'wait', settling: { ...settling, dueMs: settledMs } }
}

function racyNsOf({ mtimeNs, ctimeNs }: Version): bigint {
  return mtimeNs % nsPerSecond === 0n && ctimeNs % nsPerSecond === 0n ? coarseRacyNs : racyNs
}

export function isSameVersion(one: Version, other: Version): boolean {
  return (
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs &&
    one.ctimeNs === other.ctimeNs &&
    one.inode === other.inode
  )
}

/** Were both times of the file more than `ageNs` ago? Times in the future never are (F42). */
export function isOlderThan(stat: Version, ageNs: bigint, wallNs: bigint): boolean {
  return wallNs - stat.mtimeNs > ageNs && wallNs - stat.ctimeNs > ageNs
}
