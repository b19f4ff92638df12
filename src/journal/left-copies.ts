/**
 * Copies that lie at a target where their file was before it moved, until their lane has moved them. Whoever wants such a place asks here first; a
 * target's own word on what lies there does not say whose it is.
 */
import type { Clock } from '../base/clock.ts'
import { folderOf } from '../base/path.ts'
import type { Connection } from './connection.ts'
import type { Delivery, StoredReceipt } from './delivery.ts'
import type { GroupCommit } from './group-commit.ts'
import { hashCell, nameCell, type NameCell } from './rows.ts'

/** Whose copy lies in the way to a place that somebody else wants, and when it goes from there. */
export interface LeftCopy {
  readonly fileId: number
  /** The change that takes it away; undefined where none does: it waits for its grace, for its owner, or for nothing. */
  readonly goes: { readonly seq: number; readonly inMs: number } | undefined
}

interface Row {
  readonly fileId: number
  readonly seq: number | null
  readonly state: string | null
  readonly dueMs: number | null
}

const sql = {
  // By the key of each target, since the table has no order of files.
  mark: 'UPDATE receipt SET is_left = 1 WHERE target_id IN (SELECT id FROM target) AND file_id = ?',
  outdated: 'UPDATE receipt SET is_left = 1 WHERE target_id = ? AND file_id = ?',
  any: 'SELECT 1 FROM receipt INDEXED BY receipt_left WHERE target_id = ? AND is_left = 1 LIMIT 1',
  at: left('receipt.path = ?'),
  // A folder of that name, at the target: '0' comes right behind '/'.
  below: left("receipt.path > ? || '/' AND receipt.path < ? || '0'"),
  keep: `
    UPDATE receipt SET path = ?, remote_id = ?, revision = ?, size = ?, sha256 = ?, mtime_ns = ?, is_left = 1, moving_to = ?
    WHERE target_id = ? AND file_id = ?`,
  wake: "UPDATE delivery SET due_ms = ? WHERE target_id = ? AND file_id = ? AND state = 'postponed'",
  holds: 'SELECT 1 FROM receipt WHERE target_id = ? AND file_id = ? AND path = ?',
  takeWay: `
    UPDATE receipt INDEXED BY receipt_moving SET moving_to = NULL
    WHERE target_id = ? AND moving_to = ? AND moving_to IS NOT NULL AND file_id <> ?`,
  takeOver:
    'DELETE FROM receipt INDEXED BY receipt_left WHERE target_id = ? AND path = ? AND is_left = 1 AND file_id <> ?',
}

function left(where: string): string {
  return `
    SELECT receipt.file_id AS fileId, wanted_seq AS seq, state, due_ms AS dueMs
    FROM receipt INDEXED BY receipt_left
      LEFT JOIN delivery ON delivery.target_id = receipt.target_id AND delivery.file_id = receipt.file_id
    WHERE ${where} AND receipt.target_id = ? AND is_left = 1 LIMIT 1`
}

type CopyCells = [path: NameCell, remoteId: string, revision: string, size: number, sha256: Buffer, mtimeNs: bigint]

interface LeftCopiesParts {
  readonly group: GroupCommit
  readonly clock: Clock
  /** Around whatever is read outside of a transaction. */
  readonly guarded: <T>(look: () => T) => T
}

export class LeftCopies {
  readonly #parts: LeftCopiesParts
  readonly #statements

