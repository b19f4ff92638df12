/** The routes that look, list, move and remove; all but those that bring bytes in. */
import { randomBytes } from 'node:crypto'
import { Transform } from 'node:stream'
import { z } from 'zod'
import type { StoredBytes } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Account, owner } from './account.ts'
import { boxTime, itemJson, type Json, listedJson, timeOf, versionJson } from './objects.ts'
import { asked, expectMatch, naming, originOf, type Outcome, reference } from './outcome.ts'
import { Refused } from './refusal.ts'
import { type FolderItem, type Item, lastVersion } from './tree.ts'

const created = z.object({ name: z.string(), parent: reference })
const changed = z.object({
  name: z.string().optional(),
  parent: reference.nullish(),
  content_modified_at: z.string().nullish(),
})
const copied = z.object({ name: z.string().optional(), parent: reference })

export function getFile({ tree }: Account, exchange: Exchange, id: string): Outcome {
  const file = tree.file(id)
  if (exchange.headers['if-none-match'] === String(file.etag)) return { status: 304 }
  return { status: 200, value: itemJson(file, exchange) }
}

export function getFolder({ tree }: Account, exchange: Exchange, id: string): Outcome {
  return { status: 200, value: itemJson(tree.folder(id), exchange) }
}

export function getTrashed({ tree }: Account, exchange: Exchange, id: string): Outcome {
  const item = tree.any(id)
  if (!tree.trash.has(id)) throw new Refused(404, 'not_trashed')
  return { status: 200, value: itemJson(item, exchange) }
}

export async function createFolder(account: Account, exchange: Exchange): Promise<Outcome> {
  const { name, parent } = await asked(exchange, created)
  const folder = naming(account, exchange, () => account.tree.addFolder(account.tree.folder(parent.id), name))
  return { status: 201, value: itemJson(folder, exchange) }
}

export async function updateFile(account: Account, exchange: Exchange, id: string): Promise<Outcome> {
  return update(account, exchange, account.tree.file(id))
}

export async function updateFolder(account: Account, exchange: Exchange, id: string): Promise<Outcome> {
  return update(account, exchange, account.tree.folder(id))
}

async function update(account: Account, exchange: Exchange, item: Item): Promise<Outcome> {
  const wish = await asked(exchange, changed)
  expectMatch(item, exchange)
  const modifiedMs = timeOf(wish.content_modified_at)
  if (Number.isNaN(modifiedMs)) throw new Refused(400, 'bad_request')
  const parent = wish.parent === null || wish.parent === undefined ? undefined : account.tree.folder(wish.parent.id)
  naming(account, exchange, () =>
    account.tree.change(item, { name: wish.name, parent, ...(modifiedMs === undefined ? {} : { modifiedMs }) }),
  )
  return { status: 200, value: itemJson(item, exchange) }
}

export async function copyFile(account: Account, exchange: Exchange, id: string): Promise<Outcome> {
  const { name, parent } = await asked(exchange, copied)
  const file = account.tree.file(id)
  // Unlike elsewhere, what a name may not hold is cut out here instead of refused.
  const plain = (name ?? file.name).replace(/[\\/\0-\x1f\x7f]/g, '').trimEnd()
  const folder = account.tree.folder(parent.id)
  const copy = naming(account, exchange, () => account.tree.copy(file, folder, plain))
  return { status: 201, value: itemJson(copy, exchange) }
}

export function removeFile({ tree }: Account, exchange: Exchange, id: string): Outcome {
  const file = tree.file(id)
  expectMatch(file, exchange)
  tree.remove(file)
  return { status: 204 }
}

export function removeFolder({ tree }: Account, exchange: Exchange, id: string): Outcome {
  const folder = tree.folder(id)
  expectMatch(folder, exchange)
  const isRecursive = exchange.url.searchParams.get('recursive') === 'true'
  if (!isRecursive && folder.children.size > 0) throw new Refused(400, 'folder_not_empty')
  tree.remove(folder)
  return { status: 204 }
}

export async function restore(account: Account, exchange: Exchange, id: string): Promise<Outcome> {
  const { name, parent } = await asked(exchange, changed)
  const item = account.tree.any(id)
  const folder = account.tree.folder(parent?.id ?? item.parent?.id ?? '0')
  naming(account, exchange, () => account.tree.restore(item, folder, name ?? item.name))
  return { status: 201, value: itemJson(item, exchange) }
}

export function purge({ tree }: Account, _exchange: Exchange, id: string): Outcome {
  tree.purge(tree.any(id))
  return { status: 204 }
}

/** Without the current one. */
export function versions({ tree }: Account, exchange: Exchange, id: string): Outcome {
  const old = tree.file(id).versions.slice(0, -1).reverse()
  const entries = old.map((version) => versionJson(version, exchange))
  return { status: 200, value: { total_count: entries.length, limit: entries.length, offset: 0, entries } }
}

export function listFolder(account: Account, exchange: Exchange, id: string): Outcome {
  const folder: FolderItem = account.tree.folder(id)
  return listing([...folder.children.values()], account, exchange)
}

export function listTrash(account: Account, exchange: Exchange): Outcome {
  return listing([...account.tree.trash.values()], account, exchange)
}

/** Most that a page has. */
const pageItemsMax = 1000

