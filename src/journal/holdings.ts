/**
 * What the journal believes that a target holds, page by page, for whoever compares it with what is there; and what came of the last
 * comparison. Compares nothing itself.
 */
import type { SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import { storedReceipt, type ReceiptRow, type StoredReceipt } from './delivery.ts'
import type { Feed } from './feed.ts'
import { Listing } from './listing.ts'
import { nameCell, type NameCell } from './rows.ts'
import type { Targets } from './targets.ts'
import type { Tree } from './tree.ts'

const sql = {
  page: `
    SELECT file.id AS fileId, file.seq AS fileSeq, file.folder_id AS folderId, file.name AS name, file.present AS present,
      file.size AS fileSize, file.mtime_ns AS fileMtimeNs, delivery.state AS owed,
      receipt.seq AS seq, receipt.path AS path, remote_id AS remoteId, revision, receipt.size AS size, receipt.sha256 AS sha256,
      receipt.mtime_ns AS mtimeNs
    FROM file
    LEFT JOIN receipt ON receipt.target_id = @targetId AND receipt.file_id = file.id
    LEFT JOIN delivery ON delivery.target_id = @targetId AND delivery.file_id = file.id
    WHERE file.id > @after ORDER BY file.id LIMIT @limit`,
  // The index holds nothing else.
  altered: 'SELECT count(*) FROM receipt INDEXED BY receipt_altered WHERE target_id = ? AND is_altered = 1',
  receiptedAt: 'SELECT at_ms FROM receipt WHERE target_id = ? AND file_id = ?',
  moved: 'UPDATE receipt SET path = ?, revision = ? WHERE target_id = ? AND file_id = ? AND seq = ?',
  kept: 'SELECT value FROM setting WHERE name = ?',
  keep: 'INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
}

interface Row extends Omit<ReceiptRow, 'target' | 'seq'> {
  readonly fileId: bigint
  readonly fileSeq: bigint
  readonly folderId: bigint
  readonly name: NameCell
  readonly present: bigint
  readonly fileSize: bigint
  readonly fileMtimeNs: bigint
  readonly owed: string | null
  readonly seq: bigint | null
}

/** One file, and what a target is believed to hold of it. */
export interface Holding {
  readonly fileId: number
  readonly seq: number
  readonly source: string
  readonly path: SourcePath
  readonly isPresent: boolean
  readonly size: number
  readonly mtimeNs: bigint
  /** Something is still to be done about it there. */
  readonly isOwed: boolean
  readonly receipt: StoredReceipt | undefined
}

/** A copy of which the target says something else than the journal. */
export interface Repair {
  readonly fileId: number
  /** For its history. */
  readonly why: string
  /** Where and in which version it lies now, where somebody gave it another name: it is moved back. */
  readonly moved?: { readonly path: string; readonly revision: string; readonly seq: number }
}

/** What the last comparison with a target found. */
export interface CheckRecord {
  /** Wall time at which it ended. */
  readonly atMs: number
  readonly checked: number
  readonly differences: number
}

/** Of a target that is compared by itself every now and then. */
export interface AuditRecord {
  /** Wall time from which the present period counts. */
  readonly fromMs: number
  /** Behind which file the next reading of contents goes on. */
  readonly readUpTo: number
}

type Kept = 'check' | 'audit' | 'finds'

interface HoldingsParts {
  /** The journal's own. */
  readonly file: string
  readonly tree: Tree
  readonly targets: Targets
  readonly feed: Feed
  readonly written: <T>(write: () => T) => T
  readonly guarded: <T>(look: () => T) => T
}

export class Holdings {
  readonly #parts: HoldingsParts
  readonly #statements
  #listings = 0

  constructor(connection: Connection, parts: HoldingsParts) {
    this.#parts = parts
    this.#statements = {
      page: connection.prepare<[{ targetId: number; after: number; limit: number }], Row>(sql.page).safeIntegers(),
      altered: connection.prepare<[number], number>(sql.altered).pluck(),
      receiptedAt: connection.prepare<[number, number], number>(sql.receiptedAt).pluck(),
      moved: connection.prepare<[NameCell, string, number, number, number]>(sql.moved),
      kept: connection.prepare<[string], string>(sql.kept).pluck(),
      keep: connection.prepare<[string, string]>(sql.keep),
    }
  }

  /** Wall time of the file's receipt at the target; undefined where it has none. */
  receiptedAtMs(targetId: number, fileId: number): number | undefined {
    return this.#parts.guarded(() => this.#statements.receiptedAt.get(targetId, fileId))
  }

  /** An empty listing; whoever opens it closes it. */
  newListing(): Listing {
    return new Listing(`${this.#parts.file}.listing-${process.pid}-${++this.#listings}`)
  }

  /** The files behind this id, at most `limit`, in the order of their ids. */
  page(target: string, after: number, limit: number): readonly Holding[] {
    const targetId = this.#parts.targets.get(target).id
    const isMoving = this.#parts.feed.folderMoves.isPending(targetId)
    return this.#parts.guarded(() =>
      this.#statements.page.all({ targetId, after, limit }).map((row) => this.#holdingOf(row, isMoving)),
    )
  }

  /** Where a folder is still to be moved, nothing is known to be where it is to be. */
  #holdingOf(row: Row, isMoving: boolean): Holding {
    const { fileId, fileSeq, folderId, name, present, fileSize, fileMtimeNs, owed, seq } = row
    return {
      fileId: Number(fileId),
      seq: Number(fileSeq),
      ...this.#parts.tree.pathOf(Number(folderId), name),
      isPresent: present === 1n,
      size: Number(fileSize),
      mtimeNs: fileMtimeNs,
      isOwed: owed !== null || isMoving,
      receipt: seq === null ? undefined : storedReceipt({ ...row, seq, target: '' }),
    }
  }

  /** Copies that the target made into something else as they came in, and that were taken as that. */
  alteredCount(target: string): number {
    const { id } = this.#parts.targets.get(target)
    return this.#parts.guarded(() => this.#statements.altered.get(id) ?? 0)
  }

  /** Owes these again, whatever their receipts say; what is gone at its source is left. Answers how many. To be called with some hundred. */
  repair(target: string, repairs: readonly Repair[]): number {
    const targetId = this.#parts.targets.get(target).id
    const again = repairs.map(({ fileId, why, moved }) =>
      moved === undefined ? { fileId, why } : { fileId, why, first: () => this.#follow(targetId, fileId, moved) },
    )
    return this.#parts.written(() => this.#parts.feed.oweAgain(targetId, again))
  }

  /** Unless the receipt is another one by now. */
  #follow(targetId: number, fileId: number, { path, revision, seq }: NonNullable<Repair['moved']>): void {
    this.#statements.moved.run(nameCell(path), revision, targetId, fileId, seq)
  }

  lastCheck(target: string): CheckRecord | undefined {
    const text = this.#kept('check', target)
    return text === undefined ? undefined : (JSON.parse(text) as CheckRecord)
  }

  keepCheck(target: string, record: CheckRecord): void {
    this.#keep('check', target, record)
  }

  lastAudit(target: string): AuditRecord | undefined {
    const text = this.#kept('audit', target)
    return text === undefined ? undefined : (JSON.parse(text) as AuditRecord)
  }

  keepAudit(target: string, record: AuditRecord): void {
    this.#keep('audit', target, record)
  }

  /** These texts were written by this file only. */
  #kept(what: Kept, target: string): string | undefined {
    return this.#parts.guarded(() => this.#statements.kept.get(this.#nameOf(what, target)))
  }

  #keep(what: Kept, target: string, record: CheckRecord | AuditRecord | boolean): void {
    this.#parts.written(() => this.#statements.keep.run(this.#nameOf(what, target), JSON.stringify(record)))
  }

  /** Whether copies lie there of which nothing is known yet. */
  expectsFinds(target: string): boolean {
    return this.#kept('finds', target) === 'true'
  }

  expectFinds(target: string, isExpected: boolean): void {
    if (isExpected !== this.expectsFinds(target)) this.#keep('finds', target, isExpected)
  }

  #nameOf(what: string, target: string): string {
    return `${what} of target ${this.#parts.targets.get(target).id}`
  }
}
