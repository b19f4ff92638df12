/**
 * The journal: the SQLite record of files, deliveries, upload sessions, receipts and history. The only SQL of the program.
 * What a verb promised is on disk when it returns or resolves (WAL, synchronous FULL). One process writes; a lock is its owner's worry.
 */
import type { Clock } from '../base/clock.ts'
import type { SourcePath } from '../base/path.ts'
import { Feed, type Accepted, type Change, type Facts, type OfferStep, type Selection } from './feed.ts'
import { GroupCommit } from './group-commit.ts'
import { History, type HistoryLine } from './history.ts'
import { demandCheck, isDamage, openConnection, type Connection } from './open.ts'
import type { Delivery, OpenDelivery, Outcome, StoredReceipt } from './delivery.ts'
import { Paces, type PaceState } from './paces.ts'
import { Spool } from './spool.ts'
import { Targets, type LaneCounts, type Offer, type TargetRow } from './targets.ts'
import { Tree, type FileRow, type KnownFile } from './tree.ts'

export type { Accepted, Change, Facts, FileStat, OfferStep, Selection } from './feed.ts'
export type { HistoryLine } from './history.ts'
export type { Delivery, OpenDelivery, Outcome, StoredReceipt } from './delivery.ts'
export type { PaceState } from './paces.ts'
export type { LaneCounts, Offer, TargetRow } from './targets.ts'
export type { KnownFile } from './tree.ts'
export { everything } from './targets.ts'

/** What the journal knows of one path. */
export interface FileRecord {
  readonly fileId: number
  readonly seq: number
  readonly isPresent: boolean
  readonly size: number
  readonly mtimeNs: bigint
  readonly sha256: string | null
}

export class Journal {
  readonly #connection: Connection
  readonly #file: string
  readonly #group: GroupCommit
  readonly #tree: Tree
  readonly #history: History
  readonly #targets: Targets
  readonly #paces: Paces
  readonly #feed: Feed
  readonly #spool: Spool

