/**
 * The journal: the SQLite record of files, deliveries, upload sessions, receipts and history. The only SQL of the program.
 * What a verb promised is on disk when it returns or resolves (WAL, synchronous FULL). One process writes; a lock is its owner's worry.
 */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { SourcePath } from '../base/path.ts'
import { Absent } from './absent.ts'
import { Care } from './care.ts'
import type { Connection } from './connection.ts'
import { Counters } from './counters.ts'
import { Feed, type OfferStep, type Proves, type Takes } from './feed.ts'
import { FoldersAtTarget, type FolderBook } from './folders-at-target.ts'
import { GroupCommit } from './group-commit.ts'
import { Holdings } from './holdings.ts'
import { History, type EventCount, type HistoryLine, type Note } from './history.ts'
import { KnownMounts } from './known-mounts.ts'
import { Leaving } from './leaving.ts'
import { foldBack, openConnection, type OpenOptions } from './open.ts'
import { demandCheck, isDamage } from './soundness.ts'
import type { Delivery, OpenDelivery, Outcome, StoredReceipt } from './delivery.ts'
import { Paces, type PaceState } from './paces.ts'
import { Receipts } from './receipts.ts'
import { Parked } from './parked.ts'
import { Spool, type LargeClaim, type Retried } from './spool.ts'
import { Targets, type Declaration, type LaneCounts, type Offer, type TargetRow } from './targets.ts'
import { Transactions } from './transactions.ts'
import { fileRecord, Tree, type FileRecord, type KnownFile } from './tree.ts'
import { isFull, JournalFull, WriteGate } from './write-gate.ts'

export type { Change, Facts, FileStat, FolderMove } from './change.ts'
export type { Accepted, OfferStep, Proves, Selection, Takes } from './feed.ts'
export type { FolderPlace, PendingFolderMove } from './folder-moves.ts'
export { isLarge } from './priority.ts'
export type { HistoryLine } from './history.ts'
export type { AuditRecord, Holding, Repair } from './holdings.ts'
export type { Listed, Listing } from './listing.ts'
export type { ParkedDelivery } from './parked.ts'
export type { Remover } from './leaving.ts'
export type { Delivery, OpenDelivery, Outcome, StoredReceipt } from './delivery.ts'
export type { PaceState } from './paces.ts'
export type { CopyRecord, Receipts } from './receipts.ts'
export type { FileRecord, KnownFile } from './tree.ts'
export { isDamage } from './soundness.ts'
export { everything, type Declaration, type LaneCounts, type Offer, type TargetRow } from './targets.ts'
export { JournalFull } from './write-gate.ts'

/** A write of one page that changes nothing anybody reads. */
const writeProbe = `
  INSERT INTO setting (name, value) VALUES ('write-probe', 1) ON CONFLICT DO UPDATE SET value = value + 1`

export class Journal {
  /** Resolves when the file turns out to be damaged: its owner has to open it anew, which looks at all of it and begins a fresh one. */
  readonly damage: Promise<Error>
  #endInDamage: (error: Error) => void = () => {}
  readonly #connection: Connection
  readonly #file: string
  readonly #gate: WriteGate
  readonly #group: GroupCommit
  readonly #tree: Tree
  readonly #history: History
  readonly #folders: FoldersAtTarget
  readonly #targets: Targets
  readonly #paces: Paces
  readonly parked: Parked
  readonly mounts: KnownMounts
  readonly #clock: Clock
  readonly #leaving: Leaving
  readonly moves: Feed['moves']
  readonly folderMoves: Feed['folderMoves']
  readonly #feed: Feed
  readonly #care: Care
  readonly #spool: Spool
  readonly holdings: Holdings

