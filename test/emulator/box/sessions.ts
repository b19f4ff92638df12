/** Upload sessions: parts of the size that the server says, never changed once stored, seven days of life. What a committed one becomes is the tree's concern. */
import { randomBytes } from 'node:crypto'
import type { ByteStore, Draft, StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { hasherOf } from '../core/hashes.ts'
import { Refused } from './refusal.ts'
import type { FileItem } from './tree.ts'

export interface SessionRules {
  /** Smaller files go in one call. Unit: bytes. */
  readonly sessionBytesMin: number
  /** Documented as 50 MB, which clients with streams of unknown length do not keep. Default as documented, in MiB. */
  readonly directBytesMax: number
  /** Seen: 8, 32 and 64 MiB, by the size of the file. */
  readonly partBytes: number
  /** How many times a commit is answered with 202 before it is done: up to 15 were seen. Default 0. */
  readonly commitWaits: number
  /** A second session of one name while one lives: undocumented, but Box's own web client expects 409 with the live one. Default 'never'. */
  readonly sessionConflict: 'never' | 'same-name'
  /** Whether a session that was committed is still known; not documented. Default 'gone'. */
  readonly finishedSession: 'gone' | 'answers'
}

export interface Part {
  readonly id: string
  readonly offset: number
  readonly size: number
  /** Hex. */
  readonly sha1: string
}

/** Where the file goes: a new name, or a new version of a file. */
export type Destination =
  | { readonly kind: 'new'; readonly folderId: string; readonly name: string }
  | { readonly kind: 'version'; readonly fileId: string }

export interface Session {
  readonly id: string
  readonly destination: Destination
  readonly size: number
  readonly partBytes: number
  readonly endMs: number
  readonly draft: Draft
  /** By offset. */
  readonly parts: Map<number, Part>
  /** The end of the last turn at each offset: one that was given up by its client may still be under way when the next one comes. */
  readonly turns: Map<number, Promise<unknown>>
  waitsLeft: number
  sealed: StoredBytes | undefined
  finished: FileItem | undefined
}

/** Finished and expired ones are forgotten above this. */
const sessionsMax = 20_000
const lifeMs = 7 * 24 * 3600 * 1000

export class Sessions {
  rules: SessionRules
  readonly #store: ByteStore
  readonly #clock: MovableClock
  readonly #sessions = new Map<string, Session>()

  constructor(store: ByteStore, clock: MovableClock, rules: SessionRules) {
    this.#store = store
    this.#clock = clock
    this.rules = rules
  }

  /** Sessions that are neither committed nor over. */
  get openCount(): number {
    return [...this.#sessions.values()].filter((session) => this.#isLive(session)).length
  }

  /** @throws Refused file_size_too_small */
  create(destination: Destination, size: number): Session {
    if (size < this.rules.sessionBytesMin) throw new Refused(400, 'file_size_too_small')
    this.#makeRoom()
    const { partBytes, commitWaits } = this.rules
    const session: Session = {
      id: randomBytes(16).toString('hex').toUpperCase(),
      destination,
      size,
      partBytes,
      endMs: this.#clock.nowMs() + lifeMs,
      draft: this.#store.draft(),
      parts: new Map(),
      turns: new Map(),
      waitsLeft: commitWaits,
      sealed: undefined,
      finished: undefined,
    }
    this.#sessions.set(session.id, session)
    return session
  }

  /** A live session for the same name, where the rules know of conflicts. */
  conflicting(destination: Destination, always: boolean): Session | undefined {
    if (this.rules.sessionConflict === 'never' && !always) return undefined
    const key = JSON.stringify(destination)
    return [...this.#sessions.values()].find(
      (session) => this.#isLive(session) && JSON.stringify(session.destination) === key,
    )
  }

  /** @throws Refused not_found, session_expired */
  find(id: string): Session {
    const session = this.#sessions.get(id)
    if (session === undefined) throw new Refused(404, 'not_found')
    if (session.endMs <= this.#clock.nowMs()) throw new Refused(410, 'session_expired')
    return session
  }

  forget(id: string): void {
    const session = this.#sessions.get(id)
    if (session?.finished === undefined) session?.draft.discard()
    this.#sessions.delete(id)
  }

  finish(session: Session, file: FileItem): void {
    session.finished = file
    if (this.rules.finishedSession === 'gone') this.#sessions.delete(session.id)
  }

  /** Takes one part in. A part that is stored never changes. @throws Refused */
  take(session: Session, exchange: Exchange): Promise<Part> {
    const range = rangeOf(session, exchange.headers['content-range'])
    const before = session.turns.get(range.from) ?? Promise.resolve()
    const turn = before.catch(() => undefined).then(() => this.#takeNow(session, range, exchange))
    session.turns.set(
      range.from,
      turn.catch(() => undefined),
    )
    return turn
  }

  async #takeNow(session: Session, { from, until }: Range, exchange: Exchange): Promise<Part> {
    const digest = digestOf(exchange)
    const stored = [...session.parts.values()].find(({ offset, size }) => offset < until && from < offset + size)
    if (stored !== undefined) throw overlap(stored)
    const hasher = hasherOf('sha1')
    let at = from
    for await (const chunk of exchange.body()) {
      if (at + chunk.length > until) throw new Refused(416, 'range_not_satisfiable')
      session.draft.place(chunk, at)
      hasher.update(chunk)
      at += chunk.length
    }
    session.draft.rest()
    if (at !== until) throw new Refused(416, 'range_not_satisfiable')
    const sha1 = hasher.digest()
    if (sha1 !== digest || exchange.behaves('bad-digest') !== undefined) throw new Refused(400, 'bad_digest')
    const part = { id: randomBytes(4).toString('hex').toUpperCase(), offset: from, size: until - from, sha1 }
    session.parts.set(from, part)
    return part
  }

  #isLive({ finished, endMs }: Session): boolean {
    return finished === undefined && endMs > this.#clock.nowMs()
  }

  #makeRoom(): void {
    for (const session of this.#sessions.values()) {
      if (this.#sessions.size < sessionsMax) return
      if (!this.#isLive(session)) this.forget(session.id)
    }
  }
}

export function partsOf(session: Session): readonly Part[] {
  return [...session.parts.values()].sort((a, b) => a.offset - b.offset)
}

interface Range {
  readonly from: number
  /** Not included. */
  readonly until: number
}

function rangeOf(session: Session, header: string | undefined): Range {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? '')
  if (found === null) throw new Refused(400, 'missing_content_range')
  const [from, until, total] = [Number(found[1]), Number(found[2]) + 1, Number(found[3])]
  const isRight =
    total === session.size &&
    from % session.partBytes === 0 &&
    until === Math.min(from + session.partBytes, session.size) &&
    from < session.size
  if (!isRight) throw new Refused(416, 'range_not_satisfiable')
  return { from, until }
}

/** Of the header `Digest: sha=<base64>`, as hex. @throws Refused missing_digest */
export function digestOf(exchange: Exchange): string {
  const found = /^sha=([A-Za-z0-9+/]+=*)$/.exec(exchange.header('digest') ?? '')?.[1]
  if (found === undefined) throw new Refused(400, 'missing_digest')
  return Buffer.from(found, 'base64').toString('hex')
}

function overlap({ id, offset, size }: Part): Refused {
  const context = {
    errors: [{ reason: 'invalid_parameter', name: 'part', message: `{id: ${id}, ${offset}, ${size}}` }],
  }
  return new Refused(416, 'range_overlaps_existing_part', { context })
}
