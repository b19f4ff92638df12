/**
 * Folders that were renamed or moved within their source, as a whole (F32): a few rows, whatever lies below. Each target's copies follow by one move
 * there, in the order of the renames and before anything else happens at that target; then what is known of their places follows, page by page.
 */
import type { Clock } from '../base/clock.ts'
import { encodeName, folderOf, joinPath, nameOf, sourcePath, type SourcePath } from '../base/path.ts'
import type { Facts, FolderMove } from './change.ts'
import type { Connection } from './connection.ts'
import type { Debts } from './debts.ts'
import type { GroupCommit } from './group-commit.ts'
import { offeredPriority } from './priority.ts'
import { nameCell, nameOfCell, type NameCell } from './rows.ts'
import type { Targets } from './targets.ts'
import type { Tree } from './tree.ts'

/** Files followed in one write: some milliseconds. */
const pageMax = 500

/** Files of a folder that are counted to tell whether most of them are there still. */
const countedMax = 1_000

/** Where a folder lies at a target, before and after. */
export interface FolderPlace {
  readonly targetId: number
  readonly from: string
  readonly to: string
}

/** Of each target; where its copies do not lie by folders, both places are the same, and only what waits for a file is done. */
export type FolderPlaces = (move: FolderMove) => readonly FolderPlace[]

/** What a target still has to do. */
export interface PendingFolderMove extends FolderPlace {
  readonly id: number
  readonly folderId: number
  readonly sourceId: number
}

const sql = {
  pending: 'SELECT DISTINCT target_id FROM folder_move',
  pendingFolders: 'SELECT DISTINCT folder_id FROM folder_move',
  first: `
    SELECT folder_move.id, target_id AS targetId, folder_id AS folderId, source_id AS sourceId, from_path AS "from", to_path AS "to"
    FROM folder_move JOIN folder ON folder.id = folder_id WHERE target_id = ? ORDER BY folder_move.id LIMIT 1`,
  oldest: 'SELECT min(at_ms) FROM folder_move WHERE target_id = ?',
  add: 'INSERT INTO folder_move (target_id, folder_id, from_path, to_path, at_ms) VALUES (?, ?, ?, ?, ?)',
  end: 'DELETE FROM folder_move WHERE id = ?',
  // What is known of copies at targets that nobody tells to move them.
  others: `
    SELECT EXISTS (SELECT 1 FROM lane_count WHERE state = 'delivered' AND files > 0 AND target_id NOT IN (SELECT value FROM json_each(?)))`,
  place: 'UPDATE folder SET parent_id = ?, name = ? WHERE id = ?',
  isUsed: `
    SELECT EXISTS (SELECT 1 FROM file WHERE folder_id = @id) OR EXISTS (SELECT 1 FROM folder_move WHERE folder_id = @id)
      OR EXISTS (SELECT 1 FROM folder WHERE source_id = @sourceId AND parent_id = @id)`,
  drop: 'DELETE FROM folder WHERE id = ?',
  parent: 'SELECT parent_id FROM folder WHERE id = ?',
  children: 'SELECT id FROM folder WHERE source_id = ? AND parent_id = ?',
  files:
    'SELECT id, name, present, seq, size, mtime_ns FROM file WHERE folder_id = ? AND name > ? ORDER BY name LIMIT ?',
  receipt: 'SELECT file_id AS fileId, path, moving_to AS movingTo FROM receipt WHERE target_id = ? AND file_id = ?',
  left: `
    SELECT file_id AS fileId, path, moving_to AS movingTo FROM receipt INDEXED BY receipt_left
    WHERE target_id = ? AND is_left = 1 AND path > ? AND path < ? LIMIT ?`,
  moving: `
    SELECT file_id AS fileId, path, moving_to AS movingTo FROM receipt INDEXED BY receipt_moving
    WHERE target_id = ? AND moving_to > ? AND moving_to < ? LIMIT ?`,
  follow: 'UPDATE receipt SET path = ?, moving_to = ? WHERE target_id = ? AND file_id = ?',
  // What failed may have failed since the file was looked for where it was.
  wake: "UPDATE delivery SET due_ms = ?, attempts = 0 WHERE target_id = ? AND file_id = ? AND state = 'postponed'",
  leave: 'UPDATE receipt SET is_left = 1 WHERE target_id = ? AND file_id = ?',
}

