/** What targets are owed of a file: the rows of `delivery` as a change or an offer leaves them. How a debt is paid is the spool's affair. */
import type { Clock } from '../base/clock.ts'
import type { Connection } from './connection.ts'
import type { Counted, Counters } from './counters.ts'
import { aimOf } from './delivery.ts'
import type { Leaving, Remover } from './leaving.ts'
import { freshPriority, type Priority } from './priority.ts'
import type { Look, LookCell, Targets } from './targets.ts'

const sql = {
  // A change that overtakes an undelivered one keeps its age: the target has been behind since then. It also keeps the doubt.
  overtake: `
    UPDATE delivery SET wanted_seq = @seq, state = 'waiting', priority = @priority, due_ms = NULL, attempts = 0, bytes = @bytes, reason = NULL,
      look = CASE WHEN look = 'remove' AND wanted_seq > @doubtfulSeq AND NOT @isLeased THEN 'trust'
        WHEN look IN ('receipt', 'remove', 'remove-in-doubt') OR (look = 'trust' AND wanted_seq <= @doubtfulSeq) THEN 'entry' ELSE look END
    WHERE target_id = @targetId AND file_id = @fileId`,
  owe: `
    INSERT INTO delivery (target_id, file_id, wanted_seq, state, priority, since_ms, due_ms, attempts, bytes, look, reason)
    VALUES (?, ?, ?, 'waiting', ?, ?, NULL, 0, ?, ?, NULL)`,
  renew: `
    UPDATE delivery SET wanted_seq = @seq, state = 'waiting', due_ms = NULL, attempts = 0, reason = NULL, bytes = @bytes,
      look = CASE WHEN @look = 'trust' AND look <> 'trust' THEN 'entry' ELSE @look END
    WHERE target_id = @targetId AND file_id = @fileId`,
  open: 'SELECT wanted_seq AS seq, look FROM delivery WHERE target_id = ? AND file_id = ?',
  disown: 'DELETE FROM delivery WHERE target_id = ? AND file_id = ? RETURNING state, bytes',
  doubt: `
    UPDATE delivery SET wanted_seq = ?, state = 'waiting', priority = 2, due_ms = NULL, attempts = 0, bytes = 0, look = 'receipt', reason = NULL
    WHERE target_id = ? AND file_id = ?`,
}

interface Debt {
  readonly targetId: number
  readonly fileId: number
  readonly seq: number
  readonly bytes: number
}

interface DebtsParts {
  readonly targets: Targets
  readonly counters: Counters
  readonly leaving: Leaving
  readonly clock: Clock
  /** An attempt at this file is under way at this target. */
  readonly isLeased: (targetId: number, fileId: number) => boolean
  /** Deliveries of this seq and before may have been tried by a process that could not tell. */
  readonly doubtfulSeq: number
}

export class Debts {
  readonly #parts: DebtsParts
  readonly #statements

  constructor(connection: Connection, parts: DebtsParts) {
    this.#parts = parts
    this.#statements = {
      overtake: connection.prepare<
        [Debt & { readonly doubtfulSeq: number; readonly isLeased: 0 | 1; readonly priority: Priority }]
      >(sql.overtake),
      owe: connection.prepare<[number, number, number, Priority, number, number, Look]>(sql.owe),
      renew: connection.prepare<[Debt & { readonly look: Look }]>(sql.renew),
      open: connection.prepare<[number, number], { seq: number; look: LookCell }>(sql.open),
      doubt: connection.prepare<[number, number, number]>(sql.doubt),
      disown: connection.prepare<[number, number], { state: Counted; bytes: number }>(sql.disown),
    }
  }

  /** Leaves exactly the deliveries that the newest state of the file calls for. @param leaves targets whose copy is to go: nothing changes there. */
  settle(
    owed: Omit<Debt, 'targetId'>,
    owedTo: readonly number[],
    { leaves = [] }: { readonly leaves?: readonly number[] } = {},
  ): void {
    for (const { id } of this.#parts.targets.all)
      if (!owedTo.includes(id) && !leaves.includes(id)) this.#unwant(id, owed.fileId, owed.seq)
    for (const targetId of owedTo) {
      const debt = { ...owed, targetId }
      const priority = freshPriority(owed.bytes)
      const overtaken = this.#statements.overtake.run({ ...debt, ...this.#doubt(targetId, owed.fileId), priority })
      if (overtaken.changes === 0) this.#owe(debt, { priority, look: 'trust' })
    }
  }

  /** No newer copy is wanted. One that leaves since its file moved out of what the target takes goes on leaving, whatever becomes of that file there (F35). */
  #unwant(targetId: number, fileId: number, seq: number): void {
    if (!this.#isLeaving(targetId, fileId)) this.disown(targetId, fileId, seq)
  }

  /** Within its grace, while its removal is under way, and when that is tried again. */
  #isLeaving(targetId: number, fileId: number): boolean {
    const open = this.#statements.open.get(targetId, fileId)
    return open !== undefined && aimOf(open) === 'leave'
  }

  /** What there is, renewed, or a new one. */
  renew(debt: Debt, fresh: { readonly priority: Priority; readonly look: Look }): void {
    if (this.#statements.renew.run({ ...debt, look: fresh.look }).changes === 0) this.#owe(debt, fresh)
  }

  #owe({ targetId, fileId, seq, bytes }: Debt, { priority, look }: { priority: Priority; look: Look }): void {
    this.#statements.owe.run(targetId, fileId, seq, priority, this.#parts.clock.wallMs(), bytes, look)
    this.#parts.counters.lane(targetId, 'waiting', 1, bytes)
  }

  /** Has copies leave these targets after their grace. @returns those where there is one. */
  leave(fileId: number, seq: number, removers: readonly Remover[]): number[] {
    const { leaving, clock } = this.#parts
    const nowMs = clock.wallMs()
    const leaves = removers.filter(({ targetId, graceMs }) =>
      leaving.leave({ targetId, fileId, seq, nowMs, dueMs: nowMs + graceMs, ...this.#doubt(targetId, fileId) }),
    )
    return leaves.map(({ targetId }) => targetId)
  }

  /** What has to be known to tell whether an attempt may have changed the copy. */
  #doubt(targetId: number, fileId: number): { doubtfulSeq: number; isLeased: 0 | 1 } {
    const { doubtfulSeq, isLeased } = this.#parts
    return { doubtfulSeq, isLeased: isLeased(targetId, fileId) ? 1 : 0 }
  }

  /** No copy is owed any more. Where an attempt may have changed the object already, its receipt has to be made true. */
  disown(targetId: number, fileId: number, seq: number): void {
    const open = this.#statements.open.get(targetId, fileId)
    if (open === undefined) return
    const { doubtfulSeq, isLeased, counters } = this.#parts
    if (open.look !== 'trust' || open.seq <= doubtfulSeq || isLeased(targetId, fileId)) {
      this.#statements.doubt.run(seq, targetId, fileId)
      return
    }
    const ended = this.#statements.disown.get(targetId, fileId)
    if (ended !== undefined) counters.lane(targetId, ended.state, -1, -ended.bytes)
  }

  /** Anything at all, and be it only a look. */
  isOwed(targetId: number, fileId: number): boolean {
    return this.#statements.open.get(targetId, fileId) !== undefined
  }

  /** Nothing of a file that is gone, or not taken, is offered; a copy that is to follow it goes on doing so. */
  forgetGone(targetId: number, fileId: number, seq: number): void {
    if (!this.#isLeaving(targetId, fileId)) this.disown(targetId, fileId, seq)
  }
}
