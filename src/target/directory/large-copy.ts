/**
 * One large copy inside the directory thread, a step at a time: the caller paces it, and other work passes between two steps.
 * States: proving (a resumed beginning is read back) -> copying -> finished, or dropped from either.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync } from 'node:fs'
import { readSync, renameSync, unlinkSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { errnoOf } from '../../base/errors.ts'
import { setMtimeNs, startWriteBack } from '../../base/libc.ts'
import { folderOf, fsPath, showPath } from '../../base/path.ts'
import { newFileMode, writeFully } from './batch.ts'
import { during, Failure } from './failure.ts'
import { Folders, type Place } from './folders.ts'
import { checkFree, checkName, statAt, type Stored, storedAfter } from './objects.ts'
import { largeName, removeTemporaryFolder, temporary } from './temporary.ts'

export interface LargePut {
  readonly path: string
  readonly source: string
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
  readonly crc32: number
  /** What an earlier attempt made durable and wrote down. */
  readonly begun: Begun | undefined
}

/** So many bytes of the temporary file are durable and have this crc. */
export interface Begun {
  readonly offset: number
  readonly crc32: number
}

const sourceFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const temporaryFlags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW

export class LargeCopy {
  readonly temporaryName: string
  readonly #put: LargePut
  readonly #place: Place
  readonly #source: number
  readonly #temporary: number
  /** Up to here the temporary file is read back before it is believed; 0 when there is nothing to prove. */
  #claimed: Begun
  #offset = 0
  #crc32 = 0

  constructor(place: Place, put: LargePut) {
    checkName(put.path)
    this.#put = put
    this.#place = place
    this.#claimed = put.begun ?? { offset: 0, crc32: 0 }
    this.temporaryName = largeName(put.path)
    this.#source = openSource(put)
    try {
      this.#temporary = this.#openTemporary()
    } catch (thrown) {
      closeSync(this.#source)
      throw thrown
    }
  }

  get isProving(): boolean {
    return this.#offset < this.#claimed.offset
  }

  get begun(): Begun {
    return { offset: this.#offset, crc32: this.#crc32 }
  }

  /** Reads back a part of what an earlier attempt wrote. What is not as it was written down is written anew. */
  prove(buffer: Uint8Array): void {
    const part = buffer.subarray(0, Math.min(buffer.length, this.#claimed.offset - this.#offset))
    const count = during('object', this.#put.path, () => readFully(this.#temporary, part, this.#offset))
    this.#crc32 = crc32(part.subarray(0, count), this.#crc32)
    this.#offset += count
    const isProved = count === part.length && (this.isProving || this.#crc32 === this.#claimed.crc32)
    if (!isProved) this.#startAnew()
  }

  /** Copies up to `bytesMax` more. */
  step(buffer: Uint8Array, bytesMax: number): void {
    const part = buffer.subarray(0, Math.min(bytesMax, this.#put.size - this.#offset))
    const count = during('source', this.#put.source, () => readFully(this.#source, part, this.#offset))
    if (count < part.length) throw changed(this.#put)
    this.#write(part)
    this.#crc32 = crc32(part, this.#crc32)
    this.#offset += part.length
    // At every step: a file that is being written is given up at once and not after its last gigabyte.
    checkSource(this.#source, this.#put)
  }

  /** Makes what is written durable; only then may it be written down. */
  harden(): void {
    this.#writing(() => fdatasyncSync(this.#temporary))
  }

  /** The proof, then the object under its name. @throws Failure `source:unproven` when the bytes written are not those digested. */
  finish(): Stored {
    const { path, size, mtimeNs } = this.#put
    checkSource(this.#source, this.#put)
    if (this.#offset !== size || this.#crc32 !== this.#put.crc32) {
      throw new Failure(
        'source',
        'unproven',
        `${showPath(this.#put.source)} was read with other bytes than were digested`,
      )
    }
    this.#writing(() => {
      ftruncateSync(this.#temporary, size)
      setMtimeNs(this.#temporary, mtimeNs)
      fsyncSync(this.#temporary)
    })
    using folders = new Folders(this.#place)
    const final = folders.inside(path, true)
    checkFree(path, statAt(folders, path))
    during('object', path, () => renameSync(temporary(folders, this.temporaryName), final))
    folders.changed(folderOf(path))
    folders.sync()
    return storedAfter(folders, path)
  }

  close(): void {
    closeSync(this.#source)
    closeSync(this.#temporary)
  }

  /** Gives the temporary file up as well. */
  remove(): void {
    removeLarge(this.#place, this.temporaryName)
  }

  #openTemporary(): number {
    const { path, size } = this.#put
    using folders = new Folders(this.#place)
    folders.enter(folderOf(path), true)
    checkFree(path, statAt(folders, path))
    folders.sync()
    const at = temporary(folders, this.temporaryName)
    const fd = during('object', path, () => openSync(at, temporaryFlags, newFileMode))
    try {
      const there = fstatSync(fd)
      if (there.size < this.#claimed.offset) this.#claimed = { offset: 0, crc32: 0 }
      during('object', path, () => ftruncateSync(fd, this.#claimed.offset))
      folders.checkSpace(size - this.#claimed.offset)
      return fd
    } catch (thrown) {
      closeSync(fd)
      if (this.#claimed.offset === 0) unlinkSync(at)
      removeTemporaryFolder(folders)
      throw thrown
    }
  }

  #write(part: Uint8Array): void {
    this.#writing(() => {
      writeFully(this.#temporary, part, this.#offset)
      startWriteBack(this.#temporary)
    })
  }

  #writing(work: () => void): void {
    try {
      during('object', this.#put.path, work)
    } catch (thrown) {
      const word = errnoOf(thrown)?.replace(/^.*:/, '')
      if (word !== 'ENOSPC' && word !== 'EDQUOT') throw thrown
      using folders = new Folders(this.#place)
      throw folders.full(word, this.#put.size - this.#offset)
    }
  }

  #startAnew(): void {
    this.#claimed = { offset: 0, crc32: 0 }
    this.#offset = 0
    this.#crc32 = 0
    during('object', this.#put.path, () => ftruncateSync(this.#temporary, 0))
  }
}

/** Removes an unfinished large copy and, where nothing else is in it, the temporary folder. */
export function removeLarge(place: Place, name: string): void {
  using folders = new Folders(place)
  try {
    unlinkSync(temporary(folders, name))
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown
  }
  removeTemporaryFolder(folders)
}

function openSource(put: LargePut): number {
  return during('source', put.source, () => {
    const fd = openSync(fsPath(put.source), sourceFlags)
    try {
      checkSource(fd, put)
      return fd
    } catch (thrown) {
      closeSync(fd)
      throw thrown
    }
  })
}

function checkSource(fd: number, put: LargePut): void {
  const stat = fstatSync(fd, { bigint: true })
  const isSame =
    stat.isFile() &&
    stat.size === BigInt(put.size) &&
    stat.mtimeNs === put.mtimeNs &&
    stat.ctimeNs === put.ctimeNs &&
    stat.ino === put.inode
  if (!isSame) throw changed(put)
}

function changed(put: LargePut): Failure {
  return new Failure('source', 'changed', `${showPath(put.source)} changed since it was digested`)
}

/** Bytes read: fewer than asked for only at the file's end. */
export function readFully(fd: number, into: Uint8Array, from: number): number {
  let done = 0
  while (done < into.length) {
    const count = readSync(fd, into, done, into.length - done, from + done)
    if (count === 0) break
    done += count
  }
  return done
}
