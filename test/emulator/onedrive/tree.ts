/** What lies in the drive: files with their versions, folders, and the log of changes. Knows nothing of JSON and HTTP. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import { expectName, keyOf, type NameRules } from './names.ts'
import { full, nameExists, notFound, Refused } from './refusal.ts'

export interface Times {
  /** As the client has it; unit: ms. */
  readonly createdMs: number
  readonly modifiedMs: number
}

export interface Version {
  readonly id: string
  readonly bytes: StoredBytes
  readonly atMs: number
}

interface Common {
  readonly id: string
  readonly guid: string
  name: string
  /** Of eTag and cTag. */
  changes: number
  contents: number
  times: Times
  createdMs: number
  modifiedMs: number
}

export interface FileItem extends Common {
  readonly kind: 'file'
  parent: FolderItem
  /** Oldest first, never empty. */
  versions: Version[]
}

export interface FolderItem extends Common {
  readonly kind: 'folder'
  /** Undefined for the root only. */
  parent: FolderItem | undefined
  readonly children: Map<string, Item>
}

export type Item = FileItem | FolderItem

export interface Change {
  readonly seq: number
  readonly item: Item
  readonly isDeleted: boolean
}

export type Conflict = 'fail' | 'replace' | 'rename'

export interface TreeRules extends NameRules {
  readonly quotaBytes: number
  /** A change of times alone makes a version. */
  readonly patchMakesVersion: boolean
}

/** Changes a token can still be continued over. */
const changesMax = 400_000

export class Tree {
  readonly root: FolderItem
  rules: TreeRules
  usedBytes = 0
  deletedBytes = 0
  readonly #clock: MovableClock
  readonly #newId: () => string
  readonly #ids = new Map<string, Item>()
  #changes: Change[] = []
  #seq = 0

