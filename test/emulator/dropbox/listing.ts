/** Listings page by page and changes since a cursor. A cursor is good again and again, as after an answer that was lost. */
import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import { deletedMetadata, metadata } from './metadata.ts'
import { BadRequest, Refused, under } from './refusal.ts'
import { below, lowerOf, type Node, type Tree } from './tree.ts'

const cursorSchema = z.strictObject({
  /** Of the listed folder. */
  id: z.string(),
  recursive: z.boolean(),
  limit: z.number(),
  /** Changes after this one are still to be told. */
  seq: z.number(),
  /** Under way in a listing: which, and how far. */
  listing: z.number().optional(),
  at: z.number().default(0),
})
type Cursor = z.output<typeof cursorSchema>

export interface ListWish {
  readonly path: string
  readonly recursive: boolean
  readonly include_deleted: boolean
  readonly limit?: number | null | undefined
}

type Json = Readonly<Record<string, unknown>>
export interface Page {
  readonly entries: readonly Json[]
  readonly cursor: string
  readonly has_more: boolean
}

interface Gone {
  readonly lower: string
  readonly display: string
}

/** Listings that are under way at once; the oldest is forgotten and its cursors are reset. */
const listingsMax = 200

export class Listings {
  /** Entries a page has when the client names no limit. */
  pageEntries: number
  readonly #tree: Tree
  readonly #listings = new Map<number, readonly (Node | Gone)[]>()
  #made = 0

  constructor(tree: Tree, pageEntries: number) {
    this.#tree = tree
    this.pageEntries = pageEntries
  }

  /** @throws Refused path/... */
  start(wish: ListWish, exchange: Exchange): Page {
    const cursor = this.#cursorNow(wish)
    const listing = this.#made
    this.#made += 1
    this.#listings.set(listing, this.#snapshot(wish, exchange))
    const [oldest] = this.#listings.keys()
    if (this.#listings.size > listingsMax && oldest !== undefined) this.#listings.delete(oldest)
    return this.#listingPage({ ...cursor, listing }, exchange)
  }

  latest(wish: ListWish): string {
    return encode(this.#cursorNow(wish))
  }

  /** @throws Refused reset, path/not_found; BadRequest */
  continue(text: string, exchange: Exchange): Page {
    const cursor = decode(text)
    if (exchange.behaves('reset-cursor') !== undefined) throw new Refused(['reset'])
    return cursor.listing === undefined ? this.#changePage(cursor, exchange) : this.#listingPage(cursor, exchange)
  }

  /** Whether there is something to tell. @throws Refused reset; BadRequest */
  isBehind(text: string): boolean {
    const cursor = decode(text)
    const isGone = this.#tree.byId(cursor.id) === undefined
    return isGone || this.#changesFor(cursor).length > 0
  }

  #cursorNow({ path, recursive, limit }: ListWish): Cursor {
    const node = under('path', () => this.#tree.find(path))
    if (node.kind === 'file') throw new Refused(['path', 'not_folder'])
    return { id: node.id, recursive, limit: limit ?? this.pageEntries, seq: this.#tree.seq, at: 0 }
  }

  #snapshot({ path, recursive, include_deleted }: ListWish, exchange: Exchange): readonly (Node | Gone)[] {
    const folder = this.#tree.find(path)
    if (folder.kind === 'file') return []
    const living = recursive
      ? [...below(folder)].filter((node) => node.parent !== undefined)
      : [...folder.children.values()]
    const hidden = this.#hidden(exchange)
    const seen = living.filter((node) => hidden.size === 0 || !hidden.has(lowerOf(node)))
    const root = lowerOf(folder)
    const gone = include_deleted
      ? [...this.#tree.allDeleted].filter(({ lower }) => isWithin(lower, root, recursive))
      : []
    return [...seen, ...gone]
  }

  /** What a stale listing does not know of yet: the last changed paths. */
  #hidden(exchange: Exchange): ReadonlySet<string> {
    const stale = exchange.behaves('stale-listing')
    if (stale === undefined) return new Set()
    const count = typeof stale.value === 'number' ? stale.value : 1
    return new Set((this.#tree.changesSince(this.#tree.seq - count) ?? []).map(({ lower }) => lower))
  }

  #listingPage(cursor: Cursor, exchange: Exchange): Page {
    const all = this.#listings.get(cursor.listing ?? -1)
    if (all === undefined) throw new Refused(['reset'])
    const page = all.slice(cursor.at, cursor.at + entriesOf(cursor, exchange))
    const at = cursor.at + page.length
    const { id, recursive, limit, seq } = cursor
    const hasMore = at < all.length || exchange.behaves('empty-page') !== undefined
    return {
      entries: page.map((entry) => ('kind' in entry ? metadata(entry, exchange) : deletedMetadata(entry))),
      cursor: encode(hasMore ? { ...cursor, at } : { id, recursive, limit, seq, at: 0 }),
      has_more: hasMore,
    }
  }

  #changePage(cursor: Cursor, exchange: Exchange): Page {
    const changes = this.#changesFor(cursor)
    const page = changes.slice(0, entriesOf(cursor, exchange))
    const hasMore = page.length < changes.length || exchange.behaves('empty-page') !== undefined
    const seq = hasMore ? (page.at(-1)?.seq ?? cursor.seq) : this.#tree.seq
    return {
      entries: page.map((change) => {
        const node = this.#tree.peek(change.lower)
        return node === undefined ? deletedMetadata(change) : metadata(node, exchange)
      }),
      cursor: encode({ ...cursor, seq }),
      has_more: hasMore,
    }
  }

  /** The last change of each path, in the order of these. */
  #changesFor(cursor: Cursor): readonly (Gone & { readonly seq: number })[] {
    const root = under('path', () => this.#tree.find(cursor.id))
    const changes = this.#tree.changesSince(cursor.seq)
    if (changes === undefined) throw new Refused(['reset'])
    const last = new Map(changes.map((change) => [change.lower, change]))
    const rootLower = lowerOf(root)
    return changes.filter(
      (change) => last.get(change.lower) === change && isWithin(change.lower, rootLower, cursor.recursive),
    )
  }
}

function entriesOf(cursor: Cursor, exchange: Exchange): number {
  if (exchange.behaves('empty-page') !== undefined) return 0
  return exchange.behaves('short-page') === undefined ? cursor.limit : 1
}

function isWithin(lower: string, root: string, recursive: boolean): boolean {
  if (!lower.startsWith(`${root}/`)) return false
  return recursive || !lower.slice(root.length + 1).includes('/')
}

function encode(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

function decode(text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
  } catch {
    throw new BadRequest('Invalid "cursor" parameter')
  }
}
