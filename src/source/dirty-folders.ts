/** Folders of which everything below has to be looked at again: each one covers all that lies below it. Knows no reason why. */
import { folderOf } from '../base/path.ts'

/** Folders kept apart; past it they become their common folder: one larger scan is cheaper than a list without end. */
const foldersMax = 1_000

export class DirtyFolders {
  readonly #folders = new Set<string>()

  get size(): number {
    return this.#folders.size
  }

  add(folder: string): void {
    if (this.covers(folder)) return
    for (const other of this.#folders) if (isBelow(other, folder)) this.#folders.delete(other)
    this.#folders.add(folder)
    if (this.#folders.size <= foldersMax) return
    const common = commonFolder(this.#folders)
    this.#folders.clear()
    this.#folders.add(common)
  }

  /** Is `path` one of the folders, or below one? */
  covers(path: string): boolean {
    if (this.#folders.size === 0) return false
    for (let folder = path; ; folder = folderOf(folder)) {
      if (this.#folders.has(folder)) return true
      if (folder === '') return false
    }
  }

  /** Takes the oldest one out. */
  shift(): string | undefined {
    const [first] = this.#folders
    if (first !== undefined) this.#folders.delete(first)
    return first
  }

  clear(): void {
    this.#folders.clear()
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#folders.values()
  }
}

export function isBelow(path: string, folder: string): boolean {
  return folder === '' ? path !== '' : path.startsWith(`${folder}/`)
}

/** The deepest folder that holds all of `paths`, a path alone being in its own folder; `''` for none. */
export function commonFolder(paths: Iterable<string>): string {
  let common: string | undefined
  for (const path of paths) {
    common ??= folderOf(path)
    while (common !== '' && !isBelow(path, common)) common = folderOf(common)
  }
  return common ?? ''
}
