/** Puts a whole folder tree under watch, a step at a time, so that events are read in between. Each folder is watched before it is listed (F5). */
import { lstatSync, readdirSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import { decodeName, fsPath, joinPath } from '../base/path.ts'
import { pathOf, type Tree, type WatchedFolder, type WatchTree } from './watch-tree.ts'

/** Failures named one by one; past it the whole source counts as not watched, which asks for one scan instead of many. */
const failuresMax = 100

/** Codes that mean "not there any more", which the parent folder's events tell as well. */
const goneCodes: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

export interface WalkFailure {
  readonly folder: string
  readonly code: string
}

export class WatchWalk {
  readonly tree: Tree
  /** Folder that is put under watch with all below it. */
  readonly top: string
  readonly failures: WalkFailure[] = []
  readonly #watches: WatchTree
  readonly #ahead: { parent: WatchedFolder | undefined; name: string }[] = []
  #isFull = false

  constructor(watches: WatchTree, tree: Tree, parent: WatchedFolder | undefined, name: string) {
    this.tree = tree
    this.top = parent === undefined ? '' : joinPath(pathOf(parent), name)
    this.#watches = watches
    this.#ahead.push({ parent, name })
  }

  get isEnd(): boolean {
    return this.#ahead.length === 0
  }

  /** Watches and lists up to `count` folders; answers how many. */
  step(count: number): number {
    for (let done = 0; done < count; done++) {
      const next = this.#ahead.pop()
      if (next === undefined) return done
      this.#watch(next.parent, next.name)
    }
    return count
  }

  #watch(parent: WatchedFolder | undefined, name: string): void {
    // An event may have taken the folder away since it was listed.
    if (parent !== undefined && !this.#watches.isWatched(parent)) return
    const path = parent === undefined ? '' : joinPath(pathOf(parent), name)
    try {
      // Once the kernel has no watch left, every further try would only fail as well.
      if (this.#isFull) throw Object.assign(new Error('no watch left'), { code: 'ENOSPC' })
      if (this.#isElsewhere(path)) return
      const folder = this.#watches.add(this.tree, parent, name)
      for (const child of foldersOf(this.tree, path)) this.#ahead.push({ parent: folder, name: child })
    } catch (thrown) {
      const code = errnoOf(thrown)
      if (code === undefined) throw thrown
      if (goneCodes.has(code) && path !== '') return
      this.#isFull ||= code === 'ENOSPC'
      this.#fail(path, code)
    }
  }

  /** Another file system, where only one counts (F14)? */
  #isElsewhere(path: string): boolean {
    if (!this.tree.oneFileSystem) return false
    const { dev } = lstatSync(fsPath(joinPath(this.tree.root, path).replace(/\/$/, '')), { bigint: true })
    if (path === '') this.tree.device = dev
    return dev !== this.tree.device
  }

  #fail(folder: string, code: string): void {
    if (this.failures.length > failuresMax) return
    this.failures.push(this.failures.length < failuresMax ? { folder, code } : { folder: '', code })
  }
}

function foldersOf(tree: Tree, folder: string): string[] {
  const entries = readdirSync(fsPath(joinPath(tree.root, folder).replace(/\/$/, '')), {
    withFileTypes: true,
    encoding: 'buffer',
  })
  const names: string[] = []
  for (const entry of entries) {
    if (!entry.isDirectory()) continue
    const name = decodeName(entry.name)
    if (tree.rules.whyInside(joinPath(folder, name), true) === undefined) names.push(name)
  }
  return names
}
