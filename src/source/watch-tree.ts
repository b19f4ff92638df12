/** The watched folders of all sources, by watch descriptor. Places and removes watches; reads no events and sends nothing. */
import { addWatch, removeWatch } from '../base/libc.ts'
import { fsPath, joinPath } from '../base/path.ts'
import type { IgnoreRules } from './ignore-rules.ts'
import { folderMask } from './inotify.ts'

export interface Tree {
  readonly id: number
  readonly root: string
  readonly rules: IgnoreRules
  readonly oneFileSystem: boolean
  /** Of the root, as far as it is known. */
  device: bigint | undefined
  top: WatchedFolder | undefined
  watchedCount: number
}

export interface WatchedFolder {
  readonly tree: Tree
  readonly parent: WatchedFolder | undefined
  readonly name: string
  readonly wd: number
  readonly children: Map<string, WatchedFolder>
}

export class WatchTree {
  readonly #inotify: number
  /** Sources may overlap, and the kernel gives one descriptor per folder: so several watched folders may share one. */
  readonly #byDescriptor = new Map<number, WatchedFolder[]>()

  constructor(inotify: number) {
    this.#inotify = inotify
  }

  of(wd: number): readonly WatchedFolder[] {
    return this.#byDescriptor.get(wd) ?? []
  }

  /** The watched folder at `path`, undefined where none is. */
  find(tree: Tree, path: string): WatchedFolder | undefined {
    let folder = tree.top
    for (const name of path === '' ? [] : path.split('/')) folder = folder?.children.get(name)
    return folder
  }

  /** Watches one folder. The folder above it must be watched. @throws what inotify_add_watch throws. */
  add(tree: Tree, parent: WatchedFolder | undefined, name: string): WatchedFolder {
    const path = parent === undefined ? tree.root : `${tree.root}/${joinPath(pathOf(parent), name)}`
    const wd = addWatch(this.#inotify, fsPath(path), folderMask)
    const before = parent === undefined ? tree.top : parent.children.get(name)
    if (before?.wd === wd) return before
    if (before !== undefined) this.drop(before)
    // The same folder at another place of this source: it was renamed, and the event that says so is still to come.
    const elsewhere = this.of(wd).find((other) => other.tree === tree)
    if (elsewhere !== undefined) this.#detach(elsewhere)
    const folder: WatchedFolder = { tree, parent, name, wd, children: new Map() }
    this.#byDescriptor.set(wd, [...this.of(wd), folder])
    if (parent === undefined) tree.top = folder
    else parent.children.set(name, folder)
    tree.watchedCount++
    return folder
  }

  isWatched(folder: WatchedFolder): boolean {
    return this.of(folder.wd).includes(folder)
  }

  /** Leaves the folder's own watch to its new place; those below are placed again when that is listed. */
  #detach(folder: WatchedFolder): void {
    for (const child of folder.children.values()) this.drop(child)
    this.#forget(folder)
  }

  /** Ends the watches of a folder and of all below it. */
  drop(folder: WatchedFolder): void {
    const ahead = [folder]
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      ahead.push(...next.children.values())
      this.#forget(next)
      if (this.of(next.wd).length === 0) removeWatch(this.#inotify, next.wd)
    }
  }

  /** The kernel has ended a watch by itself. */
  ended(wd: number): void {
    for (const folder of this.of(wd)) this.#forget(folder)
  }

  #forget(folder: WatchedFolder): void {
    const sharing = this.of(folder.wd).filter((other) => other !== folder)
    if (sharing.length === this.of(folder.wd).length) return
    if (sharing.length === 0) this.#byDescriptor.delete(folder.wd)
    else this.#byDescriptor.set(folder.wd, sharing)
    folder.tree.watchedCount--
    if (folder.parent === undefined) {
      if (folder.tree.top === folder) folder.tree.top = undefined
    } else if (folder.parent.children.get(folder.name) === folder) folder.parent.children.delete(folder.name)
  }
}

/** Path of a watched folder below its root. */
export function pathOf(folder: WatchedFolder): string {
  const names: string[] = []
  for (let at = folder; at.parent !== undefined; at = at.parent) names.push(at.name)
  return names.reverse().join('/')
}
