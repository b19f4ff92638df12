/**
 * When a changed path counts as complete: a pure machine from what was seen to what follows. Holds no clock and no timer.
 *
 * A path enters with its first event and waits, until a look at it leads out:
 * - *put*: a close after the last write and a file that differs from what is believed (F20), or, where no close was seen, no event
 *   for `settleMs` and two looks `settleMs` apart that agree on size, mtime, ctime and inode (F20, F22, F42);
 * - *remove*: believed to exist, and for `settleMs` after the last event not there (F26);
 * - *drop*: equal to what is believed, or ignored, skipped, unreadable, or gone before anybody knew of it (F25).
 *
 * What never rests is looked at all the same once `unsettledMsMax` has passed, and is *put* as it is then where snapshots are wanted (F21):
 * whoever reads it makes sure that it stays so while it is read.
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
  /** Monotonic ms of the first event since it was last complete. */
  readonly sinceMs: number
  /** Monotonic ms of the last event. */
  readonly touchedMs: number
  /** Monotonic ms at which it is to be looked at. */
  readonly dueMs: number
  readonly seen: { readonly version: Version; readonly atMs: number } | undefined
}

/** Pause before the first look, ms. A file written and at once renamed over its target is never seen under its first name (F25). */
export const firstLookMs = 3

/** Pause of a file's writer in which a snapshot may be begun, ms: some ticks of the file system's clock, of at most 10 ms. */
const calmMs = 50

/** Files written less than this before they are looked at may be written again without a trace in their times, ns (F43). */
const racyNs = 2_000_000_000n
/** The same where both times are of whole seconds, as those of a clock that ticks once in 2 s are (FAT): a write then looks up to 2 s older (F44). */
const coarseRacyNs = 4_000_000_000n
const nsPerSecond = 1_000_000_000n

/** How long a file may take to come to rest, and what follows when it does not. */
export interface Patience {
  readonly settleMs: number
  readonly unsettledMsMax: number
  readonly unsettled: 'wait' | 'snapshot'
}

export interface Now extends Omit<Patience, 'unsettled'> {
  readonly nowMs: number
}

export function touch(before: Settling | undefined, sign: Sign, now: Now): Settling {
  // Nothing has happened to it: whoever finds it again and again must not keep it from settling.
  if (sign === 'found' && before !== undefined) return { ...before }
  const soonMs = Math.min(before?.dueMs ?? Infinity, now.nowMs + firstLookMs)
  const after: Settling = {
    isClosed: before?.isClosed ?? false,
    isWritten: before?.isWritten ?? false,
    isTree: before?.isTree ?? false,
    sinceMs: before?.sinceMs ?? now.nowMs,
    touchedMs: now.nowMs,
    dueMs: before?.seen === undefined ? soonMs : nextLookMs(before, now),
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

/** Events without end put off the look for a time, not for ever (F21). */
function nextLookMs(before: Settling, { nowMs, settleMs, unsettledMsMax }: Now): number {
  const overdueMs = before.sinceMs + unsettledMsMax
  return nowMs >= overdueMs ? before.dueMs : Math.min(nowMs + settleMs, overdueMs)
}

export function isOverdue(
  { sinceMs }: Settling,
  { nowMs, unsettledMsMax }: Pick<Now, 'nowMs' | 'unsettledMsMax'>,
): boolean {
  return nowMs - sinceMs >= unsettledMsMax
}

/** Has its owner to be told? Where snapshots are wanted, only once a moment for one was looked for as long again. */
export function isRestless(settling: Settling, { nowMs, unsettledMsMax, unsettled }: Omit<Moment, 'wallNs'>): boolean {
  return isOverdue(settling, { nowMs, unsettledMsMax: unsettled === 'snapshot' ? unsettledMsMax * 2 : unsettledMsMax })
}

export type Outcome =
  | { readonly kind: 'wait'; readonly settling: Settling }
  | { readonly kind: 'put'; readonly stat: FileStat }
  | { readonly kind: 'remove' }
  | { readonly kind: 'drop' }

export interface Moment extends Patience {
  readonly nowMs: number
  readonly wallNs: bigint
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
  if (at.unsettled === 'snapshot' && isOverdue(settling, at)) {
    // Looked at in step with its writer, it would never be calm.
    return isCalm(settling, stat, at) ? { kind: 'put', stat } : lookAgain(settling, stat, at, calmMs)
  }
  const { seen } = settling
  if (seen === undefined || !isSameVersion(seen.version, stat)) return lookAgain(settling, stat, at, at.settleMs)
  const settledMs = Math.max(seen.atMs, settling.touchedMs) + at.settleMs
  if (at.nowMs >= settledMs) return { kind: 'put', stat }
  return { kind: 'wait', settling: { ...settling, dueMs: settledMs } }
}

function racyNsOf({ mtimeNs, ctimeNs }: Version): bigint {
  return mtimeNs % nsPerSecond === 0n && ctimeNs % nsPerSecond === 0n ? coarseRacyNs : racyNs
}

function lookAgain(settling: Settling, version: Version, { nowMs }: Moment, inMs: number): Outcome {
  return { kind: 'wait', settling: { ...settling, dueMs: nowMs + inMs, seen: { version, atMs: nowMs } } }
}

/** Is nobody writing just now? A write in the clock tick of the last one, or still under way, would change content and no time stamp. */
function isCalm({ touchedMs }: Settling, stat: Version, { nowMs, wallNs }: Moment): boolean {
  return nowMs - touchedMs >= calmMs && isOlderThan(stat, BigInt(calmMs) * 1_000_000n, wallNs)
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
