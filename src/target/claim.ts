/**
 * Whose place a target is (F81): two Fanfolds that write to one place would put their copies over each other's. The first one leaves a note
 * there, and every other one keeps away until its owner says that it takes the place over. How a note is kept is its target's affair.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { remotePath, type RemotePath } from '../base/path.ts'
import { TargetError, type LocalCopy, type PutWork, type RemoteEntry, type Target } from './target.ts'

/** Who this Fanfold is. */
export interface Claimant {
  /** Made once, kept beside the journal: goes where the state goes. */
  readonly instance: string
  /**
   * The same for every state that ever lay in this folder of this machine. A lock lets only one of them run at a time, so that one that lost
   * its state is no other Fanfold.
   */
  readonly seat: string
  /** For people. */
  readonly host: string
  /** The owner said that this one takes the target's place over. */
  mayTakeOver(): boolean
  /** It did, and the owner's word is used up. */
  tookOver(): void
}

/** Where a target keeps one small note that is no copy. Both may fail as any verb of it does. */
export interface OwnerNotes {
  read(signal: AbortSignal): Promise<string | undefined>
  write(text: string, signal: AbortSignal): Promise<void>
}

/** Where a note is a file, it has this name. No copy can have it. */
export const noteName = '.fanfold-owner'
/** A note is some 200 bytes; more is none of ours. Unit: bytes. */
export const noteBytesMax = 4096

function notePath(folder: RemotePath): RemotePath {
  return remotePath(folder === '' ? noteName : `${folder}/${noteName}`)
}

const noteShape = z.object({ instance: z.string(), seat: z.string(), host: z.string(), since: z.string() })
type Note = z.infer<typeof noteShape>

export interface ClaimParts {
  readonly name: string
  /** The folder below the target's root in which all its copies lie; empty: the root. */
  readonly folder: RemotePath
  readonly notes: OwnerNotes
  readonly claimant: Claimant
  readonly nowMs: () => number
}

/** `target`, which cannot be opened while its place belongs to another Fanfold. */
export function claimed(target: Target, parts: ClaimParts): Target {
  const own = notePath(parts.folder)
  return {
    get traits() {
      return target.traits
    },
    open: async (expected, signal) => {
      const identity = await target.open(expected, signal)
      await claim(parts, signal)
      return identity
    },
    put: (copy, at, work, signal) => {
      if (at === own) return Promise.reject(nameTaken(parts.name))
      return target.put(copy, at, work, signal)
    },
    move: (receipt, to, signal) => {
      if (to === own) return Promise.reject(nameTaken(parts.name))
      return target.move(receipt, to, signal)
    },
    moveFolder: (from, to, signal) => target.moveFolder(from, to, signal),
    remove: (receipt, how, signal) => target.remove(receipt, how, signal),
    look: (at, want, signal) => target.look(at, want, signal),
    recognise: (entry, copy, previous, signal) => target.recognise(entry, copy, previous, signal),
    list: (under, want, signal) => without(target.list(under, want, signal), own),
    get: (entry, range, signal) => target.get(entry, range, signal),
    about: (signal) => target.about(signal),
    rest: () => target.rest(),
    close: () => target.close(),
  }
}

async function* without<T extends { readonly path: RemotePath }>(
  entries: AsyncIterable<T>,
  path: RemotePath,
): AsyncGenerator<T> {
  for await (const entry of entries) if (entry.path !== path) yield entry
}

function nameTaken(name: string): TargetError {
  return new TargetError(
    { kind: 'park' },
    `target ${name}: the name ${noteName} is Fanfold's own there; rename the file`,
  )
}

async function claim(parts: ClaimParts, signal: AbortSignal): Promise<void> {
  const { notes, claimant } = parts
  const text = await notes.read(signal)
  const note = text === undefined ? undefined : parseNote(text)
  if (note !== undefined && isOurs(note, claimant)) {
    // Used up by an earlier life that was killed, or said without need: kept, it would take the place back from whoever gets it one day.
    if (claimant.mayTakeOver()) claimant.tookOver()
    return
  }
  const isFree = text === undefined || (note !== 'unreadable' && note?.seat === claimant.seat)
  if (!isFree && !claimant.mayTakeOver()) throw belongsToOther(parts, note)
  const since = new Date(parts.nowMs()).toISOString()
  const { instance, seat, host } = claimant
  await notes.write(JSON.stringify({ instance, seat, host, since }), signal)
  // Of two that find the place free at the same moment, the later one's note stays.
  const last = parseNote((await notes.read(signal)) ?? '')
  if (!isOurs(last, claimant)) throw belongsToOther(parts, last)
  if (!isFree) claimant.tookOver()
}

function isOurs(note: Note | 'unreadable', claimant: Claimant): boolean {
  return note !== 'unreadable' && note.instance === claimant.instance
}

function parseNote(text: string): Note | 'unreadable' {
  try {
    return noteShape.parse(JSON.parse(text))
  } catch {
    return 'unreadable'
  }
}

function belongsToOther({ name, folder }: ClaimParts, note: Note | 'unreadable' | undefined): TargetError {
  const whose =
    note === undefined || note === 'unreadable' ? 'its note cannot be read' : `on ${note.host}, since ${note.since}`
  const where = folder === '' ? '' : ` in ${folder}`
  return new TargetError(
    { kind: 'pause-target', state: 'paused' },
    `another Fanfold (${whose}) keeps its copies${where} here, and two would write over each other's; give this one a place of its own (another folder, or "at" beginning with {host}), or where the other one is gone: fanfold take-over ${name}`,
  )
}

/** A note as a file among the copies, for targets that keep nothing else. */
export function noteFile(target: Target, folder: RemotePath, nowMs: () => number): OwnerNotes {
  const at = notePath(folder)
  let known: { readonly revision: string; readonly text: string } | undefined
  return {
    async read(signal) {
      const entry = await target.look(at, { hash: false }, signal)
      if (entry === undefined) return undefined
      if (known?.revision !== entry.revision)
        known = { revision: entry.revision, text: await textOf(target, entry, signal) }
      return known.text
    },
    async write(text, signal) {
      const { revision } = await target.put(noteCopy(text, nowMs()), at, noteWork, signal)
      known = { revision, text }
    },
  }
}

/** Whoever keeps the note and wants it whole: nothing to go on with, nothing to tell of, no bandwidth worth counting. */
const noteWork: PutWork = {
  session: undefined,
  save: () => Promise.resolve(),
  allow: () => Promise.resolve(),
  progress: () => {},
  previous: undefined,
}

function noteCopy(text: string, nowMs: number): LocalCopy {
  const bytes = Buffer.from(text)
  const atNs = BigInt(Math.floor(nowMs)) * 1_000_000n
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const stat = { size: bytes.length, mtimeNs: atNs, ctimeNs: atNs, inode: 0n }
  // Its bytes are here, so that no file is read.
  return { path: noteName, ...stat, sha256, crc32: crc32(bytes), bytes: new Uint8Array(bytes) }
}

async function textOf(target: Target, entry: RemoteEntry, signal: AbortSignal): Promise<string> {
  if (entry.size > noteBytesMax) return ''
  const parts: Buffer[] = []
  for await (const part of await target.get(entry, { start: 0 }, signal)) parts.push(Buffer.from(part as Uint8Array))
  return Buffer.concat(parts).toString('utf8')
}
