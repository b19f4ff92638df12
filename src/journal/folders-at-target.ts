/** Ids of folders at targets that know them by id, by their path at the target. What such an id is worth is the target's concern. */
import { encodeName } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { GroupCommit } from './group-commit.ts'

const sql = {
  get: 'SELECT remote_id AS remoteId FROM folder_at_target WHERE target_id = ? AND path = ?',
  put: 'INSERT INTO folder_at_target (target_id, path, remote_id) VALUES (?, ?, ?) ON CONFLICT (target_id, path) DO UPDATE SET remote_id = excluded.remote_id',
  // The byte behind a slash is the digit 0: all paths that begin with this one and a slash lie between the two.
  forget: 'DELETE FROM folder_at_target WHERE target_id = ? AND (path = ? OR (path > ? AND path < ?))',
  forgetAll: 'DELETE FROM folder_at_target WHERE target_id = ?',
}

type Group = Pick<GroupCommit, 'add'>

/** Of one target. */
export interface FolderBook {
  get(path: string): string | undefined
  /** Resolves once a crash can no longer lose it. */
  keep(path: string, remoteId: string): Promise<void>
  /** This folder and all below it; `''` is the target's root. */
  forget(path: string): Promise<void>
}

/** Without a cache of its own: a look costs SQLite microseconds and no disk, and whoever asks is about to make a call over a network. */
export class FoldersAtTarget {
  readonly #statements

  constructor(connection: Connection) {
    this.#statements = {
      get: connection.prepare<[number, Buffer], { remoteId: string }>(sql.get),
      put: connection.prepare<[number, Buffer, string]>(sql.put),
      forget: connection.prepare<[number, Buffer, Buffer, Buffer]>(sql.forget),
      forgetAll: connection.prepare<[number]>(sql.forgetAll),
    }
  }

  /** Reads by `guarded`, writes with `group`. */
  bookOf(targetId: number, group: Group, guarded: (look: () => string | undefined) => string | undefined): FolderBook {
    return {
      get: (path) => guarded(() => this.get(targetId, path)),
      keep: (path, remoteId) => group.add(() => this.put(targetId, path, remoteId)),
      forget: (path) => group.add(() => this.forget(targetId, path)),
    }
  }

  get(targetId: number, path: string): string | undefined {
    return this.#statements.get.get(targetId, encodeName(path))?.remoteId
  }

  put(targetId: number, path: string, remoteId: string): void {
    this.#statements.put.run(targetId, encodeName(path), remoteId)
  }

  /** This folder and all below it; `''` is the target's root. */
  forget(targetId: number, path: string): void {
    if (path === '') this.#statements.forgetAll.run(targetId)
    else this.#statements.forget.run(targetId, encodeName(path), encodeName(`${path}/`), encodeName(`${path}0`))
  }
}
