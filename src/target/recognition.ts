/**
 * Whether an object that a target told of is exactly a copy, found out without a call: by the hash that the target knows and one that is made of
 * the copy's file. What the time of a copy means at a target is said by its kind.
 */
import { nothingRead, type RunningHash, SourceFile } from './source-file.ts'
import type { LocalCopy, Receipt, RemoteEntry } from './target.ts'

/** How a kind knows content again. */
export interface Recognition<Hash extends RunningHash<Hash>> {
  /** Whose copy, for messages. */
  readonly what: string
  /** Its time is the copy's, or has not to be. */
  readonly isOfTime: boolean
  /** The kind's hash, of nothing. */
  readonly hash: Hash
  /** As the target tells it. */
  readonly text: (hash: Hash) => string | undefined
}

/** @throws TargetError `source-changed` where the copy's file is not what was digested. */
export async function recognised<Hash extends RunningHash<Hash>>(
  entry: RemoteEntry,
  copy: LocalCopy,
  { what, isOfTime, hash, text }: Recognition<Hash>,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  if (!isOfTime || entry.size !== copy.size) return undefined
  if (entry.sha256 !== undefined) return entry.sha256 === copy.sha256 ? receiptOf(entry, copy) : undefined
  if (copy.size === 0) return receiptOf(entry, copy)
  if (entry.contentHash === undefined) return undefined
  const proof = await SourceFile.with(copy, what, (source) => source.prove(nothingRead(hash), copy.size, signal))
  return text(proof.hash) === entry.contentHash ? receiptOf(entry, copy) : undefined
}

/** Targets keep less of a time than a disk does: the receipt says what the copy's is. */
function receiptOf({ path, remoteId, revision, size }: RemoteEntry, { sha256, mtimeNs }: LocalCopy): Receipt {
  return { path, remoteId, revision, size, sha256, mtimeNs }
}
