/** One attempt at one delivery: finds out what the target lacks, sends only that, and says how it ended. Keeps no state. */
import type { Clock } from '../base/clock.ts'
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
import type { Delivery, Journal, Outcome } from '../journal/journal.ts'
import { TargetError, type Receipt } from '../target/target.ts'
import { retryDelayMs } from './backoff.ts'
import { BitRotSuspected, refuseRot, rotBehind } from './bit-rot.ts'
import { cleared, type OnConflict } from './conflict.ts'
import { deferral } from './cooldown.ts'
import { goneCopy } from './gone-copy.ts'
import { copyLeft, isAsReceipted, ownCopy, type OwnCopy, type Waits } from './own-copy.ts'
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
  /** Has a file just gone that its source believes to be there? */
  readonly isGone: (source: string, path: SourcePath, signal: AbortSignal) => Promise<boolean>
  readonly placeAt: (delivery: Delivery) => RemotePath
  readonly asideAt: (fileId: number) => RemotePath
  readonly onRemove: OnRemove
  readonly onConflict: OnConflict
  readonly cooldownMs: number
  readonly clock: Clock
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
  const tooEarly = deferral(delivery, at, parts)
  if (tooEarly !== undefined) return tooEarly
  const known = await contentInDoubt(delivery, at, parts, signal)
  const own = await ownCopy(delivery, at, { ...parts, content: known?.sha256 }, signal)
  if (own.kind === 'waits') return waits(own)
  const held = own.kind === 'here' ? own : undefined
  // Where a revision has one content, its hash is told, and no receipt need be trusted.
  const isByHash = delivery.look === 'hash' && parts.target.traits.revisionIsContent
  if (held?.isProven === true && delivery.look !== 'trust' && !isByHash) {
    const hash = delivery.look === 'hash'
    const entry = await parts.target.look(at, { hash }, signal)
    if (entry !== undefined && isAsReceipted(entry, held.receipt)) return alreadyThere(held.receipt, undefined)
  }
  const content = known ?? (await contentOf(delivery, parts, signal).catch((thrown: unknown) => asError(thrown)))
  if (content instanceof Error) return unread(content, delivery, held, parts)
  const isUntrusted = held === undefined || delivery.look !== 'trust'
  // What lies elsewhere is still to be put away: then it is sent for sure.
  if (isUntrusted && delivery.session === undefined && own.kind !== 'elsewhere') {
    const copy = { ...contentRef(delivery, parts), ...content }
    const asks = { previous: held?.receipt, mayLook: isByHash && held !== undefined }
    const found = await parts.target.found(copy, at, asks, signal)
    if (found !== undefined) return alreadyThere(found, content.crc32)
    const another =
      delivery.receipt === undefined ? await goneCopy(delivery, at, { ...parts, ...content }, signal) : undefined
    if (another !== undefined) return another
  }
  const previous = delivery.look === 'trust' || held?.isSeen === true ? held?.receipt : undefined
  if (previous !== undefined && previous.sha256 === content.sha256 && previous.mtimeNs === delivery.mtimeNs) {
    return alreadyThere(previous, content.crc32)
  }
  // Where it is now has to be known before its content becomes another one: by that it could not be found again.
  if (held?.isSeen === true) await parts.journal.moves.left.keep(delivery, held.receipt, undefined)
  const outcome = await send({ delivery, content, at, previous }, parts, signal)
  if (own.kind === 'elsewhere') await leaveNothing(own.receipt, delivery, parts, signal)
  return outcome
}

/** What is left behind would be nobody's once the receipt says where the copy is now. What only made room is an older version, and kept nowhere else either. */
async function leaveNothing(
  left: Receipt,
  { fileId }: Delivery,
  { target, onRemove, asideAt }: AttemptParts,
  signal: AbortSignal,
): Promise<void> {
  if (onRemove === 'keep' && left.path !== asideAt(fileId)) return
  await target.remove(left, onRemove === 'remove' ? 'purge' : 'trash', signal)
}

/** What the file holds, where that helps to find a copy that was put or moved without anybody's knowing. */
async function contentInDoubt(
  delivery: Delivery,
  at: RemotePath,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Content | undefined> {
  const { look, receipt } = delivery
  const isAway = receipt !== undefined && (receipt.path !== at || delivery.movingTo !== undefined)
  if (look === 'trust' || !isAway) return undefined
  // That it cannot be read is said once its copy is where it belongs.
  return contentOf(delivery, parts, signal).catch(() => undefined)
}

/** Where the copy was moved to already is kept: its file may have moved on meanwhile, which is why it could not be read. */
function unread(error: Error, delivery: Delivery, held: Held | undefined, parts: AttemptParts): Outcome {
  const isMoved = held !== undefined && held.receipt.path !== delivery.receipt?.path
  if (!isMoved || !(error instanceof ContentGone || error instanceof ContentChanged)) throw error
  parts.onStale(delivery.source, delivery.path)
  const delayMs = retryDelayMs(delivery.attempts, parts.random)
  return { kind: 'postponed', delayMs, reason: error.message, isCounted: true, aside: held.receipt }
}

type Held = Extract<OwnCopy, { kind: 'here' }>

function waits({ delayMs, behind, aside }: Waits): Outcome {
  const reason = 'the copy of another file that moved is still in its place'
  return { kind: 'postponed', delayMs, reason, isCounted: false, behind, ...(aside === undefined ? {} : { aside }) }
}

/** Nothing is owed but a true receipt: says what the target holds where the last attempt may have left something. */
async function lookOnly(
  delivery: Delivery,
  at: RemotePath,
  parts: AttemptParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const { receipt, digest } = delivery
  const isMoved = receipt !== undefined && (receipt.path !== at || delivery.movingTo !== undefined)
  const own = isMoved ? await copyLeft(delivery, at, parts, signal) : undefined
  if (own !== undefined) return 'kind' in own ? waits(own) : { kind: 'looked', receipt: own }
  const entry = await parts.target.look(at, { hash: true }, signal)
  const sha256 = entry?.sha256
  // Where its file moved to, only what is certainly its own counts: another one's copy may lie there.
  const isOwn = !isMoved || sha256 === receipt.sha256 || sha256 === digest?.sha256
  if (entry !== undefined && sha256 !== undefined && isOwn) return { kind: 'looked', receipt: { ...entry, sha256 } }
  return { kind: 'looked', receipt: undefined }
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
  await parts.journal.moves.left.giveUp(delivery, at)
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
