/** What lies in the account: files with their revisions, folders, what was deleted, and the log of changes. Knows nothing of JSON and HTTP. */
import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { StoredBytes } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import { askedKey, namesOf, numbered, type PathRules, writtenKey } from './paths.ts'
import { Refused } from './refusal.ts'

export interface Revision {
  readonly rev: string
  readonly bytes: StoredBytes
  /** As Dropbox writes times: whole seconds, UTC. */
  readonly clientModified: string
  readonly serverModified: string
}

export interface FileNode {
  readonly kind: 'file'
  readonly id: string
  name: string
  parent: FolderNode
  /** Oldest first, never empty. */
  readonly revisions: Revision[]
}

export interface FolderNode {
  readonly kind: 'folder'
  readonly id: string
  name: string
  /** Undefined for the root only. */
  parent: FolderNode | undefined
  readonly children: Map<string, Node>
}

export type Node = FileNode | FolderNode

export interface Deleted {
  readonly node: Node
  readonly lower: string
  readonly display: string
  readonly atMs: number
}

export interface Change {
  readonly seq: number
  readonly lower: string
  readonly display: string
}

export type WriteMode =
  | { readonly kind: 'add' | 'overwrite' }
  /** Only over this revision. */
  | { readonly kind: 'update'; readonly rev: string }

export interface Commit {
  readonly path: string
  readonly mode: WriteMode
  readonly autorename: boolean
  readonly strictConflict: boolean
  readonly clientModified: string | undefined
}

export interface TreeRules extends PathRules {
  readonly quotaBytes: number
  /** More files than this in a folder cannot be deleted, moved or copied at once. */
  readonly filesPerCallMax: number
  /** What an update of a revision finds when the file is not there any more; not documented. Default 'conflict'. */
  readonly updateOfMissing: 'conflict' | 'write'
  /** What a move does that changes letters' case only; documented as not supported, not how. Default 'conflict'. */
  readonly caseRename: 'conflict' | 'rename'
  /** Whether a file that is moved has another revision there, as was seen; with a folder above it that is not documented. Default true. */
  readonly movesRevise: boolean
}

/** Changes a cursor can still be continued over. */
const changesMax = 400_000
/** Deleted things that can be restored and listed. */
const deletedMax = 200_000
/** Kept of one file. */
const revisionsMax = 1000

export class Tree {
  readonly root: FolderNode = { kind: 'folder', id: newId(), name: '', parent: undefined, children: new Map() }
  /** Tells of each change, for who polls. */
  readonly changed = new EventEmitter()
  rules: TreeRules
  usedBytes = 0
  readonly #clock: MovableClock
  readonly #ids = new Map<string, Node>()
  readonly #revs = new Map<string, { readonly node: FileNode; readonly revision: Revision }>()
  readonly #deleted = new Map<string, Deleted>()
  #changes: Change[] = []
  #seq = 0
  #revCount = 0x5e_0000_0000

  constructor(clock: MovableClock, rules: TreeRules) {
    this.#clock = clock
    this.rules = rules
    this.changed.setMaxListeners(0)
    this.#ids.set(this.root.id, this.root)
  }

  get seq(): number {
    return this.#seq
  }

  /** Changes after `seq`, undefined when they are not all remembered any more. */
  changesSince(seq: number): readonly Change[] | undefined {
    const first = this.#changes[0]?.seq ?? this.#seq + 1
    return seq + 1 < first ? undefined : this.#changes.slice(seq + 1 - first)
  }

  /** By "/path", "id:...", "" for the root. @throws Refused not_found, malformed_path */
  find(path: string): Node {
    const node = path.startsWith('id:') ? this.#ids.get(path) : this.#walk(namesOf(path, this.rules).map(askedKey))
    if (node === undefined) throw new Refused(['not_found'])
    return node
  }

  byId(id: string): Node | undefined {
    return this.#ids.get(id)
  }

  peek(path: string): Node | undefined {
    return this.#walk(path.split('/').slice(1).map(writtenKey))
  }

  revision(rev: string): { readonly node: FileNode; readonly revision: Revision } | undefined {
    return this.#revs.get(rev)
  }

  deleted(lower: string): Deleted | undefined {
    return this.#deleted.get(lower)
  }

  get allDeleted(): Iterable<Deleted> {
    return this.#deleted.values()
  }

