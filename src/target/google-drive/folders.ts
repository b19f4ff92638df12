/**
 * Which folder at Google Drive stands for which path. The memory is the authority: an id is in it before its folder is made, so that a lost
 * answer or a listing that is behind never makes a second one. One at a time is made of each path; of twins that others made the oldest counts.
 */
import type { Log } from '../../base/log.ts'
import { folderOf, nameOf, showPath } from '../../base/path.ts'
import type { FolderMemory } from '../folder-memory.ts'
import { isWithin, MovingFolders } from '../folder-moves.ts'
import { nameRules } from '../name-rules.ts'
import { encodeName } from '../names.ts'
import { PathTurns } from '../path-turns.ts'
import { TargetError } from '../target.ts'
import { allDrives, type DriveApi, rootAlias } from './api.ts'
import { Refused } from './errors.ts'
import type { IdPool } from './id-pool.ts'
import type { Inventory } from './inventory.ts'
import { type DriveNode, type FolderNode, folderType, nodeFields } from './metadata.ts'

/** Looked at since the target was opened; beyond, they are looked at again. */
const checkedMax = 50_000

export interface FoldersParts {
  readonly api: DriveApi
  readonly ids: IdPool
  readonly inventory: Inventory
  readonly memory: FolderMemory
  /** The target's, for messages. */
  readonly name: string
  readonly log: Log
}

/** A folder in its parent, and by what the memory knows it. */
interface Place {
  readonly parent: string
  readonly spelled: string
  readonly key: string
}

export class Folders {
  readonly #parts: FoldersParts
  readonly #turns = new PathTurns()
  /** Key -> id. */
  readonly #checked = new Map<string, string>()
  readonly #moving = new MovingFolders()
  #root = ''
  /** Whether a folder may have an id that was made before: not documented, so it is found out. */
  #areIdsTaken = true

  constructor(parts: FoldersParts) {
    this.#parts = parts
  }

  /** From here on paths are below this folder. Somebody may have been there since. */
  begin(root: string): void {
    this.#root = root
    this.recheck()
  }

  /** Something is not where it should be: everything is looked at again before it is used. */
  recheck(): void {
    this.#checked.clear()
    this.#parts.inventory.forget()
  }

  /** The folder of a path, undefined where none is. */
  async find(path: string, signal: AbortSignal): Promise<string | undefined> {
    if (path === '') return this.#root
    const known = this.#checked.get(path)
    if (known !== undefined) return known
    const parent = await this.find(folderOf(path), signal)
    if (parent === undefined) return undefined
    return this.#turns.take(path, signal, () => this.#found(placed(parent, path), signal))
  }

  /** The folder of a path as it is now, and not as it was when it was used last. */
  async node(path: string, signal: AbortSignal): Promise<FolderNode | undefined> {
    const parent = await this.find(folderOf(path), signal)
    const id = parent === undefined ? undefined : await this.find(path, signal)
    if (parent === undefined || id === undefined) return undefined
    const node = await this.#nodeAt(id, placed(parent, path), signal)
    if (node === undefined) await this.#forget(path)
    return node
  }

