/** What the emulator holds for its one account, its switches, and the route /users/me. */
import type { ByteStore } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Refused } from './refusal.ts'
import type { Sessions, SessionRules } from './sessions.ts'
import type { Tree, TreeRules } from './tree.ts'

/** Switches: where the real answer is not known, and where a test wants a small world. */
export interface BoxRules extends TreeRules, SessionRules {
  /** Sizes and space as floats, "1.0034e+14" (rclone #2261). Default false. */
  readonly floatSizes: boolean
  /** How headers are written; Box changed it once. Default 'lower'. */
  readonly headerCase: 'lower' | 'proper' | 'upper'
  /** What ends a listing; documentation says null or nothing. rclone 1.60 loops on ''. Default 'null'. */
  readonly lastMarker: 'null' | 'absent' | 'empty'
  /** What a conflict of files looks like in its context: rclone and the web client expect an object, the documentation an array. Default 'object'. */
  readonly fileConflicts: 'object' | 'array'
  /** What a new version is answered with; 200 in the description, 201 in old pages. Default 201. */
  readonly versionStatus: 200 | 201
  /** The published limit is 240 a minute. Default Infinity. */
  readonly uploadsPerMinute: number
  /** Whether a string or a number. Default 'number'. */
  readonly streamPosition: 'number' | 'string'
}

export const rulesByDefault: BoxRules = {
  quotaBytes: 10 * 1024 ** 4,
  fileBytesMax: 5 * 1024 ** 4,
  normalisesIncoming: false,
  keepsVersions: true,
  sessionBytesMin: 20_000_000,
  directBytesMax: 50 * 1024 ** 2,
  partBytes: 8 * 1024 ** 2,
  commitWaits: 0,
  sessionConflict: 'never',
  finishedSession: 'gone',
  floatSizes: false,
  headerCase: 'lower',
  lastMarker: 'null',
  fileConflicts: 'object',
  versionStatus: 201,
  uploadsPerMinute: Infinity,
  streamPosition: 'number',
}

const minuteMs = 60_000

export class Account {
  rules: BoxRules
  readonly store: ByteStore
  readonly tree: Tree
  readonly sessions: Sessions
  readonly clock: MovableClock
  /** Names that a direct upload is filling right now, by folder and key. */
  readonly reserved = new Set<string>()
  /** Calls that count for the enterprise's quota. */
  calls = 0
  #uploadsMs: number[] = []

  constructor(parts: Pick<Account, 'rules' | 'store' | 'tree' | 'sessions' | 'clock'>) {
    this.rules = parts.rules
    this.store = parts.store
    this.tree = parts.tree
    this.sessions = parts.sessions
    this.clock = parts.clock
  }

  obey(rules: BoxRules): void {
    this.rules = rules
    this.tree.rules = rules
    this.sessions.rules = rules
  }

  /** One upload more in this minute. @throws Refused rate_limit_exceeded */
  countUpload(): void {
    if (this.rules.uploadsPerMinute === Infinity) return
    const nowMs = this.clock.nowMs()
    this.#uploadsMs = this.#uploadsMs.filter((ms) => ms > nowMs - minuteMs)
    if (this.#uploadsMs.length >= this.rules.uploadsPerMinute) {
      const restMs = (this.#uploadsMs[0] ?? nowMs) + minuteMs - nowMs
      throw new Refused(429, 'rate_limit_exceeded', { retryAfterS: Math.ceil(restMs / 1000) })
    }
    this.#uploadsMs.push(nowMs)
  }
}

export const owner = { type: 'user', id: '11446498', name: 'Fan Fold', login: 'owner@example.com' } as const

export function currentUser({ tree, rules }: Account, exchange: Exchange): unknown {
  const isFull = exchange.behaves('full') !== undefined
  return {
    ...owner,
    created_at: '2012-12-12T10:53:43-08:00',
    modified_at: '2018-10-17T14:40:35-07:00',
    language: 'en',
    timezone: 'America/Los_Angeles',
    space_amount: isFull ? tree.usedBytes : rules.quotaBytes,
    space_used: tree.usedBytes,
    max_upload_size: rules.fileBytesMax,
    status: 'active',
    job_title: '',
    phone: '',
    address: '',
    avatar_url: 'https://app.box.com/api/avatar/large/11446498',
  }
}
