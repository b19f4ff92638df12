/**
 * A listing: what a target said it holds, set aside while it is compared with what the journal believes. It lies in a file of its own that
 * has no name any more: no crash leaves it behind, no commit waits for a sync, and the journal grows by nothing. Says nothing of what follows.
 */
import Database from 'better-sqlite3'
import { rmSync } from 'node:fs'
import { remotePath, type RemotePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import { hashCell, nameCell, nameOfCell, type NameCell } from './rows.ts'

/** SQLite's page cache for one listing. Unit: KiB. */
const pageCacheKib = 8 * 1024

/** One object at a target, as it was listed. */
export interface Listed {
  readonly path: RemotePath
  readonly remoteId: string
  readonly revision: string
  readonly size: number
  readonly mtimeNs: bigint
  /** Hex; undefined where the target does not know it. */
  readonly sha256: string | undefined
  /** The target's own hash of the content, in its own words; undefined where a listing does not tell it. */
  readonly contentHash: string | undefined
}

const schema = `
  CREATE TABLE listed (
    id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,
    remote_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 BLOB,
    content_hash TEXT,
    known INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX listed_by_remote_id ON listed (remote_id);
`

const columns =
  'id, path, remote_id AS remoteId, revision, size, mtime_ns AS mtimeNs, sha256, content_hash AS contentHash'
const sql = {
  // Pages of some targets overlap, and what comes later is true.
  add: `
    INSERT INTO listed (path, remote_id, revision, size, mtime_ns, sha256, content_hash) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET remote_id = excluded.remote_id, revision = excluded.revision, size = excluded.size,
      mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256, content_hash = excluded.content_hash`,
  count: 'SELECT count(*) FROM listed',
  take: `DELETE FROM listed WHERE path = ? RETURNING ${columns}`,
  at: `SELECT ${columns} FROM listed WHERE path = ?`,
  byId: `SELECT ${columns} FROM listed WHERE remote_id = ? LIMIT 1`,
  know: 'UPDATE listed SET known = 1 WHERE path = ? AND known = 0',
  knowId: 'UPDATE listed SET known = 1 WHERE remote_id = ? AND known = 0',
  unknown: `SELECT ${columns} FROM listed WHERE id > ? AND known = 0 ORDER BY id LIMIT ?`,
}

interface Row {
  readonly id: bigint
  readonly path: NameCell
  readonly remoteId: string
  readonly revision: string
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly sha256: Buffer | null
  readonly contentHash: string | null
}

type AddCells = [
  ...[path: NameCell, remoteId: string, revision: string, size: number],
  ...[mtimeNs: bigint, sha256: Buffer | null, contentHash: string | null],
]

export class Listing {
  readonly #connection: Connection
  readonly #statements

  /** @param file does not exist yet, and does not exist any more when this returns. */
  constructor(file: string) {
    this.#connection = new Database(file)
    // Nothing here outlives the process, so nothing is written twice and nothing is waited for.
    this.#connection.pragma('journal_mode = MEMORY')
    this.#connection.pragma('synchronous = OFF')
    this.#connection.pragma('locking_mode = EXCLUSIVE')
    this.#connection.pragma(`cache_size = -${pageCacheKib}`)
    this.#connection.exec(schema)
    rmSync(file)
    this.#statements = {
      add: this.#connection.prepare<AddCells>(sql.add),
      count: this.#connection.prepare<[], number>(sql.count).pluck(),
      take: this.#connection.prepare<[NameCell], Row>(sql.take).safeIntegers(),
      at: this.#connection.prepare<[NameCell], Row>(sql.at).safeIntegers(),
      byId: this.#connection.prepare<[string], Row>(sql.byId).safeIntegers(),
      know: this.#connection.prepare<[NameCell]>(sql.know),
      knowId: this.#connection.prepare<[string]>(sql.knowId),
      unknown: this.#connection.prepare<[number, number], Row>(sql.unknown).safeIntegers(),
    }
  }

  /** To be called with some hundred at a time: one transaction. */
  add(entries: readonly Listed[]): void {
    this.together(() => {
      for (const { path, remoteId, revision, size, mtimeNs, sha256, contentHash = null } of entries) {
        const hash = sha256 === undefined ? null : hashCell(sha256)
        this.#statements.add.run(nameCell(path), remoteId, revision, size, mtimeNs, hash, contentHash)
      }
    })
  }

  /** Many small verbs of this listing as one. */
  together(work: () => void): void {
    this.#connection.transaction(work)()
  }

  get count(): number {
    return this.#statements.count.get() ?? 0
  }

  /** What stands at this path, which is forgotten with it. */
  take(path: string): Listed | undefined {
    return listedOf(this.#statements.take.get(nameCell(path)))
  }

  at(path: string): Listed | undefined {
    return listedOf(this.#statements.at.get(nameCell(path)))
  }

  byId(remoteId: string): Listed | undefined {
    return listedOf(this.#statements.byId.get(remoteId))
  }

  /** What stands at this path is accounted for. */
  know(path: string): void {
    this.#statements.know.run(nameCell(path))
  }

  knowId(remoteId: string): void {
    this.#statements.knowId.run(remoteId)
  }

  /** Entries that nobody knows, a page of them. @param after the number that the last page ended with; 0 for the first. */
  unknown(after: number, limit: number): { readonly entries: readonly Listed[]; readonly last: number } {
    const rows = this.#statements.unknown.all(after, limit)
    return { entries: rows.map(entryOf), last: Number(rows.at(-1)?.id ?? after) }
  }

  close(): void {
    this.#connection.close()
  }
}

function listedOf(row: Row | undefined): Listed | undefined {
  return row === undefined ? undefined : entryOf(row)
}

function entryOf({ path, remoteId, revision, size, mtimeNs, sha256, contentHash }: Row): Listed {
  const found = { path: remotePath(nameOfCell(path)), remoteId, revision, size: Number(size), mtimeNs }
  return { ...found, sha256: sha256?.toString('hex'), contentHash: contentHash ?? undefined }
}
