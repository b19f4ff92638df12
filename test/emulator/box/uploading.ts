/** The routes that bring bytes in: the check before, uploads in one call, and sessions. */
import { z } from 'zod'
import type { Draft, StoredBytes } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Account } from './account.ts'
import { boundaryOf, FormFault, readForm } from './multipart.ts'
import { storedKey } from './names.ts'
import { boxTime, itemJson, type Json, timeOf } from './objects.ts'
import { asked, expectMatch, naming, originOf, type Outcome, parsedAs, reference } from './outcome.ts'
import { Refused } from './refusal.ts'
import { type Destination, digestOf, type Part, partsOf, type Session } from './sessions.ts'
import type { FileItem, Times } from './tree.ts'

const times = { content_created_at: z.string().nullish(), content_modified_at: z.string().nullish() }
const attributesOfNew = z.object({ name: z.string(), parent: reference, ...times })
const attributesOfVersion = z.object({ name: z.string().optional(), ...times })
const preflight = z.object({ name: z.string().optional(), parent: reference.optional(), size: z.number().nullish() })

/** Whether a file of that name could be uploaded there: name, rights, room. */
export async function check(account: Account, exchange: Exchange, fileId: string | undefined): Promise<Outcome> {
  const { name, parent, size } = await asked(exchange, preflight)
  const { tree } = account
  const file = fileId === undefined ? undefined : tree.file(fileId)
  const folder = file?.parent ?? tree.folder(parent?.id ?? '0')
  const wanted = name ?? file?.name ?? ''
  const besides = file === undefined ? {} : { besides: file }
  naming(account, exchange, () => tree.expectFree(folder, wanted, { isIncoming: true, ...besides }))
  tree.expectRoom(size ?? 0)
  const url = `${originOf(exchange, 'upload.box.com')}/api/2.0/files/${fileId === undefined ? '' : `${fileId}/`}content`
  return { status: 200, value: { upload_url: url } }
}

/** A new file in one call. */
export async function upload(account: Account, exchange: Exchange): Promise<Outcome> {
  account.countUpload()
  let reservation: string | undefined
  const form = await received(account, exchange, (text) => {
    const attributes = parsedAs(text, attributesOfNew)
    const { name, parent } = attributes
    const folder = account.tree.folder(parent.id)
    naming(account, exchange, () => account.tree.expectFree(folder, name, { isIncoming: true }))
    reservation = reserve(account, `${folder.id}/${storedKey(name)}`)
    return { ...attributes, folder }
  }).finally(() => {
    if (reservation !== undefined) account.reserved.delete(reservation)
  })
  const { name, folder } = form.attributes
  return stored(account, exchange, form, 201, (bytes, at) => account.tree.addFile(folder, name, bytes, at))
}

/** A file's next version in one call. */
export async function uploadVersion(account: Account, exchange: Exchange, id: string): Promise<Outcome> {
  account.countUpload()
  const file = account.tree.file(id)
  expectMatch(file, exchange)
  const form = await received(account, exchange, (text) => parsedAs(text, attributesOfVersion))
  expectMatch(file, exchange)
  return stored(account, exchange, form, account.rules.versionStatus, (bytes, at) => {
    account.tree.addVersion(account.tree.file(id), bytes, at.modifiedMs)
    return file
  })
}

function reserve(account: Account, key: string): string {
  if (account.reserved.has(key)) throw new Refused(409, 'name_temporarily_reserved')
  account.reserved.add(key)
  return key
}

interface Form<Attributes> {
  readonly attributes: Attributes
  readonly draft: Draft
  readonly bytes: StoredBytes
}

