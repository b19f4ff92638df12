/**
 * Copies whose file is gone from its source and whose target is to give them up, too: after a grace, in which the file may come back,
 * and never while the owner has to say first whether so many removals are meant (F36, F37).
 */
import type { Connection } from './connection.ts'
import type { Counters } from './counters.ts'
import { required } from './tree.ts'

/** A target that gives up copies of removed files. */
export interface Remover {
  readonly targetId: number
  /** How long a copy stays after its file went. Unit: ms. */
  readonly graceMs: number
}

/** One copy that is to leave. */
export interface Leave {
  readonly targetId: number
  readonly fileId: number
  readonly seq: number
  readonly nowMs: number
  readonly dueMs: number
  /** Deliveries of this seq and before may have been tried by a process that could not tell. */
  readonly doubtfulSeq: number
  /** An attempt at this copy is under way. */
  readonly isLeased: 0 | 1
}

const sql = {
  change: `
    UPDATE delivery SET wanted_seq = @seq, state = 'leaving', priority = 2, due_ms = @dueMs, attempts = 0, bytes = 0, reason = NULL,
      look = CASE WHEN @isLeased OR look NOT IN ('trust', 'remove') OR wanted_seq <= @doubtfulSeq THEN 'remove-in-doubt' ELSE 'remove' END
    WHERE target_id = @targetId AND file_id = @fileId`,
  add: `
    INSERT INTO delivery (target_id, file_id, wanted_seq, state, priority, since_ms, due_ms, attempts, bytes, look, reason)
    VALUES (@targetId, @fileId, @seq, 'leaving', 2, @nowMs, @dueMs, 0, 0, 'remove', NULL)`,
  hasCopy: 'SELECT count(*) AS copies FROM receipt WHERE target_id = ? AND file_id = ?',
  brake: 'UPDATE source SET brake = ? WHERE name = ?',
  brakes: 'SELECT name, brake FROM source WHERE brake IS NOT NULL',
  release: `
    UPDATE delivery SET state = 'leaving', due_ms = @nowMs, attempts = 0, reason = NULL
    WHERE look IN ('remove', 'remove-in-doubt') AND state = 'parked' AND file_id IN (
      SELECT file.id FROM file JOIN source ON source.id = file.source_id WHERE source.name = @source)`,
}

export class Leaving {
  readonly #counters: Counters
  readonly #statements
  readonly #brakes = new Map<string, string>()

  constructor(connection: Connection, counters: Counters) {
    this.#counters = counters
    this.#statements = {
      change: connection.prepare<[Leave]>(sql.change),
      add: connection.prepare<[Leave]>(sql.add),
      hasCopy: connection.prepare<[number, number], { copies: number }>(sql.hasCopy),
      brake: connection.prepare<[string | null, string]>(sql.brake),
      release: connection.prepare<[{ source: string; nowMs: number }]>(sql.release),
    }
    const brakes = connection.prepare<[], { name: string; brake: string }>(sql.brakes)
    for (const { name, brake } of brakes.all()) this.#brakes.set(name, brake)
  }

  /** The copy is to leave, if there is one, or if an attempt may have made one. @returns whether anything is to be done. */
  leave(leave: Leave): boolean {
    if (this.#statements.change.run(leave).changes === 1) return true
    const { targetId, fileId } = leave
    if (required(this.#statements.hasCopy.get(targetId, fileId)).copies === 0) return false
    this.#statements.add.run(leave)
    this.#counters.lane(targetId, 'leaving', 1, 0)
    return true
  }

  /** Why no copy of this source's files leaves any target; null where they may. */
  brakeOf(source: string): string | null {
    return this.#brakes.get(source) ?? null
  }

  brake(source: string, reason: string | null): void {
    this.#statements.brake.run(reason, source)
    if (reason === null) this.#brakes.delete(source)
    else this.#brakes.set(source, reason)
  }

  /** Lets go of what the brake held back: due now. Answers how many copies. */
  approve(source: string, nowMs: number): number {
    this.brake(source, null)
    return this.#statements.release.run({ source, nowMs }).changes
  }
}
