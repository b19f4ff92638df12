/** Counters of lanes and sources, gathered while a transaction runs and written once at its end. Which row counts where, its callers know. */
import type { Connection } from './connection.ts'

/** In which states `lane_count` counts: those of a delivery, and what a receipt proves. */
export type Counted = 'waiting' | 'postponed' | 'parked' | 'leaving' | 'delivered'

interface Sum {
  files: number
  bytes: number
}

const sql = {
  lane: 'UPDATE lane_count SET files = files + ?, bytes = bytes + ? WHERE target_id = ? AND state = ?',
  source: 'UPDATE source SET files = files + ? WHERE id = ?',
}

export class Counters {
  readonly #lanes = new Map<number, Map<Counted, Sum>>()
  readonly #sources = new Map<number, number>()
  readonly #statements

  constructor(connection: Connection) {
    this.#statements = {
      lane: connection.prepare<[number, number, number, string]>(sql.lane),
      source: connection.prepare<[number, number]>(sql.source),
    }
  }

  /** `files` rows more (or less) in this state, of so many bytes in all. */
  lane(targetId: number, state: Counted, files: number, bytes: number): void {
    let states = this.#lanes.get(targetId)
    if (states === undefined) this.#lanes.set(targetId, (states = new Map<Counted, Sum>()))
    const sum = states.get(state)
    if (sum === undefined) states.set(state, { files, bytes })
    else {
      sum.files += files
      sum.bytes += bytes
    }
  }

  /** So many present files more in a source. */
  source(sourceId: number, files: number): void {
    this.#sources.set(sourceId, (this.#sources.get(sourceId) ?? 0) + files)
  }

  /** Inside of the transaction, last of all. */
  write(): void {
    for (const [targetId, states] of this.#lanes) {
      for (const [state, { files, bytes }] of states) this.#statements.lane.run(files, bytes, targetId, state)
    }
    for (const [sourceId, files] of this.#sources) this.#statements.source.run(files, sourceId)
  }

  /** What was gathered is written, or its transaction rolled back. */
  forget(): void {
    this.#lanes.clear()
    this.#sources.clear()
  }
}
