/** The routes that bring bytes in: upload and the upload sessions. */
import type { z } from 'zod'
import type { StoredBytes } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Account } from './account.ts'
import {
  appendArg,
  appendBatchArg,
  commitOf,
  finishArg,
  finishBatchArg,
  startArg,
  startBatchArg,
  uploadArg,
} from './arguments.ts'
import { fileMetadata } from './metadata.ts'
import { Refused, under } from './refusal.ts'
import { readInto } from './sessions.ts'
import { type FileNode, lastRevision } from './tree.ts'

type Json = Readonly<Record<string, unknown>>

export async function upload(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const info = uploadArg.parse(arg)
  const draft = account.store.draft()
  try {
    const hash = info.content_hash ?? undefined
    await readInto(exchange, account.rules.requestBytesMax, (chunk) => draft.append(chunk), hash)
  } catch (error) {
    draft.discard()
    throw error
  }
  const bytes = draft.seal()
  try {
    const file = await account.commit(exchange, () => account.tree.put(commitOf(info), bytes))
    // Content that was there already is not stored twice.
    if (lastRevision(file).bytes !== bytes) draft.discard()
    return fileMetadata(file, exchange)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    throw new Refused(['path'], { reason: error.tree, upload_session_id: account.sessions.adopt(draft) })
  }
}

export async function start(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { close, session_type, content_hash } = startArg.parse(arg)
  const { sessions } = account
  if (session_type === 'concurrent' && close) throw new Refused(['concurrent_session_close_not_allowed'])
  const id = sessions.start(session_type)
  try {
    if (session_type === 'concurrent') await expectNoData(exchange)
    else await sessions.append({ session_id: id, offset: 0 }, exchange, { close, hash: content_hash ?? undefined })
  } catch (error) {
    sessions.forget(id)
    throw error
  }
  return { session_id: id }
}

export function startBatch({ sessions }: Account, arg: unknown): Json {
  const { num_sessions, session_type } = startBatchArg.parse(arg)
  return { session_ids: Array.from({ length: num_sessions }, () => sessions.start(session_type)) }
}

export async function append({ sessions }: Account, arg: unknown, exchange: Exchange): Promise<null> {
  const { cursor, close, content_hash } = appendArg.parse(arg)
  if (exchange.behaves('forget-session') !== undefined) sessions.forget(cursor.session_id)
  await sessions.append(cursor, exchange, { close, hash: content_hash ?? undefined })
  return null
}

/** The bodies of all entries follow each other. Held in memory one at a time, so that a piece is all or nothing. */
export async function appendBatch(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { entries, content_hash } = appendBatchArg.parse(arg)
  const draft = account.store.draft()
  try {
    const hash = content_hash ?? undefined
    const read = await readInto(exchange, account.rules.requestBytesMax, (chunk) => draft.append(chunk), hash)
    if (entries.reduce((sum, { length }) => sum + length, 0) !== read) throw new Refused(['length_mismatch'])
    const all = account.store.readWhole(draft.seal())
    let at = 0
    const results = entries.map(({ cursor, length, close }) => {
      const piece = all.subarray(at, at + length)
      at += length
      return outcome(() => {
        account.sessions.appendPiece(cursor, piece, close)
        return {}
      })
    })
    return { entries: results }
  } finally {
    draft.discard()
  }
}

export async function finish(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const entry = finishArg.parse(arg)
  const { sessions } = account
  const { session_id, offset } = entry.cursor
  if (exchange.behaves('forget-session') !== undefined) sessions.forget(session_id)
  const hash = entry.content_hash ?? undefined
  const sent = await takeLast(account, entry.cursor, exchange, hash)
  const at = { session_id, offset: offset + sent }
  const bytes = lookedUp(() => sessions.ready(at, false))
  try {
    return fileMetadata(await commit(account, entry, bytes, exchange), exchange)
  } catch (error) {
    throw asFinishRefusal(error)
  }
}

/** Data that came with the finish stays in the session, even when the commit fails. */
async function takeLast(
  { sessions }: Account,
  cursor: z.output<typeof finishArg>['cursor'],
  exchange: Exchange,
  hash: string | undefined,
): Promise<number> {
  if (!hasBody(exchange)) return 0
  if (sessions.isConcurrent(cursor.session_id)) await expectNoData(exchange)
  const before = exchange.record.requestBytes
  try {
    await sessions.append(cursor, exchange, { close: false, hash })
  } catch (error) {
    if (error instanceof Refused && error.tags[0] !== 'content_hash_mismatch') {
      throw new Refused(['lookup_failed', ...error.tags], error.leaf)
    }
    throw error
  }
  return exchange.record.requestBytes - before
}

export async function finishBatch(account: Account, arg: unknown, exchange: Exchange): Promise<Json> {
  const { entries } = finishBatchArg.parse(arg)
  const wish = exchange.behaves('entries-write-lock')
  const lockedCount = wish === undefined ? 0 : typeof wish.value === 'number' ? wish.value : Infinity
  const commitAll = (): Json[] =>
    entries.map((entry, index) =>
      outcome(() => {
        if (index < lockedCount) throw new Refused(['too_many_write_operations'])
        const bytes = lookedUp(() => account.sessions.ready(entry.cursor, true))
        return fileMetadata(
          under('path', () => put(account, entry, bytes)),
          exchange,
        )
      }),
    )
  try {
    return { entries: await account.commit(exchange, commitAll) }
  } catch (error) {
    const refused = asFinishRefusal(error)
    return { entries: entries.map(() => ({ '.tag': 'failure', failure: refused.tree })) }
  }
}

function commit(
  account: Account,
  entry: z.output<typeof finishArg>,
  bytes: StoredBytes,
  exchange: Exchange,
): Promise<FileNode> {
  return account.commit(exchange, () => put(account, entry, bytes))
}

function put({ tree, sessions }: Account, entry: z.output<typeof finishArg>, bytes: StoredBytes): FileNode {
  const file = tree.put(commitOf(entry.commit), bytes)
  sessions.finish(entry.cursor.session_id, bytes)
  return file
}

/** The write lock has a tag of its own; all else about the commit is about its path. @throws what is no refusal */
function asFinishRefusal(error: unknown): Refused {
  if (!(error instanceof Refused)) throw error
  return error.tags[0] === 'too_many_write_operations' ? error : new Refused(['path', ...error.tags], error.leaf)
}

function lookedUp<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    const isOwn = error instanceof Refused && /^concurrent_session_(not_closed|missing_data)$/.test(error.tags[0] ?? '')
    if (isOwn) throw error
    return under('lookup_failed', () => {
      throw error
    })
  }
}

/** Of a batch: a struct stands beside its tag, a union below it. */
function outcome(work: () => Json): Json {
  try {
    return { '.tag': 'success', ...work() }
  } catch (error) {
    if (error instanceof Refused) return { '.tag': 'failure', failure: error.tree }
    throw error
  }
}

function hasBody({ headers }: Exchange): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

async function expectNoData(exchange: Exchange): Promise<void> {
  for await (const chunk of exchange.body()) {
    if (chunk.length > 0) throw new Refused(['concurrent_session_data_not_allowed'])
  }
}
