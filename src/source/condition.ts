/**
 * The state of a source, as one word and a reason, out of what it knows of itself:
 * - `missing`: the root is absent, unreadable or on another file system; nothing is concluded, nothing removed (F10, F11). Left when it is back.
 * - `suspect`: changes may have been missed, or an empty root is doubted. Left when a whole scan has ended.
 * - `scanning`: the first scan of this root runs.
 * - `degraded`: parts cannot be watched and are polled instead, or a file system inside is missing. Left when watching them works, and it is back.
 * - `restarting`: it failed and is not there at all. Left by its next life, which begins with a scan of everything.
 * - `polling`: no watch, by configuration or because the file system would not tell (F8).
 * - `watching`: all is well.
 */
import { unwatchedReason } from './root.ts'

export interface SourceState {
  readonly state: 'scanning' | 'watching' | 'polling' | 'missing' | 'suspect' | 'degraded' | 'restarting'
  /** Why it is not `watching`, or what of it is polled, or which files do not come to rest, with the next step; null when all is well. */
  readonly reason: string | null
  /** Folders under watch. */
  readonly watched: number
  /** The root was looked at, and all of it that can be watched is: from here on no change goes unseen. */
  readonly isStanding: boolean
  /** Paths seen dirty and not yet handed on. */
  readonly settling: number
  /** Files looked at by the scan that runs, or by the last one of the whole source. */
  readonly scannedCount: number
  /** When the last whole scan ended, on the monotonic clock; null before the first. */
  readonly lastScanMonotonicMs: number | null
  /** Entries left alone in the last whole scan and since, by kind: `link`, `fifo`, `socket`, `device`, `unreadable`. */
  readonly skipped: ReadonlyMap<string, number>
}

export interface Facts {
  readonly missing: string | undefined
  readonly suspect: string | undefined
  readonly isFirstScanDone: boolean
  /** Why nothing at all can be watched. */
  readonly unavailable: string | undefined
  /** Folders that could not be watched, with the errno. */
  readonly unwatched: ReadonlyMap<string, string>
  readonly watchedCount: number
  readonly pollsBecause: string | undefined
  /** File systems that were mounted inside and are not any more. */
  readonly missingMounts: string | undefined
  /** File systems inside of a watched root that are polled. */
  readonly polledMounts: string | undefined
  /** Files that do not come to rest. */
  readonly restless: string | undefined
}

export function conditionOf(facts: Facts): Pick<SourceState, 'state' | 'reason'> {
  if (facts.missing !== undefined) return { state: 'missing', reason: facts.missing }
  if (facts.suspect !== undefined) return { state: 'suspect', reason: facts.suspect }
  if (!facts.isFirstScanDone) return { state: 'scanning', reason: 'the first scan is not complete' }
  if (facts.unavailable !== undefined) return { state: 'degraded', reason: facts.unavailable }
  const [code] = facts.unwatched.values()
  if (code !== undefined)
    return { state: 'degraded', reason: unwatchedReason(code, facts.unwatched.size, facts.watchedCount) }
  if (facts.missingMounts !== undefined) return { state: 'degraded', reason: facts.missingMounts }
  const { pollsBecause, restless } = facts
  if (pollsBecause !== undefined)
    return { state: 'polling', reason: restless === undefined ? pollsBecause : `${pollsBecause}; ${restless}` }
  const remarks = [facts.polledMounts, restless].filter((remark) => remark !== undefined)
  return { state: 'watching', reason: remarks.length === 0 ? null : remarks.join('; ') }
}

/** Between two lives. @param reason why the last one ended. */
export function restarting(reason: string): SourceState {
  return {
    state: 'restarting',
    reason: `it failed and is started again within a minute: ${reason}`,
    ...{ watched: 0, isStanding: false, settling: 0, scannedCount: 0, lastScanMonotonicMs: null, skipped: new Map() },
  }
}
