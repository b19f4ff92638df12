/** Upload sessions: fragments in order, their URLs and lives, names that are kept for them. What a finished one becomes is the drive's concern. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { ByteStore, Draft } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { badRange, badRequest, beingUploaded, noSession, Refused, staleUrl } from './refusal.ts'
import type { Conflict, FolderItem, Times } from './tree.ts'

export interface SessionRules {
  /** A second session for a name is refused as long as the first is there. */
  readonly reservesNames: boolean
  /** From its start, and again from each fragment. */
  readonly sessionMs: number
  /** What the URL's own right is good for, from its start, whatever happens. */
  readonly urlMs: number
  /** The real service answers 401 at times; a client of old (rclone 1.60) needs to be borne. Default false. */
  readonly refusesBearer: boolean
  /** Refuses fragments that are no multiple of 320 KiB; after a 416 rclone sends such. Default false. */
  readonly alignsFragments: boolean
  /** From this on a request is too large. Unit: bytes. */
  readonly fragmentBytesMax: number
  readonly fileBytesMax: number
  /** How a session whose last fragment was refused is ended: by a PUT of the item, or by an empty POST to its URL, too. */
  readonly commits: 'put' | 'either'
}

export interface Session {
  readonly id: string
  readonly token: string
  readonly parent: FolderItem
  readonly name: string
  readonly times: Partial<Times>
  readonly conflict: Conflict
  readonly urlEndMs: number
  readonly draft: Draft
  /** Forgets all bytes. */
  readonly rewind: () => void
  endMs: number
  /** Of the whole file, once the first fragment said it. */
  total: number | undefined
  /** Fragments take turns: one that was given up by its client may still be under way when the next one comes. */
  turn: Promise<void>
}

/** Forgotten above this, oldest first. */
const sessionsMax = 20_000
const alignmentBytes = 320 * 1024

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

  get openCount(): number {
    return this.#living().length
  }

  /** @param isSame whether a name is taken for this one. @throws Refused */
  start(
    wish: Pick<Session, 'parent' | 'name' | 'times' | 'conflict'>,
    isSame: (one: string, other: string) => boolean,
  ): Session {
    const rival = this.#living().find(({ parent, name }) => parent === wish.parent && isSame(name, wish.name))
    if (rival !== undefined && this.rules.reservesNames) throw beingUploaded()
    const [oldest] = this.#sessions.values()
    if (this.#sessions.size >= sessionsMax && oldest !== undefined) this.forget(oldest)
    const nowMs = this.#clock.nowMs()
    const draft = this.#store.draft()
    const session: Session = {
      ...wish,
      id: randomUUID(),
      token: randomBytes(24).toString('base64url'),
      urlEndMs: nowMs + this.rules.urlMs,
      draft,
      rewind: draft.mark(),
      endMs: nowMs + this.rules.sessionMs,
      total: undefined,
      turn: Promise.resolve(),
    }
    this.#sessions.set(session.id, session)
    return session
  }

  /** By its URL. @throws Refused */
  of(exchange: Exchange): Session {
    const id = sessionIdOf(exchange.url)
    const session = this.#sessions.get(id)
    if (exchange.behaves('forget-session') !== undefined && session !== undefined) this.forget(session)
    if (exchange.behaves('session-not-yet') !== undefined) throw noSession()
    const found = this.#sessions.get(id)
    if (found === undefined || found.endMs <= this.#clock.nowMs()) throw noSession()
    if (this.rules.refusesBearer && exchange.headers.authorization !== undefined) {
      throw new Refused(401, 'unauthenticated', { message: 'A bearer token does not belong here' })
    }
    const isStale = exchange.url.searchParams.get('tempauth') !== found.token || found.urlEndMs <= this.#clock.nowMs()
    if (isStale || exchange.behaves('stale-url') !== undefined) throw staleUrl()
    return found
  }

  byUrl(text: string): Session | undefined {
    return URL.canParse(text) ? this.#sessions.get(sessionIdOf(new URL(text))) : undefined
  }

  forget(session: Session): void {
    session.draft.discard()
    this.#sessions.delete(session.id)
  }

  /** What became a file has its bytes there. */
  ended(session: Session): void {
    this.#sessions.delete(session.id)
  }

  /** Takes one fragment in, whole or not at all. True when all bytes are there. @throws Refused */
  take(session: Session, exchange: Exchange): Promise<boolean> {
    const turn = session.turn.then(() => this.#take(session, exchange))
    session.turn = turn.then(
      () => undefined,
      () => undefined,
    )
    return turn
  }

  async #take(session: Session, exchange: Exchange): Promise<boolean> {
    const range = rangeOf(exchange)
    this.#expect(session, range, exchange)
    session.total = range.total
    const back = session.draft.mark()
    try {
      let bytes = 0
      for await (const chunk of exchange.body()) {
        bytes += chunk.length
        session.draft.append(chunk)
      }
      if (bytes !== range.end - range.start)
        throw badRequest('Declared and sent lengths differ', 'fragmentLengthMismatch')
    } catch (error) {
      back()
      throw error
    } finally {
      session.draft.rest()
    }
    session.endMs = this.#clock.nowMs() + this.rules.sessionMs
    return session.draft.size === session.total
  }

  #expect(session: Session, { start, end, total }: Range, exchange: Exchange): void {
    const { alignsFragments, fragmentBytesMax, fileBytesMax } = this.rules
    if (session.total !== undefined && session.total !== total) throw badRequest('The total size changed')
    if (total > fileBytesMax) throw new Refused(413, 'maxFileSizeExceeded')
    if (end - start >= fragmentBytesMax) throw new Refused(413, 'maxFragmentLengthExceeded')
    if (exchange.behaves('rewind') !== undefined) session.rewind()
    const has = session.draft.size
    if (start < has) throw badRange('fragmentOverlap')
    if (start > has || exchange.behaves('bad-range') !== undefined) throw badRange('fragmentOutOfOrder')
    if (end > total) throw badRange('fragmentLengthMismatch')
    const isAligned = end === total || (end - start) % alignmentBytes === 0
    if (alignsFragments && !isAligned) throw badRequest('Fragments are multiples of 320 KiB', 'fragmentLengthMismatch')
  }

  #living(): Session[] {
    for (const session of [...this.#sessions.values()]) {
      if (session.endMs <= this.#clock.nowMs()) this.forget(session)
    }
    return [...this.#sessions.values()]
  }
}

interface Range {
  readonly start: number
  /** Not included. */
  readonly end: number
  readonly total: number
}

/** @throws Refused */
function rangeOf(exchange: Exchange): Range {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(exchange.header('content-range') ?? '')
  if (found === null) throw badRequest('The Content-Range header is missing or malformed')
  const [start, last, total] = [Number(found[1]), Number(found[2]), Number(found[3])]
  const length = exchange.headers['content-length']
  if (length === undefined) throw new Refused(411, 'lengthRequired')
  if (Number(length) !== last + 1 - start)
    throw badRequest('The length does not fit the range', 'fragmentLengthMismatch')
  return { start, end: last + 1, total }
}

function sessionIdOf(url: URL): string {
  return (url.searchParams.get('guid') ?? '').replaceAll("'", '')
}
