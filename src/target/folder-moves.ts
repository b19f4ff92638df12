/** What moves of whole folders have in common at all clouds: which of them are none, and what is an answer instead of a failure. Makes no call. */
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
