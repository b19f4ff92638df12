/** Items as Google's JSON: whole; what of it is sent is the projection's work. */
import type { Exchange } from '../core/exchange.ts'
import { owner } from './account.ts'
import { isTrashed, type Item, type Items, type Revision, rootOf, sharedDriveId } from './items.ts'

type Json = Readonly<Record<string, unknown>>

/** What is told when a client asks for nothing in particular. */
export const fileFieldsByDefault = 'kind,id,name,mimeType'

export function fileResource(item: Item, items: Items, exchange: Exchange): Json {
  const isShared = rootOf(item) === items.sharedRoot
  return {
    kind: 'drive#file',
    id: item.id,
    name: item.name,
    mimeType: item.mimeType,
    ...(item.description === undefined ? {} : { description: item.description }),
    starred: false,
    trashed: isTrashed(item),
    explicitlyTrashed: item.trashedMs !== undefined,
    ...(item.trashedMs === undefined ? {} : { trashedTime: time(item.trashedMs) }),
    ...(item.parent === undefined ? {} : { parents: [item.parent.id] }),
    appProperties: item.appProperties,
    properties: item.properties,
    spaces: ['drive'],
    version: String(item.version),
    createdTime: time(item.createdMs),
    modifiedTime: time(item.modifiedMs),
    shared: false,
    webViewLink: `https://drive.google.com/file/d/${item.id}/view`,
    ...(isShared ? { driveId: sharedDriveId } : { ownedByMe: true, owners: [owner] }),
    ...contentOf(item, exchange),
  }
}

function contentOf(item: Item, exchange: Exchange): Json {
  const revision = item.revisions.at(-1)
  if (revision === undefined) return {}
  const { size, hashes } = revision.bytes
  const isWrong = exchange.behaves('wrong-hash') !== undefined
  const shown = (hash: string | undefined): string => (isWrong ? 'f'.repeat(hash?.length ?? 0) : (hash ?? ''))
  return {
    size: String(size),
    quotaBytesUsed: String(size),
    originalFilename: item.name,
    md5Checksum: shown(hashes.md5),
    // "If available": a small part of older files lacks them.
    ...(exchange.behaves('no-sha256') === undefined ? { sha256Checksum: shown(hashes.sha256) } : {}),
    headRevisionId: revision.id,
  }
}

export function revisionResource({ id, bytes, modifiedMs, isKept }: Revision, item: Item): Json {
  return {
    kind: 'drive#revision',
    id,
    mimeType: item.mimeType,
    modifiedTime: time(modifiedMs),
    keepForever: isKept,
    size: String(bytes.size),
    md5Checksum: bytes.hashes.md5 ?? '',
    originalFilename: item.name,
  }
}

/** To the millisecond, always. */
export function time(ms: number): string {
  return new Date(ms).toISOString()
}
