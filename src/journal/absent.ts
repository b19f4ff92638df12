/** Targets that left the configuration: their queue and what is known of their copies is kept for a week, then given up in small steps (F96). */
import type { Clock } from '../base/clock.ts'
import type { Connection } from './connection.ts'
import type { Counted, Counters } from './counters.ts'
import type { Targets } from './targets.ts'

/** Unit: ms. */
const keptMs = 7 * 24 * 3_600_000
/** Rows given up in one step: a few ms. */
const rowsPerStep = 500

const someOf = (table: string): string =>
  `DELETE FROM ${table} WHERE target_id = @id AND file_id IN (SELECT file_id FROM ${table} WHERE target_id = @id LIMIT ${rowsPerStep})`

const sql = {
  // A target that was given up has no place: should it come back, it is a new one.
  due: "SELECT id FROM target WHERE left_ms < ? AND place <> '' LIMIT 1",
  deliveries: `${someOf('delivery')} RETURNING state, bytes`,
  receipts: someOf('receipt'),
  sessions: someOf('upload_session'),
  folders: 'DELETE FROM folder_at_target WHERE target_id = ?',
  pace: 'DELETE FROM target_pace WHERE target_id = ?',
  giveUp: "UPDATE target SET place = '', mark = NULL, held = NULL, cursor = 0, offer = NULL WHERE id = ?",
}

interface AbsentParts {
  readonly counters: Counters
  readonly targets: Targets
  readonly clock: Clock
}

export class Absent {
  readonly #parts: AbsentParts
  readonly #statements

  constructor(connection: Connection, parts: AbsentParts) {
    this.#parts = parts
    this.#statements = {
      due: connection.prepare<[number], { id: number }>(sql.due),
      deliveries: connection.prepare<[{ id: number }], { state: Counted; bytes: number }>(sql.deliveries),
      receipts: connection.prepare<[{ id: number }]>(sql.receipts),
      sessions: connection.prepare<[{ id: number }]>(sql.sessions),
      folders: connection.prepare<[number]>(sql.folders),
      pace: connection.prepare<[number]>(sql.pace),
      giveUp: connection.prepare<[number]>(sql.giveUp),
    }
  }

  /** The last step was none. */
  rolledBack(): void {
    this.#parts.targets.reload()
  }

  /** One step, inside of a transaction. @returns whether there is more to do. */
  forget(): boolean {
    const id = this.#statements.due.get(this.#parts.clock.wallMs() - keptMs)?.id
    if (id === undefined) return false
    const { deliveries, receipts, sessions, folders, pace, giveUp } = this.#statements
    const gone = deliveries.all({ id })
    for (const { state, bytes } of gone) this.#parts.counters.lane(id, state, -1, -bytes)
    if (gone.length + receipts.run({ id }).changes + sessions.run({ id }).changes > 0) return true
    pace.run(id)
    folders.run(id)
    giveUp.run(id)
    this.#parts.targets.reload()
    return true
  }
}
