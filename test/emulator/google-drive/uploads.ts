/** The routes that bring bytes in: in one request, and in sessions that go on where they were, for a week. */
import { randomBytes } from 'node:crypto'
import type { Draft, StoredBytes } from '../core/bytes.ts'
import { ConnectionGone, type Exchange } from '../core/exchange.ts'
import { type Answer, plainText } from '../core/provider.ts'
import type { Account, View } from './account.ts'
import { applied } from './files.ts'
import type { Item } from './items.ts'
import { readMultipart } from './multipart.ts'
import { invalid, offsetAhead, refusedAs } from './refusal.ts'
import { sentFile } from './wishes.ts'

interface Session {
  readonly id: string
  readonly draft: Draft
  /** Of the request that opened it: its metadata, its `fields`, whom it sees. */
  readonly view: View
  readonly text: string
  /** The item whose content is replaced. */
  readonly of: Item | undefined
  readonly contentType: string | undefined
  /** As announced. */
  readonly bytes: number | undefined
  readonly endMs: number
  committed: Item | undefined
  turn: Promise<unknown>
}

/** Source: Drive, resumable uploads. Unit: ms. */
const lifeMs = 7 * 24 * 3600 * 1000
/** Whole ones are kept when a request breaks off, and all but the last request must be of whole ones. Unit: bytes. */
const granuleBytes = 256 * 1024
const sessionsMax = 20_000

/** What an upload's request came to: bytes without a name, or the file. */
export type Uploaded =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'file'; readonly item: Item; readonly view: View }

export class Uploads {
  readonly #account: Account
  readonly #sessions = new Map<string, Session>()

  constructor(account: Account) {
    this.#account = account
  }

  /** `media` and `multipart`. @throws Refused */
  async whole(view: View, of: Item | undefined): Promise<Item> {
    const { exchange } = view
    const type = exchange.headers['content-type'] ?? ''
    const draft = this.#account.store.draft()
    try {
      const take = (chunk: Buffer): void => draft.append(chunk)
      if (view.param('uploadType') === 'multipart') {
        const { json, contentType } = await readMultipart(type, exchange.body(), take)
        return this.#commit(view, { text: json, of, contentType }, draft)
      }
      for await (const chunk of exchange.body()) take(chunk)
      return this.#commit(view, { text: '', of, contentType: type }, draft)
    } catch (error) {
      draft.discard()
      throw error
    }
  }

  /** @throws Refused */
  async open(view: View, of: Item | undefined): Promise<Answer> {
    const { exchange } = view
    const text = await exchange.text()
    const { id, parents } = sentFile(text)
    const { rules, items, clock, store } = this.#account
    if (of === undefined) view.folder(parents?.[0] ?? 'root')
    if (of === undefined && id !== undefined) this.#account.idFor(id)
    const isTaken = id !== undefined && of === undefined && items.get(id) !== undefined
    if ((isTaken && rules.idConflict === 'open') || exchange.behaves('id-in-use') !== undefined)
      throw refusedAs('id-in-use')
    const announced = exchange.header('x-upload-content-length')
    const bytes = announced === undefined ? undefined : Number(announced)
    items.expectSpace(bytes ?? 0)
    this.#makeRoom()
    const session: Session = {
      id: `ABPtcP${randomBytes(30).toString('base64url')}`,
      draft: store.draft(),
      view,
      text,
      of,
      contentType: exchange.header('x-upload-content-type'),
      bytes,
      endMs: clock.nowMs() + lifeMs,
      committed: undefined,
      turn: Promise.resolve(),
    }
    this.#sessions.set(session.id, session)
    const headers = { Location: addressOf(exchange, session.id), 'X-GUploader-UploadID': session.id }
    return plainText(200, '', headers)
  }