  constructor(connection: Connection, file: string, clock: Clock) {
    this.#connection = connection
    this.#file = file
    this.#group = new GroupCommit(connection, clock)
    this.#tree = new Tree(connection)
    this.#history = new History(connection, this.#tree, clock)
    this.#targets = new Targets(connection)
    this.#paces = new Paces(connection)
    const parts = { tree: this.#tree, history: this.#history, targets: this.#targets, group: this.#group, clock }
    const isLeased = (targetId: number, fileId: number): boolean => this.#spool.isLeased(targetId, fileId)
    this.#feed = new Feed(connection, { ...parts, isLeased })
    this.#spool = new Spool(connection, { ...parts, doubtfulSeq: this.#feed.doubtfulSeq })
  }

  /** Declares who writes here, once for the journal's life. */
  declareNode(id: string): void {
    this.#connection
      .prepare<[string]>("INSERT INTO setting (name, value) VALUES ('node', ?) ON CONFLICT DO NOTHING")
      .run(id)
  }

  // Sources and files

  declareSource(name: string): void {
    this.#tree.ensureSource(name)
  }

  fileCounts(): ReadonlyMap<string, number> {
    return this.#tree.fileCounts()
  }

  file(source: string, path: SourcePath): KnownFile | undefined {
    return this.#tree.file(source, path)
  }

  filesIn(source: string, folder: SourcePath, after: string | undefined, limit: number): readonly KnownFile[] {
    return this.#tree.filesIn(source, folder, after, limit)
  }

  foldersIn(source: string, folder: SourcePath): readonly string[] {
    return this.#tree.foldersIn(source, folder)
  }

  filesBelow(source: string, folder: SourcePath, limit: number): readonly SourcePath[] {
    return this.#tree.filesBelow(source, folder, limit)
  }

  recordOf(source: string, path: SourcePath): FileRecord | undefined {
    const row = this.#tree.rowAt(source, path)
    return row === undefined ? undefined : fileRecord(row)
  }

  // Changes

  get head(): number {
    return this.#feed.head
  }

  /** Accepts changes in one transaction, see Feed.record. */
  record(changes: readonly Change[], selection: Selection): readonly (Accepted | undefined)[] {
    return this.#guarded(() => this.#feed.record(changes, selection))
  }

  /** Offers the next `limit` files of the feed to a target whose cursor is behind, see Feed.offer. */
  offer(target: string, limit: number, takes: (facts: Facts) => 'take' | 'leave' | 'pass'): OfferStep {
    return this.#guarded(() => this.#feed.offer(target, limit, takes))
  }

  // Targets

  /** Adds a target, or notices that its selector is another one: either sets its cursor back, so that everything is offered to it. */
  declareTarget(name: string, kind: string, selector: string): TargetRow {
    return this.#targets.declare(name, kind, selector)
  }

  target(name: string): TargetRow {
    return this.#targets.get(name)
  }

  setMark(target: string, mark: string): void {
    this.#targets.setMark(target, mark)
  }

  offerAgain(target: string, offer: Offer): void {
    this.#targets.offerAgain(target, offer, this.head)
    const what = `${offer.source ?? 'every source'}, ${offer.glob ?? 'every path'}, ${offer.look === 'hash' ? 'by content' : 'by marks'}`
    this.note({ source: null, target, event: 'resync', detail: what })
  }

  counts(targetId: number): LaneCounts {
    return this.#targets.counts(targetId)
  }

  oldestSinceMs(targetId: number): number | null {
    return this.#targets.oldestSinceMs(targetId)
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

  // Deliveries

  claim(targetId: number, count: number): readonly Delivery[] {
    return this.#guarded(() => this.#spool.claim(targetId, count))
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

  retry(targetId: number): number {
    return this.#spool.retry(targetId)
  }

  activeCount(targetId: number): number {
    return this.#spool.activeCount(targetId)
  }

  nextDueMs(targetId: number): number | null {
    return this.#spool.nextDueMs(targetId)
  }

  openOf(fileId: number): readonly OpenDelivery[] {
    return this.#spool.openOf(fileId)
  }

  receiptsOf(fileId: number): ReadonlyMap<string, StoredReceipt> {
    return this.#spool.receiptsOf(fileId)
  }

  reasonOf(targetId: number, state: 'parked' | 'postponed'): string | null {
    return this.#spool.reasonOf(targetId, state)
  }

  // History

  /** Adds a line that belongs to no delivery; on disk a moment later. */
  note(line: { source: string | null; path?: SourcePath; target?: string; event: string; detail: string }): void {
    this.#group.later(() => {
      const row = line.source === null || line.path === undefined ? undefined : this.#tree.rowAt(line.source, line.path)
      this.#history.append({
        sourceId: line.source === null ? null : (this.#tree.sourceId(line.source) ?? null),
        fileId: row === undefined ? null : Number(row.id),
        targetId: line.target === undefined ? null : this.#targets.get(line.target).id,
        event: line.event,
        detail: row === undefined && line.path !== undefined ? `${line.path}: ${line.detail}` : line.detail,
      })
    })
  }

  history(fileId: number | null, limit: number): readonly HistoryLine[] {
    // What was noted a moment ago is read as well.
    this.#group.drain()
    return this.#history.read(fileId, limit)
  }

  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (thrown) {
      if (isDamage(thrown)) demandCheck(this.#file)
      throw thrown
    }
  }

  /** Writes what still waits for its group, folds the log back and closes the file. */
  close(): void {
    this.#group.drain()
    this.#connection.pragma('wal_checkpoint(TRUNCATE)')
    this.#connection.close()
  }
}

function fileRecord(row: FileRow): FileRecord {
  return {
    fileId: Number(row.id),
    seq: Number(row.seq),
    isPresent: row.present === 1n,
    size: Number(row.size),
    mtimeNs: row.mtime_ns,
    sha256: row.sha256?.toString('hex') ?? null,
  }
}

/** Opens or creates the journal in `file`. `damagedFile` names where a damaged one was put, so that its owner can be told. */
export function openJournal(
  file: string,
  clock: Clock,
): { readonly journal: Journal; readonly damagedFile: string | undefined } {
  const { connection, damagedFile } = openConnection(file, clock.wallMs())
  return { journal: new Journal(connection, file, clock), damagedFile }
}