  constructor(clock: MovableClock, rules: TreeRules, newId: () => string) {
    this.#clock = clock
    this.rules = rules
    this.#newId = newId
    this.root = { kind: 'folder', ...this.#fresh('root'), parent: undefined, children: new Map() }
    this.#ids.set(this.root.id, this.root)
  }

  get seq(): number {
    return this.#seq
  }

  /** The last change of each item after `seq`; undefined when they are not all remembered any more. */
  changesSince(seq: number): readonly Change[] | undefined {
    const first = this.#changes[0]?.seq ?? this.#seq + 1
    if (seq + 1 < first) return undefined
    const changes = this.#changes.slice(seq + 1 - first)
    const last = new Map(changes.map((change) => [change.item.id, change]))
    return changes.filter((change) => last.get(change.item.id) === change)
  }

  byId(id: string): Item | undefined {
    return this.#ids.get(id)
  }

  child(parent: FolderItem, name: string): Item | undefined {
    return parent.children.get(keyOf(name, this.rules))
  }

  /** @throws Refused */
  find(start: Item, names: readonly string[]): Item {
    let item: Item | undefined = start
    for (const name of names) item = item?.kind === 'folder' ? this.child(item, name) : undefined
    if (item === undefined) throw notFound()
    return item
  }

  /** @throws Refused */
  makeFolder(
    parent: FolderItem,
    name: string,
    conflict: Conflict,
  ): { readonly folder: FolderItem; readonly isNew: boolean } {
    this.#expectName(parent, name, true)
    const held = this.child(parent, name)
    if (held !== undefined && conflict === 'fail') throw nameExists()
    if (held !== undefined && conflict === 'replace') {
      if (held.kind === 'folder') return { folder: held, isNew: false }
      throw nameExists()
    }
    const free = held === undefined ? name : this.#freeName(parent, name)
    const folder: FolderItem = { kind: 'folder', ...this.#fresh(free), parent, children: new Map() }
    this.#add(folder, parent)
    return { folder, isNew: true }
  }

  /** Gives bytes a name. @throws Refused */
  put(
    parent: FolderItem,
    name: string,
    content: { readonly bytes: StoredBytes; readonly times: Partial<Times>; readonly conflict: Conflict },
  ): { readonly file: FileItem; readonly isNew: boolean } {
    const { bytes, times, conflict } = content
    this.#expectName(parent, name, false)
    const held = this.child(parent, name)
    if (held !== undefined && (held.kind === 'folder' || conflict === 'fail')) throw nameExists()
    this.expectRoom(bytes.size)
    if (held !== undefined && conflict === 'replace') {
      this.revise(held, bytes, times)
      return { file: held, isNew: false }
    }
    const free = held === undefined ? name : this.#freeName(parent, name)
    const file: FileItem = { kind: 'file', ...this.#fresh(free), parent, versions: [] }
    this.#add(file, parent)
    this.revise(file, bytes, times)
    return { file, isNew: true }
  }

  /** Whether a name could be given; for sessions, which ask early. @throws Refused */
  expectPlace(parent: FolderItem, name: string): void {
    this.#expectName(parent, name, false)
    if (this.child(parent, name)?.kind === 'folder') throw nameExists()
  }

  expectRoom(bytes: number): void {
    if (this.usedBytes + bytes > this.rules.quotaBytes) throw full()
  }

  /** New content of a file. Times that are not given are now. */
  revise(file: FileItem, bytes: StoredBytes, times: Partial<Times>): void {
    const nowMs = this.#clock.nowMs()
    this.usedBytes += bytes.size
    file.versions.push({ id: `${file.versions.length + 1}.0`, bytes, atMs: nowMs })
    file.contents += 1
    file.times = { createdMs: times.createdMs ?? file.times.createdMs, modifiedMs: times.modifiedMs ?? nowMs }
    this.#touch(file)
  }

  setTimes(item: Item, times: Partial<Times>): void {
    item.times = { ...item.times, ...times }
    if (item.kind === 'file' && this.rules.patchMakesVersion) {
      const { bytes } = lastVersion(item)
      this.usedBytes += bytes.size
      item.versions.push({ id: `${item.versions.length + 1}.0`, bytes, atMs: this.#clock.nowMs() })
    }
    this.#touch(item)
  }

  /** @throws Refused */
  place(item: Item, parent: FolderItem, name: string): void {
    this.#expectName(parent, name, item.kind === 'folder')
    const held = this.child(parent, name)
    if (held !== undefined && held !== item) throw nameExists()
    if (item.parent === undefined || isWithin(parent, item)) throw new Refused(400, 'invalidRequest')
    item.parent.children.delete(keyOf(item.name, this.rules))
    item.name = name
    item.parent = parent
    parent.children.set(keyOf(name, this.rules), item)
    this.#touch(item)
  }

  /** @param isForEver past the recycle bin. */
  remove(item: Item, isForEver = false): void {
    if (item.parent === undefined) throw new Refused(403, 'accessDenied')
    item.parent.children.delete(keyOf(item.name, this.rules))
    for (const each of below(item)) {
      this.#ids.delete(each.id)
      if (each.kind === 'file') {
        const bytes = each.versions.reduce((sum, version) => sum + version.bytes.size, 0)
        this.usedBytes -= bytes
        if (!isForEver) this.deletedBytes += bytes
      }
      this.#log(each, true)
    }
  }

  removeVersion(file: FileItem, id: string): void {
    const version = file.versions.find((each) => each.id === id)
    if (version === undefined || version === lastVersion(file)) throw notFound()
    file.versions = file.versions.filter((each) => each !== version)
    this.usedBytes -= version.bytes.size
  }

  duplicate(item: Item, parent: FolderItem, name: string, conflict: Conflict): Item {
    if (item.kind === 'file') {
      return this.put(parent, name, { bytes: lastVersion(item).bytes, times: item.times, conflict }).file
    }
    const { folder } = this.makeFolder(parent, name, conflict)
    for (const child of item.children.values()) this.duplicate(child, folder, child.name, conflict)
    return folder
  }

  #expectName(parent: FolderItem, name: string, isFolder: boolean): void {
    const isAtRoot = parent === this.root
    expectName({ name, isFolder, isAtRoot, unitsAbove: libraryUnits(this.rules) + pathOf(parent).length }, this.rules)
  }

  #fresh(name: string): Common {
    const nowMs = this.#clock.nowMs()
    const times = { createdMs: nowMs, modifiedMs: nowMs }
    const counts = { changes: 1, contents: 0 }
    return {
      id: this.#newId(),
      guid: randomUUID().toUpperCase(),
      name,
      ...counts,
      times,
      createdMs: nowMs,
      modifiedMs: nowMs,
    }
  }

  #add(item: Item, parent: FolderItem): void {
    parent.children.set(keyOf(item.name, this.rules), item)
    this.#ids.set(item.id, item)
    this.#log(item, false)
  }

  #touch(item: Item): void {
    item.changes += 1
    item.modifiedMs = this.#clock.nowMs()
    this.#log(item, false)
  }

  #log(item: Item, isDeleted: boolean): void {
    this.#seq += 1
    this.#changes.push({ seq: this.#seq, item, isDeleted })
    if (this.#changes.length > 2 * changesMax) this.#changes = this.#changes.slice(-changesMax)
  }

  #freeName(parent: FolderItem, name: string): string {
    const dot = name.lastIndexOf('.')
    const [stem, end] = dot <= 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)]
    let number = 1
    while (this.child(parent, `${stem} ${number}${end}`) !== undefined) number += 1
    return `${stem} ${number}${end}`
  }
}

/** `personal/owner_contoso_com/Documents`; a personal drive of the old kind has nothing before its own paths. */
export function libraryUnits({ driveType }: Pick<TreeRules, 'driveType'>): number {
  return driveType === 'personal' ? 0 : libraryPath[driveType].length
}
export const libraryPath = {
  business: '/personal/owner_contoso_com/Documents',
  documentLibrary: '/sites/archive/Shared Documents',
} as const

export function lastVersion(file: FileItem): Version {
  const last = file.versions.at(-1)
  if (last === undefined) throw new Error(`${file.name} has no version`)
  return last
}

/** `/a/b`, '' for the root. */
export function pathOf(item: Item): string {
  return item.parent === undefined ? '' : `${pathOf(item.parent)}/${item.name}`
}

/** The item itself and all that is in it, folders before what they hold. */
export function* below(item: Item): Generator<Item> {
  yield item
  if (item.kind === 'folder') for (const child of item.children.values()) yield* below(child)
}

export function isWithin(item: Item, folder: Item): boolean {
  for (let at: Item | undefined = item; at !== undefined; at = at.parent) if (at === folder) return true
  return false
}

export function personalIds(driveId: string): () => string {
  return () => `${driveId}!s${randomBytes(16).toString('hex')}`
}

/** `01` and 32 characters of base32. */
export function businessIds(): () => string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return () => `01${[...randomBytes(32)].map((byte) => letters.charAt(byte % 32)).join('')}`
}
