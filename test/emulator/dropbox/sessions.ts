/** Upload sessions, sequential and concurrent: offsets, closing, seven days of life. What a finished one becomes is the tree's concern. */
import { randomBytes } from 'node:crypto'
import type { ByteStore, Draft, StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import { ConnectionGone, type Exchange } from '../core/exchange.ts'
import { hasherOf } from '../core/hashes.ts'
import { Refused } from './refusal.ts'

export interface SessionRules {
  /** Not documented: what a second finish of a session finds. `success` = the same answer again. Default 'not_found'. */
  readonly doubleFinish: 'not_found' | 'closed' | 'success'
  /** A part of a concurrent session that was stored already is refused (dropbox-sdk-rust #53); by which tag is not known. Default as here. */
  readonly resentPart: 'concurrent_session_invalid_offset' | 'concurrent_session_invalid_data_size'
  /** Most a request's body may hold. Unit: bytes. */
  readonly requestBytesMax: number
  readonly fileBytesMax: number
}

interface Session {
  readonly id: string
  readonly kind: 'sequential' | 'concurrent'
  readonly draft: Draft
  readonly endMs: number
  /** Of a concurrent session: offset of each part and its size. */
  readonly parts: Map<number, number>
  isClosed: boolean
  finished: StoredBytes | undefined
  /** Appends to a sequential session take turns: one that was given up by its client may still be under way when the next one comes. */
  turn: Promise<void>
}

export interface Piece {
  readonly session_id: string
  readonly offset: number
}

export interface AppendWish {
  readonly close: boolean
  /** Content hash of the body. */
  readonly hash: string | undefined
}

/** Finished and expired ones are forgotten above this. */
const sessionsMax = 20_000
/** Sessions live this long from their start. Source: the Stone description of upload_session/start. */
const lifeMs = 7 * 24 * 3600 * 1000
/** Parts of a concurrent session begin and end at multiples of this. */
const gridBytes = 4 * 1024 * 1024

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

  /** Sessions that are not finished. */
  get openCount(): number {
    return [...this.#sessions.values()].filter(({ finished }) => finished === undefined).length
  }

  start(kind: Session['kind']): string {
    return this.#add(kind, this.#store.draft())
  }

  /** A closed session of bytes that came by another way: an upload whose path was refused. */
  adopt(draft: Draft): string {
    const id = this.#add('sequential', draft)
    this.#known(id).isClosed = true
    return id
  }

  forget(id: string): void {
    this.#sessions.get(id)?.draft.discard()
    this.#sessions.delete(id)
  }

  /** Takes the body in at the offset. Nothing of it stays when anything is wrong. @throws Refused */
  append(at: Piece, exchange: Exchange, wish: AppendWish): Promise<void> {
    const session = this.#living(at.session_id)
    if (session.kind === 'concurrent') return this.#appendNow(session, at.offset, exchange, wish)
    const turn = session.turn.then(() => this.#appendNow(session, at.offset, exchange, wish))
    session.turn = turn.catch(() => undefined)
    return turn
  }

  /** A piece that is in memory: one of a batch. @throws Refused */
  appendPiece(at: Piece, piece: Buffer, close: boolean): void {
    const session = this.#living(at.session_id)
    this.#expectPlace(session, at.offset)
    this.#expectGrid(session, piece.length, close)
    store(session, piece, at.offset)
    session.draft.rest()
    this.#settle(session, at.offset, piece.length, close)
  }

  /** What a commit takes. `isBatch`: the session must be closed. @throws Refused lookup tags, without `lookup_failed` around them */
  ready(at: Piece, isBatch: boolean): StoredBytes {
    const session = this.#known(at.session_id)
    if (session.finished !== undefined) return this.#finishedAgain(session.finished)
    if (session.kind === 'concurrent') return this.#readyConcurrent(session)
    if (at.offset !== session.draft.size) throw wrongOffset(session)
    if (isBatch && !session.isClosed) throw new Refused(['not_closed'])
    return session.draft.seal()
  }

  finish(id: string, bytes: StoredBytes): void {
    const session = this.#sessions.get(id)
    if (session !== undefined) session.finished = bytes
  }

  isConcurrent(id: string): boolean {
    return this.#sessions.get(id)?.kind === 'concurrent'
  }

  #add(kind: Session['kind'], draft: Draft): string {
    this.#makeRoom()
    const id = `pid_upload_session:${randomBytes(24).toString('base64url')}`
    const endMs = this.#clock.nowMs() + lifeMs
    const fresh = { parts: new Map<number, number>(), isClosed: false, finished: undefined, turn: Promise.resolve() }
    this.#sessions.set(id, { id, kind, draft, endMs, ...fresh })
    return id
  }

  #makeRoom(): void {
    for (const { id, finished, endMs } of this.#sessions.values()) {
      if (this.#sessions.size < sessionsMax) return
      if (finished !== undefined) this.#sessions.delete(id)
      else if (endMs <= this.#clock.nowMs()) this.forget(id)
    }
  }

  #known(id: string): Session {
    const session = this.#sessions.get(id)
    if (session !== undefined && session.endMs > this.#clock.nowMs()) return session
    this.forget(id)
    throw new Refused(['not_found'])
  }

  #living(id: string): Session {
    const session = this.#known(id)
    if (session.finished !== undefined)
      throw new Refused([this.rules.doubleFinish === 'closed' ? 'closed' : 'not_found'])
    return session
  }

  #finishedAgain(bytes: StoredBytes): StoredBytes {
    if (this.rules.doubleFinish === 'success') return bytes
    throw new Refused([this.rules.doubleFinish])
  }

  #readyConcurrent(session: Session): StoredBytes {
    if (!session.isClosed) throw new Refused(['concurrent_session_not_closed'])
    const sizes = [...session.parts.values()].reduce((sum, bytes) => sum + bytes, 0)
    const end = Math.max(0, ...[...session.parts].map(([offset, bytes]) => offset + bytes))
    if (sizes !== end) throw new Refused(['concurrent_session_missing_data'])
    return session.draft.sealAt(end)
  }

  #expectPlace(session: Session, offset: number): void {
    if (session.isClosed) throw new Refused(['closed'])
    if (session.kind === 'sequential') {
      if (offset !== session.draft.size) throw wrongOffset(session)
      return
    }
    if (offset % gridBytes !== 0) throw new Refused(['concurrent_session_invalid_offset'])
    if (session.parts.has(offset)) throw new Refused([this.rules.resentPart])
  }

  async #appendNow(session: Session, offset: number, exchange: Exchange, { close, hash }: AppendWish): Promise<void> {
    this.#expectPlace(session, offset)
    const back = session.kind === 'sequential' ? session.draft.mark() : (): void => undefined
    try {
      const { requestBytesMax, fileBytesMax } = this.rules
      const read = await readInto(exchange, requestBytesMax, (chunk, at) => store(session, chunk, offset + at), hash)
      this.#expectGrid(session, read, close)
      if (offset + read > fileBytesMax) throw new Refused(['too_large'])
      this.#settle(session, offset, read, close)
    } catch (error) {
      if (!(error instanceof ConnectionGone && exchange.keepsPart)) back()
      throw error
    } finally {
      session.draft.rest()
    }
  }

  #expectGrid(session: Session, bytes: number, close: boolean): void {
    if (session.kind === 'concurrent' && !close && bytes % gridBytes !== 0) {
      throw new Refused(['concurrent_session_invalid_data_size'])
    }
  }

  #settle(session: Session, offset: number, bytes: number, close: boolean): void {
    if (session.kind === 'concurrent') session.parts.set(offset, bytes)
    session.isClosed ||= close
  }
}

function store(session: Session, chunk: Buffer, offset: number): void {
  if (session.kind === 'concurrent') session.draft.place(chunk, offset)
  else session.draft.append(chunk)
}

function wrongOffset(session: Session): Refused {
  return new Refused(['incorrect_offset'], { correct_offset: session.draft.size })
}

/** Reads a body of upload style and proves its content hash. The number of bytes. @throws Refused payload_too_large, content_hash_mismatch */
export async function readInto(
  exchange: Exchange,
  bytesMax: number,
  take: (chunk: Buffer, at: number) => void,
  hash: string | undefined,
): Promise<number> {
  if (Number(exchange.headers['content-length'] ?? 0) > bytesMax) throw new Refused(['payload_too_large'])
  const hasher = hash === undefined ? undefined : hasherOf('dropbox')
  let bytes = 0
  for await (const chunk of exchange.body()) {
    take(chunk, bytes)
    bytes += chunk.length
    if (bytes > bytesMax) throw new Refused(['payload_too_large'])
    hasher?.update(chunk)
  }
  const isWrong = hasher !== undefined && hasher.digest() !== hash
  if (isWrong || exchange.behaves('hash-mismatch') !== undefined) throw new Refused(['content_hash_mismatch'])
  return bytes
}
