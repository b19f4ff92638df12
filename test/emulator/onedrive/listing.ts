/** Children page by page, and the delta of the drive: all there is, then what changed. */
import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import type { Drive } from './drive.ts'
import { deletedJson, itemJson, type Json } from './items.ts'
import { badRequest, notFound, Refused } from './refusal.ts'
import { below, type Change, isWithin, type Item } from './tree.ts'

const graph = 'https://graph.microsoft.com'

export function children(drive: Drive, item: Item, exchange: Exchange): Json {
  if (item.kind !== 'folder') throw notFound()
  if (exchange.behaves('bad-page-token') !== undefined) throw badRequest('Invalid paging token')
  const all = [...item.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const at = z.coerce
    .number()
    .int()
    .min(0)
    .parse(exchange.url.searchParams.get('$skiptoken') ?? 0)
  const count = entriesOf(drive, exchange)
  const page = all.slice(at, at + count)
  const next = at + page.length
  const hasMore = next < all.length || exchange.behaves('empty-page') !== undefined
  const repeated = exchange.behaves('repeat-entry') === undefined ? [] : page.slice(0, 1)
  return {
    value: [...page, ...repeated].map((child) => itemJson(child, drive, exchange)),
    ...(hasMore ? { '@odata.nextLink': linkWith(exchange, '$skiptoken', String(next)) } : {}),
  }
}

const tokenShape = z.strictObject({
  /** Changes after this one are still to be told. */
  seq: z.number(),
  /** How far a first listing is; undefined after its end. */
  at: z.number().optional(),
})
type Token = z.output<typeof tokenShape>

export function delta(drive: Drive, item: Item, exchange: Exchange): Json {
  if (item.parent !== undefined && !drive.rules.deltaOfFolders) throw badRequest('Delta is supported at the root only')
  if (exchange.behaves('resync') !== undefined) throw resync(exchange)
  const text = exchange.url.searchParams.get('token') ?? exchange.url.searchParams.get('$skiptoken')
  const { seq } = drive.tree
  if (text === 'latest') return { value: [], '@odata.deltaLink': linkWith(exchange, 'token', encode({ seq })) }
  const token = text === null ? { seq, at: 0 } : decode(text)
  return token.at === undefined ? changes(drive, item, token, exchange) : firstListing(drive, item, token, exchange)
}

/** Read anew for each page: what changes meanwhile may be told twice, or comes with the changes after it. */
function firstListing(drive: Drive, item: Item, { seq, at = 0 }: Token, exchange: Exchange): Json {
  const all = [...below(item)]
  if (exchange.behaves('children-first') !== undefined) all.reverse()
  const page = all.slice(at, at + entriesOf(drive, exchange))
  const next = at + page.length
  const repeated = exchange.behaves('repeat-entry') === undefined ? [] : page.slice(-1)
  const link =
    next < all.length
      ? { '@odata.nextLink': linkWith(exchange, 'token', encode({ seq, at: next })) }
      : { '@odata.deltaLink': linkWith(exchange, 'token', encode({ seq })) }
  return { value: [...page, ...repeated].map((each) => itemJson(each, drive, exchange, { isDelta: true })), ...link }
}

function changes(drive: Drive, item: Item, { seq }: Token, exchange: Exchange): Json {
  const since = drive.tree.changesSince(seq)
  if (since === undefined) throw resync(exchange)
  const all = since.filter((change) => change.isDeleted || isWithin(change.item, item))
  const page = all.slice(0, entriesOf(drive, exchange))
  const last = page.at(-1)
  const hasMore = last !== undefined && page.length < all.length
  const link = encode({ seq: hasMore ? last.seq : drive.tree.seq })
  return {
    value: page.map((change) => changeJson(change, drive, exchange)),
    [hasMore ? '@odata.nextLink' : '@odata.deltaLink']: linkWith(exchange, 'token', link),
  }
}

function changeJson({ item, isDeleted }: Change, drive: Drive, exchange: Exchange): Json {
  return isDeleted ? deletedJson(item, drive, exchange) : itemJson(item, drive, exchange, { isDelta: true })
}

function resync(exchange: Exchange): Refused {
  const url = new URL(exchange.url.pathname, graph)
  const more = { inner: 'resyncChangesApplyDifferences', headers: { Location: url.href } }
  return new Refused(410, 'resyncRequired', more)
}

function entriesOf({ rules }: Drive, exchange: Exchange): number {
  if (exchange.behaves('empty-page') !== undefined) return 0
  if (exchange.behaves('short-page') !== undefined) return 1
  const asked = Number(exchange.url.searchParams.get('$top') ?? rules.pageEntries)
  return Math.max(1, Math.min(Number.isNaN(asked) ? rules.pageEntries : asked, rules.pageEntriesMax))
}

function linkWith({ url }: Exchange, name: string, value: string): string {
  const link = new URL(`${url.pathname}${url.search}`, graph)
  link.searchParams.set(name, value)
  return link.href
}

function encode(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

function decode(text: string): Token {
  try {
    return tokenShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
  } catch {
    throw badRequest('Invalid paging token')
  }
}