  constructor(connection: Connection, file: string, clock: Clock) {
    this.damage = new Promise((resolve) => (this.#endInDamage = resolve))
    this.#connection = connection
    this.#clock = clock
    this.#file = file
    const probe = connection.prepare(writeProbe)
    this.#gate = new WriteGate({ file, clock, probe: () => probe.run(), onDamage: (thrown) => this.#metDamage(thrown) })
    this.#tree = new Tree(connection)
    this.#history = new History(connection, this.#tree, clock)
    const counters = new Counters(connection)
    const transactions = new Transactions(connection, [counters, this.#history])
    this.#group = new GroupCommit(transactions, this.#gate, clock)
    this.#folders = new FoldersAtTarget(connection)
    this.#targets = new Targets(connection, this.#folders)
    this.#paces = new Paces(connection)
    this.parked = new Parked(connection, this.#tree)
    const rooms = { tree: this.#tree, history: this.#history, targets: this.#targets, group: this.#group }
    this.#leaving = new Leaving(connection, counters)
    const parts = { ...rooms, counters, leaving: this.#leaving, transactions, clock }
    const isLeased = (targetId: number, fileId: number): boolean => this.#spool.isLeased(targetId, fileId)
    const written = <T>(write: () => T): T => this.#gate.run(write)
    const guarded = <T>(look: () => T): T => this.#guarded(look)
    this.mounts = new KnownMounts(connection, { tree: this.#tree, transactions, written, guarded })
    this.#feed = new Feed(connection, { ...parts, isLeased, guarded })
    this.moves = this.#feed.moves
    this.folderMoves = this.#feed.folderMoves
    this.#spool = new Spool(connection, { ...parts, left: this.moves.left, doubtfulSeq: this.#feed.doubtfulSeq })
    this.holdings = new Holdings(connection, { ...parts, file, feed: this.#feed, written, guarded })
    const absent = new Absent(connection, { counters, targets: this.#targets, clock })
    this.#care = new Care(connection, { ...rooms, moves: this.moves, absent, transactions, gate: this.#gate, clock })
  }

  /** Declares who writes here, once for the journal's life. */
  declareNode(id: string): void {
    const declare = this.#connection.prepare<[string]>(
      "INSERT INTO setting (name, value) VALUES ('node', ?) ON CONFLICT DO NOTHING",
    )
    this.#gate.run(() => declare.run(id))
  }

  // Sources and files

  declareSource(name: string): void {
    this.#gate.run(() => this.#tree.ensureSource(name))
  }

  fileCounts(): ReadonlyMap<string, number> {
    return this.#tree.fileCounts()
  }

  file(source: string, path: SourcePath): KnownFile | undefined {
    return this.#guarded(() => this.#tree.file(source, path))
  }

  filesIn(source: string, folder: SourcePath, after: string | undefined, limit: number): readonly KnownFile[] {
    return this.#guarded(() => this.#tree.filesIn(source, folder, after, limit))
  }

  foldersIn(source: string, folder: SourcePath): readonly string[] {
    return this.#guarded(() => this.#tree.foldersIn(source, folder))
  }

  filesBelow(source: string, folder: SourcePath, limit: number): readonly SourcePath[] {
    return this.#guarded(() => this.#tree.filesBelow(source, folder, limit))
  }

  recordOf(source: string, path: SourcePath): FileRecord | undefined {
    const row = this.#guarded(() => this.#tree.rowAt(source, path))
    return row === undefined ? undefined : fileRecord(row)
  }

  // Changes

  get head(): number {
    return this.#feed.head
  }

  /** Accepts changes in one transaction, see Feed.record. */
  record(...of: Parameters<Feed['record']>): ReturnType<Feed['record']> {
    return this.#gate.run(() => this.#feed.record(...of))
  }

  /** The present files behind a seq, in the order of the feed, at most `limit`. */
  filesAfter(seq: number, limit: number): ReturnType<Feed['filesAfter']> {
    return this.#feed.filesAfter(seq, limit)
  }

  /** Offers the next `limit` files of the feed to a target whose cursor is behind, see Feed.offer. */
  offer(target: string, limit: number, takes: Takes, proves?: Proves): OfferStep {
    return this.#gate.run(() => this.#feed.offer(target, limit, takes, proves))
  }

  // Targets

  /** Adds a target, or notices that its selector or place is another one: that sets its cursor back, so that everything is offered to it. */
  declareTarget(name: string, declaration: Declaration): TargetRow {
    return this.#gate.run(() => this.#targets.declare(name, declaration, this.head))
  }

  /** The target is not part of the present configuration any more; what it is owed is kept for a week. */
  undeclareTarget(name: string): void {
    this.#targets.undeclare(name)
    this.othersLeft()
  }

  /** All targets of the configuration are declared now. Noted a moment later, should they still be the only ones. */
  othersLeft(): void {
    this.#group.later(() => this.#targets.othersLeft(this.#clock.wallMs()))
  }

  target(name: string): TargetRow {
    return this.#targets.get(name)
  }

  /** Names of the targets of the present configuration, or where none was declared yet, of the one before. */
  declaredTargets(): readonly string[] {
    return this.#targets.names()
  }

  /** What a configuration said of a target last; undefined for one that is new. */
  declarationOf(target: string): Declaration | undefined {
    return this.#targets.declarationOf(target)
  }

  /** Its owner stops a target, or lets it go on (null). Holds over restarts. */
  hold(target: string, reason: string | null): void {
    this.#gate.run(() => this.#targets.hold(target, reason))
  }

  heldBecause(target: string): string | null {
    return this.#targets.get(target).heldBecause
  }

  setMark(target: string, mark: string): void {
    this.#gate.run(() => this.#targets.setMark(target, mark))
  }

  offerAgain(target: string, offer: Offer): void {
    this.#gate.run(() => this.#targets.offerAgain(target, offer, this.head))
    const what = `${offer.source ?? 'every source'}, ${offer.glob ?? 'every path'}, ${offer.look === 'hash' ? 'by content' : 'by marks'}`
    this.note({ source: null, target, event: 'resync', detail: what })
  }

  counts(targetId: number): LaneCounts {
    return this.#targets.counts(targetId)
  }

  oldestSinceMs(targetId: number): number | null {
    const since = [this.#targets, this.folderMoves].flatMap((debts) => debts.oldestSinceMs(targetId) ?? [])
    return since.length === 0 ? null : Math.min(...since)
  }

  /** What the pace of a target has to know after a restart; undefined where nothing was kept. */
  pace(target: string): PaceState | undefined {
    return this.#paces.get(this.#targets.get(target).id)
  }

  /** Resolves once a crash can no longer lose it. Calls are written in their order. */
  keepPace(target: string, state: PaceState): Promise<void> {
    const { id } = this.#targets.get(target)
    return this.#group.add(() => this.#paces.put(id, state))
  }

  /** Where a target's folders are there, by path: kept and forgotten for good once it resolves. Another place behind its name has none. */
  foldersAt(target: string): FolderBook {
    return this.#folders.bookOf(this.#targets.get(target).id, this.#group, (look) => this.#guarded(look))
  }

  /** What targets hold by their receipts, page by page. */
  receipts(): Receipts {
    return new Receipts(this.#connection, this.#tree, (look) => this.#guarded(look))
  }

  // Copies that follow their files

  /** Why no copy of this source's files leaves any target before its owner says so; null where they may. */
  brakeOf(source: string): string | null {
    return this.#leaving.brakeOf(source)
  }

  brake(source: string, reason: string): void {
    this.#gate.run(() => this.#leaving.brake(source, reason))
    this.note({ source, event: 'removals-held', detail: reason })
  }

  /** The owner says that the removals are meant. Answers how many copies were held back and are due now. */
  approve(source: string): number {
    const copies = this.#gate.run(() => this.#leaving.approve(source, this.#clock.wallMs()))
    this.note({ source, event: 'removals-approved', detail: `${copies} copies follow their files now` })
    return copies
  }

  // Deliveries

  claim(targetId: number, count: number, large?: LargeClaim): readonly Delivery[] {
    return this.#guarded(() => this.#spool.claim(targetId, count, large))
  }

  finish(delivery: Delivery, outcome: Outcome): Promise<void> {
    return this.#spool.finish(delivery, outcome)
  }

  keepDigest(delivery: Delivery, digest: { readonly sha256: string; readonly crc32: number }): Promise<void> {
    return this.#spool.keepDigest(delivery, digest)
  }

  saveSession(delivery: Delivery, session: Readonly<Record<string, string | number>> | undefined): Promise<void> {
    return this.#spool.saveSession(delivery, session)
  }

  retry(targetId: number, which: Retried = 'all'): number {
    return this.#gate.run(() => this.#spool.retry(targetId, which))
  }

  /** Puts back whatever is still leased at a target. To be called when nothing of it is under way any more. */
  release(targetId: number): void {
    this.#spool.release(targetId)
  }

  activeCount(targetId: number): number {
    return this.#spool.activeCount(targetId)
  }

  nextDueMs(targetId: number): number | null {
    return this.#spool.nextDueMs(targetId)
  }

  openOf(fileId: number): readonly OpenDelivery[] {
    return this.#guarded(() => this.#spool.openOf(fileId))
  }

  receiptsOf(fileId: number): ReadonlyMap<string, StoredReceipt> {
    return this.#guarded(() => this.#spool.receiptsOf(fileId))
  }

  reasonOf(targetId: number, state: 'parked' | 'postponed'): string | null {
    return this.#spool.reasonOf(targetId, state)
  }

  // History

  /** Adds a line that belongs to no delivery; on disk a moment later. */
  note(line: Note): void {
    const { target } = line
    this.#group.later(() => this.#history.note(line, target === undefined ? null : this.#targets.get(target).id))
  }

  history(fileId: number | null, limit: number): readonly HistoryLine[] {
    // What was noted a moment ago is read as well.
    this.#group.drain()
    return this.#guarded(() => this.#history.read(fileId, limit))
  }

  eventCounts(): readonly EventCount[] {
    return this.#history.counts(new Map(this.#targets.names().map((name) => [this.#targets.get(name).id, name])))
  }

  // Room on its disk

  /** Why the journal cannot be written now; undefined when it can. Verbs that promise a Promise wait by themselves, the others throw it. */
  get full(): JournalFull | undefined {
    return this.#gate.full
  }

  /** Resolves while or when the disk takes writes. @throws JournalFull after `endWaiting`. */
  whenWritable(signal: AbortSignal): Promise<void> {
    return this.#gate.whenOpen(signal)
  }

  /** Runs a verb that writes at once, and as often as the disk has no room for it again when it has. */
  patiently<T>(verb: () => T, signal: AbortSignal): Promise<T> {
    return this.#gate.patiently(verb, signal)
  }

  /** From now on what the disk does not take fails instead of waiting: for a program that has to end. */
  endWaiting(): void {
    this.#group.end()
  }

  /** Resolves once the writer has been through a transaction, an empty one that costs no write: proof that it answers. One that waits for room does. */
  answers(): Promise<void> {
    return this.full === undefined ? this.#group.add(() => {}) : Promise.resolve()
  }

  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (thrown) {
      if (isDamage(thrown)) this.#metDamage(thrown)
      throw thrown
    }
  }

  #metDamage(thrown: unknown): void {
    demandCheck(this.#file)
    this.#endInDamage(asError(thrown))
  }

  /** Writes what still waits for its group, folds the log back and closes the file. */
  close(): void {
    this.#care.end()
    this.#group.end()
    foldBack(this.#connection)
    this.#connection.close()
  }
}

/**
 * Opens or creates the journal in `file`. `damagedFile` names where a damaged one was put, so that its owner can be told.
 * @throws JournalFull where the disk has no room for it.
 */
export function openJournal(
  file: string,
  clock: Clock,
  options: OpenOptions = {},
): { readonly journal: Journal; readonly damagedFile: string | undefined } {
  try {
    const { connection, damagedFile } = openConnection(file, clock.wallMs(), options)
    return { journal: new Journal(connection, file, clock), damagedFile }
  } catch (thrown) {
    throw isFull(thrown) ? new JournalFull(file, thrown) : thrown
  }
}
