/**
 * Files that moved within their source: which rows move, and their new places. The moves of one batch happen at once, so that chains and swaps need
 * no order (F33). Owes nothing to anybody: the feed does.
 */
import type { Clock } from '../base/clock.ts'
import { folderOf, nameOf, sourcePath, type SourcePath } from '../base/path.ts'
import type { FileStat, Move } from './change.ts'
import type { Connection } from './connection.ts'
import type { Counters } from './counters.ts'
import { GoneCopies } from './gone-copies.ts'
import type { GroupCommit } from './group-commit.ts'
import type { History } from './history.ts'
import { LeftCopies } from './left-copies.ts'
import { inodeCell, nameCell, type NameCell } from './rows.ts'
import type { Targets } from './targets.ts'
import type { FileRow, Tree } from './tree.ts'

/** Where else a file is believed, that looks like one file. More of them are hard links of one file, of which any will do. */
const whereaboutsMax = 8
/** A digest of content that is younger may be of what was there a moment before, with the same times (F43). Unit: ns. */
const racyNs = 2_000_000_000n
const nsPerSecond = 1_000_000_000n

// Target by target, in this order: read the other way round, every receipt there is would be looked at.
const sql = {
  // Gone files are worth knowing where a target may still have their copy.
  whereabouts: `
    SELECT folder_id AS folderId, name FROM file INDEXED BY file_by_inode
    WHERE inode = ? AND size = ? AND mtime_ns = ? AND source_id = ? AND (present = 1 OR EXISTS (
      SELECT 1 FROM target CROSS JOIN receipt ON receipt.target_id = target.id AND receipt.file_id = file.id))
    ORDER BY present DESC, seq DESC LIMIT ${whereaboutsMax}`,
  isBound: `
    SELECT EXISTS (SELECT 1 FROM target CROSS JOIN receipt ON receipt.target_id = target.id WHERE receipt.file_id = @id)
      OR EXISTS (SELECT 1 FROM target CROSS JOIN delivery ON delivery.target_id = target.id WHERE delivery.file_id = @id)
      OR EXISTS (SELECT 1 FROM target CROSS JOIN upload_session s ON s.target_id = target.id WHERE s.file_id = @id)`,
  detach: 'UPDATE file SET name = ? WHERE id = ?',
  place: `
    UPDATE file SET folder_id = ?, name = ?, seq = ?, present = 1, size = ?, mtime_ns = ?, ctime_ns = ?, inode = ? WHERE id = ?`,
  forgetDigest: 'UPDATE file SET sha256 = NULL, crc32 = NULL WHERE id = ?',
  inherit: 'UPDATE history SET file_id = ? WHERE file_id = ?',
  drop: 'DELETE FROM file WHERE id = ?',
}

/** What becomes of the moves of one batch. */
export interface Sorted {
  /** Whoever makes room for another one comes before it; those of a circle in any order. */
  readonly moving: readonly { readonly move: Move; readonly row: FileRow }[]
  /** Their new place belongs to a file whose copies are known: that one gets a new version, and this one is gone. */
  readonly blocked: readonly Move[]
  /** Not what is known at the old place, so nothing is said of that. */
  readonly unknown: readonly Move[]
}

interface MovesParts {
  readonly tree: Tree
  readonly history: History
  readonly group: GroupCommit
  readonly counters: Counters
  readonly clock: Clock
  readonly targets: Targets
  readonly isLeased: (targetId: number, fileId: number) => boolean
  /** Around whatever is read outside of a transaction. */
  readonly guarded: <T>(look: () => T) => T
}

export class Moves {
  /** Copies of files that moved, where those were. */
  readonly left: LeftCopies
  /** Copies of files that went, for those of their content that came. */
  readonly gone: GoneCopies
  readonly #parts: MovesParts
  readonly #statements