interface FileCells {
  readonly id: bigint
  readonly name: NameCell
  readonly present: bigint
  readonly seq: bigint
  readonly size: bigint
  readonly mtime_ns: bigint
}

interface ReceiptCells {
  readonly fileId: number
  readonly path: NameCell
  readonly movingTo: NameCell | null
}

type Range = [number, NameCell, NameCell, number]

interface FolderMovesParts {
  readonly tree: Tree
  readonly group: GroupCommit
  readonly debts: Debts
  readonly targets: Targets
  readonly clock: Clock
  /** Around whatever is read outside of a transaction. */
  readonly guarded: <T>(look: () => T) => T
}

export class FolderMoves {
  readonly #parts: FolderMovesParts
  readonly #statements
  /** Targets that have to move folders. */
  #pending: ReadonlySet<number> = new Set()

  constructor(connection: Connection, parts: FolderMovesParts) {
    this.#parts = parts
    this.#statements = {
      pending: connection.prepare<[], number>(sql.pending).pluck(),
      pendingFolders: connection.prepare<[], number>(sql.pendingFolders).pluck(),
      first: connection.prepare<[number], PendingFolderMove & { from: NameCell; to: NameCell }>(sql.first),
      oldest: connection.prepare<[number], number | null>(sql.oldest).pluck(),
      add: connection.prepare<[number, number, NameCell, NameCell, number]>(sql.add),
      end: connection.prepare<[number]>(sql.end),
      others: connection.prepare<[string], number>(sql.others).pluck(),
      place: connection.prepare<[number, NameCell, number]>(sql.place),
      isUsed: connection.prepare<[{ id: number; sourceId: number }], number>(sql.isUsed).pluck(),
      drop: connection.prepare<[number]>(sql.drop),
      parent: connection.prepare<[number], number>(sql.parent).pluck(),
      children: connection.prepare<[number, number], number>(sql.children).pluck(),
      files: connection.prepare<[number, NameCell, number], FileCells>(sql.files).safeIntegers(),
      receipt: connection.prepare<[number, number], ReceiptCells>(sql.receipt),
      left: connection.prepare<Range, ReceiptCells>(sql.left),
      moving: connection.prepare<Range, ReceiptCells>(sql.moving),
      follow: connection.prepare<[NameCell, NameCell | null, number, number]>(sql.follow),
      wake: connection.prepare<[number, number, number]>(sql.wake),
      leave: connection.prepare<[number, number]>(sql.leave),
    }
    this.reload()
  }

  /** After a transaction, whatever became of it. */
  reload(): void {
    this.#pending = new Set(this.#statements.pending.all())
  }

  isPending(targetId: number): boolean {
    return this.#pending.has(targetId)
  }

  /** What the target has to do next; the later ones build on it. */
  first(targetId: number): PendingFolderMove | undefined {
    const row = this.isPending(targetId) ? this.#parts.guarded(() => this.#statements.first.get(targetId)) : undefined
    return row && { ...row, from: nameOfCell(row.from), to: nameOfCell(row.to) }
  }

  /** Wall time of the oldest one that the target has not done. Unit: ms since 1970. */
  oldestSinceMs(targetId: number): number | null {
    return this.isPending(targetId) ? (this.#statements.oldest.get(targetId) ?? null) : null
  }

  /**
   * Can it be taken as one? Not where the new place is known already, where one of the places is below the other, where copies are known of at targets
   * that are none now, where targets have still to move a folder out of which it was taken, or where most of its files had gone before: their copies
   * are kept where they are. Then its files move one by one.
   */
  isPossible(move: FolderMove): boolean {
    return this.#parts.guarded(() => {
      const found = this.#ofMove(move)
      return found !== undefined && this.#isMostlyThere(found.sourceId, found.id)
    })
  }

  #isMostlyThere(sourceId: number, folderId: number): boolean {
    let [counted, present] = [0, 0]
    for (const page of this.#pagesBelow(sourceId, folderId)) {
      counted += page.length
      present += page.filter(({ file }) => file.present === 1n).length
      if (counted >= countedMax) break
    }
    return present * 2 > counted
  }

  #ofMove({ source, from, path }: FolderMove): { id: number; sourceId: number; there: number | undefined } | undefined {
    const { tree, targets } = this.#parts
    if (from === '' || path === '' || isWithin(from, path) || isWithin(path, from)) return undefined
    const sourceId = tree.sourceId(source)
    const id = sourceId === undefined ? undefined : tree.folderId(sourceId, from)
    if (sourceId === undefined || id === undefined) return undefined
    const there = tree.folderId(sourceId, path)
    if (there !== undefined && this.#statements.isUsed.get({ id: there, sourceId }) === 1) return undefined
    if (this.#statements.others.get(JSON.stringify(targets.all.map((target) => target.id))) === 1) return undefined
    return this.#isBelowPending(id) ? undefined : { id, sourceId, there }
  }

  #isBelowPending(folderId: number): boolean {
    const pending = new Set(this.#statements.pendingFolders.all())
    if (pending.size === 0) return false
    for (
      let id = this.#statements.parent.get(folderId);
      id !== undefined && id !== 0;
      id = this.#statements.parent.get(id)
    )
      if (pending.has(id)) return true
    return false
  }

  /** Inside of a transaction. @returns the targets that have to move copies; undefined where it cannot be taken as one by now. */
  take(move: FolderMove, places: FolderPlaces): readonly number[] | undefined {
    const found = this.#ofMove(move)
    if (found === undefined) return undefined
    const { tree, clock } = this.#parts
    const { id, sourceId, there } = found
    if (there !== undefined) {
      this.#statements.drop.run(there)
      tree.forgetCached()
    }
    const parentId = tree.ensureFolder(sourceId, sourcePath(folderOf(move.path)))
    this.#statements.place.run(parentId, nameCell(nameOf(move.path)), id)
    tree.forgetCached()
    const owed = places(move)
    for (const { targetId, from, to } of owed)
      this.#statements.add.run(targetId, id, nameCell(from), nameCell(to), clock.wallMs())
    this.reload()
    return owed.map(({ targetId }) => targetId)
  }

  /** Present files below a folder, for whoever has to look at each. */
  *facts(source: string, folder: SourcePath): Generator<Facts> {
    const { tree } = this.#parts
    const sourceId = tree.sourceId(source)
    const top = sourceId === undefined ? undefined : tree.folderId(sourceId, folder)
    if (sourceId === undefined || top === undefined) return
    for (const page of this.#pagesBelow(sourceId, top))
      for (const { folderId, file } of page)
        if (file.present === 1n)
          yield { ...tree.pathOf(folderId, file.name), size: Number(file.size), mtimeNs: file.mtime_ns }
  }

  /** Where the copy of one of its files has to be once the folder moved; undefined where the target seems to have none. */
  sample({ targetId, folderId, sourceId, from, to }: PendingFolderMove): string | undefined {
    let counted = 0
    for (const page of this.#pagesBelow(sourceId, folderId)) {
      for (const { file } of page) {
        const receipt = file.present === 1n ? this.#receiptOf(targetId, file) : undefined
        const path = receipt && nameOfCell(receipt.path)
        if (path !== undefined && isBelow(path, from)) return moved(path, from, to)
      }
      counted += page.length
      if (counted >= countedMax) break
    }
    return undefined
  }

  #receiptOf(targetId: number, { id }: FileCells): ReceiptCells | undefined {
    return this.#parts.guarded(() => this.#statements.receipt.get(targetId, Number(id)))
  }

  /** Files of a folder and of all below it, gone ones too. */
  *#pagesBelow(sourceId: number, top: number): Generator<readonly { folderId: number; file: FileCells }[]> {
    const { guarded } = this.#parts
    const ahead = [top]
    for (let folderId = ahead.pop(); folderId !== undefined; folderId = ahead.pop()) {
      const id = folderId
      ahead.push(...guarded(() => this.#statements.children.all(sourceId, id)))
      for (let after: NameCell | undefined = ''; after !== undefined;) {
        const from: NameCell = after
        const page: readonly FileCells[] = guarded(() => this.#statements.files.all(id, from, pageMax))
        if (page.length > 0) yield page.map((file) => ({ folderId: id, file }))
        after = page.length < pageMax ? undefined : page.at(-1)?.name
      }
    }
  }

  /**
   * The folder was moved at the target: what is known of its copies follows. On disk once it resolves. Broken off, it is done again from the start.
   * To be called while nothing is under way below either place.
   */
  async followed(done: PendingFolderMove, signal: AbortSignal): Promise<void> {
    for (const page of this.#pagesBelow(done.sourceId, done.folderId)) {
      signal.throwIfAborted()
      await this.#parts.group.add(() => {
        for (const { file } of page) {
          const fileId = Number(file.id)
          this.#follow(done, this.#statements.receipt.get(done.targetId, fileId))
          this.#wake(done, fileId)
        }
      })
    }
    // Files that were below it and moved off since: their copies went along as well.
    for (let isEnd = false; !isEnd;) {
      signal.throwIfAborted()
      await this.#parts.group.add(() => {
        isEnd = !this.#followStrays(done)
        if (isEnd) this.#statements.end.run(done.id)
      })
    }
    this.reload()
  }

  #follow({ targetId, from, to }: FolderPlace, receipt: ReceiptCells | undefined): void {
    if (receipt === undefined) return
    const path = nameOfCell(receipt.path)
    const movingTo = receipt.movingTo === null ? null : nameOfCell(receipt.movingTo)
    const isAway = !isBelow(path, from) && (movingTo === null || !isBelow(movingTo, from))
    if (isAway) return
    const cells = [
      nameCell(moved(path, from, to)),
      movingTo === null ? null : nameCell(moved(movingTo, from, to)),
    ] as const
    this.#statements.follow.run(...cells, targetId, receipt.fileId)
  }

  /** Some of them; false when there were none. */
  #followStrays(done: FolderPlace): boolean {
    const { targetId, from } = done
    // The byte behind a slash is the digit 0. A path with a name that is no UTF-8 is kept as bytes, which sort apart.
    const bounds = [`${from}/`, `${from}0`] as const
    const ranges = [bounds.map(nameCell), bounds.map(encodeName)]
    const strays = ranges.flatMap(([first = '', last = '']) =>
      [this.#statements.left, this.#statements.moving].flatMap((some) => some.all(targetId, first, last, pageMax)),
    )
    for (const stray of strays) this.#follow(done, this.#statements.receipt.get(targetId, stray.fileId))
    return strays.length > 0
  }

  /** The target cannot move the folder as one: each of its files is owed, and moves by itself. On disk once it resolves. */
  async split(done: PendingFolderMove, signal: AbortSignal): Promise<void> {
    for (const page of this.#pagesBelow(done.sourceId, done.folderId)) {
      signal.throwIfAborted()
      await this.#parts.group.add(() => {
        for (const { file } of page) this.#leave(done, Number(file.id))
      })
    }
    await this.#parts.group.add(() => this.#statements.end.run(done.id))
    this.reload()
  }

  #leave(place: FolderPlace, fileId: number): void {
    const { targetId, from } = place
    this.#wake(place, fileId)
    const receipt = this.#statements.receipt.get(targetId, fileId)
    if (receipt === undefined || !isBelow(nameOfCell(receipt.path), from)) return
    this.#statements.leave.run(targetId, fileId)
    // As it is by now: the page was read before.
    const file = this.#parts.tree.fileRowById(fileId)
    if (file?.present !== 1n) return
    const bytes = Number(file.size)
    const owed = { targetId, fileId, seq: Number(file.seq), bytes }
    this.#parts.debts.renew(owed, { priority: offeredPriority(bytes), look: 'trust' })
  }

  #wake({ targetId }: FolderPlace, fileId: number): void {
    this.#statements.wake.run(this.#parts.clock.wallMs(), targetId, fileId)
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`)
}

function moved(path: string, from: string, to: string): string {
  return isBelow(path, from) ? joinPath(to, path.slice(from.length + 1)) : path
}

/** Equal, or below it; on a target that tells no case or composition apart. */
function isWithin(path: string, folder: string): boolean {
  const [one, other] = [path, folder].map((each) => each.normalize('NFC').toLowerCase())
  return one === other || `${one}`.startsWith(`${other}/`)
}
