/**
 * The folder for files that are not whole yet, `.fanfold-tmp` at the root: on the same file system as what they become, so that
 * a rename puts them in place. Small ones live for one batch; a large one bears its object's name as a hash, so that the next attempt finds it.
 */
import { hash } from 'node:crypto'
import { closeSync, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { errnoOf } from '../../base/errors.ts'
import { decodeName, encodeName, type FsPath } from '../../base/path.ts'
import { during } from './failure.ts'
import { below, type Folders, temporaryFolder } from './folders.ts'

const largePrefix = 'large-'

/** A large copy that nobody took up again for so long never will be, ms: a week. */
const largeAgeMsMax = 7 * 86_400_000

/** One unfinished large copy for each object: a newer one takes its place. */
export function largeName(path: string): string {
  return largePrefix + hash('sha256', encodeName(path), 'hex').slice(0, 32)
}

/** A name in the temporary folder, which is made where it is missing. It never is synced: what it holds may go with a crash. */
export function temporary(folders: Folders, name: string): FsPath {
  return below(
    during('root', temporaryFolder, () => folders.enter(temporaryFolder, true)),
    name,
  )
}

/** Removes what no put under way uses. @param keepLargeSinceMs large copies last written then or later stay: a session may go on with them. */
export function sweep(folders: Folders, inUse: ReadonlySet<string>, keepLargeSinceMs: number): void {
  if (!hasTemporaryFolder(folders)) return
  const folder = folders.enter(temporaryFolder, false)
  for (const bytes of readdirSync(below(folder, '.'), { encoding: 'buffer' })) {
    const name = decodeName(bytes)
    if (inUse.has(name) || isWorthKeeping(folder, name, keepLargeSinceMs)) continue
    removeLeftover(below(folder, name))
  }
}

/** The moment before which a large copy is given up. */
export function keepLargeSince(nowMs: number): number {
  return nowMs - largeAgeMsMax
}

function isWorthKeeping(folder: number, name: string, sinceMs: number): boolean {
  if (!name.startsWith(largePrefix)) return false
  const stat = lstatSync(below(folder, name), { throwIfNoEntry: false })
  return stat !== undefined && stat.mtimeMs >= sinceMs
}

function removeLeftover(at: FsPath): void {
  try {
    unlinkSync(at)
  } catch (thrown) {
    // A folder that somebody made there: it goes if it is empty, and is not ours otherwise.
    if (errnoOf(thrown) !== 'EISDIR' && errnoOf(thrown) !== 'EPERM') throw thrown
    removeIfEmpty(at)
  }
}

/** At rest nothing of ours is left beside the copies. A folder that holds an unfinished large copy stays. */
export function removeTemporaryFolder(folders: Folders): void {
  removeIfEmpty(below(folders.enter('', false), temporaryFolder))
}

/** Makes and removes a file there: proof that the root takes writes. Leaves the folder. */
export function proveWritable(folders: Folders): void {
  const at = temporary(folders, 'proof')
  during('root', temporaryFolder, () => {
    closeSync(openSync(at, 'w'))
    unlinkSync(at)
  })
}

/** Whether the file system takes `.FANFOLD-TMP` for `.fanfold-tmp`. Only while the folder is there. */
export function isCaseSensitive(folders: Folders): boolean {
  const at = below(folders.enter('', false), temporaryFolder.toUpperCase())
  return lstatSync(at, { throwIfNoEntry: false }) === undefined
}

function hasTemporaryFolder(folders: Folders): boolean {
  const at = below(folders.enter('', false), temporaryFolder)
  return during('root', temporaryFolder, () => lstatSync(at, { throwIfNoEntry: false })) !== undefined
}

function removeIfEmpty(at: FsPath): void {
  try {
    rmdirSync(at)
  } catch {
    // In use, or gone already: either way it is not in the way, and the next sweep looks again.
  }
}