/** The two parts of the form: attributes first, then the bytes under any name. @throws Refused */
async function received<Attributes>(
  account: Account,
  exchange: Exchange,
  understand: (text: string) => Attributes,
): Promise<Form<Attributes>> {
  const draft = account.store.draft()
  const read: { attributes: Attributes | undefined; text: string[]; part: string; hasContent: boolean } = {
    attributes: undefined,
    text: [],
    part: '',
    hasContent: false,
  }
  const reader = {
    begin: (name: string) => {
      read.part = name
      if (name === 'attributes') return
      if (read.attributes === undefined) throw new Refused(400, 'metadata_after_file_contents')
      read.hasContent = true
    },
    data: (chunk: Buffer) => {
      if (read.part === 'attributes') read.text.push(chunk.toString('utf8'))
      else draft.append(chunk)
      if (draft.size > account.rules.directBytesMax) throw new Refused(413, 'request_entity_too_large')
    },
    end: () => {
      if (read.part !== 'attributes') return
      exchange.record.words = read.text.join('')
      read.attributes = understand(read.text.join(''))
    },
  }
  try {
    await readForm(exchange.body(), boundaryOf(exchange.headers['content-type']), reader)
    if (read.attributes === undefined || !read.hasContent) throw new Refused(400, 'missing_file')
  } catch (error) {
    draft.discard()
    throw error instanceof FormFault ? new Refused(400, 'bad_request') : error
  }
  return { attributes: read.attributes, draft, bytes: draft.seal() }
}

function stored(
  account: Account,
  exchange: Exchange,
  { draft, bytes, attributes }: Form<z.output<typeof attributesOfVersion>>,
  status: number,
  store: (bytes: StoredBytes, times: Times) => FileItem,
): Outcome {
  try {
    const md5 = exchange.headers['content-md5']
    const isWrong = typeof md5 === 'string' && md5.toLowerCase() !== bytes.hashes.sha1
    if (isWrong || exchange.behaves('bad-digest') !== undefined) throw new Refused(400, 'bad_digest')
    if (exchange.behaves('full') !== undefined) throw new Refused(403, 'storage_limit_exceeded')
    const file = naming(account, exchange, () => store(bytes, timesOf(attributes)))
    return uploaded(file, exchange, status)
  } catch (error) {
    draft.discard()
    throw error
  }
}

function uploaded(file: FileItem, exchange: Exchange, status: number): Outcome {
  return { status, value: { total_count: 1, entries: [itemJson(file, exchange)] } }
}

function timesOf(given: z.output<typeof attributesOfVersion>): Times {
  const [createdMs, modifiedMs] = [timeOf(given.content_created_at), timeOf(given.content_modified_at)]
  if (Number.isNaN(createdMs) || Number.isNaN(modifiedMs)) throw new Refused(400, 'bad_request')
  return { createdMs, modifiedMs }
}

const sessionOfNew = z.object({ folder_id: z.string(), file_name: z.string(), file_size: z.number() })
const sessionOfVersion = z.object({ file_size: z.number(), file_name: z.string().optional() })

export async function createSession(
  account: Account,
  exchange: Exchange,
  fileId: string | undefined,
): Promise<Outcome> {
  account.countUpload()
  const { tree } = account
  if (exchange.behaves('full') !== undefined) throw new Refused(403, 'storage_limit_exceeded')
  if (fileId !== undefined) {
    const { file_size } = await asked(exchange, sessionOfVersion)
    tree.file(fileId)
    tree.expectRoom(file_size)
    return begun(account, exchange, { kind: 'version', fileId }, file_size)
  }
  const { folder_id, file_name, file_size } = await asked(exchange, sessionOfNew)
  const folder = tree.folder(folder_id)
  naming(account, exchange, () => tree.expectFree(folder, file_name, { isIncoming: true }))
  tree.expectRoom(file_size)
  return begun(account, exchange, { kind: 'new', folderId: folder_id, name: file_name }, file_size)
}

function begun({ sessions }: Account, exchange: Exchange, destination: Destination, size: number): Outcome {
  const live = sessions.conflicting(destination, exchange.behaves('session-conflict') !== undefined)
  if (live !== undefined)
    throw new Refused(409, 'session_conflict', { context: { session: sessionJson(live, exchange) } })
  return { status: 201, value: sessionJson(sessions.create(destination, size), exchange) }
}

export function sessionStatus({ sessions }: Account, exchange: Exchange, id: string): Outcome {
  forgetIfAsked(sessions, exchange, id)
  return { status: 200, value: sessionJson(sessions.find(id), exchange) }
}

export async function putPart({ sessions }: Account, exchange: Exchange, id: string): Promise<Outcome> {
  forgetIfAsked(sessions, exchange, id)
  exchange.record.words = exchange.header('content-range') ?? ''
  const session = sessions.find(id)
  if (session.finished !== undefined) throw new Refused(404, 'not_found')
  return { status: 200, value: { part: partJson(await sessions.take(session, exchange)) } }
}