function listing(items: readonly Item[], { rules }: Account, exchange: Exchange): Outcome {
  const { searchParams } = exchange.url
  const wished = Math.min(Number(searchParams.get('limit') ?? 100), pageItemsMax)
  const limit = exchange.behaves('short-page') === undefined ? wished : 1
  const shown = (page: readonly Item[]): Json[] => [
    ...page.map((item) => listedJson(item, exchange)),
    ...strangers(exchange),
  ]
  if (searchParams.get('usemarker') !== 'true') {
    const offset = Number(searchParams.get('offset') ?? 0)
    const page = items.slice(offset, offset + limit)
    const order = [{ by: 'type', direction: 'ASC' }]
    return { status: 200, value: { total_count: items.length, entries: shown(page), offset, limit, order } }
  }
  const after = Number(Buffer.from(searchParams.get('marker') ?? '', 'base64url').toString() || -1)
  const rest = items.filter((item) => Number(item.id) > after).sort((a, b) => Number(a.id) - Number(b.id))
  const page = rest.slice(0, limit)
  const hasMore = rest.length > page.length
  const marker = hasMore ? Buffer.from(page.at(-1)?.id ?? '').toString('base64url') : lastMarkers[rules.lastMarker]
  return {
    status: 200,
    value: { entries: shown(page), limit, ...(marker === undefined ? {} : { next_marker: marker }) },
  }
}

const lastMarkers = { null: null, absent: undefined, empty: '' } as const

/** What a client has to pass over. */
function strangers(exchange: Exchange): Json[] {
  const link = { type: 'web_link', id: '9999', etag: '0', sequence_id: '0', name: 'link', url: 'https://example.com' }
  return [
    ...(exchange.behaves('web-link') === undefined ? [] : [link]),
    ...(exchange.behaves('unknown-type') === undefined ? [] : [{ type: 'hub', id: '9998', etag: '0', name: 'hub' }]),
  ]
}

/** Addresses that carry their own right, and what they lead to. */
export class Downloads {
  readonly #links = new Map<string, { readonly bytes: StoredBytes; readonly name: string; readonly endMs: number }>()

  /** Points to the other host, or asks for patience. */
  start({ tree, clock }: Account, exchange: Exchange, id: string): Outcome {
    const file = tree.file(id)
    const notReady = exchange.behaves('not-ready')
    if (notReady !== undefined) return { status: 202, headers: { 'retry-after': String(notReady.value ?? 1) } }
    const wanted = exchange.url.searchParams.get('version')
    const version = wanted === null ? lastVersion(file) : file.versions.find((each) => each.id === wanted)
    if (version === undefined) throw new Refused(404, 'not_found')
    const key = randomBytes(24).toString('base64url')
    this.#links.set(key, { bytes: version.bytes, name: file.name, endMs: clock.nowMs() + linkLifeMs })
    const [oldest] = this.#links.keys()
    if (this.#links.size > linksMax && oldest !== undefined) this.#links.delete(oldest)
    return { status: 302, headers: { location: `${originOf(exchange, 'dl.boxcloud.com')}/d/1/${key}/download` } }
  }

  give({ store, clock }: Account, exchange: Exchange, key: string): Outcome {
    const link = this.#links.get(key)
    if (link === undefined || link.endMs <= clock.nowMs()) return { status: 404 }
    const { bytes } = link
    const range = rangeOf(exchange.headers.range, bytes.size)
    if (range === 'unsatisfiable') return { status: 416, headers: { 'content-range': `bytes */${bytes.size}` } }
    const { from, until } = range ?? { from: 0, until: bytes.size }
    const open = () => {
      const content = store.read(bytes, from, until)
      return exchange.behaves('corrupt') === undefined ? content : content.pipe(corrupting())
    }
    const headers = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' }
    const stream = { bytes: until - from, open }
    if (range === undefined) return { status: 200, headers, stream }
    return { status: 206, headers: { ...headers, 'content-range': `bytes ${from}-${until - 1}/${bytes.size}` }, stream }
  }
}

/** Good for about a quarter of an hour. Unit: ms. */
const linkLifeMs = 15 * 60_000
const linksMax = 10_000

function rangeOf(
  header: string | undefined,
  size: number,
): { readonly from: number; readonly until: number } | 'unsatisfiable' | undefined {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  const [first, last] = [found?.[1] ?? '', found?.[2] ?? '']
  if (first === '' && last === '') return undefined
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const until = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
  return from < until ? { from, until } : 'unsatisfiable'
}

/** Turns the first byte around. */
function corrupting(): Transform {
  let isFirst = true
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bent = Buffer.from(chunk)
      if (isFirst) bent[0] = (bent[0] ?? 0) ^ 0xff
      isFirst = false
      done(null, bent)
    },
  })
}

/** Most events of one answer. */
const eventsMax = 500

export function events({ tree, rules }: Account, exchange: Exchange): Outcome {
  const { searchParams } = exchange.url
  const wanted = searchParams.get('stream_position') ?? '0'
  const position = wanted === 'now' ? tree.events.end : Number(wanted)
  if (!Number.isInteger(position) || position < 0) throw new Refused(400, 'bad_request')
  const limit = Math.min(Number(searchParams.get('limit') ?? 100), eventsMax)
  const told = tree.events.from(position, limit)
  const entries = told.map(({ id, type, item, atMs }) => ({
    type: 'event',
    event_id: id,
    event_type: type,
    created_at: boxTime(atMs),
    created_by: owner,
    source: itemJson(item, exchange),
  }))
  const twice = exchange.behaves('duplicate-events') === undefined ? entries : [...entries, ...entries]
  const ordered = exchange.behaves('reordered-events') === undefined ? twice : [...twice].reverse()
  const next = position + told.length
  const value = {
    chunk_size: ordered.length,
    next_stream_position: rules.streamPosition === 'string' ? String(next) : next,
    entries: ordered,
  }
  return { status: 200, value }
}

export function realtimeServers(_account: Account, exchange: Exchange): Outcome {
  const url = `${originOf(exchange, 'api.box.com')}/2.0/events`
  const server = { type: 'realtime_server', url, ttl: '10', max_retries: '10', retry_timeout: 610 }
  return { status: 200, value: { chunk_size: 1, entries: [server] } }
}
