/** Items, drives and sessions as Graph's JSON, of each kind of drive, cut down to what was selected. */
import type { Exchange } from '../core/exchange.ts'
import type { Drive } from './drive.ts'
import type { Session } from './sessions.ts'
import { type FileItem, type Item, lastVersion, libraryPath, pathOf, type Version } from './tree.ts'

export type Json = Readonly<Record<string, unknown>>

const uploadHosts = {
  personal: 'up.1drv.com',
  business: 'contoso-my.sharepoint.com',
  documentLibrary: 'contoso.sharepoint.com',
}
const downloadHosts = { ...uploadHosts, personal: 'my.microsoftpersonalcontent.com' }
export const contentHosts = [...Object.values(uploadHosts), downloadHosts.personal]

/** Where an address on another host leads: there through the proxy, and to ourselves for who came by our own address. */
function originFor(host: string, exchange: Exchange): string {
  return /^[\d.]+$/.test(exchange.host) ? `http://${exchange.headers.host ?? ''}` : `https://${host}`
}

export function timeText(ms: number, { rules }: Drive): string {
  const text = new Date(ms).toISOString()
  return rules.wholeSeconds ? text.replace(/\.\d+Z$/, 'Z') : text
}

/** As the field `quota` and those beside it. */
export function driveJson(drive: Drive): Json {
  const { quotaBytes, driveType } = drive.rules
  const { usedBytes, deletedBytes } = drive.tree
  const remaining = Math.max(0, quotaBytes - usedBytes)
  const state =
    remaining === 0
      ? 'exceeded'
      : remaining < quotaBytes / 100
        ? 'critical'
        : remaining < quotaBytes / 10
          ? 'nearing'
          : 'normal'
  const createdMs = drive.tree.root.createdMs
  return {
    id: drive.id,
    name: 'OneDrive',
    driveType,
    createdDateTime: timeText(createdMs, drive),
    lastModifiedDateTime: timeText(createdMs, drive),
    webUrl: webUrlOf(drive.tree.root, drive),
    owner: { user: { id: 'u1', displayName: 'Fan Fold', email: 'owner@example.com' } },
    quota: { total: quotaBytes, used: usedBytes, remaining, deleted: deletedBytes, state },
  }
}

export interface Showing {
  /** Of a listing of changes. */
  readonly isDelta?: boolean
  readonly version?: Version
}

export function itemJson(item: Item, drive: Drive, exchange: Exchange, showing: Showing = {}): Json {
  const { isDelta = false } = showing
  const isBusinessDelta = isDelta && !drive.isPersonal
  const hasContentTag = !isBusinessDelta && !(item.kind === 'folder' && !drive.isPersonal)
  const whole = {
    id: item.id,
    name: item.name,
    size: sizeOf(item),
    eTag: eTagOf(item),
    ...(hasContentTag ? { cTag: `"c:{${item.guid}},${item.contents}"` } : {}),
    createdDateTime: timeText(item.createdMs, drive),
    lastModifiedDateTime: timeText(item.modifiedMs, drive),
    webUrl: webUrlOf(item, drive),
    parentReference: parentOf(item, drive, exchange, isDelta),
    fileSystemInfo: {
      createdDateTime: timeText(item.times.createdMs, drive),
      lastModifiedDateTime: timeText(item.times.modifiedMs, drive),
    },
    ...facets(item, drive, exchange),
  }
  return selected(whole, exchange)
}

function facets(item: Item, drive: Drive, exchange: Exchange): Json {
  if (item.kind === 'folder') {
    return { folder: { childCount: item.children.size }, ...(item.parent === undefined ? { root: {} } : {}) }
  }
  return {
    file: { mimeType: 'application/octet-stream', ...hashesOf(item, drive, exchange) },
    '@microsoft.graph.downloadUrl': downloadUrl(item, drive, exchange),
  }
}

