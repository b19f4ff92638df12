/** What failed at a target and why, for people: oldest first, as many as they read. What parks and what brings it back is not its concern. */
import type { SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { NameCell } from './rows.ts'
import type { Tree } from './tree.ts'

/** A delivery that is out of the queue, or waits there for its next try. */
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

type FailedState = 'parked' | 'postponed'

interface Row extends Omit<ParkedDelivery, 'source' | 'path'> {
  readonly folderId: number
  readonly name: NameCell
}

const failedAt = `
  SELECT folder_id AS folderId, name, size, reason, attempts, since_ms AS sinceMs, due_ms AS dueMs
  FROM delivery INDEXED BY delivery_in_order JOIN file ON file.id = file_id
  WHERE target_id = ? AND state = ? ORDER BY priority, since_ms, file_id LIMIT ?`

export class Parked {
  readonly #tree: Tree
  readonly #statement

  constructor(connection: Connection, tree: Tree) {
    this.#tree = tree
    this.#statement = connection.prepare<[number, FailedState, number], Row>(failedAt)
  }

  at(targetId: number, limit: number): readonly ParkedDelivery[] {
    return this.#in('parked', targetId, limit)
  }

  /** What waits for its next try as well, behind what waits for its owner. */
  failedAt(targetId: number, limit: number): readonly ParkedDelivery[] {
    const parked = this.at(targetId, limit)
    return [...parked, ...this.#in('postponed', targetId, limit - parked.length)]
  }

  #in(state: FailedState, targetId: number, limit: number): readonly ParkedDelivery[] {
    return this.#statement
      .all(targetId, state, limit)
      .map(({ folderId, name, ...row }) => ({ ...row, ...this.#tree.pathOf(folderId, name) }))
  }
}