  constructor(connection: Connection, parts: LeftCopiesParts) {
    this.#parts = parts
    this.#statements = {
      mark: connection.prepare<[number]>(sql.mark),
      outdated: connection.prepare<[number, number]>(sql.outdated),
      any: connection.prepare<[number]>(sql.any),
      at: connection.prepare<[NameCell, number], Row>(sql.at),
      below: connection.prepare<[NameCell, NameCell, number], Row>(sql.below),
      keep: connection.prepare<[...CopyCells, NameCell | null, number, number]>(sql.keep),
      wake: connection.prepare<[number, number, number]>(sql.wake),
      holds: connection.prepare<[number, number, NameCell]>(sql.holds),
      takeWay: connection.prepare<[number, NameCell, number]>(sql.takeWay),
      takeOver: connection.prepare<[number, NameCell, number]>(sql.takeOver),
    }
  }

  /** The file moved: all its copies lie where it was. */
  mark(fileId: number): void {
    this.#statements.mark.run(fileId)
  }

  /** A copy was receipted of a change that is not the newest: the file may have moved since. */
  outdated(targetId: number, fileId: number): void {
    this.#statements.outdated.run(targetId, fileId)
  }

  /**
   * Where a copy is now, and where it is about to be moved: said before it is, so that it is found whatever becomes of the attempt and of its file (F83).
   * On disk once it resolves. Answers false where the copy is none of this file any more.
   */
  async keep(
    { targetId, fileId }: Pick<Delivery, 'targetId' | 'fileId'>,
    copy: Omit<StoredReceipt, 'seq'>,
    movingTo: string | undefined,
  ): Promise<boolean> {
    const { path, remoteId, revision, size, sha256, mtimeNs } = copy
    const cells: CopyCells = [nameCell(path), remoteId, revision, size, hashCell(sha256), mtimeNs]
    const to = movingTo === undefined ? null : nameCell(movingTo)
    let isKept = false
    await this.#parts.group.add(() => {
      isKept = this.#statements.keep.run(...cells, to, targetId, fileId).changes === 1
    })
    return isKept
  }

  /** What they waited for has gone: they are due. */
  wake(targetId: number, fileIds: readonly number[]): Promise<void> {
    const { group, clock } = this.#parts
    return group.add(() => {
      for (const fileId of fileIds) this.#statements.wake.run(clock.wallMs(), targetId, fileId)
    })
  }

  /** Is what was claimed of the copy still so? Another file may have taken its place over meanwhile. */
  isTrue({ targetId, fileId, receipt }: Delivery): boolean {
    if (receipt === undefined) return true
    return this.#parts.guarded(() => this.#statements.holds.get(targetId, fileId, nameCell(receipt.path)) !== undefined)
  }

  /** The first of those at this place, in the place of a folder above it, or in a folder of its name (F39). */
  at(targetId: number, path: string): LeftCopy | undefined {
    return this.#parts.guarded(() => this.#at(targetId, path))
  }

  #at(targetId: number, path: string): LeftCopy | undefined {
    // None at all is by far the most common.
    if (this.#statements.any.get(targetId) === undefined) return undefined
    for (let place = path; place !== ''; place = folderOf(place)) {
      const row = this.#statements.at.get(nameCell(place), targetId)
      if (row !== undefined) return this.#leftCopy(row)
    }
    const row = this.#statements.below.get(nameCell(path), nameCell(path), targetId)
    return row && this.#leftCopy(row)
  }

  #leftCopy({ fileId, seq, state, dueMs }: Row): LeftCopy {
    const isGoing = seq !== null && (state === 'waiting' || state === 'postponed')
    return { fileId, goes: isGoing ? { seq, inMs: Math.max(0, (dueMs ?? 0) - this.#parts.clock.wallMs()) } : undefined }
  }

  /**
   * The place is about to be written over, by a copy that nobody may hear of: whose copy was left there has none from now on. On disk once it
   * resolves. To be called by whoever has that place's turn, and waited for those who still go from there.
   */
  async giveUp({ targetId, fileId }: Pick<Delivery, 'targetId' | 'fileId'>, path: string): Promise<void> {
    const { guarded, group } = this.#parts
    const of = [nameCell(path), targetId] as const
    const there = guarded(() =>
      this.#statements.any.get(targetId) === undefined ? undefined : this.#statements.at.get(...of),
    )
    if (there === undefined || there.fileId === fileId) return
    await group.add(() => {
      this.takeOver(targetId, nameCell(path), fileId)
    })
  }

  /** The place has another file's copy now: what lay there is no more. */
  takeOver(targetId: number, path: NameCell, fileId: number): void {
    this.#statements.takeOver.run(targetId, path, fileId)
    this.#statements.takeWay.run(targetId, path, fileId)
  }
}
