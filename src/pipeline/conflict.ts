/**
 * What lies in a copy's place and is not what was left there (F80): somebody changed the copy, or put a file of his own there. Says whether it is, and
 * does with it what the configuration says. Whatever cannot be told from a copy of ours is somebody's: at worst an old copy of ours is kept.
 */
import { showPath, type RemotePath } from '../base/path.ts'
import type { TargetConfig } from '../config/config.ts'
import type { Delivery, Journal } from '../journal/journal.ts'
import { TargetError, type LocalCopy, type PutWork, type RemoteEntry, type Target } from '../target/target.ts'
import { placeBeside, versionOf } from './beside.ts'

export type OnConflict = TargetConfig['onConflict']

export interface ConflictParts {
  /** The target's. */
  readonly name: string
  readonly target: Target
  readonly journal: Journal
  readonly onConflict: OnConflict
}

type Session = Exclude<Delivery['session'], undefined>

/** A content that may lie there and be ours. */
interface Known {
  readonly size: number
  readonly sha256: string
}

/** Which content an attempt began to send, and over which version of somebody's its owner said that it may go. Kept with the upload's session. */
interface Intent extends Known {
  readonly over: string | undefined
}

/** What a put is lent, once nothing that is to stay is in its way. */
export interface Cleared extends Pick<PutWork, 'session' | 'abandoned' | 'save'> {
  /** Nobody was found to have been there: what is known of the copy may be true still. */
  readonly isAsLeft: boolean
}

interface Sending {
  readonly delivery: Delivery
  readonly copy: LocalCopy
  readonly at: RemotePath
}

/**
 * Sees to it that nothing of somebody's is written over, where the configuration wants it kept. What is written there in the moment after is met as
 * the target's kind meets it: it keeps the version, where it keeps any.
 * @throws TargetError `park` where the owner is to say what is meant; once he did, that version may go.
 */
export async function cleared(
  { delivery, copy, at }: Sending,
  parts: ConflictParts,
  signal: AbortSignal,
): Promise<Cleared> {
  const { session, abandoned } = delivery
  const save = (next: Session | undefined): Promise<void> => parts.journal.saveSession(delivery, next)
  const own = withoutIntent(session)
  if (parts.onConflict === 'overwrite')
    return { session: own, abandoned: withoutIntent(abandoned), save, isAsLeft: true }
  const { size, sha256 } = copy
  const meant = { size, sha256 }
  const room = await makeRoom({ delivery, copy, at }, parts, signal)
  // Before the first byte: what an attempt leaves of which nothing is heard any more is known for ours by it.
  await save(withIntent(room.kind === 'made' ? undefined : own, { ...meant, over: room.over }))
  return {
    ...(room.kind === 'made'
      ? { session: undefined, abandoned: own }
      : { session: own, abandoned: withoutIntent(abandoned) }),
    save: (next) => save(withIntent(next, { ...meant, over: room.over })),
    isAsLeft: room.kind === 'free',
  }
}

/** `free`: nothing of anybody's is there. `granted`: a version that its owner lets go. `made`: it lies beside its place now. */
type Room =
  { readonly kind: 'free' | 'made'; readonly over?: undefined } | { readonly kind: 'granted'; readonly over: string }

async function makeRoom({ delivery, copy, at }: Sending, parts: ConflictParts, signal: AbortSignal): Promise<Room> {
  const begun = intentOf(delivery.session ?? delivery.abandoned)
  const known = [copy, delivery.receipt, begun].filter((one) => one !== undefined)
  const theirs = await theirsAt({ delivery, copy, at }, known, parts.target, signal)
  if (theirs === undefined) return { kind: 'free' }
  if (parts.onConflict === 'park') {
    const over = versionOf(theirs)
    const reason = parkedReason(theirs)
    // A failure on the way is no new question: the answer is kept with what is meant. Anything newer forgets both.
    if (begun?.over === over || delivery.reason === reason) return { kind: 'granted', over }
    throw new TargetError({ kind: 'park' }, reason)
  }
  await putBeside(theirs, delivery, parts, signal)
  return { kind: 'made' }
}

async function putBeside(
  theirs: RemoteEntry,
  delivery: Delivery,
  { target, name, journal }: ConflictParts,
  signal: AbortSignal,
): Promise<void> {
  // It may be one of the very object that gets another name now.
  if (delivery.session !== undefined) await journal.saveSession(delivery, undefined)
  const beside = await placeBeside(theirs, 'conflict', target, signal)
  // A move asks for no content, and what it answers is nobody's receipt.
  await target.move({ ...theirs, sha256: theirs.sha256 ?? '' }, beside, signal)
  const { source, path } = delivery
  const detail = `what somebody left at ${showPath(theirs.path)} is kept as ${showPath(beside)}`
  journal.note({ source, path, target: name, event: 'kept-both', detail })
}

async function theirsAt(
  { delivery: { receipt }, copy, at }: Sending,
  known: readonly Known[],
  target: Target,
  signal: AbortSignal,
): Promise<RemoteEntry | undefined> {
  const entry = await target.look(at, { hash: false, fresh: true }, signal)
  if (entry === undefined) return undefined
  if (receipt !== undefined && entry.size === receipt.size && entry.revision === receipt.revision) return undefined
  if ((await target.recognise(entry, copy, undefined, signal)) !== undefined) return undefined
  // A download at a cloud, so only what could be ours is read.
  if (!known.some(({ size }) => size === entry.size)) return entry
  const hashed = await target.look(at, { hash: true, fresh: true }, signal)
  return known.some(({ sha256 }) => sha256 === hashed?.sha256) ? undefined : hashed
}

function parkedReason(theirs: RemoteEntry): string {
  const what = `${showPath(theirs.path)}: somebody else's version (${versionOf(theirs)}, ${theirs.size} bytes) is there`
  return `${what}; move it away at the target to keep it, then run "fanfold retry", which puts the file in its place`
}

const keys = { size: 'intent-size', sha256: 'intent-sha256', over: 'intent-over' } as const

/** A session with what is meant by it. */
function withIntent(session: Session | undefined, { size, sha256, over }: Intent): Session {
  return { ...session, [keys.size]: size, [keys.sha256]: sha256, ...(over === undefined ? {} : { [keys.over]: over }) }
}

/** A session as its target wrote it. */
function withoutIntent(session: Session | undefined): Session | undefined {
  const own = Object.entries(session ?? {}).filter(([key]) => !Object.values<string>(keys).includes(key))
  return own.length === 0 ? undefined : Object.fromEntries(own)
}

function intentOf(session: Session | undefined): Intent | undefined {
  const { [keys.size]: size, [keys.sha256]: sha256, [keys.over]: over } = session ?? {}
  if (typeof size !== 'number' || typeof sha256 !== 'string') return undefined
  return { size, sha256, over: typeof over === 'string' ? over : undefined }
}
