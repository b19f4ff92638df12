/**
 * What lies in which folder, as listed a moment ago and changed by ourselves since. Google's index of names is minutes behind, that of a
 * folder's children is not, so folders are listed whole where that costs one call; in larger ones a name is searched for.
 */
import type { Clock } from '../../base/clock.ts'
import { PathTurns } from '../path-turns.ts'
import type { DriveApi } from './api.ts'
import { type DriveNode, type Page, pageFields } from './metadata.ts'

/** Most that Google gives in a page. */
export const pageEntriesMax = 1000
/** For so long a folder's listing says what is not there. Unit: ms. */
const listedMs = 30_000
/** Nodes remembered; beyond, the folder that was listed first is forgotten. About half a KiB each. */
const nodesMax = 50_000

interface Listing {
  readonly atMs: number
  /** False where it is too large: then it knows only what we made ourselves. */
  readonly isWhole: boolean
  /** By id. */
  readonly nodes: Map<string, DriveNode>
  /** By name. */
  readonly names: Map<string, Set<string>>
}

export class Inventory {
  readonly #api: DriveApi
  readonly #clock: Clock
  readonly #turns = new PathTurns()
  readonly #folders = new Map<string, Listing>()
  /** Folder of each node that is in a listing. */
  readonly #homes = new Map<string, string>()
  #freshSinceMs = -Infinity

  constructor(api: DriveApi, clock: Clock) {
    this.#api = api
    this.#clock = clock
  }

  /** What was listed until now is too old for whatever is asked from now on: somebody wants to know what is really there. */
  refresh(): void {
    this.#freshSinceMs = this.#clock.monotonicMs()
  }

  forget(): void {
    this.#folders.clear()
    this.#homes.clear()
  }

  /** Oldest first: that one counts, whoever made the others. @param ageMsMax how old a listing may be. */
  async named(folder: string, name: string, signal: AbortSignal, ageMsMax = listedMs): Promise<readonly DriveNode[]> {
    const listing = await this.#listing(folder, ageMsMax, signal)
    const known = [...(listing.names.get(name) ?? [])].flatMap((id) => listing.nodes.get(id) ?? [])
    if (listing.isWhole) return oldestFirst(known)
    const found = await this.#search(
      `'${folder}' in parents and name = '${escaped(name)}' and trashed = false`,
      folder,
      signal,
    )
    // The index does not tell case, and may not know yet what we made.
    const exact = found.nodes.filter((node) => node.name === name)
    return oldestFirst([...exact, ...known.filter(({ id }) => !exact.some((node) => node.id === id))])
  }

  /** A folder that was just made holds nothing. */
  isEmpty(folder: string): void {
    this.#keep(folder, { isWhole: true, nodes: [] })
  }

  /** A node is as it is now: ours, or looked at. */
  note(node: DriveNode): void {
    this.gone(node.id)
    if (node.parentId !== undefined && !node.isTrashed) this.#put(node.parentId, node)
  }

  gone(id: string): void {
    const listing = this.#folders.get(this.#homes.get(id) ?? '')
    const node = listing?.nodes.get(id)
    this.#homes.delete(id)
    if (listing === undefined || node === undefined) return
    listing.nodes.delete(id)
    const ids = listing.names.get(node.name)
    ids?.delete(id)
    if (ids?.size === 0) listing.names.delete(node.name)
  }

  #listing(folder: string, ageMsMax: number, signal: AbortSignal): Promise<Listing> {
    return this.#turns.take(folder, signal, async () => {
      const known = this.#folders.get(folder)
      if (known !== undefined && this.#isGood(known, ageMsMax)) return known
      const { nodes, next } = await this.#search(`'${folder}' in parents and trashed = false`, folder, signal)
      // What we made in a folder that is too large may not be found by its name yet.
      const ours = next !== undefined && known !== undefined && !known.isWhole ? [...known.nodes.values()] : []
      return this.#keep(folder, { isWhole: next === undefined, nodes: next === undefined ? nodes : ours })
    })
  }

  /** What we made in a folder that is too large is known by nothing else. */
  #isGood({ atMs, isWhole }: Listing, ageMsMax: number): boolean {
    const ageMs = this.#clock.monotonicMs() - atMs
    return isWhole ? ageMs <= ageMsMax && atMs > this.#freshSinceMs : ageMs <= listedMs
  }

  async #search(q: string, folder: string, signal: AbortSignal): Promise<Page> {
    const verb = 'search'
    const params = { q, pageSize: pageEntriesMax, fields: pageFields, supportsAllDrives: true, ...this.#api.corpus }
    const value = await this.#api.rpc(verb, (sdk, options) => sdk.files.list(params, options), signal)
    return this.#api.pageOf(verb, value, folder)
  }

  #keep(
    folder: string,
    { isWhole, nodes }: { readonly isWhole: boolean; readonly nodes: readonly DriveNode[] },
  ): Listing {
    this.#lose(folder)
    const listing: Listing = { atMs: this.#clock.monotonicMs(), isWhole, nodes: new Map(), names: new Map() }
    this.#folders.set(folder, listing)
    for (const node of nodes) this.#put(folder, node)
    for (const oldest of this.#folders.keys()) {
      if (this.#homes.size <= nodesMax || oldest === folder) break
      this.#lose(oldest)
    }
    return listing
  }

  #lose(folder: string): void {
    for (const id of this.#folders.get(folder)?.nodes.keys() ?? []) this.#homes.delete(id)
    this.#folders.delete(folder)
  }

  #put(folder: string, node: DriveNode): void {
    const listing = this.#folders.get(folder)
    if (listing === undefined) return
    listing.nodes.set(node.id, node)
    this.#homes.set(node.id, folder)
    const ids = listing.names.get(node.name) ?? new Set()
    listing.names.set(node.name, ids.add(node.id))
  }
}

function oldestFirst<Node extends DriveNode>(nodes: readonly Node[]): readonly Node[] {
  return [...nodes].sort((one, other) => one.createdMs - other.createdMs || (one.id < other.id ? -1 : 1))
}

function escaped(name: string): string {
  return name.replace(/[\\']/g, '\\$&')
}