  /** Runs `work`, which moves a folder, while nothing is remembered of either place. */
  whileMoving<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#moving.during(paths, (path) => this.#forget(path), work)
  }

  async #forget(path: string): Promise<void> {
    for (const key of [...this.#checked.keys()]) if (isWithin(key, path)) this.#checked.delete(key)
    await this.#parts.memory.forget(path)
  }

  /** The folder of a path, made where none is. */
  async make(path: string, signal: AbortSignal): Promise<string> {
    if (path === '') return this.#root
    const known = this.#checked.get(path)
    if (known !== undefined) return known
    const place = placed(await this.make(folderOf(path), signal), path)
    return this.#turns.take(path, signal, async () => (await this.#found(place, signal)) ?? this.#made(place, signal))
  }

  /**
   * The target's own root: names below `top`, each known by a key that is no path of a copy.
   * @param mayMake false answers undefined where one is missing.
   */
  async root(
    top: string,
    names: readonly string[],
    mayMake: boolean,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    let parent = top
    let key = ''
    for (const spelled of names) {
      key = `${key}/${spelled}`
      const place = { parent, spelled, key }
      const id = await this.#turns.take(key, signal, async () => {
        const found = await this.#found(place, signal)
        return found === undefined && mayMake ? this.#made(place, signal) : found
      })
      if (id === undefined) return undefined
      parent = id
    }
    return parent
  }

  /** How a name of a path is spelled there. */
  static spelled(path: string): string {
    const encoded = encodeName(nameOf(path), nameRules.googleDrive)
    if (encoded.kind === 'spelled') return encoded.name
    throw new TargetError({ kind: 'park' }, `${encoded.why}; rename it at its source, then run "fanfold retry"`)
  }

  async #found({ parent, spelled, key }: Place, signal: AbortSignal): Promise<string | undefined> {
    const { inventory, memory } = this.#parts
    const known = this.#checked.get(key)
    if (known !== undefined) return known
    const { since } = this.#moving
    const named = (await inventory.named(parent, spelled, signal)).filter(({ kind }) => kind === 'folder')
    if (named.length > 1) this.#warn(key, named)
    const kept = memory.get(key)
    if (kept !== undefined) {
      if (named.some(({ id }) => id === kept) || (await this.#nodeAt(kept, { parent, spelled, key }, signal)))
        return this.#check(key, kept, since)
      await memory.forget(key)
    }
    const [oldest] = named
    if (oldest === undefined) return undefined
    if (this.#moving.mayRemember(key, since)) await memory.keep(key, oldest.id)
    return this.#check(key, oldest.id, since)
  }

  /** By its id, since a listing may not know it yet. Trashed, moved or renamed by somebody it stands for this path no more (F79). */
  async #nodeAt(id: string, { parent, spelled, key }: Place, signal: AbortSignal): Promise<FolderNode | undefined> {
    const { api } = this.#parts
    const node = await api.node(`look at the folder ${showPath(key)}`, id, signal)
    if (node?.kind !== 'folder' || node.isTrashed || node.name !== spelled) return undefined
    return api.isIn(node, parent) ? node : undefined
  }

  async #made(place: Place, signal: AbortSignal): Promise<string> {
    const { ids, memory, inventory } = this.#parts
    const { since } = this.#moving
    const id = this.#areIdsTaken ? await ids.take(signal) : undefined
    if (id !== undefined) await memory.keep(place.key, id)
    const node = await this.#create(place, id, signal)
    if (node.isTrashed) throw await this.misplaced(signal)
    if (node.id !== id) await memory.keep(place.key, node.id)
    inventory.note(node)
    inventory.isEmpty(node.id)
    return this.#check(place.key, node.id, since)
  }

  async #create({ parent, spelled, key }: Place, id: string | undefined, signal: AbortSignal): Promise<DriveNode> {
    const { api, inventory } = this.#parts
    const verb = `creation of the folder ${showPath(key)}`
    const requestBody = { name: spelled, mimeType: folderType, parents: [parent], ...(id === undefined ? {} : { id }) }
    const params = { requestBody, fields: nodeFields, ...allDrives }
    try {
      const value = await api.rpc(verb, (sdk, options) => sdk.files.create(params, options), signal)
      const node = api.nodeOf(verb, value, parent)
      if (node?.kind === 'folder') return node
      throw new TargetError(
        { kind: 'retry' },
        `${api.what(verb)}: expected a folder, got something else; it is tried again`,
      )
    } catch (thrown) {
      // Whatever came of it, a listing of before does not know it.
      inventory.forget()
      if (!(thrown instanceof Refused) || id === undefined) throw thrown
      if (thrown.status === 404) throw await this.misplaced(signal)
      if (thrown.status === 400) {
        this.#areIdsTaken = false
        return this.#create({ parent, spelled, key }, undefined, signal)
      }
      const there = thrown.status === 409 ? await api.node(verb, id, signal) : undefined
      if (there?.kind !== 'folder') throw thrown
      return there
    }
  }

  /** A folder is in the trash or gone although it was there: what to throw, once it is known that the root itself is not (F79). */
  async misplaced(signal: AbortSignal): Promise<TargetError> {
    const { api, name } = this.#parts
    this.recheck()
    const verb = 'look at the root'
    // An alias is always there.
    const isAlias = this.#root === rootAlias || this.#root === ''
    const root = isAlias ? undefined : await api.node(verb, this.#root, signal)
    const isLost = !isAlias && (root === undefined || root.isTrashed)
    if (!isLost) return new TargetError({ kind: 'retry' }, `${name}: a folder was taken away; it is made again`)
    const text = `${name}: its folder at Google Drive is gone; restore it there, or create it again if it was meant to go`
    return new TargetError({ kind: 'pause-target', state: 'missing' }, text)
  }

  /** @param since before it was looked for: its folder may have gone elsewhere meanwhile. */
  #check(key: string, id: string, since: number): string {
    if (!this.#moving.mayRemember(key, since)) return id
    if (this.#checked.size >= checkedMax) this.#checked.clear()
    this.#checked.set(key, id)
    return id
  }

  #warn(key: string, named: readonly DriveNode[]): void {
    const { log, name } = this.#parts
    log.warn('folders of one name at Google Drive, the oldest is used', {
      target: name,
      path: key,
      count: named.length,
    })
  }
}

function placed(parent: string, path: string): Place {
  return { parent, spelled: Folders.spelled(path), key: path }
}
