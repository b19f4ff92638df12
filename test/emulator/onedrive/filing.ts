/** The routes that look, make folders, change and remove; all but those that bring bytes in and that list. */
import { Transform } from 'node:stream'
import { z } from 'zod'
import type { StoredBytes } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json } from '../core/provider.ts'
import type { ItemAddress } from './address.ts'
import type { Drive } from './drive.ts'
import { downloadUrl, eTagOf, itemJson, type Json, monitorUrl, versionJson } from './items.ts'
import { badRequest, nameExists, notFound, Refused } from './refusal.ts'
import type { FolderItem, Item, Times } from './tree.ts'

const conflictKey = '@microsoft.graph.conflictBehavior'
const conflict = z.enum(['fail', 'replace', 'rename'])
const time = z.iso.datetime().transform((text) => Date.parse(text))
/** What clients say of times; rclone leaves some empty. */
export const timesShape = z
  .looseObject({ createdDateTime: time.optional(), lastModifiedDateTime: time.optional() })
  .transform(({ createdDateTime, lastModifiedDateTime }): Partial<Times> => ({
    ...(createdDateTime === undefined ? {} : { createdMs: createdDateTime }),
    ...(lastModifiedDateTime === undefined ? {} : { modifiedMs: lastModifiedDateTime }),
  }))
/** Old clients write `@name.conflictBehavior`. */
export const conflictShape = z.looseObject({
  [conflictKey]: conflict.optional(),
  '@name.conflictBehavior': conflict.optional(),
})
export function conflictOf(value: z.output<typeof conflictShape>): z.output<typeof conflict> | undefined {
  return value[conflictKey] ?? value['@name.conflictBehavior']
}

/** @throws Refused invalidRequest */
export async function bodyOf<T>(schema: z.ZodType<T>, exchange: Exchange): Promise<T> {
  const text = await exchange.text()
  exchange.record.words = text.slice(0, 2000)
  try {
    return schema.parse(text === '' ? {} : JSON.parse(text))
  } catch {
    throw badRequest('The request is malformed or incorrect')
  }
}

const folderShape = z.intersection(z.looseObject({ name: z.string(), folder: z.looseObject({}) }), conflictShape)

export async function makeFolder(drive: Drive, parent: Item, exchange: Exchange): Promise<Answer> {
  if (parent.kind !== 'folder') throw notFound()
  const body = await bodyOf(folderShape, exchange)
  if (exchange.behaves('exists') !== undefined) throw nameExists()
  const { folder, isNew } = drive.tree.makeFolder(parent, body.name, conflictOf(body) ?? 'fail')
  return json(isNew ? 201 : 200, itemJson(folder, drive, exchange))
}

const changeShape = z.intersection(
  z.looseObject({
    name: z.string().optional(),
    parentReference: z.looseObject({ id: z.string().optional(), driveId: z.string().optional() }).optional(),
    fileSystemInfo: timesShape.optional(),
  }),
  conflictShape,
)

export async function change(drive: Drive, item: Item, exchange: Exchange): Promise<Answer> {
  const { name, parentReference, fileSystemInfo } = await bodyOf(changeShape, exchange)
  expectTag(item, exchange)
  const parentId = parentReference?.id ?? ''
  if (name !== undefined || parentId !== '') {
    const parent = parentId === '' ? item.parent : drive.tree.byId(parentId)
    if (parent?.kind !== 'folder') throw notFound()
    drive.tree.place(item, parent, name ?? item.name)
  }
  if (fileSystemInfo !== undefined && Object.keys(fileSystemInfo).length > 0) drive.tree.setTimes(item, fileSystemInfo)
  return json(200, itemJson(item, drive, exchange))
}

export function remove(drive: Drive, item: Item, exchange: Exchange): Answer {
  expectTag(item, exchange)
  drive.tree.remove(item)
  return { status: 204, headers: {}, body: '' }
}

export function removeForEver(drive: Drive, item: Item): Answer {
  if (!drive.rules.deletesForEver) throw new Refused(400, 'notSupported', { message: 'API not found' })
  drive.tree.remove(item, true)
  return { status: 204, headers: {}, body: '' }
}

export function versions(drive: Drive, item: Item): Json {
  if (item.kind !== 'file') throw notFound()
  return { value: [...item.versions].reverse().map((version) => versionJson(version, drive)) }
}

export function removeVersion(drive: Drive, item: Item, id: string): Answer {
  if (!drive.rules.deletesForEver) throw new Refused(400, 'notSupported', { message: 'API not found' })
  if (item.kind !== 'file') throw notFound()
  drive.tree.removeVersion(item, id)
  return { status: 204, headers: {}, body: '' }
}