  constructor(connection: Connection, parts: MovesParts) {
    this.#parts = parts
    this.left = new LeftCopies(connection, parts)
    this.gone = new GoneCopies(connection, parts)
    this.#statements = {
      whereabouts: connection
        .prepare<[bigint, number, bigint, number], { folderId: bigint; name: NameCell }>(sql.whereabouts)
        .safeIntegers(),
      isBound: connection.prepare<[{ id: bigint }], number>(sql.isBound).pluck(),
      detach: connection.prepare<[Buffer, bigint]>(sql.detach),
      place: connection.prepare<[number, NameCell, number, number, bigint, bigint, bigint, bigint]>(sql.place),
      forgetDigest: connection.prepare<[bigint]>(sql.forgetDigest),
      inherit: connection.prepare<[bigint, bigint]>(sql.inherit),
      drop: connection.prepare<[bigint]>(sql.drop),
    }
  }

  /** Where a file of this inode, size and time is, or was and has copies; the present ones first. */
  whereabouts(source: string, { inode, size, mtimeNs }: Omit<FileStat, 'ctimeNs'>): readonly SourcePath[] {
    const { tree, guarded } = this.#parts
    const sourceId = tree.sourceId(source)
    if (sourceId === undefined) return []
    return guarded(() => {
      const rows = this.#statements.whereabouts.all(inodeCell(inode), size, mtimeNs, sourceId)
      return rows.map(({ folderId, name }) => tree.pathOf(Number(folderId), name).path)
    })
  }

  /** Takes the rows that move off their places. */
  sort(moves: readonly Move[]): Sorted {
    const known = new Map<bigint, { move: Move; row: FileRow }>()
    const unknown: Move[] = []
    for (const move of moves) {
      const row = this.#parts.tree.rowAt(move.source, move.from)
      if (row === undefined || known.has(row.id) || !isSame(row, move.stat)) unknown.push(move)
      else known.set(row.id, { move, row })
    }
    const blocked = this.#withoutBlocked(known)
    const moving = this.#inOrder(known)
    for (const { row } of moving) this.#statements.detach.run(Buffer.from(`\0moving ${row.id}`), row.id)
    return { moving, blocked, unknown }
  }

  /** Takes out those that find no room; which may leave others without, whose room they were to make. */
  #withoutBlocked(known: Map<bigint, { move: Move; row: FileRow }>): Move[] {
    const blocked: Move[] = []
    for (let before = -1; before !== blocked.length;) {
      before = blocked.length
      for (const [id, { move }] of known) {
        const there = this.#parts.tree.rowAt(move.source, move.path)
        if (there === undefined || known.has(there.id) || !this.#isBound(there)) continue
        known.delete(id)
        blocked.push(move)
      }
    }
    return blocked
  }

  /** Is there anything of the file at a target, or on its way there? */
  #isBound({ id }: FileRow): boolean {
    const { targets, isLeased } = this.#parts
    return this.#statements.isBound.get({ id }) === 1 || targets.ids.some((target) => isLeased(target, Number(id)))
  }

  #inOrder(known: ReadonlyMap<bigint, { move: Move; row: FileRow }>): { move: Move; row: FileRow }[] {
    const ordered = new Set<{ move: Move; row: FileRow }>()
    for (const first of known.values()) {
      const line: { move: Move; row: FileRow }[] = []
      for (let one: typeof first | undefined = first; one !== undefined && !ordered.has(one) && !line.includes(one);) {
        line.push(one)
        const there = this.#parts.tree.rowAt(one.move.source, one.move.path)
        one = there === undefined ? undefined : known.get(there.id)
      }
      for (const one of line.reverse()) ordered.add(one)
    }
    return [...ordered]
  }

  /** Puts a row that was taken off its place to its new one. What is left of another file there had nothing at any target. */
  place({ source, path, stat }: Move, row: FileRow, seq: number): void {
    const { tree, counters } = this.#parts
    const sourceId = tree.ensureSource(source)
    const folderId = tree.ensureFolder(sourceId, sourcePath(folderOf(path)))
    const there = tree.fileRow(folderId, nameOf(path))
    if (there !== undefined) {
      if (there.present === 1n) counters.source(sourceId, -1)
      this.#statements.inherit.run(row.id, there.id)
      this.#statements.drop.run(there.id)
    }
    const { size, mtimeNs, ctimeNs, inode } = stat
    const name = nameCell(nameOf(path))
    this.#statements.place.run(folderId, name, seq, size, mtimeNs, ctimeNs, inodeCell(inode), row.id)
    if (!this.#isDigestSure(stat)) this.#statements.forgetDigest.run(row.id)
    this.left.mark(Number(row.id))
  }

  /** Times of whole seconds are those of a coarse clock, or were set by somebody: another content may have them, too (F44). */
  #isDigestSure({ mtimeNs }: FileStat): boolean {
    const wallNs = BigInt(Math.floor(this.#parts.clock.wallMs())) * 1_000_000n
    return mtimeNs % nsPerSecond !== 0n && wallNs - mtimeNs > racyNs
  }
}

/** All but the time of change, which a rename sets: an inode alone identifies nothing (F31). */
function isSame(row: FileRow, { inode, size, mtimeNs }: FileStat): boolean {
  return row.inode === inodeCell(inode) && Number(row.size) === size && row.mtime_ns === mtimeNs
}
