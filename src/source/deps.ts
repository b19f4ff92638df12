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

export interface SourceDeps {
  readonly believed: Believed
  /** Hands settled changes on, at most 1,000 a call, one call at a time; resolves when they are durable. A rejected call is repeated. */
  take(changes: readonly Change[]): Promise<void>
  /** May a folder be taken to have moved as a whole? Otherwise its files moved one by one. */
  mayMoveFolder(move: FolderMove): Promise<boolean>
  note(event: SourceNote): void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}
