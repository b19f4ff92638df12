/** What is parked at a target and why, for people: oldest first, as many as they read. What parks and what brings it back is not its concern. */
import type { SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { NameCell } from './rows.ts'
import type { Tree } from './tree.ts'

export interface ParkedDelivery {
  readonly source: string
  readonly path: SourcePath
  readonly size: number
  readonly reason: string | null
  readonly attempts: number
  readonly sinceMs: number
  /** When it is tried again by itself; null: never. */
  readonly dueMs: number | null
}

interface Row extends Omit<ParkedDelivery, 'source' | 'path'> {
  readonly folderId: number
  readonly name: NameCell
}

const parkedAt = `
  SELECT folder_id AS folderId, name, size, reason, attempts, since_ms AS sinceMs, due_ms AS dueMs
  FROM delivery INDEXED BY delivery_in_order JOIN file ON file.id = file_id
  WHERE target_id = ? AND state = 'parked' ORDER BY priority, since_ms, file_id LIMIT ?`

export class Parked {
  readonly #tree: Tree
  readonly #statement

  constructor(connection: Connection, tree: Tree) {
    this.#tree = tree
    this.#statement = connection.prepare<[number, number], Row>(parkedAt)
  }

  at(targetId: number, limit: number): readonly ParkedDelivery[] {
    return this.#statement
      .all(targetId, limit)
      .map(({ folderId, name, ...row }) => ({ ...row, ...this.#tree.pathOf(folderId, name) }))
  }
}
