/** Which copies a target holds by its receipts, page by page: for who fetches them back or holds them against the target. Changes nothing. */
import type { SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import { storedReceipt, type ReceiptRow, type StoredReceipt } from './delivery.ts'
import type { NameCell } from './rows.ts'
import type { Tree } from './tree.ts'

/** A file of which a target holds a proven copy. */
export interface CopyRecord {
  readonly fileId: number
  readonly source: string
  readonly path: SourcePath
  /** False for one that is gone from its source. */
  readonly isPresent: boolean
  /** Of the copy, which may be of an older content than the file. */
  readonly receipt: StoredReceipt
}

const sql = {
  after: `
    SELECT file.id AS fileId, file.folder_id AS folderId, file.name, file.present, receipt.seq, receipt.path, receipt.remote_id AS remoteId,
      receipt.revision, receipt.size, receipt.sha256, receipt.mtime_ns AS mtimeNs
    FROM receipt JOIN file ON file.id = receipt.file_id
    WHERE receipt.target_id = ? AND receipt.file_id > ? ORDER BY receipt.file_id LIMIT ?`,
}

interface Row extends Omit<ReceiptRow, 'target'> {
  readonly fileId: bigint
  readonly folderId: bigint
  readonly name: NameCell
  readonly present: bigint
}

export class Receipts {
  readonly #tree: Tree
  readonly #guarded: <T>(look: () => T) => T
  readonly #after

  constructor(connection: Connection, tree: Tree, guarded: <T>(look: () => T) => T) {
    this.#tree = tree
    this.#guarded = guarded
    this.#after = connection.prepare<[number, number, number], Row>(sql.after).safeIntegers()
  }

  /** The next `limit` copies behind a file's id, in the order of ids. */
  after(targetId: number, fileId: number, limit: number): readonly CopyRecord[] {
    return this.#guarded(() => this.#after.all(targetId, fileId, limit).map((row) => this.#recordOf(row)))
  }

  #recordOf({ fileId, folderId, name, present, ...receipt }: Row): CopyRecord {
    return {
      fileId: Number(fileId),
      ...this.#tree.pathOf(Number(folderId), name),
      isPresent: present === 1n,
      receipt: storedReceipt({ target: '', ...receipt }),
    }
  }
}
