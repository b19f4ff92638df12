/** One object below the root: what it is, its revision, taking it away, giving it another name. Runs inside the directory thread. */
import { type BigIntStats, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { errnoOf } from '../../base/errors.ts'
import { folderOf, showPath } from '../../base/path.ts'
import type { FolderMoved } from '../target.ts'
import { asFailure, during, Failure } from './failure.ts'
import { type Folders, isReserved, trashFolder } from './folders.ts'

/** An object as it lies at the target. */
export interface Stored {
  readonly path: string
  readonly inode: string
  readonly revision: string
  readonly size: number
  readonly mtimeNs: bigint
}

export function storedAt(path: string, stat: BigIntStats): Stored {
  const revision = `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`
  return { path, inode: String(stat.ino), revision, size: Number(stat.size), mtimeNs: stat.mtimeNs }
}

/** Revision without the change time, which a rename or chmod moves although the content stays. */
function contentPart(revision: string): string {
  return revision.slice(0, revision.lastIndexOf(':'))
}

/** What stands at `path`, if anything. A missing or linked folder above it holds nothing of ours. */
export function statAt(folders: Folders, path: string): BigIntStats | undefined {
  try {
    return during('object', path, () => lstatSync(folders.inside(path, false), { bigint: true, throwIfNoEntry: false }))
  } catch (thrown) {
    if (thrown instanceof Failure && nothingThere.has(thrown.code)) return undefined
    throw thrown
  }
}
const nothingThere = new Set(['object:ENOENT', 'object:in-the-way', 'object:link-in-path'])

/** The regular file at `path`, if there is one. */
export function look(folders: Folders, path: string): Stored | undefined {
  const stat = statAt(folders, path)
  return stat?.isFile() === true ? storedAt(path, stat) : undefined
}

/** @throws Failure where anything but a regular file or nothing is. */
export function checkFree(path: string, stat: BigIntStats | undefined): void {
  if (stat === undefined || stat.isFile()) return
  const what = stat.isDirectory() ? 'a folder' : stat.isSymbolicLink() ? 'a symbolic link' : 'a special file'
  throw new Failure('object', 'in-the-way', `${what} stands where the file ${showPath(path)} must be`)
}

export function checkName(path: string): void {
  if (path === '') throw new Failure('object', 'reserved', 'a copy needs a name below the target’s folder')
  if (isReserved(path)) throw new Failure('object', 'reserved', `${showPath(path)} is a reserved name`)
}

/** Repeating a move that was done already answers what is there. */
export function move(folders: Folders, from: { path: string; revision: string }, to: string): Stored {
  checkName(to)
  const stat = statAt(folders, from.path)
  if (stat?.isFile() !== true) return alreadyMoved(folders, from, to)
  const before = statAt(folders, to)
  checkFree(to, before)
  if (from.path === to) return storedAt(to, stat)
  during('object', to, () => renameSync(folders.inside(from.path, false), folders.inside(to, true)))
  if (before?.ino === stat.ino) removeOtherName(folders, from.path, to)
  folders.changed(folderOf(to))
  folders.changed(folderOf(from.path))
  folders.sync()
  folders.removeEmpty(folderOf(from.path))
  folders.sync()
  return storedAfter(folders, to)
}

/** Files of another file system mounted below it, or a name that is too long: then it is not moved as one. */
const notAsOne = new Set(['EXDEV', 'EBUSY', 'ENOTEMPTY', 'EEXIST', 'EINVAL', 'ENOTDIR', 'ENAMETOOLONG', 'EMLINK'])

export function moveFolder(folders: Folders, from: string, to: string): FolderMoved {
  for (const path of [from, to]) checkName(path)
  const stat = statAt(folders, from)
  if (stat === undefined) return 'absent'
  if (!stat.isDirectory() || statAt(folders, to) !== undefined) return 'refused'
  try {
    renameSync(folders.inside(from, false), folders.inside(to, true))
  } catch (thrown) {
    if (notAsOne.has(errnoOf(thrown) ?? '')) return 'refused'
    throw asFailure('object', to, thrown)
  }
  folders.changed(folderOf(to))
  folders.changed(folderOf(from))
  folders.sync()
  folders.removeEmpty(folderOf(from))
  folders.sync()
  return 'moved'
}

/** Renaming one hard link over another does nothing (rename(2)); where the names differ only in case they may be the same one. */
function removeOtherName(folders: Folders, from: string, to: string): void {
  if (from.toLowerCase() === to.toLowerCase()) return
  if (statAt(folders, from) !== undefined) during('object', from, () => unlinkSync(folders.inside(from, false)))
}

function alreadyMoved(folders: Folders, from: { path: string; revision: string }, to: string): Stored {
  const there = look(folders, to)
  if (there !== undefined && contentPart(there.revision) === contentPart(from.revision)) return there
  throw new Failure('object', 'gone', `${showPath(from.path)} is not there any more and cannot be moved`)
}

export function storedAfter(folders: Folders, path: string): Stored {
  const stored = look(folders, path)
  if (stored === undefined)
    throw new Failure('object', 'changed', `${showPath(path)} vanished as soon as it was written`)
  return stored
}

/** Days of one trash folder, should a path be thrown away that often. */
const trashCopiesMax = 1000

/** @param day `yyyy-mm-dd`. */
export function toTrash(folders: Folders, path: string, day: string): void {
  if (!isRemovable(folders, path)) return
  const place = trashPlace(folders, path, day)
  during('object', path, () => renameSync(folders.inside(path, false), folders.inside(place, true)))
  folders.changed(folderOf(place))
  finishRemoval(folders, path)
}

export function purge(folders: Folders, path: string, revision: string): void {
  if (!isRemovable(folders, path)) return
  const there = look(folders, path)
  if (there === undefined || contentPart(there.revision) !== contentPart(revision)) {
    throw new Failure('object', 'edited', `${showPath(path)} was changed at the target since it was copied`)
  }
  during('object', path, () => unlinkSync(folders.inside(path, false)))
  finishRemoval(folders, path)
}

function isRemovable(folders: Folders, path: string): boolean {
  checkName(path)
  const stat = statAt(folders, path)
  checkFree(path, stat)
  return stat !== undefined
}

function finishRemoval(folders: Folders, path: string): void {
  folders.changed(folderOf(path))
  folders.sync()
  folders.removeEmpty(folderOf(path))
  folders.sync()
}

/** A second copy of one day lies below `<day>~2`, so that no name grows longer than the file system takes. */
function trashPlace(folders: Folders, path: string, day: string): string {
  // Where that is no folder, no other name below it helps.
  folders.enter(trashFolder, true)
  for (let copy = 1; copy <= trashCopiesMax; copy++) {
    const place = `${trashFolder}/${copy === 1 ? day : `${day}~${copy}`}/${path}`
    if (isFree(folders, place)) return place
  }
  throw new Failure('object', 'in-the-way', `${showPath(path)} lies ${trashCopiesMax} times in ${trashFolder}/${day}`)
}

function isFree(folders: Folders, place: string): boolean {
  try {
    return lstatSync(folders.inside(place, true), { throwIfNoEntry: false }) === undefined
  } catch (thrown) {
    // A file thrown away earlier stands where this one needs a folder.
    if (thrown instanceof Failure && errnoOf(thrown) === 'object:in-the-way') return false
    throw thrown
  }
}
