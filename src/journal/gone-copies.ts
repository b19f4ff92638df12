/**
 * Copies that targets hold of files which went from their source a moment ago, found by their content: a file of that content that turns up elsewhere
 * at that time is taken for the one that went, and gets its copy as its own (F30, F34). It is then where every file that moved is: it owns a copy that
 * lies elsewhere. Moves within a source that the inode tells are not its concern (moves.ts).
 */
import type { Clock } from '../base/clock.ts'
import type { SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { Counted, Counters } from './counters.ts'
import type { Delivery } from './delivery.ts'
import type { GroupCommit } from './group-commit.ts'
import type { History } from './history.ts'
import { hashCell, inodeCell, type NameCell } from './rows.ts'
import type { Tree } from './tree.ts'

/** Smaller ones are sent as soon as their copies would be looked for and moved; and of empty ones no two can be told apart. Unit: bytes. */
const bytesMin = 65_536
/**
 * A file that came so long before or after the other one went is no move: nobody moves so slowly, nor does a scan take so long to see both ends. What
 * went before that is what its owner wanted to go, and a copy that is kept of it stays where it is. Unit: ms.
 */
const apartMsMax = 3_600_000
/** For targets that are behind, or out of reach: both ends may wait for them so long. Unit: ms. */
const keptMs = 7 * 24 * 3_600_000
/** Rows forgotten in one step: a few ms. */
const rowsPerStep = 1_000
/** Of files that are all alike, so many are looked at: any will do. */
const alikeMax = 8
/** Of files with the same inode or size, so many are compared by content. */
const sameSizeMax = 32

/**
 * A copy of which nobody but its own removal wants anything, and whose file went at the time at which that of the delivery came. What is parked is somebody's
 * version by now, unless the brake on its source holds it. Read from the content on, which few rows have, whatever the planner thinks.
 */
const free = `
  FROM gone_copy
    CROSS JOIN receipt ON receipt.target_id = @targetId AND receipt.file_id = gone_copy.file_id
    CROSS JOIN file ON file.id = gone_copy.file_id
    JOIN source ON source.id = file.source_id
    LEFT JOIN delivery ON delivery.target_id = @targetId AND delivery.file_id = gone_copy.file_id
  WHERE gone_copy.sha256 = @sha256 AND +gone_copy.at_ms BETWEEN @sinceMs - ${apartMsMax} AND @sinceMs + ${apartMsMax}
    AND file.present = 0 AND receipt.sha256 = @sha256 AND receipt.size = @size AND is_altered = 0 AND moving_to IS NULL
    AND (delivery.look IS NULL OR (delivery.look IN ('remove', 'remove-in-doubt') AND (state <> 'parked' OR brake IS NOT NULL)))`

const sql = {
  went: `
    INSERT OR REPLACE INTO gone_copy (sha256, file_id, at_ms)
    SELECT sha256, file_id, ? FROM receipt WHERE target_id IN (SELECT id FROM target) AND file_id = ? AND size >= ${bytesMin}`,
  free: `SELECT file.id AS fileId, folder_id AS folderId, file.name AS name, receipt.remote_id AS remoteId ${free} LIMIT ${alikeMax}`,
  isFree: `SELECT 1 ${free} AND gone_copy.file_id = @goneId`,
  // Nothing newer is wanted of it by now, and it has no copy of its own.
  isWanted: `
    SELECT 1 FROM delivery WHERE target_id = @targetId AND file_id = @fileId AND wanted_seq = @seq AND look NOT IN ('receipt', 'remove', 'remove-in-doubt')
      AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.target_id = @targetId AND receipt.file_id = @fileId)`,
  // As after any other move. Never of the file's newest seq: that is for the delivery to say.
  handOver:
    'UPDATE receipt SET file_id = @fileId, seq = 0, is_left = 1 WHERE target_id = @targetId AND file_id = @goneId',
  endLeaving: 'DELETE FROM delivery WHERE target_id = ? AND file_id = ? RETURNING state, bytes',
  endSession: 'DELETE FROM upload_session WHERE target_id = ? AND file_id = ?',
  // No other target has one of it either.
  forget: `
    DELETE FROM gone_copy WHERE sha256 = @sha256 AND file_id = @goneId
      AND NOT EXISTS (SELECT 1 FROM target CROSS JOIN receipt ON receipt.target_id = target.id WHERE receipt.file_id = @goneId)`,
  believed: `
    SELECT folder_id AS folderId, name FROM file CROSS JOIN receipt ON receipt.target_id = @targetId AND receipt.file_id = file.id
    WHERE file.id IN (
        SELECT id FROM (SELECT id FROM file INDEXED BY file_by_inode WHERE inode = @inode AND size = @size LIMIT ${sameSizeMax})
        UNION SELECT id FROM (SELECT id FROM file INDEXED BY file_large WHERE size = @size AND size >= 1048576 LIMIT ${sameSizeMax}))
      AND file.id <> @fileId AND present = 1 AND receipt.sha256 = @sha256 LIMIT ${alikeMax}`,
  prune: `DELETE FROM gone_copy WHERE (sha256, file_id) IN (SELECT sha256, file_id FROM gone_copy INDEXED BY gone_copy_by_time WHERE at_ms < ? LIMIT ${rowsPerStep})`,
}

/** The copy of a file that went. */
export interface GoneCopy {
  readonly fileId: number
  readonly source: string
  readonly path: SourcePath
  readonly remoteId: string
  readonly sha256: string
}

type Wanted = Pick<Delivery, 'targetId' | 'fileId' | 'seq' | 'source' | 'path' | 'size' | 'sinceMs' | 'inode'>

interface FreeCells {
  readonly targetId: number
  readonly sha256: Buffer
  readonly size: number
  readonly sinceMs: number
}

interface OfFile {
  readonly folderId: number
  readonly name: NameCell
}

interface GoneCopiesParts {
  readonly tree: Tree
  readonly history: History
  readonly counters: Counters
  readonly group: GroupCommit
  readonly clock: Clock
  /** An attempt at this file is under way at this target. */
  readonly isLeased: (targetId: number, fileId: number) => boolean
  /** Around whatever is read outside of a transaction. */
  readonly guarded: <T>(look: () => T) => T
}

export class GoneCopies {
  readonly #parts: GoneCopiesParts
  readonly #statements

  constructor(connection: Connection, parts: GoneCopiesParts) {
    this.#parts = parts
    type Both = Pick<Wanted, 'targetId' | 'fileId'> & { readonly goneId: number }
    this.#statements = {
      went: connection.prepare<[number, number]>(sql.went),
      free: connection.prepare<[FreeCells], OfFile & { fileId: number; remoteId: string }>(sql.free),
      isFree: connection.prepare<[FreeCells & { readonly goneId: number }]>(sql.isFree),
      isWanted: connection.prepare<[Pick<Wanted, 'targetId' | 'fileId' | 'seq'>]>(sql.isWanted),
      handOver: connection.prepare<[Both]>(sql.handOver),
      endLeaving: connection.prepare<[number, number], { state: Counted; bytes: number }>(sql.endLeaving),
      endSession: connection.prepare<[number, number]>(sql.endSession),
      forget: connection.prepare<[{ readonly sha256: Buffer; readonly goneId: number }]>(sql.forget),
      believed: connection.prepare<
        [Pick<FreeCells, 'targetId' | 'sha256' | 'size'> & { readonly fileId: number; readonly inode: bigint }],
        OfFile
      >(sql.believed),
      prune: connection.prepare<[number]>(sql.prune),
    }
  }

  /** The file went from its source: what targets hold of it may be another one's soon. Inside of the transaction that says so. */
  went(fileId: number): void {
    this.#statements.went.run(this.#parts.clock.wallMs(), fileId)
  }

  /** What the target of a delivery holds of this very content, of a file that went when this one came. @param sha256 hex, of what the file holds. */
  find(wanted: Wanted, sha256: string): GoneCopy | undefined {
    if (wanted.size < bytesMin) return undefined
    const { guarded, isLeased, tree } = this.#parts
    const rows = guarded(() => this.#statements.free.all(freeCells(wanted, sha256)))
    const row = rows.find(({ fileId }) => !isLeased(wanted.targetId, fileId))
    return row && { fileId: row.fileId, ...tree.pathOf(row.folderId, row.name), remoteId: row.remoteId, sha256 }
  }

  /**
   * Makes the copy that of the delivery's file, in one transaction; on disk once it resolves. Answers false where anything changed meanwhile: then nothing
   * happened. To be called by whoever has the delivery's lease.
   */
  async handOver(wanted: Wanted, gone: GoneCopy): Promise<boolean> {
    let isDone = false
    await this.#parts.group.add(() => {
      isDone = this.#handOver(wanted, gone)
    })
    return isDone
  }

  #handOver(wanted: Wanted, { fileId: goneId, source, path, sha256 }: GoneCopy): boolean {
    const { targetId, fileId, seq } = wanted
    const cells = freeCells(wanted, sha256)
    if (this.#parts.isLeased(targetId, goneId)) return false
    if (this.#statements.isWanted.get({ targetId, fileId, seq }) === undefined) return false
    if (this.#statements.isFree.get({ ...cells, goneId }) === undefined) return false
    this.#statements.handOver.run({ targetId, fileId, goneId })
    const left = this.#statements.endLeaving.get(targetId, goneId)
    if (left !== undefined) this.#parts.counters.lane(targetId, left.state, -1, -left.bytes)
    this.#statements.endSession.run(targetId, goneId)
    this.#statements.forget.run({ sha256: cells.sha256, goneId })
    this.#note(targetId, {
      fileId,
      source: wanted.source,
      detail: `has the content of ${source}/${path}, and its copy`,
    })
    this.#note(targetId, { fileId: goneId, source, detail: `its copy is that of ${wanted.source}/${wanted.path} now` })
    return true
  }

  #note(targetId: number, { fileId, source, detail }: { fileId: number; source: string; detail: string }): void {
    const { history, tree } = this.#parts
    history.append({ sourceId: tree.sourceId(source) ?? null, fileId, targetId, event: 'handed-over', detail })
  }

  /**
   * Files of this very content, believed to be present, of which the target has copies: should one of them be gone already, nobody has said so yet. Not all
   * of them: those with the delivery's inode, and large ones.
   */
  believed({ targetId, fileId, size, inode }: Wanted, sha256: string): readonly { source: string; path: SourcePath }[] {
    if (size < bytesMin) return []
    const { guarded, tree } = this.#parts
    const cells = { targetId, fileId, size, inode: inodeCell(inode), sha256: hashCell(sha256) }
    return guarded(() => this.#statements.believed.all(cells)).map(({ folderId, name }) => tree.pathOf(folderId, name))
  }

  /** Forgets some of what went too long ago, inside of a transaction. Answers whether there may be more. */
  prune(): boolean {
    return this.#statements.prune.run(this.#parts.clock.wallMs() - keptMs).changes === rowsPerStep
  }
}

function freeCells({ targetId, size, sinceMs }: Wanted, sha256: string): FreeCells {
  return { targetId, sha256: hashCell(sha256), size, sinceMs }
}
