/** One attempt at one delivery: finds out what the target lacks, sends only that, and says how it ended. Keeps no state. */
import type { Random } from '../base/random.ts'
import { asError } from '../base/errors.ts'
import type { TargetConfig } from '../config/config.ts'
import { fsPath, type RemotePath, type SourcePath } from '../base/path.ts'
import {
  ContentChanged,
  ContentGone,
  ContentUnreadable,
  wholeBytesMax,
  type Content,
  type ContentRef,
  type Digest,
} from '../digest/digest.ts'
import type { Delivery, Journal, Outcome, StoredReceipt } from '../journal/journal.ts'
import { TargetError, type Receipt, type RemoteEntry } from '../target/target.ts'
import { retryDelayMs } from './backoff.ts'
import { BitRotSuspected, refuseRot, rotBehind } from './bit-rot.ts'
import { cleared, type OnConflict } from './conflict.ts'
import { removal } from './removal.ts'
import { troubleOf, type Trouble } from './lane-state.ts'
import type { SurveyedTarget } from './surveyed-target.ts'

/** An unreadable file is tried again without being asked for. Unit: ms. */
const unreadableAgainMs = 3_600_000

export type OnRemove = TargetConfig['onRemove']

export interface AttemptParts {
  /** The target's. */
  readonly name: string
  readonly target: SurveyedTarget
  readonly journal: Journal
  readonly digest: Digest
  /** Absolute folder of a source. */
  readonly rootOf: (source: string) => string
  /** The file is not what its source believes it to be. */
  readonly onStale: (source: string, path: SourcePath) => void
  readonly placeAt: (delivery: Delivery) => RemotePath
  readonly onRemove: OnRemove
  readonly onConflict: OnConflict
  readonly progress: (bytesDone: number) => void
  readonly random: Random
}

/** How an attempt ended: an outcome of the delivery, or a target that cannot work at all. */
export type Ending =
  /** `isTargets`: it failed, and it was the target that failed, as far as one attempt can tell. */
  | { readonly kind: 'outcome'; readonly outcome: Outcome; readonly isTargets?: boolean }
  | ({ readonly kind: 'target-paused' } & Trouble)

const ended = (outcome: Outcome): Extract<Ending, { kind: 'outcome' }> => ({ kind: 'outcome', outcome })

export async function attempt(delivery: Delivery, parts: AttemptParts, signal: AbortSignal): Promise<Ending> {
  try {
    return ended(await deliver(delivery, parts, signal))
  } catch (thrown) {
    if (signal.aborted) return ended({ kind: 'interrupted' })
    return await explained(asError(thrown), delivery, parts, signal)
  }
}

async function explained(error: Error, delivery: Delivery, parts: AttemptParts, signal: AbortSignal): Promise<Ending> {
  const read = (): Promise<Content> => parts.digest.of(contentRef(delivery, parts), signal)
  const cause = await rotBehind(error, delivery, parts.journal, read)
  return signal.aborted ? ended({ kind: 'interrupted' }) : failed(delivery, cause, parts)
}

async function deliver(delivery: Delivery, parts: AttemptParts, signal: AbortSignal): Promise<Outcome> {
  const at = parts.placeAt(delivery)
  if (delivery.look === 'receipt') return lookOnly(delivery, at, parts, signal)
  if (delivery.look === 'remove') return removal(delivery, at, parts, signal)
  const held = await heldAt(delivery, at, parts, signal)
  // Where a revision has one content, its hash is told, and no receipt need be trusted.
  const isByHash = delivery.look === 'hash' && parts.target.traits.revisionIsContent
  if (held !== undefined && held.isProven && delivery.look !== 'trust' && !isByHash) {
    const hash = delivery.look === 'hash'
    const entry = await parts.target.look(at, { hash }, signal)
    if (entry !== undefined && isAsReceipted(entry, held.receipt)) return alreadyThere(held.receipt, undefined)
  }
  const content = await contentOf(delivery, parts, signal)
  const isUntrusted = held === undefined || delivery.look !== 'trust'
  if (isUntrusted && delivery.session === undefined) {
    const copy = { ...contentRef(delivery, parts), ...content }
    const asks = { previous: held?.receipt, mayLook: isByHash && held !== undefined }
    const found = await parts.target.found(copy, at, asks, signal)
    if (found !== undefined) return alreadyThere(found, content.crc32)
  }
  const previous = delivery.look === 'trust' ? held?.receipt : undefined
  if (previous !== undefined && previous.sha256 === content.sha256 && previous.mtimeNs === delivery.mtimeNs) {
    return alreadyThere(previous, content.crc32)
  }
  return send({ delivery, content, at, previous }, parts, signal)
}

