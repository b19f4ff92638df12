/** Reports of the watch thread that were not sent yet: coalesced per path, bounded, sent in batches when the program keeps up. */
import { commonFolder, DirtyFolders, isBelow } from './dirty-folders.ts'
import type { DirtyPath, WatchReport } from './watch-reports.ts'

/** Paths kept back while the program is busy: some 20 MB. Past it those of one source become their common folder. */
const pathsMax = 100_000
/** Paths in one batch: about 10 ms of the program's time. */
const batchPathsMax = 5_000
/** Single reports kept back; they are rare (mounts, limits), and past it the newest say nothing new. */
const singlesMax = 1_000

interface Box {
  readonly paths: Map<string, DirtyPath>
  readonly subtrees: DirtyFolders
  readonly collapsed: DirtyFolders
}

export class Outbox {
  readonly #boxes = new Map<number, Box>()
  #singles: WatchReport[] = []
  #pathCount = 0

  get isEmpty(): boolean {
    return this.#boxes.size === 0 && this.#singles.length === 0
  }

  single(report: WatchReport): void {
    if (this.#singles.length < singlesMax) this.#singles.push(report)
  }

  path(id: number, dirty: DirtyPath): void {
    const box = this.#box(id)
    if (box.collapsed.size > 0 && box.collapsed.covers(dirty.path)) return
    const before = box.paths.get(dirty.path)
    if (before === undefined) this.#pathCount++
    box.paths.set(dirty.path, before === undefined ? dirty : coalesce(before, dirty))
    if (this.#pathCount > pathsMax) this.#collapse()
  }

  subtree(id: number, folder: string): void {
    this.#box(id).subtrees.add(folder)
  }

  forget(id: number): void {
    this.#pathCount -= this.#boxes.get(id)?.paths.size ?? 0
    this.#boxes.delete(id)
    this.#singles = this.#singles.filter((report) => !('id' in report && report.id === id))
  }

  /** Takes out what fits into one batch. */
  take(): WatchReport[] {
    const reports = this.#singles
    this.#singles = []
    let left = batchPathsMax
    for (const [id, box] of this.#boxes) {
      for (const [folders, isCollapse] of [
        [box.subtrees, false],
        [box.collapsed, true],
      ] as const) {
        for (const folder of folders) reports.push({ kind: 'subtree', id, folder, isCollapse })
        folders.clear()
      }
      const paths = takeFirst(box.paths, left)
      left -= paths.length
      this.#pathCount -= paths.length
      if (paths.length > 0) reports.push({ kind: 'paths', id, paths })
      if (box.paths.size === 0) this.#boxes.delete(id)
    }
    return reports
  }

  /** The source with most paths gives them up for the folder they share. */
  #collapse(): void {
    let largest: Box | undefined
    for (const box of this.#boxes.values()) if (box.paths.size > (largest?.paths.size ?? 0)) largest = box
    if (largest === undefined) return
    const folder = commonFolder(largest.paths.keys())
    largest.collapsed.add(folder)
    for (const path of largest.paths.keys()) if (folder === '' || isBelow(path, folder)) largest.paths.delete(path)
    this.#pathCount = 0
    for (const box of this.#boxes.values()) this.#pathCount += box.paths.size
  }

  #box(id: number): Box {
    let box = this.#boxes.get(id)
    if (box === undefined) {
      box = { paths: new Map(), subtrees: new DirtyFolders(), collapsed: new DirtyFolders() }
      this.#boxes.set(id, box)
    }
    return box
  }
}

/** Two things that happened to one path, as one. */
function coalesce(before: DirtyPath, after: DirtyPath): DirtyPath {
  return {
    path: after.path,
    sign: after.sign === 'attributes' ? before.sign : after.sign,
    isTree: before.isTree || after.isTree,
    cookie: after.cookie === 0 ? before.cookie : after.cookie,
  }
}

function takeFirst(paths: Map<string, DirtyPath>, count: number): DirtyPath[] {
  const taken: DirtyPath[] = []
  for (const [path, dirty] of paths) {
    if (taken.length >= count) break
    taken.push(dirty)
    paths.delete(path)
  }
  return taken
}
