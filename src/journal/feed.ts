/** The feed of changes: accepts them, owes them to targets, and offers them to a target again. */
import type { Clock } from '../base/clock.ts'
import { folderOf, nameOf, sourcePath } from '../base/path.ts'
import type { Change, Facts, FolderMove, Move } from './change.ts'
import type { Counters } from './counters.ts'
import { Debts } from './debts.ts'
import { FolderMoves, type FolderPlaces } from './folder-moves.ts'
import type { GroupCommit } from './group-commit.ts'
import type { History } from './history.ts'
import type { Connection } from './connection.ts'
import type { Leaving, Remover } from './leaving.ts'
import { Moves } from './moves.ts'
import { NewFiles, type NewFile } from './new-files.ts'
import { offeredPriority } from './priority.ts'
import { inodeCell, nameCell } from './rows.ts'
import { receiptColumns, storedReceipt, type ReceiptRow, type StoredReceipt } from './delivery.ts'
import type { Look, Targets } from './targets.ts'
import type { Transactions } from './transactions.ts'
import { required, type FileRow, type Tree } from './tree.ts'

/** Which targets take a file: their ids. */
export type Selection = (facts: Facts) => readonly number[]

/** A change that is in the journal, with the targets that it is owed to. */
export interface Accepted {
  readonly seq: number
  /** Null of a folder. */
  readonly fileId: number | null
  readonly owedTo: readonly number[]
  /** A copy is to leave a target that does not take the file where it is now. */
  readonly isGivenUp?: boolean
}

/** What follows where files went or their folder moved. */
export interface Following {
  readonly removers?: readonly Remover[]
  readonly places?: FolderPlaces
}
const nowhere: FolderPlaces = () => []

/** Says of a file whether a target is to have it, see Feed.offer. */
export type Takes = (facts: Facts) => 'take' | 'leave' | 'pass'

/** Whether a receipt of a file's newest state is known to be true, so that nobody has to look. */
export type Proves = (receipt: StoredReceipt) => boolean
const provesNothing: Proves = () => false

/** A file whose copy is not what its receipt says. */
export interface OwedAgain {
  readonly fileId: number
  /** For its history. */
  readonly why: string
  /** What is to be true in the same transaction. */
  readonly first?: () => void
}

export interface OfferStep {
  /** Files looked at in this step. */
  readonly files: number
  /** Deliveries made or renewed. */
  readonly owed: number
  readonly isDone: boolean
}

const sql = {
  head: 'SELECT coalesce(max(seq), 0) AS seq FROM file',
  changeFile: `
    UPDATE file SET seq = ?, present = 1, size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, sha256 = NULL, crc32 = NULL WHERE id = ?`,
  removeFile: 'UPDATE file SET seq = ?, present = 0 WHERE id = ?',
  after: `
    SELECT file.* FROM file WHERE seq > ? ORDER BY seq LIMIT ?`,
  presentAfter: 'SELECT file.* FROM file WHERE seq > ? AND present = 1 ORDER BY seq LIMIT ?',
  receipt: `SELECT '' AS target, ${receiptColumns} FROM receipt WHERE target_id = ? AND file_id = ?`,
}

interface FeedParts {
  readonly tree: Tree
  readonly targets: Targets
  readonly history: History
  readonly counters: Counters
  readonly leaving: Leaving
  readonly transactions: Transactions
  readonly group: GroupCommit
  readonly clock: Clock
  /** An attempt at this file is under way at this target. */
  readonly isLeased: (targetId: number, fileId: number) => boolean
  /** Around whatever is read outside of a transaction. */
  readonly guarded: <T>(look: () => T) => T
}

function goneWords(leaving: number): string {
  if (leaving === 0) return 'gone from its source; copies are kept'
  return `gone from its source; ${leaving} ${leaving === 1 ? 'copy follows' : 'copies follow'} after the grace`
}

/** The moves from `at` on, until something else comes. */
function movesFrom(changes: readonly Change[], at: number): Move[] {
  const moves: Move[] = []
  for (let change = changes[at]; change?.kind === 'move'; change = changes[++at]) moves.push(change)
  return moves
}