/** Nothing is owed but a true receipt: says what the target holds where the last attempt may have left something. */
async function lookOnly(
  delivery: Delivery,
  at: RemotePath,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const places = new Set([at, ...(delivery.receipt === undefined ? [] : [receiptOf(delivery.receipt).path])])
  for (const place of places) {
    const entry = await parts.target.look(place, { hash: true }, signal)
    if (entry?.sha256 !== undefined) return { kind: 'looked', receipt: { ...entry, sha256: entry.sha256 } }
  }
  return { kind: 'looked', receipt: undefined }
}

interface Held {
  readonly receipt: Receipt
  /** The receipt is of exactly the content that is wanted. */
  readonly isProven: boolean
}

/** What the target holds of this file, moved to where it belongs now if the rule for its place changed. */
async function heldAt(
  delivery: Delivery,
  at: RemotePath,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Held | undefined> {
  if (delivery.receipt === undefined) return undefined
  const receipt = receiptOf(delivery.receipt)
  const isProven = delivery.receipt.seq === delivery.seq
  if (receipt.path === at) return { receipt, isProven }
  if ((await parts.target.look(receipt.path, { hash: false }, signal)) === undefined) return undefined
  return { receipt: await parts.target.move(receipt, at, signal), isProven }
}

export function receiptOf({ path, remoteId, revision, size, sha256, mtimeNs }: StoredReceipt): Receipt {
  return { path: path as RemotePath, remoteId, revision, size, sha256, mtimeNs }
}

function isAsReceipted(entry: RemoteEntry, receipt: Receipt): boolean {
  const isSameContent = entry.sha256 === undefined || entry.sha256 === receipt.sha256
  return isSameContent && entry.size === receipt.size && entry.revision === receipt.revision
}

function alreadyThere(receipt: Receipt, crc32: number | undefined): Outcome {
  return { kind: 'delivered', receipt, crc32, sent: false }
}

async function contentOf(delivery: Delivery, parts: AttemptParts, signal: AbortSignal): Promise<Content> {
  const isLarge = delivery.size > wholeBytesMax
  if (isLarge && delivery.digest !== undefined) return { ...delivery.digest, bytes: undefined }
  const content = await parts.digest.of(contentRef(delivery, parts), signal)
  refuseRot(delivery, content, parts.journal)
  if (isLarge) await parts.journal.keepDigest(delivery, content)
  return content
}

function contentRef(delivery: Delivery, parts: AttemptParts): ContentRef {
  const { fileId, seq, source, path, size, mtimeNs, ctimeNs, inode } = delivery
  return { key: `${fileId}:${seq}`, path: fsPath(`${parts.rootOf(source)}/${path}`), size, mtimeNs, ctimeNs, inode }
}

interface Sending {
  readonly delivery: Delivery
  readonly content: Content
  readonly at: RemotePath
  readonly previous: Receipt | undefined
}

async function send(
  { delivery, content, at, previous }: Sending,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Outcome> {
  let isSent = false
  const copy = { ...contentRef(delivery, parts), ...content }
  const { isAsLeft, ...lent } = await cleared({ delivery, copy, at }, parts, signal)
  const work = {
    ...lent,
    previous: isAsLeft ? previous : undefined,
    allow: () => Promise.resolve(),
    progress: (bytesDone: number) => {
      isSent = true
      parts.progress(bytesDone)
    },
  }
  const receipt = await parts.target.put(copy, at, work, signal)
  return { kind: 'delivered', receipt, crc32: content.crc32, sent: isSent }
}

async function failed(delivery: Delivery, error: Error, parts: AttemptParts): Promise<Ending> {
  const again = (reason: string, isOverload = false): Extract<Ending, { kind: 'outcome' }> => {
    const delayMs = retryDelayMs(delivery.attempts, parts.random)
    return ended({ kind: 'postponed', delayMs, reason, isCounted: true, isOverload })
  }
  if (error instanceof ContentUnreadable) {
    return ended({ kind: 'parked', reason: error.message, againInMs: unreadableAgainMs })
  }
  if (error instanceof BitRotSuspected) return ended({ kind: 'parked', reason: error.message, againInMs: null })
  const isStale = error instanceof ContentChanged || error instanceof ContentGone
  if (isStale || (error instanceof TargetError && error.next.kind === 'source-changed'))
    parts.onStale(delivery.source, delivery.path)
  if (isStale || !(error instanceof TargetError)) return again(error.message)
  switch (error.next.kind) {
    case 'pause-target':
      return { kind: 'target-paused', ...troubleOf(error) }
    case 'park':
      return ended({ kind: 'parked', reason: error.message, againInMs: null })
    case 'restart-session':
      await parts.journal.saveSession(delivery, undefined)
      return again(error.message)
    case 'retry':
      return { ...again(error.message, error.next.isOverload), isTargets: true }
    case 'source-changed':
      return again(error.message)
  }
}
