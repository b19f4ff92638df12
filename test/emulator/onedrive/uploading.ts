/** The routes that bring bytes in: a file in one call, and upload sessions. */
import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json } from '../core/provider.ts'
import type { ItemAddress } from './address.ts'
import type { Drive } from './drive.ts'
import { bodyOf, conflictOf, conflictShape, expectTag, spotOf, timesShape } from './filing.ts'
import { itemJson, sessionJson, uploadUrl } from './items.ts'
import { badRequest, noSession, Refused } from './refusal.ts'
import type { Session } from './sessions.ts'
import type { Item } from './tree.ts'

const behavior = z.enum(['fail', 'replace', 'rename'])

export async function putContent(drive: Drive, start: Item, address: ItemAddress, exchange: Exchange): Promise<Answer> {
  const { parent, name, held } = spotOf(drive, start, address)
  if (held !== undefined) expectTag(held, exchange)
  const asked = behavior.safeParse(exchange.url.searchParams.get('@microsoft.graph.conflictBehavior'))
  const draft = drive.store.draft()
  try {
    for await (const chunk of exchange.body()) {
      if (draft.size + chunk.length > drive.rules.simpleBytesMax) throw new Refused(413, 'maxStreamSizeExceeded')
      draft.append(chunk)
    }
  } catch (error) {
    draft.discard()
    throw error
  }
  const content = { bytes: draft.seal(), times: {}, conflict: asked.data ?? 'replace' }
  const { file, isNew } = drive.commit(parent, name, content, exchange)
  return json(isNew ? 201 : 200, itemJson(file, drive, exchange))
}

const itemShape = z.intersection(
  z.looseObject({
    fileSystemInfo: timesShape.optional(),
    fileSize: z.number().optional(),
    name: z.string().optional(),
  }),
  conflictShape,
)
const startShape = z.looseObject({ item: itemShape.optional() })

export async function createSession(
  drive: Drive,
  start: Item,
  address: ItemAddress,
  exchange: Exchange,
): Promise<Answer> {
  if (address.names.length === 0 && start.kind === 'folder') throw badRequest('A name is needed')
  const { item } = await bodyOf(startShape, exchange)
  const { parent, name, held } = spotOf(drive, start, address)
  if (held !== undefined) expectTag(held, exchange)
  drive.tree.expectPlace(parent, name)
  drive.tree.expectRoom(item?.fileSize ?? 0)
  // The documents call `fail` the default; rclone says nothing and has its files replaced.
  const conflict = (item === undefined ? undefined : conflictOf(item)) ?? 'replace'
  if (held !== undefined && conflict === 'fail') throw new Refused(409, 'nameAlreadyExists')
  const wish = { parent, name, times: item?.fileSystemInfo ?? {}, conflict }
  const session = drive.sessions.start(wish, (one, other) => drive.hasSameName(one, other))
  return json(200, { uploadUrl: uploadUrl(session, drive, exchange), ...sessionJson(session, drive) })
}

export async function fragment(drive: Drive, exchange: Exchange): Promise<Answer> {
  const session = drive.sessions.of(exchange)
  const isWhole = await drive.sessions.take(session, exchange)
  return isWhole ? commit(drive, session, exchange) : json(202, sessionJson(session, drive))
}

export function sessionStatus(drive: Drive, exchange: Exchange): Answer {
  return json(200, sessionJson(drive.sessions.of(exchange), drive))
}

export function cancel(drive: Drive, exchange: Exchange): Answer {
  drive.sessions.forget(drive.sessions.of(exchange))
  return { status: 204, headers: {}, body: '' }
}

/** An empty POST to the URL. */
export function commitAtUrl(drive: Drive, exchange: Exchange): Answer {
  if (drive.rules.commits !== 'either') throw new Refused(405, 'notSupported')
  return commitWhole(drive, drive.sessions.of(exchange), exchange)
}

const commitShape = z.looseObject({ '@microsoft.graph.sourceUrl': z.string() })

/** A PUT of the item that names the session. */
export async function commitItem(drive: Drive, exchange: Exchange): Promise<Answer> {
  const body = await bodyOf(commitShape, exchange)
  const session = drive.sessions.byUrl(body['@microsoft.graph.sourceUrl'])
  if (session === undefined) throw noSession()
  return commitWhole(drive, session, exchange)
}

function commitWhole(drive: Drive, session: Session, exchange: Exchange): Answer {
  if (session.total !== session.draft.size) throw badRequest('Bytes are missing', 'uploadSessionIncomplete')
  return commit(drive, session, exchange)
}

/** What refuses leaves the session as it is. */
function commit(drive: Drive, session: Session, exchange: Exchange): Answer {
  const { parent, name, times, conflict, draft } = session
  const content = { bytes: draft.seal(), times, conflict }
  const { file, isNew } = drive.commit(parent, name, content, exchange)
  drive.sessions.ended(session)
  return json(isNew ? 201 : 200, itemJson(file, drive, exchange))
}
