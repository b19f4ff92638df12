/** The contract every kind of target keeps: one configured destination that takes copies and proves them. Says nothing of queues or retries. */
import type { Readable } from 'node:stream'
import { FanfoldError, type Action } from '../base/errors.ts'
import type { FsPath, RemotePath } from '../base/path.ts'

/** A file of a source as it was when it was digested. Nothing else may ever be sent under these digests. */
export interface LocalCopy {
  /** Absolute. */
  readonly path: FsPath
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
  /** Hex. */
  readonly sha256: string
  /** CRC-32 of the whole content (zlib's), taken in the same pass as the sha256: the cheap proof that bytes read again are the bytes digested. */
  readonly crc32: number
  /** The whole content where it is small enough to be kept in memory, exactly the bytes that were digested. */
  readonly bytes: Uint8Array | undefined
}

/** A target's proof of one copy. */
export interface Receipt {
  readonly path: RemotePath
  /** The target's own name for the object: an id at a cloud, the inode at a directory. */
  readonly remoteId: string
  /** The target's own mark of this version; changes whenever somebody writes the object. */
  readonly revision: string
  readonly size: number
  /** Hex, as the target reported or proved it. */
  readonly sha256: string
  readonly mtimeNs: bigint
}

/** What a target says of an object that it holds. */
export interface RemoteEntry {
  readonly path: RemotePath
  readonly remoteId: string
  readonly revision: string
  readonly size: number
  readonly mtimeNs: bigint
  /** Hex; undefined where it was not asked for, since a directory has to read the whole file for it. */
  readonly sha256: string | undefined
  /** The target's own hash of the content, in its own words; undefined where a listing does not tell it. */
  readonly contentHash: string | undefined
}

/** An upload begun and not finished, as it lies in the journal: opaque to all but the target that wrote it. */
export type UploadSession = Readonly<Record<string, string | number>>

/** What a delivery lends to a `put`. */
export interface PutWork {
  /** The session an earlier attempt of exactly this copy saved. */
  readonly session: UploadSession | undefined
  /** One that an attempt of an older content of this file saved: nobody goes on with it. */
  readonly abandoned?: UploadSession | undefined
  /** Keeps the session durably; resolves once a crash can no longer lose it. `undefined` forgets it. */
  save(session: UploadSession | undefined): Promise<void>
  /** Waits until so many bytes may be sent (bandwidth). */
  allow(bytes: number, signal: AbortSignal): Promise<void>
  /** Bytes of this copy that are at the target so far. Never goes down within one put. Not called for content that was there already. */
  progress(bytesDone: number): void
  /** The receipt of what this target already holds of this file. */
  readonly previous: Receipt | undefined
}

export interface Traits {
  readonly caseSensitive: boolean
  /** Largest file taken, bytes. */
  readonly fileBytesMax: number
  /** An object of one revision always has one content: whoever knows the revision need not have it read. Not so on a disk, where bytes rot. */
  readonly revisionIsContent: boolean
  /** A put saves its session about this often, bytes: what a crash costs at most. */
  readonly chunkBytes: number
}

export interface Space {
  /** Whose place this is, in words: an account, a folder. */
  readonly account: string
  readonly usedBytes: number
  /** Bytes that still fit; undefined where the target sets no bound. */
  readonly freeBytes: number | undefined
}

/**
 * One destination. Every verb may be repeated after an unknown outcome and ends with one right object.
 * An abort leaves either the old object or the new one, never a torn one; work in flight is undone or left resumable.
 * @throws TargetError with what to do next.
 */
