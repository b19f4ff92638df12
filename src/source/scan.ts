/** What the scan thread is asked and answers: looks at single paths, and walks of a folder in bounded pieces. Decides nothing. */

/** What `stat` says of a regular file, without what is the same for all. */
export interface FileStat {
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
  readonly mode: number
}

/** Which folder a root is: the path without links, and what the kernel knows it by. */
export interface RootIdentity {
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

/** What of a tree counts. */
export interface Coverage {
  readonly ignore: readonly string[]
  /** File systems mounted inside of it are left out (F14). */
  readonly oneFileSystem: boolean
}

/** What lies at a path right now. */
export type Look =
  | { readonly kind: 'file'; readonly stat: FileStat }
  | { readonly kind: 'absent' }
  | { readonly kind: 'folder' }
  /** A FIFO, link, socket or device: never opened, never followed (F50, F51). */
  | { readonly kind: 'skipped'; readonly what: string }
  | { readonly kind: 'ignored' }
  /** Nothing is known: not even that it is gone (F41). */
  | { readonly kind: 'unreadable'; readonly reason: string }

/** A part of one folder's listing. A large folder comes in several, in order, others' pieces never between them. */
export interface Piece {
  readonly folder: string
  readonly isFirst: boolean
  readonly isLast: boolean
  /** Why the folder could not be read (to the end): what was not listed is unknown, not gone (F41). */
  readonly failure: string | undefined
  /** The folder itself is gone since its parent was listed. */
  readonly isGone: boolean
  readonly names: readonly string[]
  /** `statWords` numbers per name, see `packStat`. */
  readonly stats: BigInt64Array
  readonly folders: readonly string[]
  /** Names that exist and of which nothing may be concluded: ignored, or not to be looked at. */
  readonly kept: readonly string[]
  /** Kind of each entry that is neither file nor folder, `mount` for a folder that is left out as one, and `unreadable` for each that could not be looked at. */
  readonly skipped: readonly string[]
}

export const statWords = 5

export function packStat(into: BigInt64Array, index: number, stat: FileStat): void {
  const at = index * statWords
  into[at] = BigInt(stat.size)
  into[at + 1] = stat.mtimeNs
  into[at + 2] = stat.ctimeNs
  into[at + 3] = stat.inode
  into[at + 4] = BigInt(stat.mode)
}

export function unpackStat(from: BigInt64Array, index: number): FileStat {
  const at = index * statWords
  return {
    size: Number(from[at] ?? 0n),
    mtimeNs: from[at + 1] ?? 0n,
    ctimeNs: from[at + 2] ?? 0n,
    inode: from[at + 3] ?? 0n,
    mode: Number(from[at + 4] ?? 0n),
  }
}

/**
 * The root as it is now; `fsType` is statfs's magic number. `isMount`: all of a file system lies there. `mark`: by what that disk is known again,
 * where its file system keeps anything of the kind.
 */
export type RootLook = RootFolder | { readonly kind: 'absent'; readonly reason: string }

export interface RootFolder {
  readonly kind: 'folder'
  readonly identity: RootIdentity
  readonly fsType: number
  readonly isMount: boolean
  readonly mark: string | undefined
}

/** Another file system, mounted at a folder of a source; `fsType` is the kernel's name of its kind. */
export interface NestedMount {
  readonly folder: string
  readonly fsType: string
}

/** Of each file asked for, a program that has it open for writing; `hiddenCount`: programs that could not be looked into. */
export interface Writers {
  readonly who: readonly (string | undefined)[]
  readonly hiddenCount: number
}

/** `blind`: the root is not the folder it was, so nothing below it means anything (F11). */
export type Looks = { readonly kind: 'seen'; readonly looks: readonly Look[] } | { readonly kind: 'blind' }
export type Pieces =
  { readonly kind: 'pieces'; readonly pieces: readonly Piece[]; readonly isEnd: boolean } | { readonly kind: 'blind' }

/** Paths of one `look`, and entries of one `next`: some milliseconds of work, so that neither keeps the other waiting. */
export const looksMax = 1_000

export type ScanVerbs = {
  /** The folder now at `path`. */
  identify: { in: { path: string }; out: RootLook }
  /** Makes a root known under `id`; a second time replaces it. `mounts`: folders in which another file system is expected. */
  open: { in: { id: number; identity: RootIdentity; mounts: readonly string[] } & Coverage; out: null }
  close: { in: { id: number }; out: null }
  /** What is mounted below the root, but for what is ignored. `forget`: folders in which no other file system is expected any more. */
  mounts: { in: { id: number; forget: readonly string[] }; out: readonly NestedMount[] }
  writers: { in: { id: number; paths: readonly string[] }; out: Writers }
  look: { in: { id: number; paths: readonly string[] }; out: Looks }
  /** Starts a walk below `folder` and answers its number. */
  walk: { in: { id: number; folder: string }; out: number }
  next: { in: { walk: number }; out: Pieces }
  leave: { in: { walk: number }; out: null }
}