export class Feed {
  readonly #tree: Tree
  readonly #targets: Targets
  readonly #history: History
  readonly #newFiles: NewFiles
  readonly moves: Moves
  readonly folderMoves: FolderMoves
  readonly #debts: Debts
  readonly #clock: Clock
  readonly #statements
  readonly #recordAll
  readonly #offerStep
  readonly #oweAgain
  /** What was owed when the journal was opened may have been tried by a process that could not tell: its receipts are in doubt. */
  readonly #doubtfulSeq: number
  #head: number

  constructor(connection: Connection, parts: FeedParts) {
    this.#tree = parts.tree
    this.#targets = parts.targets
    this.#history = parts.history
    this.#newFiles = new NewFiles(connection, parts.counters)
    this.moves = new Moves(connection, parts)
    this.#clock = parts.clock
    this.#statements = {
      head: connection.prepare<[], { seq: number }>(sql.head),
      changeFile: connection.prepare<[number, number, bigint, bigint, bigint, bigint]>(sql.changeFile),
      removeFile: connection.prepare<[number, bigint]>(sql.removeFile),
      after: connection.prepare<[number, number], FileRow & { source_id: bigint }>(sql.after).safeIntegers(),
      presentAfter: connection.prepare<[number, number], FileRow>(sql.presentAfter).safeIntegers(),
      receipt: connection.prepare<[number, number], ReceiptRow>(sql.receipt).safeIntegers(),
    }
    this.#head = required(this.#statements.head.get()).seq
    this.#doubtfulSeq = this.#head
    this.#debts = new Debts(connection, { ...parts, doubtfulSeq: this.#head })
    this.folderMoves = new FolderMoves(connection, { ...parts, debts: this.#debts })
    this.#recordAll = parts.transactions.of(
      (changes: readonly Change[], selection: Selection, { removers, places }: Required<Following>) => {
        const head = this.#head
        const accepted = this.#recordInOrder(changes, selection, { removers, places })
        this.#newFiles.write()
        this.#targets.advance(head, this.#head)
        return accepted
      },
    )
    this.#offerStep = parts.transactions.of((name: string, limit: number, takes: Takes, proves: Proves) =>
      this.#offerSome(name, limit, takes, proves),
    )
    this.#oweAgain = parts.transactions.of(
      (targetId: number, files: readonly OwedAgain[]) => files.filter((one) => this.#oweOneAgain(targetId, one)).length,
    )
  }

  /** Deliveries of this seq and before were owed already when the journal was opened. */
  get doubtfulSeq(): number {
    return this.#doubtfulSeq
  }

  /** The newest seq. */
  get head(): number {
    return this.#head
  }

  /**
   * Accepts changes in one transaction: each file row gets its new seq and every target that takes it gets its delivery, or
   * nothing happened. A put that repeats a known stat counts: its source saw a write that no time stamp shows (F43), and only the
   * content can tell. A removal of what is not there is undefined in the answer.
   */
  record(
    changes: readonly Change[],
    selection: Selection,
    { removers = [], places = nowhere }: Following = {},
  ): readonly (Accepted | undefined)[] {
    const head = this.#head
    try {
      return this.#recordAll(changes, selection, { removers, places })
    } catch (thrown) {
      this.#head = head
      this.#tree.forgetCached()
      this.#newFiles.forget()
      this.#targets.reload()
      this.folderMoves.reload()
      throw thrown
    }
  }

  /** Moves that follow each other happen at once. */
  #recordInOrder(
    changes: readonly Change[],
    selection: Selection,
    { removers, places }: Required<Following>,
  ): (Accepted | undefined)[] {
    const accepted: (Accepted | undefined)[] = []
    for (let at = 0; at < changes.length; at = accepted.length) {
      const moves = movesFrom(changes, at)
      const change = changes[at]
      if (moves.length > 0) accepted.push(...this.#moveAll(moves, selection, removers))
      else if (change?.kind === 'move-folder') accepted.push(this.#moveFolder(change, places))
      else if (change !== undefined && change.kind !== 'move')
        accepted.push(this.#recordOne(change, selection, removers))
    }
    return accepted
  }

  /** A move that cannot be one is a removal and a put, or where nothing is known of the old place, a put. */
  #moveAll(moves: readonly Move[], selection: Selection, removers: readonly Remover[]): (Accepted | undefined)[] {
    this.#newFiles.write()
    const { moving, blocked, unknown } = this.moves.sort(moves)
    const accepted = new Map<Move, Accepted | undefined>()
    for (const { move, row } of moving) accepted.set(move, this.#move(move, row, { selection, removers }))
    const gone = blocked.map(({ source, from }) =>
      this.#recordOne({ kind: 'remove', source, path: from }, selection, removers),
    )
    for (const move of [...blocked, ...unknown]) {
      const put = this.#recordOne({ ...move, kind: 'put' }, selection, removers)
      accepted.set(move, put && { ...put, owedTo: [...put.owedTo, ...(gone.shift()?.owedTo ?? [])] })
    }
    return moves.map((move) => accepted.get(move))
  }

  /** The row keeps its receipts, so that every lane moves what its target holds. */
  #move(
    move: Move,
    row: FileRow,
    { selection, removers }: { readonly selection: Selection; readonly removers: readonly Remover[] },
  ): Accepted {
    const { source, from, path, stat } = move
    const fileId = Number(row.id)
    const seq = ++this.#head
    const takers = row.present === 1n ? selection({ source, path: from, ...stat }) : []
    const owedTo = selection({ source, path, ...stat })
    this.moves.place(move, row, seq)
    // Out of what a target takes is gone for that target (F35).
    const losing = removers.filter(({ targetId }) => takers.includes(targetId) && !owedTo.includes(targetId))
    const leaves = this.#debts.leave(fileId, seq, losing)
    this.#debts.settle({ fileId, seq, bytes: stat.size }, owedTo, { leaves })
    const sourceId = this.#tree.ensureSource(source)
    this.#history.append({ sourceId, fileId, targetId: null, event: 'move', detail: `from ${from}` })
    return { seq, fileId, owedTo: [...owedTo, ...leaves], isGivenUp: leaves.length > 0 }
  }

  /** No file is another one by that: none gets a new seq. */
  #moveFolder(move: FolderMove, places: FolderPlaces): Accepted | undefined {
    this.#newFiles.write()
    const owedTo = this.folderMoves.take(move, places)
    if (owedTo === undefined) return undefined
    const sourceId = this.#tree.ensureSource(move.source)
    const detail = `the folder ${move.from} is ${move.path} now`
    this.#history.append({ sourceId, fileId: null, targetId: null, event: 'move', detail })
    return { seq: this.#head, fileId: null, owedTo }
  }

  #recordOne(
    change: Exclude<Change, Move | FolderMove>,
    selection: Selection,
    removers: readonly Remover[],
  ): Accepted | undefined {
    const accepted = change.kind === 'put' ? this.#put(change, selection) : this.#remove(change, removers)
    if (accepted === undefined) return undefined
    const detail = change.kind === 'put' ? `${change.stat.size} bytes` : goneWords(accepted.owedTo.length)
    const sourceId = this.#tree.ensureSource(change.source)
    this.#history.append({ sourceId, fileId: accepted.fileId, targetId: null, event: change.kind, detail })
    return accepted
  }

  #put(change: Extract<Change, { kind: 'put' }>, selection: Selection): Accepted {
    const { source, path, stat } = change
    const sourceId = this.#tree.ensureSource(source)
    const folderId = this.#tree.ensureFolder(sourceId, sourcePath(folderOf(path)))
    const known = this.#known(folderId, nameOf(path))
    const seq = ++this.#head
    const inode = inodeCell(stat.inode)
    const owedTo = selection({ source, path, ...stat })
    if (known === undefined) {
      const fileId = this.#addFile(nameOf(path), { sourceId, folderId, seq, ...stat, inode }, owedTo)
      return { seq, fileId, owedTo }
    }
    const fileId = Number(known.id)
    this.#statements.changeFile.run(seq, stat.size, stat.mtimeNs, stat.ctimeNs, inode, known.id)
    this.#debts.settle({ fileId, seq, bytes: stat.size }, owedTo)
    return { seq, fileId, owedTo }
  }

  /** A file nobody knew owes nothing yet: there is nothing to look for. */
  #addFile(name: string, file: Omit<NewFile, 'name'>, owedTo: readonly number[]): number {
    const fileId = this.#newFiles.add(name, { ...file, name: nameCell(name) })
    const nowMs = this.#clock.wallMs()
    for (const targetId of owedTo) this.#newFiles.owe(targetId, fileId, file, nowMs)
    return fileId
  }

  #remove({ source, path }: Extract<Change, { kind: 'remove' }>, removers: readonly Remover[]): Accepted | undefined {
    const sourceId = this.#tree.sourceId(source)
    const folderId = sourceId === undefined ? undefined : this.#tree.folderId(sourceId, sourcePath(folderOf(path)))
    const known = folderId === undefined ? undefined : this.#known(folderId, nameOf(path))
    if (known?.present !== 1n) return undefined
    const seq = ++this.#head
    const fileId = Number(known.id)
    this.#statements.removeFile.run(seq, known.id)
    const owedTo = this.#debts.leave(fileId, seq, removers)
    for (const { id } of this.#targets.all) if (!owedTo.includes(id)) this.#debts.disown(id, fileId, seq)
    return { seq, fileId, owedTo }
  }

  #known(folderId: number, name: string): FileRow | undefined {
    if (this.#newFiles.has(folderId, name)) this.#newFiles.write()
    return this.#tree.fileRow(folderId, name)
  }

  /**
   * Offers the next part of the feed to one target, in one transaction with its cursor. @param takes what the target's selector
   * says of a file: `take` owes it unless the receipt is of its newest seq, `leave` forgets what was owed, `pass` touches nothing.
   * @param proves where the offer wants looks: which receipts need none.
   */
  offer(name: string, limit: number, takes: Takes, proves = provesNothing): OfferStep {
    try {
      return this.#offerStep(name, limit, takes, proves)
    } catch (thrown) {
      this.#targets.reload()
      throw thrown
    }
  }

  /** Owes files again, whatever their receipts say. Answers how many: what is gone is not. */
  oweAgain(targetId: number, files: readonly OwedAgain[]): number {
    return this.#oweAgain(targetId, files)
  }

  #oweOneAgain(targetId: number, { fileId, why, first }: OwedAgain): boolean {
    const row = this.#tree.fileRowById(fileId)
    if (row?.present !== 1n) return false
    first?.()
    const sourceId = this.#tree.sourceId(this.#tree.pathOf(Number(row.folder_id), row.name).source) ?? null
    this.#history.append({ sourceId, fileId, targetId, event: 'repair', detail: why })
    return this.#offerOne(targetId, 'hash', row, { takes: () => 'take', proves: provesNothing })
  }

  filesAfter(seq: number, limit: number): readonly (Facts & { readonly seq: number })[] {
    return this.#statements.presentAfter.all(seq, limit).map((row) => ({
      ...this.#tree.pathOf(Number(row.folder_id), row.name),
      seq: Number(row.seq),
      size: Number(row.size),
      mtimeNs: row.mtime_ns,
    }))
  }

  #offerSome(name: string, limit: number, takes: Takes, proves: Proves): OfferStep {
    const target = this.#targets.get(name)
    const rows = this.#statements.after.all(target.cursor, limit)
    let owed = 0
    for (const row of rows) {
      // Owed when the target left the configuration, and gone since.
      if (row.present !== 1n) this.#debts.forgetGone(target.id, Number(row.id), this.#head)
      else if (this.#offerOne(target.id, target.offer.look, row, { takes, proves })) owed++
    }
    const isDone = rows.length < limit
    const cursor = isDone ? this.#head : Number(rows[rows.length - 1]?.seq ?? this.#head)
    this.#targets.advanceOffer(name, cursor, rows.length, isDone)
    return { files: rows.length, owed, isDone }
  }

  #offerOne(
    targetId: number,
    look: Look,
    row: FileRow,
    { takes, proves }: { readonly takes: Takes; readonly proves: Proves },
  ): boolean {
    const fileId = Number(row.id)
    const { source, path } = this.#tree.pathOf(Number(row.folder_id), row.name)
    const verdict = takes({ source, path, size: Number(row.size), mtimeNs: row.mtime_ns })
    if (verdict === 'leave') this.#debts.forgetGone(targetId, fileId, this.#head)
    if (verdict !== 'take') return false
    const receipt = this.#statements.receipt.get(targetId, fileId)
    // What is owed already may have been tried, so that it has to be looked at.
    const isProven = (): boolean =>
      receipt !== undefined && proves(storedReceipt(receipt)) && !this.#debts.isOwed(targetId, fileId)
    if (receipt?.seq === row.seq && (look === 'trust' || isProven())) return false
    const debt = { targetId, fileId, seq: Number(row.seq), bytes: Number(row.size) }
    this.#debts.renew(debt, { priority: offeredPriority(debt.bytes), look })
    return true
  }
}