/** Most parts that one page shows. */
const pagePartsMax = 1000

export function listParts({ sessions }: Account, exchange: Exchange, id: string): Outcome {
  const all = partsOf(sessions.find(id))
  const { searchParams } = exchange.url
  const offset = Number(searchParams.get('offset') ?? 0)
  const wished = Math.min(Number(searchParams.get('limit') ?? pagePartsMax), pagePartsMax)
  const limit = exchange.behaves('short-page') === undefined ? wished : 1
  const entries = all.slice(offset, offset + limit).map(partJson)
  return { status: 200, value: { entries, offset, limit, total_count: all.length } }
}

export function abortSession({ sessions }: Account, _exchange: Exchange, id: string): Outcome {
  sessions.find(id)
  sessions.forget(id)
  return { status: 204 }
}

const commitWish = z.object({
  parts: z.array(z.object({ part_id: z.string(), offset: z.number(), size: z.number() })),
  attributes: z.object(times).optional(),
})

export async function commit(account: Account, exchange: Exchange, id: string): Promise<Outcome> {
  const wish = await asked(exchange, commitWish)
  forgetIfAsked(account.sessions, exchange, id)
  const session = account.sessions.find(id)
  if (session.finished !== undefined) return uploaded(session.finished, exchange, 201)
  expectParts(session, wish.parts)
  const later = exchange.behaves('commit-later') !== undefined
  if (!later && isToWait(session, exchange)) return patience(exchange)
  session.sealed ??= session.draft.sealAt(session.size)
  if (session.sealed.hashes.sha1 !== digestOf(exchange)) throw new Refused(400, 'digest_mismatch')
  const file = committed(account, exchange, session, session.sealed, timesOf(wish.attributes ?? {}))
  account.sessions.finish(session, file)
  return later ? patience(exchange) : uploaded(file, exchange, 201)
}

function isToWait(session: Session, exchange: Exchange): boolean {
  if (exchange.behaves('commit-202') !== undefined) return true
  if (session.waitsLeft === 0) return false
  session.waitsLeft -= 1
  return true
}

/** `value` of the fault: seconds. */
function patience(exchange: Exchange): Outcome {
  const seconds = exchange.behaves('commit-202')?.value ?? exchange.behaves('commit-later')?.value ?? 0
  return { status: 202, headers: { 'retry-after': String(seconds) } }
}

function expectParts(session: Session, given: z.output<typeof commitWish>['parts']): void {
  const parts = partsOf(session)
  const isSame =
    given.length === parts.length &&
    parts.every((part) =>
      given.some(({ part_id, offset, size }) => part_id === part.id && offset === part.offset && size === part.size),
    )
  const bytes = parts.reduce((sum, { size }) => sum + size, 0)
  if (!isSame || bytes !== session.size) throw new Refused(400, 'parts_mismatch')
}

function committed(account: Account, exchange: Exchange, session: Session, bytes: StoredBytes, at: Times): FileItem {
  const { destination } = session
  const { tree } = account
  if (destination.kind === 'new') {
    const folder = tree.folder(destination.folderId)
    return naming(account, exchange, () => tree.addFile(folder, destination.name, bytes, at))
  }
  const file = tree.file(destination.fileId)
  expectMatch(file, exchange)
  tree.addVersion(file, bytes, at.modifiedMs)
  return file
}

function forgetIfAsked(sessions: Account['sessions'], exchange: Exchange, id: string): void {
  if (exchange.behaves('forget-session') !== undefined) sessions.forget(id)
}

function sessionJson(session: Session, exchange: Exchange): Json {
  const base = `${originOf(exchange, 'upload.box.com')}/api/2.0/files/upload_sessions/${session.id}`
  return {
    id: session.id,
    type: 'upload_session',
    part_size: session.partBytes,
    total_parts: Math.ceil(session.size / session.partBytes),
    num_parts_processed: session.parts.size,
    session_expires_at: boxTime(session.endMs),
    session_endpoints: {
      upload_part: base,
      commit: `${base}/commit`,
      abort: base,
      list_parts: `${base}/parts`,
      status: base,
      log_event: `${base}/log`,
    },
  }
}

function partJson({ id, offset, size, sha1 }: Part): Json {
  return { part_id: id, offset, size, sha1 }
}
