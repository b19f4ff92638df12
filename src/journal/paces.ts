/** What a target's pace has to know after a restart, one row per target. What it means is the pace's concern. */
import type { Connection } from './connection.ts'

export interface PaceState {
  /** Local day, `2026-11-20`. */
  readonly day: string
  /** Bytes that may have gone on that day. */
  readonly bytes: number
  /** Local month, `2026-11`. */
  readonly month: string
  /** Requests that may have been made in it. */
  readonly requests: number
  readonly pause:
    | {
        /** Wall time. */
        readonly untilMs: number
        /** How long the pause was when it began: it never lasts longer, however the clock is set meanwhile. */
        readonly waitMs: number
        readonly reason: string
      }
    | undefined
}

const sql = {
  get: 'SELECT day, bytes, month, requests, pause_until_ms AS untilMs, pause_wait_ms AS waitMs, pause_reason AS reason FROM target_pace WHERE target_id = ?',
  put: 'INSERT INTO target_pace (target_id, day, bytes, month, requests, pause_until_ms, pause_wait_ms, pause_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (target_id) DO UPDATE SET day = excluded.day, bytes = excluded.bytes, month = excluded.month, requests = excluded.requests, pause_until_ms = excluded.pause_until_ms, pause_wait_ms = excluded.pause_wait_ms, pause_reason = excluded.pause_reason',
}

interface Row {
  readonly day: string
  readonly bytes: number
  readonly month: string
  readonly requests: number
  readonly untilMs: number | null
  readonly waitMs: number | null
  readonly reason: string | null
}

export class Paces {
  readonly #statements

  constructor(connection: Connection) {
    this.#statements = {
      get: connection.prepare<[number], Row>(sql.get),
      put: connection.prepare<[number, string, number, string, number, number | null, number | null, string | null]>(
        sql.put,
      ),
    }
  }

  get(targetId: number): PaceState | undefined {
    const row = this.#statements.get.get(targetId)
    if (row === undefined) return undefined
    const { untilMs, waitMs, reason, ...counts } = row
    const pause = untilMs === null || waitMs === null ? undefined : { untilMs, waitMs, reason: reason ?? '' }
    return { ...counts, pause }
  }

  put(targetId: number, { day, bytes, month, requests, pause }: PaceState): void {
    const { untilMs = null, waitMs = null, reason = null } = pause ?? {}
    this.#statements.put.run(targetId, day, bytes, month, requests, untilMs, waitMs, reason)
  }
}
