/** What happened, line by line, for people: append-only, pruned by age and count. Never decides anything. */
import type { Clock } from '../base/clock.ts'
import { showPath, type SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { NameCell } from './rows.ts'
import type { Tree } from './tree.ts'
import { WideInsert, type Cell } from './wide-insert.ts'

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

/** How many lines of one kind were added since the journal was opened. */
export interface EventCount {
  readonly event: string
  readonly source: string | null
  readonly target: string | null
  readonly count: number
}

/** Lines kept. At some 100 bytes a line this is about 100 MB at most. */
const linesMax = 1_000_000
/** Unit: ms (a year). */
const ageMsMax = 365 * 86_400_000
/** Lines removed at once, so that pruning stays far below 50 ms. */
const pruneMax = 2_000

const sql = {
  append: 'INSERT INTO history (at_ms, source_id, file_id, target_id, event, detail) VALUES',
  appendRow: '(?, ?, ?, ?, ?, ?)',
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

/** Belongs to no delivery. */
export interface Note {
  readonly source: string | null
  readonly path?: SourcePath
  readonly target?: string
  readonly event: string
  readonly detail: string
}

export class History {
  readonly #append: WideInsert
  #gathered: Cell[] = []
  readonly #counts = new Map<
    string,
    { readonly event: string; readonly sourceId: number | null; readonly targetId: number | null; count: number }
  >()
  readonly #clock: Clock
  readonly #tree: Tree
  readonly #statements

  constructor(connection: Connection, tree: Tree, clock: Clock) {
    this.#clock = clock
    this.#tree = tree
    this.#append = new WideInsert(connection, sql.append, sql.appendRow)
    this.#statements = {
      prune: connection.prepare<[number, number, number]>(sql.prune),
      last: connection.prepare<[number], Row>(sql.last),
      ofFile: connection.prepare<[number, number], Row>(sql.ofFile),
    }
  }

  /** A path that is not known stands in the detail. */
  note({ source, path, event, detail }: Note, targetId: number | null): void {
    const row = source === null || path === undefined ? undefined : this.#tree.rowAt(source, path)
    this.append({
      sourceId: source === null ? null : (this.#tree.sourceId(source) ?? null),
      fileId: row === undefined ? null : Number(row.id),
      targetId,
      event,
      detail: row === undefined && path !== undefined ? `${path}: ${detail}` : detail,
    })
  }

  /** Adds one line, which is written at the end of the transaction that makes it true; to be called inside of it. */
  append({ sourceId, fileId, targetId, event, detail }: HistoryEntry): void {
    const key = `${event} ${sourceId ?? ''} ${targetId ?? ''}`
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { event, sourceId, targetId, count: 1 })
    else known.count++
    this.#gathered.push(this.#clock.wallMs(), sourceId, fileId, targetId, event, detail)
  }

  counts(targets: ReadonlyMap<number, string>): readonly EventCount[] {
    return [...this.#counts.values()].map(({ event, sourceId, targetId, count }) => ({
      event,
      source: sourceId === null ? null : this.#tree.sourceName(sourceId),
      target: targetId === null ? null : (targets.get(targetId) ?? null),
      count,
    }))
  }

  write(): void {
    this.#append.run(this.#gathered)
  }

  forget(): void {
    this.#gathered = []
  }

  /** Removes the oldest lines that are too many or too old, some of them. Answers whether there may be more. */
  prune(): boolean {
    return this.#statements.prune.run(pruneMax, linesMax, this.#clock.wallMs() - ageMsMax).changes === pruneMax
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