  /** A file's new content. Content that is there already is no change. @throws Refused as a WriteError */
  put(commit: Commit, bytes: StoredBytes): FileNode {
    const names = this.#namesToWrite(commit.path)
    const name = names.at(-1)
    if (name === undefined) throw new Refused(['conflict', 'folder'])
    const found = this.#walk(names.map(writtenKey))
    if (found?.kind === 'file' && this.#isSame(found, bytes) && !commit.strictConflict) return found
    const fault = this.#conflict(found, commit)
    if (fault !== undefined && !commit.autorename) throw fault
    this.#allow(bytes.size - (fault === undefined && found?.kind === 'file' ? lastRevision(found).bytes.size : 0))
    const parent = this.#folderFor(names.slice(0, -1))
    const node =
      fault === undefined && found?.kind === 'file'
        ? found
        : this.#addFile(parent, fault === undefined ? name : freeName(parent, name))
    this.#revise(node, bytes, commit.clientModified)
    return node
  }

  /** @throws Refused as a WriteError */
  makeFolder(path: string, autorename: boolean): FolderNode {
    const names = this.#namesToWrite(path)
    const name = names.at(-1)
    const found = this.#walk(names.map(writtenKey))
    if (name === undefined || (found !== undefined && !autorename))
      throw new Refused(['conflict', found?.kind ?? 'folder'])
    const parent = this.#folderFor(names.slice(0, -1))
    return this.#addFolder(parent, found === undefined ? name : freeName(parent, name))
  }

  remove(node: Node): void {
    const { parent } = node
    if (parent === undefined) throw new Refused(['no_write_permission'])
    const [lower, display] = [lowerOf(node), displayOf(node)]
    for (const each of below(node)) {
      this.#bury(each, this.#clock.nowMs())
      this.#ids.delete(each.id)
      if (each.kind === 'file') this.usedBytes -= lastRevision(each).bytes.size
    }
    parent.children.delete(writtenKey(node.name))
    this.#log(lower, display)
  }

  /** @throws Refused as a WriteError */
  move(node: Node, path: string, autorename: boolean): Node {
    const { parent, name } = this.#freePlace(node, path, autorename)
    const [lower, display] = [lowerOf(node), displayOf(node)]
    node.parent?.children.delete(writtenKey(node.name))
    node.name = name
    node.parent = parent
    parent.children.set(writtenKey(name), node)
    this.#log(lower, display)
    this.#logAll(node)
    if (this.rules.movesRevise) for (const each of below(node)) if (each.kind === 'file') this.#reviseUnchanged(each)
    return node
  }

  /** @throws Refused as a WriteError */
  copy(node: Node, path: string, autorename: boolean): Node {
    this.#allow(sizeOf(node))
    const { parent, name } = this.#freePlace(node, path, autorename)
    return this.#duplicate(node, parent, name)
  }

  countFiles(node: Node): number {
    let count = 0
    for (const each of below(node)) if (each.kind === 'file') count += 1
    return count
  }

  #walk(keys: readonly string[]): Node | undefined {
    let node: Node = this.root
    for (const key of keys) {
      const next: Node | undefined = node.kind === 'folder' ? node.children.get(key) : undefined
      if (next === undefined) return undefined
      node = next
    }
    return node
  }

