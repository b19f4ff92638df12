/** Where in a source other file systems were mounted when it was last looked at. What their absence means is the source's concern. */
import { decodeName, encodeName } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { Transactions } from './transactions.ts'
import type { Tree } from './tree.ts'

const sql = {
  of: 'SELECT folder, mark FROM known_mount WHERE source_id = ? ORDER BY folder',
  forget: 'DELETE FROM known_mount WHERE source_id = ?',
  add: 'INSERT INTO known_mount (source_id, folder, mark) VALUES (?, ?, ?)',
}

/** `folder` is below the root; `''` is the root itself. `mark`: by what the disk is known again, if by anything. */
export interface KnownMount {
  readonly folder: string
  readonly mark: string | undefined
}

export interface KnownMountsParts {
  readonly tree: Pick<Tree, 'sourceId' | 'ensureSource'>
  readonly transactions: Transactions
  readonly written: <T>(write: () => T) => T
  readonly guarded: <T>(look: () => T) => T
}

export class KnownMounts {
  readonly #parts: KnownMountsParts
  readonly #statements
  readonly #replace: (given: readonly [number, readonly KnownMount[]]) => void

  constructor(connection: Connection, parts: KnownMountsParts) {
    this.#parts = parts
    this.#statements = {
      of: connection.prepare<[number], { folder: Buffer; mark: string | null }>(sql.of),
      forget: connection.prepare<[number]>(sql.forget),
      add: connection.prepare<[number, Buffer, string | null]>(sql.add),
    }
    this.#replace = parts.transactions.of(([id, mounts]) => {
      this.#statements.forget.run(id)
      for (const { folder, mark } of mounts) this.#statements.add.run(id, encodeName(folder), mark ?? null)
    })
  }

  of(source: string): readonly KnownMount[] {
    const { tree, guarded } = this.#parts
    const id = tree.sourceId(source)
    const rows = id === undefined ? [] : guarded(() => this.#statements.of.all(id))
    return rows.map(({ folder, mark }) => ({ folder: decodeName(folder), mark: mark ?? undefined }))
  }

  /** These and no others; on disk when it returns. @throws JournalFull */
  keep(source: string, mounts: readonly KnownMount[]): void {
    this.#parts.written(() => this.#replace([this.#parts.tree.ensureSource(source), mounts]))
  }
}