const copyShape = z.intersection(
  z.looseObject({
    name: z.string().optional(),
    parentReference: z.looseObject({ id: z.string().optional() }).optional(),
  }),
  conflictShape,
)

/** Done at once; the monitor says so when it is asked. */
export async function copy(drive: Drive, item: Item, exchange: Exchange): Promise<Answer> {
  const body = await bodyOf(copyShape, exchange)
  const parent = drive.tree.byId(body.parentReference?.id ?? '') ?? item.parent
  if (parent?.kind !== 'folder') throw notFound()
  const asked = conflict.safeParse(exchange.url.searchParams.get(conflictKey)).data ?? conflictOf(body) ?? 'fail'
  const copied = drive.tree.duplicate(item, parent, body.name ?? item.name, asked)
  return { status: 202, headers: { Location: monitorUrl(copied.id, drive, exchange) }, body: '' }
}

export function monitor(exchange: Exchange): Answer {
  const resourceId = exchange.url.searchParams.get('item') ?? ''
  return json(200, { status: 'completed', percentageComplete: 100, resourceId })
}

/** 302 to where the bytes are. */
export function content(drive: Drive, item: Item, exchange: Exchange): Answer {
  if (item.kind !== 'file') throw notFound()
  if (exchange.behaves('malware') !== undefined) throw new Refused(403, 'malwareDetected')
  return { status: 302, headers: { Location: downloadUrl(item, drive, exchange) }, body: '' }
}

export function download(drive: Drive, exchange: Exchange): Answer {
  const found = drive.downloads.get(exchange.url.searchParams.get('tempauth') ?? '')
  if (found === undefined || found.endMs <= drive.clock.nowMs()) throw new Refused(401, 'unauthenticated')
  if (drive.rules.refusesBearer && exchange.headers.authorization !== undefined)
    throw new Refused(401, 'unauthenticated')
  const { size } = found.bytes
  const asked = exchange.behaves('ignore-range') === undefined ? exchange.header('range') : undefined
  const range = asked === undefined ? undefined : /^bytes=(\d*)-(\d*)$/.exec(asked)
  const isHtml = /\.html?$/i.test(found.item.name)
  const headers = { 'Content-Type': isHtml ? 'text/html' : 'application/octet-stream', 'Accept-Ranges': 'bytes' }
  if (range === undefined || range === null)
    return { status: 200, headers, body: stream(drive, found.bytes, 0, size, exchange) }
  const [start, end] = spanOf(range, size)
  if (start >= size) return { status: 416, headers: { 'Content-Range': `bytes */${size}` }, body: '' }
  const told = { ...headers, 'Content-Range': `bytes ${start}-${end - 1}/${size}` }
  return { status: 206, headers: told, body: stream(drive, found.bytes, start, end, exchange) }
}

function spanOf([, from = '', to = '']: readonly string[], size: number): readonly [number, number] {
  if (from === '') return [Math.max(0, size - Number(to)), size]
  return [Number(from), to === '' ? size : Math.min(size, Number(to) + 1)]
}

function stream({ store }: Drive, bytes: StoredBytes, start: number, end: number, exchange: Exchange): Answer['body'] {
  const isCorrupt = exchange.behaves('corrupt') !== undefined
  return {
    bytes: end - start,
    open: () => {
      const read = store.read(bytes, start, end)
      return isCorrupt ? read.pipe(flipper()) : read
    },
  }
}

/** Every byte is another one. */
function flipper(): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(
        null,
        chunk.map((byte) => byte ^ 1),
      )
    },
  })
}

/** @throws Refused 412 */
export function expectTag(item: Item, exchange: Exchange): void {
  const tag = exchange.header('if-match')
  if (tag === undefined || tag === '*' || tag === eTagOf(item)) return
  throw new Refused(412, 'resourceModified', {
    inner: 'entityTagDoesNotMatch',
    message: 'ETag does not match current item',
  })
}

/** Where something is to be written: the last name may not be there yet. @throws Refused */
export function spotOf(
  drive: Drive,
  start: Item,
  { names }: Pick<ItemAddress, 'names'>,
): { readonly parent: FolderItem; readonly name: string; readonly held: Item | undefined } {
  const name = names.at(-1)
  if (name === undefined) {
    if (start.parent === undefined) throw badRequest('The root has no content')
    return { parent: start.parent, name: start.name, held: start }
  }
  const parent = drive.folderFor(start, names.slice(0, -1))
  return { parent, name, held: drive.tree.child(parent, name) }
}
