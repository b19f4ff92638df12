/**
 * A file that is new where it is, and whose content a target holds already as the copy of a file that went at the same time: that is one file that moved,
 * from another source, over the border of a file system, or restored under a new inode (F30, F34). It gets that copy, and the next attempt moves it
 * there as after every other move (own-copy.ts). Keeps no state.
 */
import type { RemotePath, SourcePath } from '../base/path.ts'
import { showPath } from '../base/path.ts'
import type { Delivery, Journal, Outcome } from '../journal/journal.ts'
import type { Target } from '../target/target.ts'

/** First pause for a source to say that a file is gone, doubling: that takes its `settle`, of 2 s unless its owner wants more. Unit: ms. */
const waitMsMin = 2_500
/** After these tries, 18 s in all, it is sent. */
const triesMax = 3

export interface GoneCopyParts {
  readonly target: Target
  readonly journal: Journal
  readonly isGone: (source: string, path: SourcePath, signal: AbortSignal) => Promise<boolean>
  readonly onStale: (source: string, path: SourcePath) => void
}

/** To be asked before the first byte of a file is sent of which the target has nothing. @returns undefined where it is to be sent. */
export async function goneCopy(
  delivery: Delivery,
  at: RemotePath,
  { sha256, ...parts }: GoneCopyParts & { readonly sha256: string },
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const { target, journal } = parts
  const gone = journal.moves.gone.find(delivery, sha256)
  if (gone === undefined) return soon(delivery, sha256, parts, signal)
  const there = await target.look(at, { hash: false }, signal)
  // Nothing is moved over what somebody has there. On a target that takes both names for one, it is the very copy.
  if (there !== undefined && there.remoteId !== gone.remoteId) return undefined
  // Claimed anew, it has the turn at both places.
  return (await journal.moves.gone.handOver(delivery, gone)) ? { kind: 'released' } : undefined
}

/** A rename from one source to another is seen at its new place at once, and at its old one only when that has settled. */
async function soon(
  delivery: Delivery,
  sha256: string,
  parts: GoneCopyParts,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if (delivery.attempts >= triesMax) return undefined
  for (const { source, path } of parts.journal.moves.gone.believed(delivery, sha256)) {
    if (!(await parts.isGone(source, path, signal))) continue
    parts.onStale(source, path)
    const reason = `its content is that of ${source}/${showPath(path)}, which has just gone: its copy is waited for`
    return { kind: 'postponed', delayMs: waitMsMin * 2 ** delivery.attempts, reason, isCounted: true }
  }
  return undefined
}
