/** The feed of changes: accepts them, owes them to targets, and offers them to a target again. */
import type { Clock } from '../base/clock.ts'
import { folderOf, nameOf, sourcePath, type SourcePath } from '../base/path.ts'
import type { Counted, Counters } from './counters.ts'
import type { History } from './history.ts'
import type { Connection } from './connection.ts'
import type { Leaving, Remover } from './leaving.ts'
import { NewFiles, type NewFile } from './new-files.ts'
import { freshPriority, offeredPriority, type Priority } from './priority.ts'
import { inodeCell, nameCell } from './rows.ts'
import { receiptColumns, storedReceipt, type ReceiptRow, type StoredReceipt } from './delivery.ts'
import type { Look, LookCell, Targets } from './targets.ts'
import type { Transactions } from './transactions.ts'
import { required, type FileRow, type Tree } from './tree.ts'

export interface FileStat {
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** One settled difference of one path. */
export type Change =
  | { readonly kind: 'put'; readonly source: string; readonly path: SourcePath; readonly stat: FileStat }
  | { readonly kind: 'remove'; readonly source: string; readonly path: SourcePath }

/** What a selector may look at. */
export interface Facts {
  readonly source: string
  readonly path: SourcePath
  readonly size: number
  readonly mtimeNs: bigint
}

/** Which targets take a file: their ids. */
export type Selection = (facts: Facts) => readonly number[]

/** A change that is in the journal, with the targets that it is owed to. */
export interface Accepted {
  readonly seq: number
  readonly fileId: number
  readonly owedTo: readonly number[]
}

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
  // A change that overtakes an undelivered one keeps its age: the target has been behind since then. It also keeps the doubt.
  overtake: `
    UPDATE delivery SET wanted_seq = @seq, state = 'waiting', priority = @priority, due_ms = NULL, attempts = 0, bytes = @bytes, reason = NULL,
      look = CASE WHEN look = 'remove' AND state = 'leaving' AND wanted_seq > @doubtfulSeq AND NOT @isLeased THEN 'trust'
        WHEN look IN ('receipt', 'remove', 'remove-in-doubt') OR (look = 'trust' AND wanted_seq <= @doubtfulSeq) THEN 'entry' ELSE look END
    WHERE target_id = @targetId AND file_id = @fileId`,
  owe: `
    INSERT INTO delivery (target_id, file_id, wanted_seq, state, priority, since_ms, due_ms, attempts, bytes, look, reason)
    VALUES (?, ?, ?, 'waiting', ?, ?, NULL, 0, ?, ?, NULL)`,
  open: 'SELECT wanted_seq AS seq, look FROM delivery WHERE target_id = ? AND file_id = ?',
  disown: 'DELETE FROM delivery WHERE target_id = ? AND file_id = ? RETURNING state, bytes',
  doubt: `
    UPDATE delivery SET wanted_seq = ?, state = 'waiting', priority = 2, due_ms = NULL, attempts = 0, bytes = 0, look = 'receipt', reason = NULL
    WHERE target_id = ? AND file_id = ?`,
  after: `
    SELECT file.* FROM file WHERE seq > ? ORDER BY seq LIMIT ?`,
  presentAfter: 'SELECT file.* FROM file WHERE seq > ? AND present = 1 ORDER BY seq LIMIT ?',
  receipt: `SELECT '' AS target, ${receiptColumns} FROM receipt WHERE target_id = ? AND file_id = ?`,
  renew: `
    UPDATE delivery SET wanted_seq = @seq, state = 'waiting', due_ms = NULL, attempts = 0, reason = NULL, bytes = @bytes,
      look = CASE WHEN @look = 'trust' AND look <> 'trust' THEN 'entry' ELSE @look END
    WHERE target_id = @targetId AND file_id = @fileId`,
}

interface FeedParts {
  readonly tree: Tree
  readonly targets: Targets
  readonly history: History
  readonly counters: Counters
  readonly leaving: Leaving
  readonly transactions: Transactions
  readonly clock: Clock
  /** An attempt at this file is under way at this target. */
  readonly isLeased: (targetId: number, fileId: number) => boolean
}

interface Debt {
  readonly targetId: number
  readonly fileId: number
  readonly seq: number
  readonly bytes: number
}

function goneWords(leaving: number): string {
  if (leaving === 0) return 'gone from its source; copies are kept'
  return `gone from its source; ${leaving} ${leaving === 1 ? 'copy follows' : 'copies follow'} after the grace`
}

export class Feed {
  readonly #tree: Tree
  readonly #targets: Targets
  readonly #history: History
  readonly #counters: Counters
  readonly #newFiles: NewFiles
  readonly #leaving: Leaving
  readonly #clock: Clock
  readonly #statements
  readonly #recordAll
  readonly #offerStep
  readonly #oweAgain
  readonly #isLeased: (targetId: number, fileId: number) => boolean
  /** What was owed when the journal was opened may have been tried by a process that could not tell: its receipts are in doubt. */
  readonly #doubtfulSeq: number
  #head: number