export interface Target {
  readonly traits: Traits
  /**
   * Checks that the target can be used, and puts away what an earlier crash left. Called before anything else and again after each outage.
   * @param expected the mark that an earlier `open` answered, undefined before the first copy.
   * @throws TargetError `pause-target` when another place than the expected one stands there, or none.
   */
  open(expected: string | undefined, signal: AbortSignal): Promise<Identity>
  /** Stores one copy under its final name, whole or not at all, and proves it. */
  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt>
  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt>
  /**
   * Moves a folder with all that lies below it, at once: every object keeps its id, and its revision as far as it can. Whatever it remembers of
   * places below either of the two is forgotten. May be repeated after an unknown outcome.
   */
  moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved>
  /** Takes a copy away; `trash` keeps it where the target's owner can get it back. An object that is gone already is done. */
  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void>
  /**
   * What the target holds at one path, or undefined. `hash` asks for the sha256 even where that costs reading the whole file, `fresh` for how
   * it is now even where a listing of a moment ago would say.
   */
  look(
    at: RemotePath,
    want: { readonly hash: boolean; readonly fresh?: boolean },
    signal: AbortSignal,
  ): Promise<RemoteEntry | undefined>
  /**
   * The receipt of an entry that is exactly this copy, its time included, as it was listed or looked at; undefined where that does not tell.
   * Asks the other side nothing; may read the copy's file. @param previous believed only of what the other side itself alters, and tells.
   */
  recognise(
    entry: RemoteEntry,
    copy: LocalCopy,
    previous: Receipt | undefined,
    signal: AbortSignal,
  ): Promise<Receipt | undefined>
  /** All files below a folder, in no order, a bounded number in memory. */
  list(under: RemotePath, want: { readonly hash: boolean }, signal: AbortSignal): AsyncIterable<RemoteEntry>
  /** Content of an entry from byte `start` on. */
  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable>
  about(signal: AbortSignal): Promise<Space>
  /**
   * Puts away whatever is only there for work under way. Called when nothing is, and no saved session waits to be gone on with:
   * one that is put with all the same begins anew.
   */
  rest(): Promise<void>
  close(): Promise<void>
}

/** What a reader needs of a target: nothing of it changes what is there. */
export type ReadableTarget = Pick<Target, 'traits' | 'look' | 'list' | 'get' | 'about'>

/** Which place stands behind a target's name, so that an empty mount point is not taken for the disk that belongs there. */
export interface Identity {
  readonly mark: string
  /** False when this place is a new one in the place of the expected one (its owner made it again): copies have to be looked for anew. */
  readonly isSame: boolean
}

/**
 * Why a whole target cannot work: it is not there, it takes no more bytes, it takes no writes, its login ended (only a login ends that),
 * the network does not lead there, or `paused` for everything else (a limit, the hours it may be used in).
 */
export type PauseKind = 'missing' | 'full' | 'read-only' | 'needs-login' | 'unreachable' | 'paused'

/** What the lane does after a failure. */
export type Next =
  /** Try this delivery again after a growing delay; counts as an attempt. `isOverload`: the other side or the way there did not keep up. */
  | { readonly kind: 'retry'; readonly isOverload?: boolean }
  /** The source's file is not what was digested: forget this attempt, the source will say what is true. */
  | { readonly kind: 'source-changed' }
  /** The saved session is worth nothing any more: forget it and begin anew. */
  | { readonly kind: 'restart-session' }
  /** Only the owner or a rule brings this delivery back. */
  | { readonly kind: 'park' }
  /** The whole target cannot work; no delivery is to blame, none loses an attempt. Probed until it can. */
  | {
      readonly kind: 'pause-target'
      readonly state: PauseKind
      /** How long it will not work for certain, where that is known; by the wall clock, which may be set. Unit: ms. */
      readonly againInMs?: number
    }

/**
 * What became of a folder that was to be moved. `absent`: no folder is there, as after a move of whose end nobody came to know.
 * `refused`: it is where it was, since something has the new name already, or since it cannot be moved as one.
 */
export type FolderMoved = 'moved' | 'absent' | 'refused'

/** Says what is wrong in words, with the next step for the owner. */
export class TargetError extends FanfoldError {
  readonly next: Next
  constructor(next: Next, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.next = next
  }
  get action(): Action {
    if (this.next.kind === 'park') return 'ask-owner'
    return this.next.kind === 'pause-target' ? 'wait' : 'retry'
  }
}
