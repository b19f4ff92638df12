/** What a source is given by whoever opens it: beliefs, a taker of changes, time and chance. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { SourcePath } from '../base/path.ts'
import type { Random } from '../base/random.ts'
import type { Change, FolderMove } from './change.ts'
import type { Believed } from './reconcile.ts'

/** Something for the history. */
export interface SourceNote {
  readonly source: string
  readonly event: string
  readonly path?: SourcePath
  readonly detail: string
}

/** Another file system in a source: in a folder below the root, or `''` for the root itself. */
export interface KnownMount {
  readonly folder: string
  /** By what the disk is known again, also under another device number; undefined where nothing tells. */
  readonly mark: string | undefined
}

/** Where other file systems were mounted, kept across restarts: an empty folder in the place of one is not taken for deleted files (F11). */
export interface MountMemory {
  of(source: string): readonly KnownMount[]
  /** These and no others; durable when it returns. @throws Error while nothing can be kept. */
  keep(source: string, mounts: readonly KnownMount[]): void
}

export interface SourceDeps {
  readonly believed: Believed
  readonly mounts: MountMemory
  /** Hands settled changes on, at most 1,000 a call, one call at a time; resolves when they are durable. A rejected call is repeated. */
  take(changes: readonly Change[]): Promise<void>
  /** May a folder be taken to have moved as a whole? Otherwise its files moved one by one. */
  mayMoveFolder(move: FolderMove): Promise<boolean>
  note(event: SourceNote): void
  /** Name of a kind of mounted file system that does not tell of changes, where not the usual ones are meant (F8). */
  readonly blindMount?: (fsType: string) => string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}
