/**
 * All files below a folder: from the drive's list of changes, which is the cheapest and tells all of the drive, or folder by folder. An entry
 * that changes meanwhile may come twice, and its later one is true.
 */
import { joinPath, remotePath, showPath, type RemotePath } from '../../base/path.ts'
import type { NameRules } from '../name-rules.ts'
import type { RemoteEntry } from '../target.ts'
import type { GraphApi } from './api.ts'
import { type Drive, drivePath } from './drive.ts'
import { Refused } from './errors.ts'
import { type FileNode, type Node, type Page, parsePage } from './metadata.ts'
import { type Place, readInto, readName, rulesOf } from './places.ts'
import { entryOf } from './reading.ts'

/** Most that Graph gives. */
const pageEntriesMax = 1000
/** Folders of which the path is remembered; beyond they are asked for. A few hundred bytes each. */
const foldersMax = 100_000
/** Files seen last: pages repeat what they ended with. */
const seenMax = 5000

export interface Wish {
  readonly folder: Place
  /** What the folder is to us. */
  readonly under: RemotePath
}

export class Listing {
  readonly #api: GraphApi
  readonly #drive: Drive
  readonly #wish: Wish
  readonly #rules: NameRules
  /** Folder's id -> its path to us; undefined for what lies elsewhere in the drive. */
  readonly #paths = new Map<string, string | undefined>()
  readonly #seen = new Set<string>()

  constructor(api: GraphApi, drive: Drive, wish: Wish) {
    this.#api = api
    this.#drive = drive
    this.#wish = wish
    this.#rules = rulesOf(drive)
  }

  async *entries(signal: AbortSignal): AsyncGenerator<RemoteEntry, void, undefined> {
    // Of a part the changes of the whole drive would be a long way round. Those of a business drive lack the tag of the content, by which a
    // receipt is known again.
    if (this.#wish.under !== '' || this.#drive.root.type !== 'personal') return yield* this.#walk(signal)
    const path = `${drivePath(this.#drive.root.driveId)}/root/delta?$top=${pageEntriesMax}`
    const first = await this.#firstChanges(path, signal)
    yield* first === undefined ? this.#walk(signal) : this.#fromChanges(first, signal)
  }

  /** undefined where changes cannot be had: of an app's own folder, or of a drive too large for them. */
  async #firstChanges(path: string, signal: AbortSignal): Promise<Page | undefined> {
    try {
      return await this.#page(path, signal)
    } catch (thrown) {
      if (thrown instanceof Refused && /^(retry|park)$/.test(thrown.next.kind)) return undefined
      throw thrown
    }
  }

  async *#fromChanges(first: Page, signal: AbortSignal): AsyncGenerator<RemoteEntry, void, undefined> {
    for (let page = first; ;) {
      for (const node of page.nodes) if (node.kind === 'folder') this.#remember(node)
      for (const node of page.nodes) {
        if (node.kind !== 'file' || this.#isSeen(node)) continue
        const parent = await this.#pathOf(node.parentId, signal)
        if (parent !== undefined) yield entryOf(node, remotePath(joinPath(parent, readName(node.name, this.#rules))))
      }
      if (page.next === undefined) return
      page = await this.#page(page.next, signal)
    }
  }

  async *#walk(signal: AbortSignal): AsyncGenerator<RemoteEntry, void, undefined> {
    const { folder, under } = this.#wish
    const waiting: { readonly id: string; readonly path: string }[] = [{ id: folder.id, path: under }]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      let path: string | undefined = this.#drive.path(next.id, `/children?$top=${pageEntriesMax}`)
      while (path !== undefined) {
        const page: Page = await this.#page(path, signal)
        for (const node of page.nodes) {
          if (node.kind === 'folder') waiting.push({ id: node.id, path: readInto(next.path, node, this.#rules) })
          else if (node.kind === 'file' && !this.#isSeen(node))
            yield entryOf(node, remotePath(joinPath(next.path, readName(node.name, this.#rules))))
        }
        path = page.next
      }
    }
  }

  async #page(path: string, signal: AbortSignal): Promise<Page> {
    const verb = `listing of ${showPath(this.#wish.under)}`
    return parsePage(this.#api.what(verb), await this.#api.json(verb, { method: 'GET', path }, signal))
  }

  /** What is below a folder that is not known yet is found out when somebody asks. */
  #remember(node: Extract<Node, { kind: 'folder' }>): void {
    if (node.id === this.#wish.folder.id || node.parentId === undefined) return
    const parent = node.parentId === this.#wish.folder.id ? this.#wish.under : this.#paths.get(node.parentId)
    const isKnown = node.parentId === this.#wish.folder.id || this.#paths.has(node.parentId)
    if (isKnown) this.#keep(node.id, parent === undefined ? undefined : readInto(parent, node, this.#rules))
  }

  /** A folder's path to us; undefined for one elsewhere. Parents may come after what they hold, or be forgotten: then they are asked for. */
  async #pathOf(id: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    if (id === undefined) return undefined
    if (id === this.#wish.folder.id) return this.#wish.under
    if (this.#paths.has(id)) return this.#paths.get(id)
    const node = await this.#drive.at('look at a folder', this.#drive.path(id), signal)
    const parent = node?.kind === 'folder' ? await this.#pathOf(node.parentId, signal) : undefined
    const path = node?.kind === 'folder' && parent !== undefined ? readInto(parent, node, this.#rules) : undefined
    this.#keep(id, path)
    return path
  }

  #keep(id: string, path: string | undefined): void {
    const [oldest] = this.#paths.keys()
    if (this.#paths.size >= foldersMax && oldest !== undefined) this.#paths.delete(oldest)
    this.#paths.set(id, path)
  }

  #isSeen({ id, eTag }: FileNode): boolean {
    const key = `${id} ${eTag}`
    if (this.#seen.has(key)) return true
    const [oldest] = this.#seen
    if (this.#seen.size >= seenMax && oldest !== undefined) this.#seen.delete(oldest)
    this.#seen.add(key)
    return false
  }
}
