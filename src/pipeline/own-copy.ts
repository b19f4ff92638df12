/**
 * The copy that a target holds of a file, brought to where it belongs. A file that moved takes its copy along; where another file's copy is in the
 * way, nobody's content is written over while its own way out is still open (F33). Keeps no state.
 */
import type { RemotePath } from '../base/path.ts'
import type { Delivery, Journal, StoredReceipt } from '../journal/journal.ts'
import type { Receipt, RemoteEntry, Target } from '../target/target.ts'
import { placeBeside } from './beside.ts'

/** Shortest and longest pause until whoever is in the way is looked for again. Unit: ms. */
const waitMsMin = 200
const waitMsMax = 60_000
/** All that wait at a target together look no more often than once in so many ms: whoever is in the way wakes them when it goes. */
const waitMsPerWaiting = 20

export type OwnCopy =
  /** The target has nothing of this file. */
  | { readonly kind: 'none' }
  /** It lies where it belongs. `isProven`: the receipt is of exactly the content that is wanted; `isSeen`: and was found or brought there just now. */
  | { readonly kind: 'here'; readonly receipt: Receipt; readonly isProven: boolean; readonly isSeen: boolean }
  /** It lies elsewhere, and its place is taken by what nobody takes away: its place gets the content anew. */
  | { readonly kind: 'elsewhere'; readonly receipt: Receipt }
  /**
   * Another file's copy is still in its place. `aside`: where this one makes room for it, where the two wait for each other; null where its own is not
   * where it was receipted, so that nobody has to wait for it.
   */
  | {
      readonly kind: 'waits'
      readonly delayMs: number
      /** Whose copy that is. */
      readonly behind: number
      readonly aside: Receipt | null | undefined
    }

export type Waits = Extract<OwnCopy, { kind: 'waits' }>

export interface OwnCopyParts {
  readonly target: Target
  readonly journal: Journal
  /** A place of its own for each file, out of every other one's way, and the same in each attempt. */
  readonly asideAt: (fileId: number) => RemotePath
}

/** @param content sha256 of what the file holds now, where that is known: a copy of it that was never recorded is its own, too. */
export async function ownCopy(
  delivery: Delivery,
  at: RemotePath,
  parts: OwnCopyParts & { readonly content: string | undefined },
  signal: AbortSignal,
): Promise<OwnCopy> {
  const { target, journal, asideAt } = parts
  const { receipt, movingTo, fileId, targetId, seq } = delivery
  if (receipt?.path === at && movingTo === undefined)
    return { kind: 'here', receipt: receiptOf(receipt), isProven: receipt.seq === delivery.seq, isSeen: false }
  const other = journal.moves.left.at(targetId, at)
  const own = await found(delivery, parts, signal)
  if (other?.goes !== undefined && other.fileId !== fileId) {
    const wait = { kind: 'waits', delayMs: pauseMs(other.goes, delivery, journal), behind: other.fileId } as const
    // The older change goes first. In a circle the oldest waits for a newer one, and so makes room for somebody itself.
    const isStuck = own !== undefined && other.goes.seq > seq && own.path !== asideAt(fileId)
    const rests = isStuck ? await moved(own, asideAt(fileId), { ...parts, delivery }, signal) : own
    if (rests === undefined) return { ...wait, aside: receipt === undefined ? undefined : null }
    return { ...wait, aside: rests.path === receipt?.path ? undefined : rests }
  }
  if (own === undefined) return { kind: 'none' }
  // It was moved there already, and nobody came to know; or never away from there.
  if (own.path === at) return { kind: 'here', receipt: own, isProven: false, isSeen: true }
  const there = await target.look(at, { hash: false }, signal)
  // On a target that takes both names for one, it is its own.
  if (there !== undefined && there.remoteId !== own.remoteId) return { kind: 'elsewhere', receipt: own }
  // Into a folder of its own name, or out of one: its place is free only when it is away from there.
  const isInOwnWay = other?.fileId === fileId
  const from = isInOwnWay ? await moved(own, asideAt(fileId), { ...parts, delivery }, signal) : own
  const arrived = from && (await moved(from, at, { ...parts, delivery }, signal))
  if (arrived === undefined) return { kind: 'none' }
  return { kind: 'here', receipt: arrived, isProven: false, isSeen: true }
}