  cancel(id: string): Answer {
    const session = this.#living(id)
    if (session === undefined) return gone(404)
    session.draft.discard()
    this.#sessions.delete(session.id)
    return plainText(this.#account.rules.cancelStatus, '')
  }

  /** A piece, or the question for how far it is. One after the other: one that was given up may still be under way. */
  send(view: View, id: string): Promise<Uploaded> {
    const session = this.#living(id)
    const forgotten = view.exchange.behaves('forget-session')
    if (session === undefined || forgotten !== undefined) {
      this.#sessions.delete(id)
      return Promise.resolve({ kind: 'answer', answer: gone(Number(forgotten?.value ?? 404)) })
    }
    const turn = session.turn.then(() => this.#send(session, view.exchange))
    session.turn = turn.catch(() => undefined)
    return turn
  }

  async #send(session: Session, exchange: Exchange): Promise<Uploaded> {
    if (session.committed !== undefined) return { kind: 'file', item: session.committed, view: session.view }
    const range = rangeOf(exchange.header('content-range'))
    if (range === undefined) throw invalid('Failed to parse Content-Range header.')
    if (range.kind === 'question') {
      const isWhole = range.total === session.draft.size && range.total === (session.bytes ?? range.total)
      return isWhole && range.total === 0 ? this.#finish(session) : progress(session)
    }
    const { draft } = session
    if (range.from > draft.size) return { kind: 'answer', answer: offsetAhead(range.from, draft.size) }
    const total = range.total ?? session.bytes
    const isLast = range.total !== undefined && range.until === range.total
    const isOdd = !isLast && range.until !== undefined && (range.until - range.from) % granuleBytes !== 0
    const isOther = session.bytes !== undefined && range.total !== undefined && session.bytes !== range.total
    if (isOdd || isOther) throw invalid('Failed to parse Content-Range header.')
    await this.#take(session, exchange, draft.size - range.from)
    if (exchange.behaves('store-nothing') !== undefined) return { kind: 'answer', answer: asking('') }
    return total !== undefined && draft.size === total ? this.#finish(session) : progress(session)
  }

  /** @param known bytes of this piece that are there already. */
  async #take(session: Session, exchange: Exchange, known: number): Promise<void> {
    const { draft } = session
    const back = draft.mark()
    const limit = exchange.behaves('partial-accept')
    const most = limit === undefined ? Infinity : whole(Number(limit.value ?? granuleBytes))
    let skipped = 0
    let stored = 0
    let granule: Buffer = Buffer.alloc(0)
    try {
      if (exchange.behaves('store-nothing') !== undefined) {
        await exchange.drain()
        return
      }
      for await (const chunk of exchange.body()) {
        const fresh = chunk.subarray(Math.min(chunk.length, known - skipped))
        skipped += chunk.length - fresh.length
        granule = granule.length === 0 ? fresh : Buffer.concat([granule, fresh])
        const ready = Math.min(whole(granule.length), most - stored)
        if (ready <= 0) continue
        draft.append(granule.subarray(0, ready))
        stored += ready
        granule = granule.subarray(ready)
      }
      if (stored < most) draft.append(granule.subarray(0, most - stored))
    } catch (error) {
      if (!(error instanceof ConnectionGone && exchange.keepsPart)) back()
      throw error
    } finally {
      draft.rest()
    }
  }

  #finish(session: Session): Uploaded {
    const item = this.#commit(session.view, session, session.draft)
    session.committed = item
    return { kind: 'file', item, view: session.view }
  }

  #commit(view: View, { text, of, contentType }: Pick<Session, 'text' | 'of' | 'contentType'>, draft: Draft): Item {
    const { items } = this.#account
    if (view.exchange.behaves('full') !== undefined) throw refusedAs('full')
    const before = of?.revisions.at(-1)?.bytes.size ?? 0
    items.expectSpace(draft.size - before)
    const isKept = view.param('keepRevisionForever') === 'true'
    const bytes = draft.seal()
    return of === undefined
      ? this.#create(view, { text, contentType }, bytes, isKept)
      : this.#replace(view, of, text, bytes, isKept)
  }

  #create(
    view: View,
    { text, contentType }: Pick<Session, 'text' | 'contentType'>,
    bytes: StoredBytes,
    isKept: boolean,
  ): Item {
    const { id, parents, wish } = sentFile(text)
    const parent = view.folder(parents?.[0] ?? 'root')
    const typed = { ...wish, mimeType: wish.mimeType ?? contentType }
    const item = this.#account.items.add(typed, parent, { id: this.#account.idFor(id), isOurs: true })
    this.#account.items.write(item, bytes, isKept)
    if (wish.modifiedMs !== undefined) item.modifiedMs = wish.modifiedMs
    return item
  }

  #replace(view: View, item: Item, text: string, bytes: StoredBytes, isKept: boolean): Item {
    this.#account.items.write(item, bytes, isKept)
    applied(view, item, text)
    return item
  }

  #living(id: string): Session | undefined {
    const session = this.#sessions.get(id)
    return session !== undefined && session.endMs > this.#account.clock.nowMs() ? session : undefined
  }

  #makeRoom(): void {
    for (const { id, draft, committed } of this.#sessions.values()) {
      if (this.#sessions.size < sessionsMax) return
      if (committed === undefined) draft.discard()
      this.#sessions.delete(id)
    }
  }
}

function progress({ draft }: Session): Uploaded {
  return { kind: 'answer', answer: asking(draft.size === 0 ? '' : `bytes=0-${draft.size - 1}`) }
}

/** No Location: it is no redirect. */
function asking(range: string): Answer {
  return plainText(308, '', range === '' ? {} : { Range: range })
}

function gone(status: number): Answer {
  return plainText(status, 'Not Found')
}

type Range =
  | { readonly kind: 'question'; readonly total: number | undefined }
  | {
      readonly kind: 'piece'
      readonly from: number
      readonly until: number | undefined
      readonly total: number | undefined
    }

/** Without a header: all of it. */
function rangeOf(header: string | undefined): Range | undefined {
  if (header === undefined) return { kind: 'piece', from: 0, until: undefined, total: undefined }
  const found = /^bytes (?:(\*)|(\d+)-(\d+))\/(\*|\d+)$/.exec(header)
  if (found === null) return undefined
  const [, asks, from, last, size] = found
  const total = size === '*' ? undefined : Number(size)
  if (asks !== undefined) return { kind: 'question', total }
  return { kind: 'piece', from: Number(from), until: Number(last) + 1, total }
}

function whole(bytes: number): number {
  return bytes - (bytes % granuleBytes)
}

/** By the name the client called us: through the proxy that is the real one. */
function addressOf({ headers, url }: Exchange, id: string): string {
  const host = headers.host ?? ''
  const scheme = host.includes('googleapis.com') ? 'https' : 'http'
  const query = new URLSearchParams(url.search)
  query.set('upload_id', id)
  return `${scheme}://${host}${url.pathname}?${query.toString()}`
}
