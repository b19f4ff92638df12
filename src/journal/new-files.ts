/** Files that a batch met for the first time, and what they owe: kept back while the batch is read, then written in wide rows. */
import type { Counters } from './counters.ts'
import type { Connection } from './connection.ts'
import type { NameCell } from './rows.ts'
import { freshPriority } from './priority.ts'
import { WideInsert, type Cell } from './wide-insert.ts'

export interface NewFile {
  readonly sourceId: number
  readonly folderId: number
  readonly name: NameCell
  readonly seq: number
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

const sql = {
  lastId: 'SELECT coalesce(max(id), 0) AS id FROM file',
  files: 'INSERT INTO file (id, source_id, folder_id, name, seq, present, size, mtime_ns, ctime_ns, inode) VALUES',
  fileRow: '(?, ?, ?, ?, ?, 1, ?, ?, ?, ?)',
  deliveries:
    'INSERT INTO delivery (target_id, file_id, wanted_seq, state, priority, since_ms, due_ms, attempts, bytes, look, reason) VALUES',
  deliveryRow: "(?, ?, ?, 'waiting', ?, ?, NULL, 0, ?, 'trust', NULL)",
}

export class NewFiles {
  readonly #counters: Counters
  readonly #insertFiles: WideInsert
  readonly #insertDeliveries: WideInsert
  readonly #readLastId
  readonly #names = new Map<number, Set<string>>()
  #files: Cell[] = []
  /** Per target, so that each target's rows are written side by side. */
  readonly #deliveries = new Map<number, Cell[]>()
  #lastId: number

  constructor(connection: Connection, counters: Counters) {
    this.#counters = counters
    this.#insertFiles = new WideInsert(connection, sql.files, sql.fileRow)
    this.#insertDeliveries = new WideInsert(connection, sql.deliveries, sql.deliveryRow)
    this.#readLastId = connection.prepare<[], number>(sql.lastId).pluck()
    this.#lastId = this.#readLastId.get() ?? 0
  }

  /** A file of this batch that has no row yet. */
  has(folderId: number, name: string): boolean {
    return this.#names.get(folderId)?.has(name) === true
  }

  /** Answers the id that the file will have. */
  add(name: string, file: NewFile): number {
    const id = ++this.#lastId
    const { sourceId, folderId, seq, size, mtimeNs, ctimeNs, inode } = file
    this.#files.push(id, sourceId, folderId, file.name, seq, size, mtimeNs, ctimeNs, inode)
    const names = this.#names.get(folderId)
    if (names === undefined) this.#names.set(folderId, new Set([name]))
    else names.add(name)
    this.#counters.source(sourceId, 1)
    return id
  }

  owe(targetId: number, fileId: number, { seq, size }: { seq: number; size: number }, nowMs: number): void {
    const cells = this.#deliveries.get(targetId)
    if (cells === undefined) this.#deliveries.set(targetId, [targetId, fileId, seq, freshPriority(size), nowMs, size])
    else cells.push(targetId, fileId, seq, freshPriority(size), nowMs, size)
    this.#counters.lane(targetId, 'waiting', 1, size)
  }

  /** Writes the rows; also before a file of them changes once more in the same batch. */
  write(): void {
    if (this.#files.length === 0) return
    this.#insertFiles.run(this.#files)
    for (const cells of this.#deliveries.values()) this.#insertDeliveries.run(cells)
    this.#clear()
  }

  /** After a roll-back the ids are free again. */
  forget(): void {
    this.#clear()
    this.#lastId = this.#readLastId.get() ?? 0
  }

  #clear(): void {
    this.#files = []
    this.#names.clear()
    this.#deliveries.clear()
  }
}
