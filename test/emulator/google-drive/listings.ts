/** Searches and changes page by page. A page token is good again and again, as after an answer that was lost. */
import type { View } from './account.ts'
import { type Item, isTrashed, sharedDriveId } from './items.ts'
import { parseQuery, type Query } from './query.ts'
import { invalid, Refused } from './refusal.ts'
import { fileResource, time } from './resources.ts'

type Json = Readonly<Record<string, unknown>>

/** Searches that are under way at once; the oldest is forgotten and its tokens are refused. */
const searchesMax = 500

export class Listings {
  readonly #searches = new Map<string, readonly Item[]>()
  #made = 0

  /** @throws Refused */
  files(view: View): Json {
    const { exchange, account } = view
    const token = view.param('pageToken')
    if (token !== undefined && exchange.behaves('reject-page-token') !== undefined) throw badToken()
    const [search = '', from = '0'] = token?.split('-') ?? [this.#begin(view)]
    const found = this.#searches.get(search)
    if (found === undefined) throw badToken()
    const at = Number(from)
    const until = at + pageSize(view, account.rules.pageEntriesMax)
    const isLast = until >= found.length
    if (isLast && token === undefined) this.#searches.delete(search)
    return {
      kind: 'drive#fileList',
      incompleteSearch: exchange.behaves('incomplete-search') !== undefined,
      ...(isLast ? {} : { nextPageToken: `${search}-${until}` }),
      files: found.slice(at, until).map((item) => fileResource(item, account.items, exchange)),
    }
  }

  changes(view: View): Json {
    const { account, exchange } = view
    const from = Number(view.param('pageToken'))
    if (!Number.isSafeInteger(from)) throw badToken()
    const all = account.items.changesSince(from)
    const page = all.slice(0, pageSize(view, account.rules.pageEntriesMax))
    const last = page.at(-1)?.seq ?? account.items.lastSeq
    const isLast = page.length === all.length
    const latest = new Map(page.map((change) => [change.id, change]))
    return {
      kind: 'drive#changeList',
      ...(isLast
        ? { newStartPageToken: String(Math.max(last, account.items.lastSeq)) }
        : { nextPageToken: String(last) }),
      changes: [...latest.values()].map(({ id, atMs }) => {
        const item = account.items.get(id)
        const isSeen = item !== undefined && view.sees(item)
        const file = isSeen ? { file: fileResource(item, account.items, exchange) } : {}
        return {
          kind: 'drive#change',
          changeType: 'file',
          fileId: id,
          removed: item === undefined,
          time: time(atMs),
          ...file,
        }
      }),
    }
  }

  #begin(view: View): string {
    this.#made += 1
    if (this.#searches.size >= searchesMax) this.#searches.delete(this.#searches.keys().next().value ?? '')
    this.#searches.set(String(this.#made), sorted(found(view), view.param('orderBy')))
    return String(this.#made)
  }
}

function found(view: View): readonly Item[] {
  const { items, clock, rules } = view.account
  const { exchange } = view
  const stale = exchange.behaves('stale-names')
  const lagMs = stale === undefined ? rules.nameLagMs : Infinity
  const isBehind = (item: Item): boolean => lagMs > 0 && clock.nowMs() < item.namedMs + lagMs
  const world = {
    nameOf: (item: Item) => (isBehind(item) ? item.nameBefore : item.name),
    idOf: (id: string) => (id === 'root' ? items.root.id : id),
  }
  const query: Query =
    view.param('q') === undefined ? { holds: () => true, parents: undefined } : parseQuery(view.param('q') ?? '', world)
  return [...candidates(view, query)].filter(
    (item) => item.parent !== undefined && view.sees(item) && isInCorpus(view, item) && query.holds(item),
  )
}

/** Children of the parents that the query names; without any, everything. */
function* candidates(view: View, { parents }: Query): Generator<Item> {
  const { items } = view.account
  if (parents === undefined) {
    yield* items.all()
    return
  }
  // Source: rclone #3114, #4289: of several parents some are now and then left out.
  const kept = view.exchange.behaves('drop-parent') === undefined ? parents : parents.slice(0, -1)
  for (const id of kept) {
    const parent = items.get(id)
    if (parent === undefined) throw new Refused(404, 'notFound', 'File not found: .')
    yield* parent.children
  }
}

function isInCorpus(view: View, item: Item): boolean {
  const isShared = view.isShared(item)
  if (view.param('corpora') === 'drive' || view.param('driveId') !== undefined)
    return isShared && view.param('driveId') === sharedDriveId
  return !isShared || (view.param('includeItemsFromAllDrives') === 'true' && !isTrashed(item))
}

const keys: Readonly<Record<string, (item: Item) => string | number>> = {
  createdTime: ({ createdMs }) => createdMs,
  modifiedTime: ({ modifiedMs }) => modifiedMs,
  name: ({ name }) => name.toLowerCase(),
  folder: ({ revisions }) => (revisions.length === 0 ? 0 : 1),
}

/** The latest first where nothing else is asked for, so that nobody relies on the order of making. */
function sorted(list: readonly Item[], orderBy = 'modifiedTime desc'): readonly Item[] {
  const orders = orderBy.split(',').map((word) => {
    const [field = '', direction] = word.trim().split(' ')
    const key = keys[field]
    if (key === undefined) throw invalid(`Sorting is not supported for ${field}.`)
    return { key, sign: direction === 'desc' ? -1 : 1 }
  })
  return [...list].sort((one, other) => {
    for (const { key, sign } of orders) {
      const [a, b] = [key(one), key(other)]
      if (a !== b) return a < b ? -sign : sign
    }
    return 0
  })
}

function pageSize(view: View, most: number): number {
  const wanted = Number(view.param('pageSize') ?? 100)
  if (!Number.isSafeInteger(wanted) || wanted < 1) throw invalid('Invalid value for pageSize.')
  return Math.min(wanted, most)
}

function badToken(): Refused {
  return invalid('Invalid Value')
}
