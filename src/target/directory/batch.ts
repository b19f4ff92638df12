/**
 * Small copies that arrived together, made durable together: all are written and their write-back begun, then all are synced,
 * then all renamed, then each folder synced once. Twice as fast as file by file. What fails for one file fails that file only.
 */
import { closeSync, constants, fsyncSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { errnoOf } from '../../base/errors.ts'
import { setMtimeNs, startWriteBack } from '../../base/libc.ts'
import { folderOf, showPath } from '../../base/path.ts'
import { randomName } from '../../base/random.ts'
import { asFailure, during, Failure } from './failure.ts'
import type { Folders } from './folders.ts'
import { checkFree, checkName, look, statAt, type Stored, storedAfter } from './objects.ts'
import { temporary } from './temporary.ts'

export interface SmallPut {
  readonly path: string
  /** Where its bytes lie in the batch's one buffer. */
  readonly start: number
  readonly size: number
  readonly mtimeNs: bigint
}

export type Outcome =
  /** `isSent` is false where the content was there already. */
  | { readonly kind: 'stored'; readonly stored: Stored; readonly isSent: boolean }
  | { readonly kind: 'failed'; readonly code: string; readonly found: string }

/** One file of the batch on its way: written while it has a descriptor, done when it has an outcome. */
interface Piece {
  readonly put: SmallPut
  readonly bytes: Uint8Array
  readonly temporaryName: string
  fd: number | undefined
  outcome: Outcome | undefined
}

const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** The process's umask takes its part of it, as with any new file. */
export const newFileMode = 0o666

export function putBatch(folders: Folders, puts: readonly SmallPut[], bytes: Uint8Array): Outcome[] {
  const run = randomName(6)
  const pieces = puts.map((put, index): Piece => ({
    put,
    bytes: bytes.subarray(put.start, put.start + put.size),
    temporaryName: `small-${run}-${index}`,
    fd: undefined,
    outcome: undefined,
  }))
  reserveSpace(folders, pieces)
  each(folders, pieces, write)
  each(folders, pieces, harden)
  each(folders, pieces, publish)
  syncFolders(folders, pieces)
  return pieces.map((piece) => piece.outcome ?? failed(new Error('a piece of the batch has no outcome')))
}

/** Runs one step for each piece that is still on its way. */
function each(folders: Folders, pieces: readonly Piece[], step: (folders: Folders, piece: Piece) => void): void {
  for (const piece of pieces) {
    if (piece.outcome !== undefined) continue
    try {
      folders.trim()
      step(folders, piece)
    } catch (thrown) {
      piece.outcome = failed(inNumbers(folders, piece, asFailure('object', piece.put.path, thrown)))
      discard(folders, piece)
    }
  }
}

function failed(thrown: unknown): Outcome {
  const found = thrown instanceof Error ? thrown.message : String(thrown)
  return { kind: 'failed', code: errnoOf(thrown) ?? 'object:unknown', found }
}

/** A full disk is told with what is needed and what is there. */
function inNumbers(folders: Folders, piece: Piece, thrown: unknown): unknown {
  const word = errnoOf(thrown)?.replace(/^.*:/, '')
  return word === 'ENOSPC' || word === 'EDQUOT' ? folders.full(word, piece.put.size) : thrown
}

/** Before any byte is written: what does not fit beside the pieces before it is refused. */
function reserveSpace(folders: Folders, pieces: readonly Piece[]): void {
  let freeBytes = folders.freeBytes() ?? Infinity
  for (const piece of pieces) {
    if (piece.put.size > freeBytes) piece.outcome = failed(folders.full('ENOSPC', piece.put.size))
    else freeBytes -= piece.put.size
  }
}

function write(folders: Folders, piece: Piece): void {
  const { path, mtimeNs } = piece.put
  checkName(path)
  folders.enter(folderOf(path), true)
  const there = statAt(folders, path)
  checkFree(path, there)
  if (there?.size === BigInt(piece.put.size) && holdsAlready(folders, piece)) return
  const at = temporary(folders, piece.temporaryName)
  const fd = during('object', path, () => openSync(at, writeFlags, newFileMode))
  piece.fd = fd
  during('object', path, () => {
    writeFully(fd, piece.bytes)
    setMtimeNs(fd, mtimeNs)
    startWriteBack(fd)
  })
}

/** A file there with exactly these bytes is the copy, whoever wrote it (F64, F115); only its time may have to be set. */
function holdsAlready(folders: Folders, piece: Piece): boolean {
  const { path, mtimeNs } = piece.put
  try {
    const fd = openSync(folders.inside(path, false), readFlags)
    try {
      if (!holdsBytes(fd, piece.bytes)) return false
      if (look(folders, path)?.mtimeNs !== mtimeNs) setMtimeNs(fd, mtimeNs)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch {
    // What cannot be read or is not ours to touch is replaced, which needs no more than the folder's permission.
    return false
  }
  // Its name may be as new as its bytes: a run that was killed between rename and sync left it so.
  folders.changed(folderOf(path))
  piece.outcome = { kind: 'stored', stored: storedAfter(folders, path), isSent: false }
  return true
}

function holdsBytes(fd: number, bytes: Uint8Array): boolean {
  const there = Buffer.allocUnsafe(bytes.length)
  let done = 0
  while (done < there.length) {
    const count = readSync(fd, there, done, there.length - done, done)
    if (count === 0) return false
    done += count
  }
  return there.equals(bytes)
}

function harden(_folders: Folders, piece: Piece): void {
  const { fd } = piece
  if (fd === undefined) throw new Failure('object', 'unproven', `${showPath(piece.put.path)} was not written`)
  fsyncSync(fd)
  piece.fd = undefined
  closeSync(fd)
}

function publish(folders: Folders, piece: Piece): void {
  const { path, size } = piece.put
  renameSync(temporary(folders, piece.temporaryName), folders.inside(path, true))
  folders.changed(folderOf(path))
  const stored = storedAfter(folders, path)
  if (stored.size !== size) {
    throw new Failure(
      'object',
      'unproven',
      `${showPath(path)} has ${stored.size} bytes at the target instead of ${size}`,
    )
  }
  piece.outcome = { kind: 'stored', stored, isSent: true }
}

/** A folder that cannot be synced takes back the word for every file below it. */
function syncFolders(folders: Folders, pieces: readonly Piece[]): void {
  for (const folder of folders.unsynced) {
    try {
      folders.syncOne(folder)
    } catch (thrown) {
      for (const piece of pieces) {
        if (isBelow(piece.put.path, folder) && piece.outcome?.kind === 'stored') piece.outcome = failed(thrown)
      }
    }
  }
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`)
}

function discard(folders: Folders, piece: Piece): void {
  if (piece.fd !== undefined) closeSync(piece.fd)
  piece.fd = undefined
  try {
    unlinkSync(temporary(folders, piece.temporaryName))
  } catch {
    // Not made yet, or in place already; whatever stays is swept when the target is opened again.
  }
}

export function writeFully(fd: number, bytes: Uint8Array, at = 0): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
}
