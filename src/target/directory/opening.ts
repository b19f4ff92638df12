/** Opening a root: is it the expected place, does it take writes, and what did a crash leave there. Runs inside the directory thread. */
import { type BigIntStats, closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../../base/errors.ts'
import { fsPath } from '../../base/path.ts'
import { asFailure, during, Failure } from './failure.ts'
import { Folders } from './folders.ts'
import { isMadeAnew, isSamePlace, markOf } from './mark.ts'
import { isCaseSensitive, keepLargeSince, proveWritable, removeTemporaryFolder, sweep } from './temporary.ts'

export interface Opened {
  readonly mark: string
  readonly isSame: boolean
  readonly isCaseSensitive: boolean
}

export interface OpenAsked {
  readonly root: string
  /** The mark that has to be found; undefined before the first copy. */
  readonly expected: string | undefined
  readonly nowMs: number
  /** Nothing is made, tried out or put away there: it may be a disk that takes no writes, or a lane may work beside. */
  readonly isForReading: boolean
}

/** @param inUse temporary files of puts under way, which stay. */
export function openPlace({ root, expected, nowMs, isForReading }: OpenAsked, inUse: ReadonlySet<string>): Opened {
  if (expected === undefined && !isForReading) makeRoot(root)
  const mark = markOf(statRoot(root))
  const isSame = expected === undefined || isSamePlace(mark, expected)
  if (!isSame && !isMadeAnew(mark, expected)) {
    throw new Failure('root', 'another-place', `another disk or an empty mount point stands at ${root}`)
  }
  // What letters' case means is asked by who writes only.
  if (isForReading) return { mark, isSame, isCaseSensitive: true }
  using folders = new Folders({ root, mark })
  proveWritable(folders)
  const caseSensitive = isCaseSensitive(folders)
  sweep(folders, inUse, keepLargeSince(nowMs))
  removeTemporaryFolder(folders)
  // Taken again: only now is the change time surely another than the birth time, which is how a known birth is told.
  return { mark: markOf(statRoot(root)), isSame, isCaseSensitive: caseSensitive }
}

function statRoot(root: string): BigIntStats {
  const stat = during('root', root, () => statSync(fsPath(root), { bigint: true }))
  if (!stat.isDirectory()) throw new Failure('root', 'ENOTDIR', `${root} is no folder`)
  return stat
}

/** Only for a target that never held anything: later an absent root is a disk that is not mounted. */
function makeRoot(root: string): void {
  try {
    const first = mkdirSync(root, { recursive: true })
    if (first === undefined) return
    for (let folder = root; folder.length >= first.length; folder = dirname(folder)) syncFolder(dirname(folder))
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') throw new Failure('root', 'ENOTDIR', `${root} is no folder`, { cause: thrown })
    throw asFailure('root', root, thrown)
  }
}

function syncFolder(path: string): void {
  const fd = openSync(fsPath(path), 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
