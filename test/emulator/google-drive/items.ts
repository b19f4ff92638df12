/** What lies at Google Drive: items known by id, each in one parent, any number of one name. How it is told to clients is not said here. */
import { randomBytes } from 'node:crypto'
import type { StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import { Refused, notFound, refusedAs } from './refusal.ts'

export const folderType = 'application/vnd.google-apps.folder'

export interface Revision {
  readonly id: string
  readonly bytes: StoredBytes
  readonly modifiedMs: number
  isKept: boolean
}

export interface Item {
  readonly id: string
  name: string
  /** What the index of names has until it caught up. */
  nameBefore: string | undefined
  namedMs: number
  /** Undefined for the roots. */
  parent: Item | undefined
  readonly children: Set<Item>
  mimeType: string
  createdMs: number
  modifiedMs: number
  /** By itself, not by a folder above. */
  trashedMs: number | undefined
  appProperties: Readonly<Record<string, string>>
  properties: Readonly<Record<string, string>>
  description: string | undefined
  version: number
  /** Oldest first; none of folders and of Google's own documents. */
  readonly revisions: Revision[]
  /** Made by the client whose logins these are: all that the scope drive.file sees. */
  readonly isOurs: boolean
}

export interface ItemRules {
  readonly quotaBytes: number
  readonly childrenMax: number
  /** Names of folders from the root on. */
  readonly depthMax: number
  /** Not known: what making something below a trashed folder does. Default 'succeeds'. */
  readonly belowTrashed: 'succeeds' | 'notFound'
}

/** What a new item, or a change of one, says of it. */
export interface Wish {
  readonly name?: string | undefined
  readonly mimeType?: string | undefined
  readonly modifiedMs?: number | undefined
  readonly createdMs?: number | undefined
  readonly description?: string | undefined
  /** null takes a key away. */
  readonly appProperties?: Readonly<Record<string, string | null>> | undefined
  readonly properties?: Readonly<Record<string, string | null>> | undefined
  readonly trashed?: boolean | undefined
}

export interface Change {
  readonly seq: number
  readonly id: string
  readonly atMs: number
}

/** Changes remembered; older page tokens are refused. */
const changesMax = 200_000
/** Source: Drive, revisions: the oldest goes above this unless it is kept for ever. */
const revisionsMax = 100
/** The one shared drive of this emulator. */
export const sharedDriveId = '0AFanfoldSharedDrivePVA'

export class Items {
  rules: ItemRules
  readonly root: Item
  readonly sharedRoot: Item
  usedBytes = 0
  readonly #clock: MovableClock
  readonly #byId = new Map<string, Item>()
  #changes: Change[] = []
  #seq = 1000
  #revisionCount = 0

  constructor(clock: MovableClock, rules: ItemRules) {
    this.#clock = clock
    this.rules = rules
    this.root = this.#register('0AFanfoldMyDriveRootPVA', { name: 'My Drive', mimeType: folderType }, undefined, false)
    this.sharedRoot = this.#register(sharedDriveId, { name: 'Shared', mimeType: folderType }, undefined, false)
  }

  get(id: string): Item | undefined {
    return this.#byId.get(id === 'root' ? this.root.id : id)
  }

  find(id: string): Item {
    const item = this.get(id)
    if (item === undefined) throw notFound(id)
    return item
  }

  all(): IterableIterator<Item> {
    return this.#byId.values()
  }

  get lastSeq(): number {
    return this.#seq
  }

  /** Changes behind a seq. @throws Refused for one that is too old */
  changesSince(seq: number): readonly Change[] {
    const first = this.#changes[0]?.seq
    if (first !== undefined && seq + 1 < first && this.#changes.length >= changesMax)
      throw new Refused(410, 'gone', 'The page token is too old.')
    return this.#changes.filter((change) => change.seq > seq)
  }

  add(wish: Wish, parent: Item, options: { readonly id: string; readonly isOurs: boolean }): Item {
    if (this.#byId.has(options.id)) throw refusedAs('id-in-use')
    this.#expectRoom(parent)
    const item = this.#register(options.id, wish, parent, options.isOurs)
    this.#log(item)
    return item
  }

  change(item: Item, wish: Wish): void {
    const nowMs = this.#clock.nowMs()
    if (wish.name !== undefined && wish.name !== item.name) {
      item.nameBefore = item.name
      item.namedMs = nowMs
      item.name = wish.name
    }
    if (wish.mimeType !== undefined) item.mimeType = wish.mimeType
    if (wish.modifiedMs !== undefined) item.modifiedMs = wish.modifiedMs
    if (wish.description !== undefined) item.description = wish.description
    if (wish.appProperties !== undefined) item.appProperties = merged(item.appProperties, wish.appProperties)
    if (wish.properties !== undefined) item.properties = merged(item.properties, wish.properties)
    if (wish.trashed !== undefined) item.trashedMs = wish.trashed ? (item.trashedMs ?? nowMs) : undefined
    this.#log(item)
  }

  /** A new revision; `modifiedMs` is now unless the wish says otherwise. */
  write(item: Item, bytes: StoredBytes, isKept: boolean): void {
    const before = item.revisions.at(-1)?.bytes.size ?? 0
    this.expectSpace(bytes.size - before)
    this.usedBytes += bytes.size - before
    this.#revisionCount += 1
    const modifiedMs = this.#clock.nowMs()
    item.modifiedMs = modifiedMs
    item.revisions.push({ id: `0B${String(this.#revisionCount).padStart(20, '0')}`, bytes, modifiedMs, isKept })
    if (item.revisions.length > revisionsMax) {
      const oldest = item.revisions.findIndex((revision) => !revision.isKept)
      if (oldest >= 0) item.revisions.splice(oldest, 1)
    }
    this.#log(item)
  }

  expectSpace(moreBytes: number): void {
    if (moreBytes > 0 && this.usedBytes + moreBytes > this.rules.quotaBytes) throw refusedAs('full')
  }

  move(item: Item, parent: Item): void {
    for (let above: Item | undefined = parent; above !== undefined; above = above.parent) {
      if (above === item) throw new Refused(403, 'cannotMoveTrashedItemOutOfTeamDrive', 'A folder cannot be in itself.')
    }
    if (item.parent !== parent) this.#expectRoom(parent)
    item.parent?.children.delete(item)
    item.parent = parent
    parent.children.add(item)
    this.#log(item)
  }

  /** For good, with all that is in it. */
  purge(item: Item): void {
    for (const each of [...below(item)]) {
      this.#byId.delete(each.id)
      this.usedBytes -= each.revisions.at(-1)?.bytes.size ?? 0
      this.#log(each)
    }
    item.parent?.children.delete(item)
  }

  #expectRoom(parent: Item): void {
    if (isTrashed(parent) && this.rules.belowTrashed === 'notFound') throw notFound(parent.id)
    if (parent.mimeType !== folderType)
      throw new Refused(403, 'parentNotAFolder', 'The specified parent is not a folder.')
    if (parent.children.size >= this.rules.childrenMax) throw refusedAs('children-max')
    let depth = 0
    for (let above: Item | undefined = parent; above !== undefined; above = above.parent) depth += 1
    if (depth > this.rules.depthMax) throw refusedAs('depth-max')
  }

  #register(id: string, wish: Wish, parent: Item | undefined, isOurs: boolean): Item {
    const nowMs = this.#clock.nowMs()
    const item: Item = {
      id,
      name: wish.name ?? 'Untitled',
      nameBefore: undefined,
      namedMs: nowMs,
      parent,
      children: new Set(),
      mimeType: wish.mimeType ?? 'application/octet-stream',
      createdMs: wish.createdMs ?? nowMs,
      modifiedMs: wish.modifiedMs ?? nowMs,
      trashedMs: undefined,
      appProperties: merged({}, wish.appProperties ?? {}),
      properties: merged({}, wish.properties ?? {}),
      description: wish.description,
      version: 0,
      revisions: [],
      isOurs,
    }
    this.#byId.set(id, item)
    parent?.children.add(item)
    return item
  }

  #log(item: Item): void {
    this.#seq += 1
    item.version += 1
    this.#changes.push({ seq: this.#seq, id: item.id, atMs: this.#clock.nowMs() })
    if (this.#changes.length > 2 * changesMax) this.#changes = this.#changes.slice(-changesMax)
  }
}

export function isTrashed(item: Item): boolean {
  for (let above: Item | undefined = item; above !== undefined; above = above.parent) {
    if (above.trashedMs !== undefined) return true
  }
  return false
}

export function rootOf(item: Item): Item {
  return item.parent === undefined ? item : rootOf(item.parent)
}

/** The item itself and all that is in it. */
export function* below(item: Item): Generator<Item> {
  yield item
  for (const child of item.children) yield* below(child)
}

export function newId(): string {
  return `1${randomBytes(24).toString('base64url')}`
}

function merged(
  before: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries({ ...before, ...change })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null))
}
