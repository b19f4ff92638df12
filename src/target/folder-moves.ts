/**
 * What moves of whole folders have in common at all clouds: which of them are none, what is an answer instead of a failure, and when nothing may be
 * remembered of a folder. Makes no call.
 */
import { type FolderMoved, TargetError } from './target.ts'

/** The other side answers only when all that is below has moved, some ten thousand files at most. Unit: ms. */
export const folderMoveMs = 600_000

/** Whether a path is this folder's own, or lies below it. */
export function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`)
}

/**
 * A folder is moved to save work: what would park the delivery of a file leaves it where it is, and its files are moved one by one. Whatever passes
 * by itself is thrown.
 */
export async function unlessRefused(move: () => Promise<FolderMoved>): Promise<FolderMoved> {
  try {
    return await move()
  } catch (thrown) {
    if (thrown instanceof TargetError && thrown.next.kind === 'park') return 'refused'
    throw thrown
  }
}

/**
 * Folders on their way. What a kind remembers of folders is true neither of their old place nor of their new one once they are there, and whoever
 * looks for something else meanwhile must not bring it back; nor may a crash, where it is remembered over one.
 */
export class MovingFolders {
  readonly #paths: string[] = []
  #ended = 0

  /** Taken before something is looked for. */
  get since(): number {
    return this.#ended
  }

  /** Whether what was looked for `since` then may be remembered of this path. */
  mayRemember(path: string, since: number): boolean {
    return since === this.#ended && !this.#paths.some((moving) => isWithin(path, moving))
  }

  /** Runs `work` when both places and all below them are forgotten. @param forget resolves once a crash cannot bring it back. */
  async during<T>(
    paths: readonly string[],
    forget: (path: string) => void | Promise<void>,
    work: () => Promise<T>,
  ): Promise<T> {
    this.#paths.push(...paths)
    try {
      for (const path of paths) await forget(path)
      return await work()
    } finally {
      this.#ended += 1
      for (const path of paths) this.#paths.splice(this.#paths.indexOf(path), 1)
    }
  }
}