  constructor(connection: Connection, parts: FeedParts) {
    this.#isLeased = parts.isLeased
    this.#tree = parts.tree
    this.#targets = parts.targets
    this.#history = parts.history
    this.#counters = parts.counters
    this.#newFiles = new NewFiles(connection, parts.counters)
    this.#leaving = parts.leaving
    this.#clock = parts.clock
    this.#statements = {
      head: connection.prepare<[], { seq: number }>(sql.head),
      changeFile: connection.prepare<[number, number, bigint, bigint, bigint, bigint]>(sql.changeFile),
      removeFile: connection.prepare<[number, bigint]>(sql.removeFile),
      overtake: connection.prepare<
        [Debt & { readonly doubtfulSeq: number; readonly isLeased: 0 | 1; readonly priority: Priority }]
      >(sql.overtake),
      owe: connection.prepare<[number, number, number, Priority, number, number, Look]>(sql.owe),
      open: connection.prepare<[number, number], { seq: number; look: LookCell }>(sql.open),
      doubt: connection.prepare<[number, number, number]>(sql.doubt),
      disown: connection.prepare<[number, number], { state: Counted; bytes: number }>(sql.disown),
      after: connection.prepare<[number, number], FileRow & { source_id: bigint }>(sql.after).safeIntegers(),
      presentAfter: connection.prepare<[number, number], FileRow>(sql.presentAfter).safeIntegers(),
      receipt: connection.prepare<[number, number], ReceiptRow>(sql.receipt).safeIntegers(),
      renew: connection.prepare<[Debt & { readonly look: Look }]>(sql.renew),
    }
    this.#head = required(this.#statements.head.get()).seq
    this.#doubtfulSeq = this.#head
    this.#recordAll = parts.transactions.of(
      (changes: readonly Change[], selection: Selection, removers: readonly Remover[]) => {
        const head = this.#head
        const accepted = changes.map((change) => this.#recordOne(change, selection, removers))
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
    removers: readonly Remover[] = [],
  ): readonly (Accepted | undefined)[] {
    const head = this.#head
    try {
      return this.#recordAll(changes, selection, removers)
    } catch (thrown) {
      this.#head = head
      this.#tree.forgetCached()
      this.#newFiles.forget()
      this.#targets.reload()
      throw thrown
    }
  }

  #recordOne(change: Change, selection: Selection, removers: readonly Remover[]): Accepted | undefined {
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
    this.#settleDebts(fileId, owedTo, stat.size)
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
    const nowMs = this.#clock.wallMs()
    const leaves = removers.filter(({ targetId, graceMs }) =>
      this.#leaving.leave({ targetId, fileId, seq, nowMs, dueMs: nowMs + graceMs, ...this.#doubt(targetId, fileId) }),
    )
    const owedTo = leaves.map(({ targetId }) => targetId)
    for (const { id } of this.#targets.all) if (!owedTo.includes(id)) this.#disown(id, fileId)
    return { seq, fileId, owedTo }
  }

  /** What `leave` has to know to tell whether an attempt may have changed the copy. */
  #doubt(targetId: number, fileId: number): { doubtfulSeq: number; isLeased: 0 | 1 } {
    return { doubtfulSeq: this.#doubtfulSeq, isLeased: this.#isLeased(targetId, fileId) ? 1 : 0 }
  }

  #known(folderId: number, name: string): FileRow | undefined {
    if (this.#newFiles.has(folderId, name)) this.#newFiles.write()
    return this.#tree.fileRow(folderId, name)
  }

  /** Leaves exactly the deliveries that the newest state of the file calls for. */
  #settleDebts(fileId: number, owedTo: readonly number[], bytes: number): void {
    for (const { id } of this.#targets.all) if (!owedTo.includes(id)) this.#disown(id, fileId)
    const debt = { fileId, seq: this.#head, bytes }
    for (const targetId of owedTo) {
      const priority = freshPriority(bytes)
      const overtaken = this.#statements.overtake.run({ targetId, ...debt, ...this.#doubt(targetId, fileId), priority })
      const isOpen = overtaken.changes === 1
      if (!isOpen) this.#owe({ targetId, ...debt }, { priority, look: 'trust' })
    }
  }

  #owe({ targetId, fileId, seq, bytes }: Debt, { priority, look }: { priority: Priority; look: Look }): void {
    this.#statements.owe.run(targetId, fileId, seq, priority, this.#clock.wallMs(), bytes, look)
    this.#counters.lane(targetId, 'waiting', 1, bytes)
  }

  /** No copy is owed any more. Where an attempt may have changed the object already, its receipt has to be made true. */
  #disown(targetId: number, fileId: number): void {
    const open = this.#statements.open.get(targetId, fileId)
    if (open === undefined) return
    const isDoubtful = open.look !== 'trust' || open.seq <= this.#doubtfulSeq || this.#isLeased(targetId, fileId)
    if (isDoubtful) this.#statements.doubt.run(this.#head, targetId, fileId)
    else this.#endDebt(targetId, fileId)
  }

  /** Nothing of a file that is gone is offered; a copy that is to follow it goes on doing so. */
  #forgetGone(targetId: number, fileId: number): void {
    if (this.#statements.open.get(targetId, fileId)?.look.startsWith('remove') !== true) this.#disown(targetId, fileId)
  }

  #endDebt(targetId: number, fileId: number): void {
    const ended = this.#statements.disown.get(targetId, fileId)
    if (ended !== undefined) this.#counters.lane(targetId, ended.state, -1, -ended.bytes)
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
      if (row.present !== 1n) this.#forgetGone(target.id, Number(row.id))
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
    if (verdict === 'leave') this.#disown(targetId, fileId)
    if (verdict !== 'take') return false
    const receipt = this.#statements.receipt.get(targetId, fileId)
    if (receipt?.seq === row.seq && (look === 'trust' || this.#isProven({ targetId, fileId }, receipt, proves)))
      return false
    const debt = { targetId, fileId, seq: Number(row.seq), bytes: Number(row.size) }
    if (this.#statements.renew.run({ ...debt, look }).changes === 0)
      this.#owe(debt, { priority: offeredPriority(debt.bytes), look })
    return true
  }

  /** What is owed already may have been tried, so that it has to be looked at. */
  #isProven({ targetId, fileId }: Pick<Debt, 'targetId' | 'fileId'>, receipt: ReceiptRow, proves: Proves): boolean {
    return proves(storedReceipt(receipt)) && this.#statements.open.get(targetId, fileId) === undefined
  }
}
