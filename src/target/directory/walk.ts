/** All files below a folder, one after the other: memory grows with the depth of the tree, not with its width. Runs inside the directory thread. */
import { closeSync, constants, lstatSync, openSync, opendirSync, type Dir } from 'node:fs'
import { errnoOf } from '../../base/errors.ts'
import { decodeName, joinPath } from '../../base/path.ts'
import { asFailure } from './failure.ts'
import { below, type Folders, isReserved, sideOf } from './folders.ts'
import { type Stored, storedAt } from './objects.ts'

const enterFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** Names read in one go. */
const namesMax = 256

/** Skips links, special files, and Fanfold's own folders; what vanishes meanwhile was not there. */
export function* walk(folders: Folders, under: string): Generator<Stored, void, undefined> {
  let folder: number
  try {
    folder = folders.enter(under, false)
  } catch (thrown) {
    if (errnoOf(thrown) === 'object:ENOENT') return
    throw thrown
  }
  yield* filesOf(folder, under)
}

function* filesOf(folder: number, path: string): Generator<Stored, void, undefined> {
  const names = openNames(folder)
  try {
    for (let entry = names.readSync(); entry !== null; entry = names.readSync()) {
      const name = nameOfEntry(entry)
      const child = joinPath(path, name)
      if (isReserved(child)) continue
      if (entry.isDirectory()) yield* filesBelow(folder, name, child)
      else if (entry.isFile()) yield* fileAt(folder, name, child)
    }
  } catch (thrown) {
    throw asFailure(sideOf(path), path, thrown)
  } finally {
    names.closeSync()
  }
}

function* filesBelow(parent: number, name: string, path: string): Generator<Stored, void, undefined> {
  let fd: number
  try {
    fd = openSync(below(parent, name), enterFlags)
  } catch (thrown) {
    if (vanished.has(errnoOf(thrown) ?? '')) return
    throw thrown
  }
  try {
    yield* filesOf(fd, path)
  } finally {
    closeSync(fd)
  }
}
/** Gone, or something else by now. */
const vanished = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

function* fileAt(folder: number, name: string, path: string): Generator<Stored, void, undefined> {
  const stat = lstatSync(below(folder, name), { bigint: true, throwIfNoEntry: false })
  if (stat?.isFile() === true) yield storedAt(path, stat)
}

/** Names as bytes, since a name that is no UTF-8 cannot be opened again from a string (F17). Node's types know only the string form. */
function openNames(folder: number): Dir {
  return opendirSync(below(folder, '.'), { encoding: 'buffer' as BufferEncoding, bufferSize: namesMax })
}

function nameOfEntry(entry: { readonly name: unknown }): string {
  if (!Buffer.isBuffer(entry.name)) throw new TypeError('a folder was read in another form than bytes')
  return decodeName(entry.name)
}
