/** Where in a source other file systems were mounted when it was last looked at. What their absence means is the source's concern. */
import { decodeName, encodeName } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { Transactions } from './transactions.ts'
import type { Tree } from './tree.ts'

const sql = {
  of: 'SELECT folder FROM known_mount WHERE source_id = ? ORDER BY folder',
  forget: 'DELETE FROM known_mount WHERE source_id = ?',
  add: 'INSERT INTO known_mount (source_id, folder) VALUES (?, ?)',
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
  readonly #replace: (given: readonly [number, readonly string[]]) => void

  constructor(connection: Connection, parts: KnownMountsParts) {
    this.#parts = parts
    this.#statements = {
      of: connection.prepare<[number], { folder: Buffer }>(sql.of),
      forget: connection.prepare<[number]>(sql.forget),
      add: connection.prepare<[number, Buffer]>(sql.add),
    }
    this.#replace = parts.transactions.of(([id, folders]) => {
      this.#statements.forget.run(id)
      for (const folder of folders) this.#statements.add.run(id, encodeName(folder))
    })
  }

  /** Folders below the root; `''` is the root itself. */
  of(source: string): readonly string[] {
    const { tree, guarded } = this.#parts
    const id = tree.sourceId(source)
    return id === undefined ? [] : guarded(() => this.#statements.of.all(id)).map(({ folder }) => decodeName(folder))
  }

  /** These and no others; on disk when it returns. @throws JournalFull */
  keep(source: string, folders: readonly string[]): void {
    this.#parts.written(() => this.#replace([this.#parts.tree.ensureSource(source), folders]))
  }
}