  #namesToWrite(path: string): readonly string[] {
    if (!path.startsWith('id:')) return namesOf(path, this.rules)
    const node = this.#ids.get(path)
    if (node === undefined) throw new Refused(['malformed_path'])
    return displayOf(node).split('/').slice(1)
  }

  #isSame(file: FileNode, bytes: StoredBytes): boolean {
    const { size, hashes } = lastRevision(file).bytes
    return size === bytes.size && hashes.dropbox === bytes.hashes.dropbox
  }

  #conflict(found: Node | undefined, { mode }: Commit): Refused | undefined {
    if (found?.kind === 'folder') return new Refused(['conflict', 'folder'])
    switch (mode.kind) {
      case 'overwrite':
        return undefined
      case 'add':
        return found === undefined ? undefined : new Refused(['conflict', 'file'])
      case 'update': {
        const isRight =
          found === undefined ? this.rules.updateOfMissing === 'write' : lastRevision(found).rev === mode.rev
        return isRight ? undefined : new Refused(['conflict', 'file'])
      }
    }
  }

  #allow(moreBytes: number): void {
    if (moreBytes > 0 && this.usedBytes + moreBytes > this.rules.quotaBytes) throw new Refused(['insufficient_space'])
  }

  /** The folder of these names, made where it is missing. */
  #folderFor(names: readonly string[]): FolderNode {
    let folder = this.root
    for (const name of names) {
      const found = folder.children.get(writtenKey(name))
      if (found?.kind === 'file') throw new Refused(['conflict', 'file_ancestor'])
      folder = found ?? this.#addFolder(folder, name)
    }
    return folder
  }

  #freePlace(node: Node, path: string, autorename: boolean): { readonly parent: FolderNode; readonly name: string } {
    const names = this.#namesToWrite(path)
    const name = names.at(-1)
    const found = this.#walk(names.map(writtenKey))
    if (name === undefined) throw new Refused(['conflict', 'folder'])
    const isCaseOnly = found === node && this.rules.caseRename === 'rename' && node.name !== name
    const isTaken = found !== undefined && !isCaseOnly
    if (isTaken && !autorename) throw new Refused(['conflict', found.kind])
    const parent = this.#folderFor(names.slice(0, -1))
    return { parent, name: isTaken ? freeName(parent, name) : name }
  }

  #addFolder(parent: FolderNode, name: string): FolderNode {
    const folder: FolderNode = { kind: 'folder', id: newId(), name, parent, children: new Map() }
    this.#add(folder, parent)
    this.#deleted.delete(lowerOf(folder))
    this.#log(lowerOf(folder), displayOf(folder))
    return folder
  }

  /** Without content, which the caller gives it at once. A deleted file's revisions live on in the one that takes its place. */
  #addFile(parent: FolderNode, name: string): FileNode {
    const before = this.#deleted.get(`${lowerOf(parent)}/${writtenKey(name)}`)?.node
    const revisions = before?.kind === 'file' ? before.revisions : []
    const file: FileNode = { kind: 'file', id: newId(), name, parent, revisions }
    this.#add(file, parent)
    return file
  }

  #add(node: Node, parent: FolderNode): void {
    parent.children.set(writtenKey(node.name), node)
    this.#ids.set(node.id, node)
  }

  #revise(node: FileNode, bytes: StoredBytes, clientModified: string | undefined): void {
    const isNew = this.#deleted.delete(lowerOf(node)) || node.revisions.length === 0
    this.usedBytes += bytes.size - (isNew ? 0 : lastRevision(node).bytes.size)
    this.#revCount += 1
    const serverModified = timestamp(this.#clock.nowMs())
    const rev = this.#revCount.toString(16).padStart(15, '0')
    const revision = { rev, bytes, clientModified: clientModified ?? serverModified, serverModified }
    node.revisions.push(revision)
    if (node.revisions.length > revisionsMax) this.#revs.delete(node.revisions.shift()?.rev ?? '')
    this.#revs.set(rev, { node, revision })
    this.#log(lowerOf(node), displayOf(node))
  }

  #reviseUnchanged(file: FileNode): void {
    const { bytes, clientModified } = lastRevision(file)
    this.#revise(file, bytes, clientModified)
  }

  #duplicate(node: Node, parent: FolderNode, name: string): Node {
    if (node.kind === 'file') {
      const { bytes, clientModified } = lastRevision(node)
      const file = this.#addFile(parent, name)
      this.#revise(file, bytes, clientModified)
      return file
    }
    const children = [...node.children.values()]
    const folder = this.#addFolder(parent, name)
    for (const child of children) this.#duplicate(child, folder, child.name)
    return folder
  }

  #logAll(node: Node): void {
    for (const each of below(node)) {
      this.#deleted.delete(lowerOf(each))
      this.#log(lowerOf(each), displayOf(each))
    }
  }

  #bury(node: Node, atMs: number): void {
    const lower = lowerOf(node)
    this.#deleted.set(lower, { node, lower, display: displayOf(node), atMs })
    const [oldest] = this.#deleted.keys()
    if (this.#deleted.size > deletedMax && oldest !== undefined) this.#deleted.delete(oldest)
  }

  #log(lower: string, display: string): void {
    this.#seq += 1
    this.#changes.push({ seq: this.#seq, lower, display })
    if (this.#changes.length > 2 * changesMax) this.#changes = this.#changes.slice(-changesMax)
    this.changed.emit('change')
  }
}

export function lastRevision(file: FileNode): Revision {
  const last = file.revisions.at(-1)
  if (last === undefined) throw new Error(`${file.name} has no revision`)
  return last
}

export function lowerOf(node: Node): string {
  return node.parent === undefined ? '' : `${lowerOf(node.parent)}/${writtenKey(node.name)}`
}

export function displayOf(node: Node): string {
  return node.parent === undefined ? '' : `${displayOf(node.parent)}/${node.name}`
}

/** The node itself and all that is in it, folders before what they hold. */
export function* below(node: Node): Generator<Node> {
  yield node
  if (node.kind === 'folder') for (const child of node.children.values()) yield* below(child)
}

export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

function sizeOf(node: Node): number {
  let bytes = 0
  for (const each of below(node)) if (each.kind === 'file') bytes += lastRevision(each).bytes.size
  return bytes
}

function freeName(parent: FolderNode, name: string): string {
  let number = 1
  while (parent.children.has(writtenKey(numbered(name, number)))) number += 1
  return numbered(name, number)
}

function newId(): string {
  return `id:${randomBytes(16).toString('base64url')}`
}
