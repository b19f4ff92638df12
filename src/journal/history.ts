/** What happened, line by line, for people: append-only, pruned by age and count. Never decides anything. */
import type { Clock } from '../base/clock.ts'
import { showPath, type SourcePath } from '../base/path.ts'
import type { Connection } from './open.ts'
import type { NameCell } from './rows.ts'
import type { Tree } from './tree.ts'

export interface HistoryEntry {
  readonly sourceId: number | null
  readonly fileId: number | null
  readonly targetId: number | null
  readonly event: string
  readonly detail: string
}

export interface HistoryLine {
  readonly atMs: number
  readonly source: string | null
  readonly path: SourcePath | null
  readonly target: string | null
  readonly event: string
  readonly detail: string
}

/** Lines kept. At some 100 bytes a line this is about 100 MB at most. */
const linesMax = 1_000_000
/** Unit: ms (a year). */
const ageMsMax = 365 * 86_400_000
/** Lines removed at once, so that pruning stays far below 50 ms. */
const pruneMax = 2_000
/** Lines written between two prunings; below `pruneMax`, so that pruning keeps up. */
const pruneEvery = 1_000

const sql = {
  append: 'INSERT INTO history (at_ms, source_id, file_id, target_id, event, detail) VALUES (?, ?, ?, ?, ?, ?)',
  // Only the oldest lines are looked at: a condition over all of them would read the whole table to find nothing.
  prune: `
    DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?)
      AND (id <= (SELECT max(id) FROM history) - ? OR at_ms < ?)`,
  last: `
    SELECT at_ms AS atMs, history.source_id AS sourceId, file_id AS fileId, folder_id AS folderId, file.name AS name,
           target.name AS target, event, detail
    FROM history LEFT JOIN file ON file.id = file_id LEFT JOIN target ON target.id = target_id
    ORDER BY history.id DESC LIMIT ?`,
  ofFile: `
    SELECT at_ms AS atMs, history.source_id AS sourceId, file_id AS fileId, folder_id AS folderId, file.name AS name,
           target.name AS target, event, detail
    FROM history LEFT JOIN file ON file.id = file_id LEFT JOIN target ON target.id = target_id
    WHERE file_id = ? ORDER BY history.id DESC LIMIT ?`,
}

interface Row {
  readonly atMs: number
  readonly sourceId: number | null
  readonly folderId: number | null
  readonly name: NameCell | null
  readonly target: string | null
  readonly event: string
  readonly detail: string
}

export class History {
  readonly #clock: Clock
  readonly #tree: Tree
  readonly #statements
  #sincePrune = 0

  constructor(connection: Connection, tree: Tree, clock: Clock) {
    this.#clock = clock
    this.#tree = tree
    this.#statements = {
      append: connection.prepare<[number, number | null, number | null, number | null, string, string]>(sql.append),
      prune: connection.prepare<[number, number, number]>(sql.prune),
      last: connection.prepare<[number], Row>(sql.last),
      ofFile: connection.prepare<[number, number], Row>(sql.ofFile),
    }
  }

  /** Adds one line; to be called inside the transaction that makes it true. */
  append(entry: HistoryEntry): void {
    const { sourceId, fileId, targetId, event, detail } = entry
    this.#statements.append.run(this.#clock.wallMs(), sourceId, fileId, targetId, event, detail)
    if (++this.#sincePrune < pruneEvery) return
    this.#sincePrune = 0
    this.#statements.prune.run(pruneMax, linesMax, this.#clock.wallMs() - ageMsMax)
  }

  /** The newest lines first, of one file or of everything. */
  read(fileId: number | null, limit: number): readonly HistoryLine[] {
    const rows = fileId === null ? this.#statements.last.all(limit) : this.#statements.ofFile.all(fileId, limit)
    return rows.map((row) => this.#line(row))
  }

  #line(row: Row): HistoryLine {
    const at = row.folderId === null || row.name === null ? undefined : this.#tree.pathOf(row.folderId, row.name)
    const source = at?.source ?? (row.sourceId === null ? null : this.#tree.sourceName(row.sourceId))
    const { atMs, target, event, detail } = row
    return { atMs, source, path: at?.path ?? null, target, event, detail: showPath(detail) }
  }
}
