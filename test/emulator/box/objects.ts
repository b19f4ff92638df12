/** Items as Box's JSON: whole, small as in listings, or with the fields that were asked for. */
import type { Exchange } from '../core/exchange.ts'
import { owner } from './account.ts'
import { type FileItem, type FolderItem, type Item, lastVersion, type Version } from './tree.ts'

export type Json = Readonly<Record<string, unknown>>

/** What `?fields=` asks for, undefined where it is left out. */
export function fieldsOf({ url }: Exchange): ReadonlySet<string> | undefined {
  const fields = url.searchParams.get('fields')
  return fields === null ? undefined : new Set(fields.split(',').map((field) => field.trim()))
}

/** Whole, or the base and what was asked for: the standard set is replaced then. */
export function itemJson(item: Item, exchange: Exchange): Json {
  return only(item.kind === 'file' ? fileJson(item, exchange) : folderJson(item), fieldsOf(exchange))
}

/** As a listing shows it. */
export function listedJson(item: Item, exchange: Exchange): Json {
  return fieldsOf(exchange) === undefined ? miniJson(item, exchange) : itemJson(item, exchange)
}

function only(whole: Json, fields: ReadonlySet<string> | undefined): Json {
  if (fields === undefined) return whole
  const base = new Set(['type', 'id', 'etag', ...fields])
  return Object.fromEntries(Object.entries(whole).filter(([name]) => base.has(name)))
}

/** As other answers name it: a conflict, a parent. */
export function miniJson(item: Item, exchange: Exchange): Json {
  const named = { sequence_id: String(item.sequence), name: item.name }
  if (item.kind === 'folder') return { ...base(item), ...named }
  return { ...base(item), ...named, ...sha1Of(item, exchange), file_version: versionMini(lastVersion(item), exchange) }
}

function fileJson(file: FileItem, exchange: Exchange): Json {
  return { ...miniJson(file, exchange), ...common(file), size: lastVersion(file).bytes.size }
}

function folderJson(folder: FolderItem): Json {
  return {
    ...base(folder),
    sequence_id: folder.parent === undefined ? null : String(folder.sequence),
    name: folder.parent === undefined ? 'All Files' : folder.name,
    ...common(folder),
    size: sizeOf(folder),
    folder_upload_email: null,
    item_collection: { total_count: folder.children.size, entries: [], offset: 0, limit: 100 },
  }
}

/** One of a file's versions, in the list of them. */
export function versionJson(version: Version, exchange: Exchange): Json {
  const time = boxTime(version.createdMs)
  const { size } = version.bytes
  return { ...versionMini(version, exchange), name: version.name, size, created_at: time, modified_at: time }
}

function common(item: Item): Json {
  return {
    description: '',
    created_at: boxTime(item.createdMs),
    modified_at: boxTime(item.modifiedMs),
    trashed_at: item.trashedMs === undefined ? null : boxTime(item.trashedMs),
    purged_at: null,
    content_created_at: boxTime(item.contentCreatedMs),
    content_modified_at: boxTime(item.contentModifiedMs),
    created_by: owner,
    modified_by: owner,
    owned_by: owner,
    shared_link: null,
    parent: parentJson(item),
    path_collection: pathCollection(item),
    item_status: item.trashedMs === undefined ? 'active' : 'trashed',
  }
}

function base(item: Item): Json {
  return { type: item.kind, id: item.id, etag: item.parent === undefined ? null : String(item.etag) }
}

function parentJson({ parent }: Item): Json | null {
  if (parent === undefined) return null
  if (parent.parent === undefined)
    return { type: 'folder', id: parent.id, sequence_id: null, etag: null, name: 'All Files' }
  return { ...base(parent), sequence_id: String(parent.sequence), name: parent.name }
}

function pathCollection(item: Item): Json {
  const above: Json[] = []
  for (let each: Item = item; each.parent !== undefined; each = each.parent) above.unshift(parentJson(each) ?? {})
  return { total_count: above.length, entries: above }
}

function versionMini({ id, bytes }: Version, exchange: Exchange): Json {
  return { type: 'file_version', id, sha1: shownSha1(bytes.hashes.sha1 ?? '', exchange) }
}

function sha1Of(file: FileItem, exchange: Exchange): Json {
  if (exchange.behaves('no-hash') !== undefined) return {}
  return { sha1: shownSha1(lastVersion(file).bytes.hashes.sha1 ?? '', exchange) }
}

function shownSha1(sha1: string, exchange: Exchange): string {
  return exchange.behaves('wrong-hash') === undefined ? sha1 : 'f'.repeat(sha1.length)
}

function sizeOf(folder: FolderItem): number {
  let bytes = 0
  for (const child of folder.children.values())
    bytes += child.kind === 'file' ? lastVersion(child).bytes.size : sizeOf(child)
  return bytes
}

/** As Box writes times: with the enterprise's offset, which changes in summer. Unit of `ms`: since 1970. */
export function boxTime(ms: number): string {
  const month = new Date(ms).getUTCMonth()
  const hours = month >= 3 && month <= 9 ? 7 : 8
  return `${new Date(ms - hours * 3_600_000).toISOString().slice(0, 19)}-0${hours}:00`
}

/** Whole seconds; undefined for what is left out, NaN for what Box does not take. */
export function timeOf(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/.test(text) ? Date.parse(text) : NaN
  return ms < 0 ? NaN : Math.floor(ms / 1000) * 1000
}
