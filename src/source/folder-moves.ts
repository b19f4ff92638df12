/**
 * Finds out that a folder nobody knew is a known one that was renamed (F32): its first files are known by inode, size and time from one other folder, under
 * the same names, and that folder is not there any more. Then all that is believed of the old one is believed of the new one, and the scan that found
 * it goes on to compare. Files that moved one by one are found by `moves.ts`.
 */
import { folderOf, joinPath, nameOf, type SourcePath } from '../base/path.ts'
import type { FolderMove } from './change.ts'
import { samplesMax, type Believed, type FoundFile } from './reconcile.ts'
import type { Look } from './scan.ts'
import type { Scanner } from './scanner.ts'

/** One file alone says too little of its folder, and is as well moved by itself. */
const folderFilesMin = 2

export interface FolderMovesParts {
  readonly source: string
  readonly believed: Believed
  readonly mayMoveFolder: (move: FolderMove) => Promise<boolean>
  readonly scanner: Scanner
  /** The root's number at the scan thread; undefined while there is no root. */
  readonly rootId: () => number | undefined
}

export class FolderMoves {
  readonly #parts: FolderMovesParts

  constructor(parts: FolderMovesParts) {
    this.#parts = parts
  }

  /**
   * @param folder one in which nothing is believed. @param files some that are in it.
   * @returns the move of this folder, or of one above it.
   */
  async find(folder: SourcePath, files: readonly FoundFile[]): Promise<FolderMove | undefined> {
    const before = this.#whereBefore(folder, files)
    if (before === undefined) return undefined
    const move = await this.#topmost(before, folder)
    if (move === undefined) return undefined
    const { source, believed, mayMoveFolder } = this.#parts
    const isWorthIt = believed.filesBelow(source, move.from, folderFilesMin).length === folderFilesMin
    return isWorthIt && (await mayMoveFolder(move)) ? move : undefined
  }

  /** The one other folder in which a file of the same name is believed that looks like this one. */
  #whereBefore(folder: SourcePath, files: readonly FoundFile[]): SourcePath | undefined {
    const { source, believed } = this.#parts
    for (const { name, stat } of files) {
      const places = believed.moves.whereabouts(source, stat)
      const before = places.find(
        (path) => nameOf(path) === name && folderOf(path) !== folder && believed.file(source, path) !== undefined,
      )
      if (before !== undefined) return folderOf(before) as SourcePath
    }
    return undefined
  }

  /** The highest folder that went and is here now, with the same path from there on. */
  async #topmost(from: SourcePath, path: SourcePath): Promise<FolderMove | undefined> {
    const { source } = this.#parts
    let found: FolderMove | undefined
    let [before, now] = [from, path]
    while (before !== '' && now !== '' && before !== now && (await this.#isGone(before)) && !this.#isKnown(now)) {
      found = { kind: 'move-folder', source, from: before, path: now }
      if (nameOf(before) !== nameOf(now)) break
      // Folders of paths that the kernel gave.
      ;[before, now] = [folderOf(before) as SourcePath, folderOf(now) as SourcePath]
    }
    return found
  }

  #isKnown(folder: SourcePath): boolean {
    return this.#parts.believed.filesBelow(this.#parts.source, folder, 1).length > 0
  }

  /** Is the folder away, or another one with nothing of what is believed in it? */
  async #isGone(folder: SourcePath): Promise<boolean> {
    const { source, believed } = this.#parts
    const files = believed.filesIn(source, folder, undefined, samplesMax).map(({ name }) => joinPath(folder, name))
    const [own, ...looks] = await this.#look([folder, ...(files as SourcePath[])])
    if (own?.kind === 'absent') return true
    return own?.kind === 'folder' && files.length > 0 && looks.every((look) => look.kind === 'absent')
  }

  /** A root that is not what it was says nothing. */
  async #look(paths: readonly SourcePath[]): Promise<readonly Look[]> {
    const id = this.#parts.rootId()
    if (id === undefined) return []
    const answer = await this.#parts.scanner.call('look', { id, paths }).catch(() => undefined)
    return answer?.kind === 'seen' ? answer.looks : []
  }
}
