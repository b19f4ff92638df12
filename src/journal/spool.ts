/**
 * What each target is owed: claims, outcomes, upload sessions. The states are those of `delivery-state.ts`. A row is what rests: waiting,
 * postponed, parked or leaving. What is active or superseded is a lease held in memory by this process, so that a crash returns every
 * lease by itself. What is done has no row: the receipt stays.
 */
import type { Clock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import {
  aimCell,
  aimOf,
  claimColumns,
  claimJoins,
  deliveryOf,
  receiptColumns,
  storedReceipt,
  wordsOf,
  type Aim,
  type ClaimCells,
  type Delivery,
  type OpenDelivery,
  type Outcome,
  type ReceiptRow,
  type StoredReceipt,
} from './delivery.ts'
import type { Counted, Counters } from './counters.ts'
import { isCertain, nextDeliveryState } from './delivery-state.ts'
import type { GroupCommit } from './group-commit.ts'
import type { History } from './history.ts'
import type { LeftCopies } from './left-copies.ts'
import type { Connection, Statement } from './connection.ts'
import type { Priority } from './priority.ts'
import { hashCell, nameCell, type NameCell } from './rows.ts'
import type { Targets } from './targets.ts'
import type { Transactions } from './transactions.ts'
import { required, type Tree } from './tree.ts'

/** A wall clock that went back must not turn a wait of minutes into years. Unit: ms. */
const waitMsMax = 6 * 3_600_000

const sql = {
  // Only the index is read here: rows under a lease come first in it and must be cheap to pass.
  waiting: `
    SELECT since_ms AS sinceMs, file_id AS fileId FROM delivery INDEXED BY delivery_in_order
    WHERE target_id = ? AND state = 'waiting' AND priority = ? AND (since_ms, file_id) > (?, ?)
    ORDER BY since_ms, file_id LIMIT ?`,
  due: `
    SELECT file_id AS fileId FROM delivery INDEXED BY delivery_due WHERE target_id = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?`,
  delivery: `SELECT ${claimColumns} FROM delivery ${claimJoins} WHERE delivery.target_id = ? AND delivery.file_id = ?`,
  nextDue: 'SELECT min(due_ms) AS dueMs FROM delivery WHERE target_id = ? AND due_ms IS NOT NULL',
  addReceipt: `
    INSERT INTO receipt (seq, path, remote_id, revision, size, sha256, mtime_ns, at_ms, is_altered, target_id, file_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  changeReceipt: `
    UPDATE receipt SET seq = ?, path = ?, remote_id = ?, revision = ?, size = ?, sha256 = ?, mtime_ns = ?, at_ms = ?, is_altered = ?,
      is_left = 0, moving_to = NULL
    WHERE target_id = ? AND file_id = ?`,
  pay: `DELETE FROM delivery WHERE target_id = ? AND file_id = ? AND wanted_seq = ? AND ${aimCell} = ? RETURNING state, bytes`,
  forget: 'DELETE FROM receipt WHERE target_id = ? AND file_id = ?',
  doubt: `
    UPDATE delivery SET look = CASE look WHEN 'trust' THEN 'entry' ELSE 'remove-in-doubt' END
    WHERE target_id = ? AND file_id = ? AND look IN ('trust', 'remove')`,
  digested: 'UPDATE file SET sha256 = ?, crc32 = ? WHERE id = ? AND seq = ? AND sha256 IS NULL',
  postpone: `
    UPDATE delivery SET state = 'postponed', due_ms = ?, attempts = ?, reason = ?
    WHERE target_id = ? AND file_id = ? AND wanted_seq = ? AND ${aimCell} = ?`,
  park: `
    UPDATE delivery SET state = 'parked', due_ms = ?, attempts = ?, reason = ?
    WHERE target_id = ? AND file_id = ? AND wanted_seq = ? AND ${aimCell} = ?`,
  retry: `
    UPDATE delivery SET state = 'waiting', due_ms = NULL, attempts = 0 WHERE target_id = ? AND state IN ('postponed', 'parked')`,
  retryPostponed: `
    UPDATE delivery SET state = 'waiting', due_ms = NULL, attempts = 0 WHERE target_id = ? AND state = 'postponed'`,
  clampDue:
    "UPDATE delivery INDEXED BY delivery_due SET due_ms = ? WHERE target_id = ? AND due_ms > ? AND state <> 'leaving'",
  saveSession: `
    INSERT INTO upload_session (target_id, file_id, seq, session) VALUES (?, ?, ?, ?)
    ON CONFLICT (target_id, file_id) DO UPDATE SET seq = excluded.seq, session = excluded.session`,
  dropSession: 'DELETE FROM upload_session WHERE target_id = ? AND file_id = ?',
  openOf: `
    SELECT target.name AS target, delivery.state AS state, reason, attempts, due_ms AS dueMs
    FROM delivery JOIN target ON target.id = target_id WHERE file_id = ?`,
  receiptsOf: `
    SELECT target.name AS target, ${receiptColumns}
    FROM receipt JOIN target ON target.id = target_id WHERE file_id = ?`,
  lastReason: `
    SELECT reason FROM delivery WHERE target_id = ? AND state = ? AND reason IS NOT NULL LIMIT 1`,
}

type ReceiptCells = [
  ...[seq: number, path: NameCell, remoteId: string, revision: string, size: number, sha256: Buffer, mtimeNs: bigint],
  ...[atMs: number, isAltered: 0 | 1, targetId: number, fileId: number],
]

/** Where a row stands in the order of claims. */
interface Place {
  readonly sinceMs: number
  readonly fileId: number
}
const firstPlace: Place = { sinceMs: 0, fileId: 0 }
/** How long a claim may go on behind the last one's place before it looks from the front again. Unit: ms. */
const fromFrontEveryMs = 100

/** What of a target is under way, and how far its waiting rows were read, per priority. */
interface Lane {
  readonly leases: Set<number>
  places: [Place, Place, Place, Place]
  fromFrontMs: number
}

/** How many large copies may be claimed, and whether one of them comes first. */
export interface LargeClaim {
  readonly most: number
  readonly isTurn: boolean
}
const anyLarge: LargeClaim = { most: Infinity, isTurn: false }

interface SpoolParts {
  readonly tree: Tree
  readonly history: History
  readonly group: GroupCommit
  readonly targets: Targets
  readonly counters: Counters
  readonly left: LeftCopies
  readonly transactions: Transactions
  readonly clock: Clock
  /** Deliveries of this seq and before may have been tried by a process that could not tell. */
  readonly doubtfulSeq: number
}

/** Those that were given up and put off, or put off alone. */
export type Retried = 'all' | 'postponed'

export class Spool {
  readonly #tree: Tree
  readonly #history: History
  readonly #group: GroupCommit
  readonly #counters: Counters
  readonly #left: LeftCopies
  readonly #clock: Clock
  readonly #doubtfulSeq: number
  readonly #statements
  readonly #retryAll
  readonly #lanes = new Map<number, Lane>()

  constructor(connection: Connection, parts: SpoolParts) {
    this.#doubtfulSeq = parts.doubtfulSeq
    this.#tree = parts.tree
    this.#history = parts.history
    this.#group = parts.group
    this.#counters = parts.counters
    this.#left = parts.left
    this.#clock = parts.clock
    this.#statements = {
      waiting: connection.prepare<[number, number, number, number, number], Place>(sql.waiting),
      due: connection.prepare<[number, number, number], { fileId: number }>(sql.due),
      delivery: connection.prepare<[number, number], ClaimCells>(sql.delivery).safeIntegers().raw(),
      nextDue: connection.prepare<[number], { dueMs: number | null }>(sql.nextDue),
      addReceipt: connection.prepare<ReceiptCells>(sql.addReceipt),
      changeReceipt: connection.prepare<ReceiptCells>(sql.changeReceipt),
      pay: connection.prepare<[number, number, number, Aim], { state: Counted; bytes: number }>(sql.pay),
      forget: connection.prepare<[number, number]>(sql.forget),
      doubt: connection.prepare<[number, number]>(sql.doubt),
      digested: connection.prepare<[Buffer, number, number, number]>(sql.digested),
      postpone: connection.prepare<[number, number, string, number, number, number, Aim]>(sql.postpone),
      park: connection.prepare<[number | null, number, string, number, number, number, Aim]>(sql.park),
      retry: connection.prepare<[number]>(sql.retry),
      retryPostponed: connection.prepare<[number]>(sql.retryPostponed),
      saveSession: connection.prepare<[number, number, number, string]>(sql.saveSession),
      dropSession: connection.prepare<[number, number]>(sql.dropSession),
      openOf: connection.prepare<[number], OpenDelivery>(sql.openOf),
      receiptsOf: connection.prepare<[number], ReceiptRow>(sql.receiptsOf).safeIntegers(),
      lastReason: connection.prepare<[number, string], { reason: string }>(sql.lastReason),
    }
    this.#clampDue(connection.prepare(sql.clampDue), parts.targets)
    this.#retryAll = parts.transactions.of((targetId: number, which: Retried) => {
      const { retry, retryPostponed } = this.#statements
      return (which === 'all' ? retry : retryPostponed).run(targetId).changes
    })
  }

  #clampDue(clamp: Statement<[number, number, number]>, targets: Targets): void {
    const dueMsMax = this.#clock.wallMs() + waitMsMax
    for (const id of targets.ids) clamp.run(dueMsMax, id, dueMsMax)
  }

  #lane(targetId: number): Lane {
    const known = this.#lanes.get(targetId)
    if (known !== undefined) return known
    const made: Lane = { leases: new Set(), places: [firstPlace, firstPlace, firstPlace, firstPlace], fromFrontMs: 0 }
    this.#lanes.set(targetId, made)
    return made
  }

  isLeased(targetId: number, fileId: number): boolean {
    return this.#lane(targetId).leases.has(fileId)
  }

  /** Ends all leases of a target without an outcome: what was claimed was never begun. */
  release(targetId: number): void {
    this.#lanes.delete(targetId)
  }

  /** Deliveries under way at a target. */
  activeCount(targetId: number): number {
    return this.#lane(targetId).leases.size
  }

  /**
   * Leases up to `count` deliveries: fresh changes first, then what is due again, then what is offered again. One large copy comes before
   * all small ones where none is under way, so that an endless stream of those does not starve it.
   */
  claim(targetId: number, count: number, { most: largeMax, isTurn }: LargeClaim = anyLarge): readonly Delivery[] {
    const lane = this.#lane(targetId)
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - lane.fromFrontMs > fromFrontEveryMs) {
      lane.places = [firstPlace, firstPlace, firstPlace, firstPlace]
      lane.fromFrontMs = nowMs
    }
    const fileIds: number[] = []
    const take = (priority: Priority, most: number): void => {
      const wanted = Math.min(most, count - fileIds.length)
      if (wanted > 0) fileIds.push(...this.#claimWaiting(targetId, priority, wanted))
    }
    if (isTurn) take(1, 1)
    take(0, count)
    if (fileIds.length < count) fileIds.push(...this.#claimDue(targetId, count - fileIds.length))
    take(1, largeMax - (isTurn ? 1 : 0))
    take(2, count)
    take(3, largeMax)
    const parts = { targetId, tree: this.#tree, doubtfulSeq: this.#doubtfulSeq }
    return fileIds.map((fileId) => deliveryOf(required(this.#statements.delivery.get(targetId, fileId)), parts))
  }

  #claimWaiting(targetId: number, priority: Priority, count: number): number[] {
    const lane = this.#lane(targetId)
    const isFromFront = lane.places[priority] === firstPlace
    const claimed = this.#claimBehind(lane, { targetId, priority, count })
    if (claimed.length === count || isFromFront) return claimed
    // The end was reached: what came back to an earlier place meanwhile is found only from the front.
    lane.places[priority] = firstPlace
    return [...claimed, ...this.#claimBehind(lane, { targetId, priority, count: count - claimed.length })]
  }

  #claimBehind(
    lane: Lane,
    { targetId, priority, count }: { targetId: number; priority: Priority; count: number },
  ): number[] {
    const claimed: number[] = []
    // Rows under a lease come first in the order, so that many more have to be read to find free ones.
    const limit = count + lane.leases.size
    const place = lane.places[priority]
    for (const row of this.#statements.waiting.all(targetId, priority, place.sinceMs, place.fileId, limit)) {
      if (claimed.length === count) break
      lane.places[priority] = row
      if (lane.leases.has(row.fileId)) continue
      lane.leases.add(row.fileId)
      claimed.push(row.fileId)
    }
    return claimed
  }

  #claimDue(targetId: number, count: number): number[] {
    const { leases } = this.#lane(targetId)
    const rows = this.#statements.due.all(targetId, this.#clock.wallMs(), count + leases.size)
    const claimed = rows.map((row) => row.fileId).filter((fileId) => !leases.has(fileId))
    for (const fileId of claimed.slice(0, count)) leases.add(fileId)
    return claimed.slice(0, count)
  }

  /** Wall time at which the next postponed or parked delivery is due; null when none waits for a time. */
  nextDueMs(targetId: number): number | null {
    return this.#statements.nextDue.get(targetId)?.dueMs ?? null
  }

  /** Ends a lease with its outcome; resolves once that is on disk. A newer seq of the file stays owed. */
  async finish(delivery: Delivery, outcome: Outcome): Promise<void> {
    assert(this.#lane(delivery.targetId).leases.has(delivery.fileId), `no lease on file ${delivery.fileId}`)
    try {
      if (outcome.kind !== 'released') await this.#group.add(() => this.#write(delivery, outcome))
    } finally {
      this.#lane(delivery.targetId).leases.delete(delivery.fileId)
    }
  }

  #write(delivery: Delivery, outcome: Outcome): void {
    const { targetId, fileId } = delivery
    // Whatever row there is by now, of this change or of a newer one: after an attempt that did not end well no receipt is trusted.
    if (!isCertain(outcome)) this.#statements.doubt.run(targetId, fileId)
    this.#writeCopy(delivery, outcome)
    this.#writeState(delivery, outcome)
    const words = wordsOf(outcome)
    if (words !== undefined) this.#note(delivery, outcome.kind, words)
  }

  /** What is known of the copy now. */
  #writeCopy(delivery: Delivery, outcome: Outcome): void {
    const { targetId, fileId, seq } = delivery
    if (outcome.kind === 'delivered') {
      this.#writeReceipt(delivery, outcome.receipt, seq)
      if (outcome.crc32 !== undefined && delivery.digest === undefined)
        this.#statements.digested.run(hashCell(outcome.receipt.sha256), outcome.crc32, fileId, seq)
    } else if (outcome.kind === 'postponed' && outcome.aside !== undefined) {
      if (outcome.aside === null) this.#statements.forget.run(targetId, fileId)
      else {
        this.#writeReceipt(delivery, outcome.aside, delivery.receipt?.seq ?? 0)
        this.#left.outdated(targetId, fileId)
      }
    } else if (outcome.kind === 'looked' && outcome.receipt !== undefined) {
      // Never of the file's newest seq: should a copy be owed again, its content is compared anew.
      this.#writeReceipt(delivery, outcome.receipt, delivery.receipt?.seq ?? 0)
      // Nobody wants it there any more, so that another file may have its place.
      this.#left.outdated(targetId, fileId)
    } else if (outcome.kind === 'looked' || outcome.kind === 'removed') {
      this.#statements.forget.run(targetId, fileId)
      if (outcome.kind === 'removed') this.#statements.dropSession.run(targetId, fileId)
    }
  }

  /** Where nothing newer is owed meanwhile; a row of a newer seq stays as it is. */
  #writeState(delivery: Delivery, outcome: Outcome): void {
    const { targetId, fileId, seq, attempts } = delivery
    const active = { kind: 'active', attempts, from: { kind: 'waiting', attempts, isDoubtful: true } } as const
    const next = nextDeliveryState(active, { kind: 'ended', outcome, nowMs: this.#clock.wallMs() })
    if (next.kind === 'done') this.#pay(delivery)
    const { postpone, park } = this.#statements
    const row = [targetId, fileId, seq, aimOf(delivery)] as const
    if (next.kind === 'postponed') postpone.run(next.dueMs, next.attempts, next.reason, ...row)
    if (next.kind === 'parked') park.run(next.dueMs, next.attempts, next.reason, ...row)
  }

  #writeReceipt(delivery: Delivery, receipt: Omit<StoredReceipt, 'seq'>, receiptSeq: number): void {
    const { targetId, fileId } = delivery
    const { path, remoteId, revision, size, sha256, mtimeNs } = receipt
    const hash = hashCell(sha256)
    assert(hash.length === 32, `receipt without a sha256: ${sha256}`)
    const of: [number, number] = [targetId, fileId]
    const atMs = this.#clock.wallMs()
    const isAltered = receiptSeq === delivery.seq && size !== delivery.size ? 1 : 0
    const marks = [remoteId, revision, size, hash, mtimeNs, atMs, isAltered] as const
    const cells: ReceiptCells = [receiptSeq, nameCell(path), ...marks, ...of]
    this.#left.takeOver(targetId, nameCell(path), fileId)
    // While a file is leased nobody else writes its receipt, but for whoever took its place over at the target.
    const isKnown = delivery.receipt !== undefined && this.#statements.changeReceipt.run(...cells).changes === 1
    if (!isKnown) {
      this.#statements.addReceipt.run(...cells)
      this.#counters.lane(targetId, 'delivered', 1, size)
    }
    this.#statements.dropSession.run(targetId, fileId)
  }

  #pay(delivery: Delivery): void {
    const { targetId, fileId, seq } = delivery
    const paid = this.#statements.pay.get(targetId, fileId, seq, aimOf(delivery))
    if (paid !== undefined) this.#counters.lane(targetId, paid.state, -1, -paid.bytes)
    else this.#left.outdated(targetId, fileId)
  }

  #note({ targetId, fileId, source }: Delivery, event: string, detail: string): void {
    this.#history.append({ sourceId: this.#tree.sourceId(source) ?? null, fileId, targetId, event, detail })
  }

  /** Keeps a digest that was dear to make, before the first copy is done. */
  keepDigest(delivery: Delivery, digest: { readonly sha256: string; readonly crc32: number }): Promise<void> {
    return this.#group.add(() => {
      this.#statements.digested.run(hashCell(digest.sha256), digest.crc32, delivery.fileId, delivery.seq)
    })
  }

  /** Keeps or forgets an upload session; resolves once that is on disk. */
  saveSession(
    { targetId, fileId, seq }: Delivery,
    session: Readonly<Record<string, string | number>> | undefined,
  ): Promise<void> {
    return this.#group.add(() => {
      if (session === undefined) this.#statements.dropSession.run(targetId, fileId)
      else this.#statements.saveSession.run(targetId, fileId, seq, JSON.stringify(session))
    })
  }

  /** Deliveries of a target that were given up or put off are due now. Answers how many. */
  retry(targetId: number, which: Retried): number {
    return this.#retryAll(targetId, which)
  }

  /** What is open for a file, per target. */
  openOf(fileId: number): readonly OpenDelivery[] {
    return this.#statements.openOf.all(fileId)
  }

  receiptsOf(fileId: number): ReadonlyMap<string, StoredReceipt> {
    return new Map(this.#statements.receiptsOf.all(fileId).map((row) => [row.target, storedReceipt(row)]))
  }

  /** Why something is parked or postponed at a target: one example. */
  reasonOf(targetId: number, state: 'parked' | 'postponed'): string | null {
    return this.#statements.lastReason.get(targetId, state)?.reason ?? null
  }
}
