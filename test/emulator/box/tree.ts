/** What lies in the account: files with their versions and folders, by id, and the trash. Knows nothing of JSON and HTTP. */
import type { StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import { Events } from './events.ts'
import { askedKeys, expectName, storedKey } from './names.ts'
import { Refused } from './refusal.ts'

export interface Version {
  readonly id: string
  readonly bytes: StoredBytes
  readonly name: string
  readonly createdMs: number
}

interface Common {
  readonly id: string
  name: string
  /** What it lies in, in the trash what it lay in. Undefined for the root only. */
  parent: FolderItem | undefined
  etag: number
  sequence: number
  readonly createdMs: number
  modifiedMs: number
  /** Whole seconds. */
  contentCreatedMs: number
  contentModifiedMs: number
  trashedMs: number | undefined
}

export interface FileItem extends Common {
  readonly kind: 'file'
  /** Oldest first, never empty. */
  readonly versions: Version[]
}

export interface FolderItem extends Common {
  readonly kind: 'folder'
  readonly children: Map<string, Item>
}

export type Item = FileItem | FolderItem

export interface Times {
  readonly createdMs: number | undefined
  readonly modifiedMs: number | undefined
}

export interface TreeRules {
  readonly quotaBytes: number
  /** Of the account's plan. Unit: bytes. */
  readonly fileBytesMax: number
  /** Before an upload and when a folder is made, the incoming name is compared in NFKC too: reported, not documented. Default false. */
  readonly normalisesIncoming: boolean
  /** Whether versions are kept; free accounts overwrite. Default true. */
  readonly keepsVersions: boolean
}

const idOfRoot = '0'

export class Tree {
  readonly root: FolderItem
  readonly trash = new Map<string, Item>()
  readonly events: Events
  rules: TreeRules
  usedBytes = 0
  readonly #clock: MovableClock
  readonly #items = new Map<string, Item>()
  #made = 1_800_000_000_000

  constructor(clock: MovableClock, rules: TreeRules) {
    this.#clock = clock
    this.rules = rules
    this.events = new Events(clock)
    this.root = { ...this.#common(undefined, ''), id: idOfRoot, kind: 'folder', children: new Map() }
    this.#items.set(idOfRoot, this.root)
  }

  newId(): string {
    this.#made += 7
    return String(this.#made)
  }

  /** In the trash too. @throws Refused not_found */
  any(id: string): Item {
    const item = this.#items.get(id)
    if (item === undefined) throw new Refused(404, 'not_found')
    return item
  }

  /** @throws Refused not_found, trashed */
  file(id: string): FileItem {
    const item = this.any(id)
    if (item.kind !== 'file') throw new Refused(404, 'not_found')
    return this.#untrashed(item)
  }

  /** @throws Refused not_found, trashed */
  folder(id: string): FolderItem {
    const item = this.any(id)
    if (item.kind !== 'folder') throw new Refused(404, 'not_found')
    return this.#untrashed(item)
  }

  /** "a/b", as an owner sees it. */
  peek(path: string): Item | undefined {
    let item: Item | undefined = this.root
    for (const name of path.split('/').filter((part) => part !== ''))
      item = item?.kind === 'folder' ? item.children.get(storedKey(name)) : undefined
    return item
  }

  /** What keeps a name from being given there. @throws Refused item_name_invalid, item_name_in_use */
  expectFree(parent: FolderItem, name: string, more: { readonly isIncoming: boolean; readonly besides?: Item }): void {
    expectName(name)
    const keys = askedKeys(name, more.isIncoming && this.rules.normalisesIncoming)
    for (const key of keys) {
      const held = parent.children.get(key)
      if (held !== undefined && held !== more.besides) throw new NameInUse(held)
    }
  }

  /** @throws Refused storage_limit_exceeded, file_size_limit_exceeded */
  expectRoom(bytes: number): void {
    if (bytes > this.rules.fileBytesMax) throw new Refused(403, 'file_size_limit_exceeded')
    if (this.usedBytes + bytes > this.rules.quotaBytes) throw new Refused(403, 'storage_limit_exceeded')
  }

  addFile(parent: FolderItem, name: string, bytes: StoredBytes, times: Times): FileItem {
    this.expectFree(parent, name, { isIncoming: false })
    this.expectRoom(bytes.size)
    const common = this.#common(parent, name)
    const nowMs = wholeSeconds(this.#clock.nowMs())
    const file: FileItem = {
      ...common,
      kind: 'file',
      contentCreatedMs: times.createdMs ?? nowMs,
      contentModifiedMs: times.modifiedMs ?? nowMs,
      versions: [{ id: this.newId(), bytes, name, createdMs: common.createdMs }],
    }
    this.usedBytes += bytes.size
    this.#add(file, parent)
    this.events.add('ITEM_UPLOAD', file)
    return file
  }

  addVersion(file: FileItem, bytes: StoredBytes, modifiedMs: number | undefined): void {
    this.expectRoom(bytes.size)
    if (!this.rules.keepsVersions) {
      for (const old of file.versions) this.usedBytes -= old.bytes.size
      file.versions.length = 0
    }
    const nowMs = this.#clock.nowMs()
    file.versions.push({ id: this.newId(), bytes, name: file.name, createdMs: nowMs })
    file.contentModifiedMs = modifiedMs ?? wholeSeconds(nowMs)
    this.usedBytes += bytes.size
    this.#touch(file)
    this.events.add('ITEM_UPLOAD', file)
  }

  addFolder(parent: FolderItem, name: string): FolderItem {
    this.expectFree(parent, name, { isIncoming: true })
    const folder: FolderItem = { ...this.#common(parent, name), kind: 'folder', children: new Map() }
    this.#add(folder, parent)
    this.events.add('ITEM_CREATE', folder)
    return folder
  }

  /** Another name, another folder, another time; what is left out stays. */
  change(
    item: Item,
    to: { readonly name?: string | undefined; readonly parent?: FolderItem | undefined; readonly modifiedMs?: number },
  ): void {
    const parent = to.parent ?? item.parent
    if (parent === undefined) throw new Refused(403, 'forbidden')
    const name = to.name ?? item.name
    const isElsewhere = parent !== item.parent
    if (isElsewhere || name !== item.name) {
      for (let above: FolderItem | undefined = parent; above !== undefined; above = above.parent)
        if (above === item) throw new Refused(400, 'cyclical_folder_structure')
      this.expectFree(parent, name, { isIncoming: false, besides: item })
      item.parent?.children.delete(storedKey(item.name))
      item.name = name
      item.parent = parent
      parent.children.set(storedKey(name), item)
    }
    if (to.modifiedMs !== undefined) item.contentModifiedMs = to.modifiedMs
    this.#touch(item)
    this.events.add(isElsewhere ? 'ITEM_MOVE' : 'ITEM_RENAME', item)
  }

  copy(file: FileItem, parent: FolderItem, name: string): FileItem {
    const { contentCreatedMs: createdMs, contentModifiedMs: modifiedMs } = file
    return this.addFile(parent, name, lastVersion(file).bytes, { createdMs, modifiedMs })
  }

  /** To the trash, with all that is in it. */
  remove(item: Item): void {
    if (item.parent === undefined) throw new Refused(403, 'forbidden')
    item.parent.children.delete(storedKey(item.name))
    for (const each of below(item)) each.trashedMs = this.#clock.nowMs()
    this.trash.set(item.id, item)
    this.events.add('ITEM_TRASH', item)
  }

  restore(item: Item, parent: FolderItem, name: string): void {
    if (!this.trash.has(item.id)) throw new Refused(405, 'not_trashed')
    this.expectFree(parent, name, { isIncoming: false })
    this.trash.delete(item.id)
    for (const each of below(item)) each.trashedMs = undefined
    item.parent = parent
    item.name = name
    parent.children.set(storedKey(name), item)
    this.#touch(item)
    this.events.add('ITEM_UNDELETE_VIA_TRASH', item)
  }

  purge(item: Item): void {
    if (!this.trash.delete(item.id)) throw new Refused(404, 'not_trashed')
    for (const each of below(item)) {
      this.#items.delete(each.id)
      if (each.kind === 'file') for (const { bytes } of each.versions) this.usedBytes -= bytes.size
    }
  }

  #untrashed<Kind extends Item>(item: Kind): Kind {
    if (item.trashedMs !== undefined) throw new Refused(404, 'trashed')
    return item
  }

  #add(item: Item, parent: FolderItem): void {
    parent.children.set(storedKey(item.name), item)
    this.#items.set(item.id, item)
  }

  #touch(item: Item): void {
    item.etag += 1
    item.sequence += 1
    item.modifiedMs = this.#clock.nowMs()
  }

  #common(parent: FolderItem | undefined, name: string): Common {
    const nowMs = this.#clock.nowMs()
    const content = { contentCreatedMs: wholeSeconds(nowMs), contentModifiedMs: wholeSeconds(nowMs) }
    const fresh = { etag: 0, sequence: 0, trashedMs: undefined, createdMs: nowMs, modifiedMs: nowMs }
    return { id: this.newId(), name, parent, ...fresh, ...content }
  }
}

/** Another item, file or folder, has that name. */
export class NameInUse extends Error {
  readonly held: Item
  constructor(held: Item) {
    super(`${held.name} is there`)
    this.held = held
  }
}

export function lastVersion(file: FileItem): Version {
  const last = file.versions.at(-1)
  if (last === undefined) throw new Error(`${file.name} has no version`)
  return last
}

/** The item itself and all that is in it, folders before what they hold. */
export function* below(item: Item): Generator<Item> {
  yield item
  if (item.kind === 'folder') for (const child of item.children.values()) yield* below(child)
}

export function pathOf(item: Item): string {
  return item.parent === undefined ? '' : `${pathOf(item.parent)}/${item.name}`
}

/** Times have whole seconds there. */
export function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}