function pauseMs({ inMs }: { readonly inMs: number }, { targetId }: Delivery, journal: Journal): number {
  const turnMs = journal.counts(targetId).postponed * waitMsPerWaiting
  return Math.min(waitMsMax, Math.max(waitMsMin, inMs, turnMs))
}

/** Said before it is done: whatever becomes of this attempt and of the file, the copy is found again. Undefined where it is not its own any more. */
async function moved(
  own: Receipt,
  to: RemotePath,
  { target, journal, delivery }: OwnCopyParts & { readonly delivery: Delivery },
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  if (!(await journal.moves.left.keep(delivery, own, to))) return undefined
  return target.move(own, to, signal)
}

/**
 * The copy of a file that moved, wherever it was left; nothing is owed of it, but none stays in a place that was meant for a moment: where its own is
 * another one's by now, it gets a name beside that.
 */
export async function copyLeft(
  delivery: Delivery,
  at: RemotePath,
  parts: OwnCopyParts,
  signal: AbortSignal,
): Promise<Receipt | Waits | undefined> {
  const { target, journal, asideAt } = parts
  const own = await found(delivery, { ...parts, content: undefined }, signal)
  if (own === undefined || own.path !== asideAt(delivery.fileId)) return own
  const other = journal.moves.left.at(delivery.targetId, at)
  if (other?.goes !== undefined && other.fileId !== delivery.fileId)
    return { kind: 'waits', delayMs: pauseMs(other.goes, delivery, journal), behind: other.fileId, aside: undefined }
  const there = await target.look(at, { hash: false }, signal)
  const place = there === undefined ? at : await placeBeside({ ...own, path: at }, 'kept', target, signal)
  return moved(own, place, { ...parts, delivery }, signal)
}

/** Where an attempt of which nothing more is known may have put it, if it is there. */
export async function copyMoved(
  { receipt, movingTo, digest }: Delivery,
  { target, content }: { readonly target: Target; readonly content: string | undefined },
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  if (receipt === undefined || movingTo === undefined || movingTo === receipt.path) return undefined
  const hashes = [receipt.sha256, digest?.sha256, content]
  return sameAt(movingTo as RemotePath, hashes, target, signal)
}

/** The copy as it lies there, if it is what was receipted: its place may have another file's by now. */
async function found(
  delivery: Delivery,
  parts: { readonly target: Target; readonly content: string | undefined },
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  if (delivery.receipt === undefined) return undefined
  const { target, content } = parts
  const receipt = receiptOf(delivery.receipt)
  const entry = await target.look(receipt.path, { hash: false }, signal)
  if (entry !== undefined && isAsReceipted(entry, receipt)) return receipt
  const hashes = [receipt.sha256, delivery.digest?.sha256, content]
  const isWorthIt = entry?.size === receipt.size || entry?.size === delivery.size
  const touched = isWorthIt ? await sameAt(receipt.path, hashes, target, signal) : undefined
  return touched ?? (await copyMoved(delivery, parts, signal))
}

async function sameAt(
  path: RemotePath,
  hashes: readonly (string | undefined)[],
  target: Target,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  const entry = await target.look(path, { hash: true }, signal)
  const sha256 = entry?.sha256
  if (entry === undefined || sha256 === undefined || !hashes.includes(sha256)) return undefined
  return { ...entry, sha256 }
}

export function receiptOf({ path, remoteId, revision, size, sha256, mtimeNs }: StoredReceipt): Receipt {
  return { path: path as RemotePath, remoteId, revision, size, sha256, mtimeNs }
}

export function isAsReceipted(entry: RemoteEntry, receipt: Receipt): boolean {
  const isSameContent = entry.sha256 === undefined || entry.sha256 === receipt.sha256
  return isSameContent && entry.size === receipt.size && entry.revision === receipt.revision
}
