/** One attempt to have a copy follow its removed file. Takes away only what is certainly ours, and leaves everything else where it is. */
import type { RemotePath } from '../base/path.ts'
import type { Delivery, Journal, Outcome, StoredReceipt } from '../journal/journal.ts'
import type { Receipt, RemoteEntry, Target } from '../target/target.ts'
import { copyMoved } from './own-copy.ts'

export interface RemovalParts {
  readonly target: Target
  readonly journal: Journal
  readonly onRemove: 'keep' | 'trash' | 'remove'
}

export async function removal(
  delivery: Delivery,
  at: RemotePath,
  parts: RemovalParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const { target, journal, onRemove } = parts
  if (onRemove === 'keep') return { kind: 'kept', reason: 'copies of removed files are kept here now' }
  const brake = journal.brakeOf(delivery.source)
  if (brake !== null) return { kind: 'parked', reason: brake, againInMs: null }
  const held = await heldCopy(delivery, at, parts, signal)
  if (held === undefined) return { kind: 'removed', detail: 'there was no copy' }
  if (held.kind === 'foreign') return { kind: 'parked', reason: held.reason, againInMs: null }
  await target.remove(held.receipt, onRemove === 'trash' ? 'trash' : 'purge', signal)
  return {
    kind: 'removed',
    detail: `${held.receipt.path} ${onRemove === 'trash' ? 'went to the trash' : 'was deleted'}`,
  }
}

type Held = { readonly kind: 'ours'; readonly receipt: Receipt } | { readonly kind: 'foreign'; readonly reason: string }

/** The copy, where the receipt says it lies or, after an attempt of which nothing is known, where that would have put it. */
async function heldCopy(
  delivery: Delivery,
  at: RemotePath,
  parts: RemovalParts,
  signal: AbortSignal,
): Promise<Held | undefined> {
  const { target } = parts
  const { receipt, digest } = delivery
  const place = receipt === undefined ? at : (receipt.path as RemotePath)
  const entry = await target.look(place, { hash: false }, signal)
  if (entry !== undefined && receipt !== undefined && isAsReceipted(entry, receipt))
    return { kind: 'ours', receipt: { ...receipt, path: place } }
  // Somebody wrote it, or an attempt of ours that was not recorded: only the content can tell.
  const hashed = entry && (await target.look(place, { hash: true }, signal))
  const sha256 = hashed?.sha256
  if (hashed !== undefined && sha256 !== undefined && [receipt?.sha256, digest?.sha256].includes(sha256))
    return { kind: 'ours', receipt: { ...hashed, sha256 } }
  const moved = await copyMoved(delivery, { target, content: undefined }, signal)
  if (moved !== undefined) return { kind: 'ours', receipt: moved }
  // A copy that was never receipted is not known to be ours: it is none of our business.
  if (hashed === undefined || receipt === undefined) return undefined
  const reason = `${place} was changed at the target since it was copied; it stays until it is removed there by hand`
  return { kind: 'foreign', reason }
}

function isAsReceipted(entry: RemoteEntry, receipt: StoredReceipt): boolean {
  return entry.size === receipt.size && entry.revision === receipt.revision
}