/** Zero bytes may have no hash. */
function hashesOf(item: FileItem, drive: Drive, exchange: Exchange): Json {
  const { size, hashes } = lastVersion(item).bytes
  if (size === 0 || exchange.behaves('no-hash') !== undefined) return {}
  const quickXorHash = exchange.behaves('wrong-hash') === undefined ? hashes.quickxor : 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='
  const sha1 = drive.isPersonal && drive.rules.hasSha1 ? { sha1Hash: hashes.sha1?.toUpperCase() } : {}
  return { hashes: { quickXorHash, ...sha1 } }
}

export function deletedJson(item: Item, drive: Drive, exchange: Exchange): Json {
  const facet =
    item.kind === 'file' ? { file: { hashes: { quickXorHash: 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' } } } : { folder: {} }
  const parentReference = parentOf(item, drive, exchange, true)
  return {
    id: item.id,
    ...(drive.isPersonal ? { name: item.name } : {}),
    parentReference,
    deleted: { state: 'deleted' },
    ...facet,
  }
}

export function eTagOf(item: Item): string {
  return `"{${item.guid}},${item.changes}"`
}

function parentOf(item: Item, drive: Drive, exchange: Exchange, isDelta: boolean): Json {
  const { driveType } = drive.rules
  const driveId = exchange.behaves('drive-id-flip') === undefined ? drive.id : flipped(drive.id)
  const { parent } = item
  if (parent === undefined) return { driveType, driveId }
  const path = isDelta ? {} : { path: `/drives/${drive.id}/root:${encodeURI(pathOf(parent))}` }
  return { driveType, driveId, id: parent.id, ...path }
}

function flipped(id: string): string {
  return id.toLowerCase().replace(/^0+/, '')
}

function sizeOf(item: Item): number {
  if (item.kind === 'file') return lastVersion(item).bytes.size
  return [...item.children.values()].reduce((sum, child) => sum + sizeOf(child), 0)
}

function webUrlOf(item: Item, { rules, id }: Drive): string {
  if (rules.driveType === 'personal') return `https://onedrive.live.com/?cid=${id}`
  return `https://${uploadHosts[rules.driveType]}${encodeURI(libraryPath[rules.driveType] + pathOf(item))}`
}

export function downloadUrl(item: FileItem, drive: Drive, exchange: Exchange, version = lastVersion(item)): string {
  const token = drive.downloadOf(item, version.bytes)
  return `${originFor(downloadHosts[drive.rules.driveType], exchange)}/_download?tempauth=${token}`
}

export function uploadUrl({ id, token }: Session, drive: Drive, exchange: Exchange): string {
  const path = drive.isPersonal
    ? '/rup/uploadSession'
    : `/_api/v2.0/drives/${encodeURIComponent(drive.id)}/items/x/uploadSession`
  const origin = originFor(uploadHosts[drive.rules.driveType], exchange)
  return `${origin}${path}?guid='${id}'&overwrite=True&rename=False&dc=0&tempauth=${token}`
}

export function monitorUrl(itemId: string, drive: Drive, exchange: Exchange): string {
  return `${originFor(uploadHosts[drive.rules.driveType], exchange)}/_monitor?item=${encodeURIComponent(itemId)}`
}

export function sessionJson(session: Session, drive: Drive): Json {
  const has = session.draft.size
  const isWhole = session.total === has
  return {
    expirationDateTime: new Date(session.endMs).toISOString(),
    nextExpectedRanges: isWhole
      ? []
      : [`${has}-${session.total === undefined || !drive.isPersonal ? '' : session.total - 1}`],
  }
}

export function versionJson(version: Version, drive: Drive): Json {
  return { id: version.id, lastModifiedDateTime: timeText(version.atMs, drive), size: version.bytes.size }
}

function selected(whole: Json, { url }: Exchange): Json {
  const names = url.searchParams.get('$select') ?? url.searchParams.get('select')
  if (names === null || names === '') return whole
  const wanted = new Set(names.split(',').map((name) => name.trim()))
  return Object.fromEntries(
    Object.entries(whole).filter(
      ([name]) => wanted.has(name) || (name.startsWith('@') && wanted.has('content.downloadUrl')),
    ),
  )
}
