/** Reading a file exactly as its caller knows it: no link, no FIFO, and the same file before and after (F23, F50, F51). Runs inside digest threads. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { createHash, hash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { errnoOf } from '../base/errors.ts'
import { fsPath } from '../base/path.ts'
import type { ContentFailure } from './errors.ts'

/** A file as the digest's caller saw it; `path` in the program's string form, so that it crosses threads. */
export interface SeenFile {
  readonly path: string
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

export interface Sums {
  readonly sha256: string
  readonly crc32: number
}

export class ReadFailure extends Error {
  readonly failure: ContentFailure
  constructor(failure: ContentFailure) {
    super(failure.kind)
    this.failure = failure
  }
}

/** Not a file any more: gone, a link (ELOOP), a socket (ENXIO), or below something that is no folder. */
const goneErrnos = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'EISDIR'])

/** Any failure to read as one of the three words. */
export function asReadFailure(thrown: unknown): ReadFailure {
  if (thrown instanceof ReadFailure) return thrown
  const errno = errnoOf(thrown)
  if (errno === undefined) throw thrown
  return new ReadFailure(goneErrnos.has(errno) ? { kind: 'gone' } : { kind: 'unreadable', errno })
}

/** The whole of a small file, in a buffer of its own. */
export function readWhole(file: SeenFile): { readonly sums: Sums; readonly bytes: Uint8Array<ArrayBuffer> } {
  const fd = openSeen(file)
  try {
    const bytes = new Uint8Array(file.size)
    readFully(fd, bytes, 0)
    checkSame(fd, file)
    return { sums: { sha256: hash('sha256', bytes, 'hex'), crc32: crc32(bytes) }, bytes }
  } finally {
    closeSync(fd)
  }
}

/** A large file, digested step by step so that other work of the thread passes between two steps. */
export class LongReading {
  readonly #file: SeenFile
  readonly #fd: number
  readonly #sha256: Hash = createHash('sha256')
  #crc32 = 0
  #doneBytes = 0

  constructor(file: SeenFile) {
    this.#file = file
    this.#fd = openSeen(file)
  }

  /** Reads on, at most as much as `buffer` holds. Answers the sums when the file is through. */
  step(buffer: Uint8Array): Sums | undefined {
    const part = buffer.subarray(0, Math.min(buffer.length, this.#file.size - this.#doneBytes))
    readFully(this.#fd, part, this.#doneBytes)
    this.#sha256.update(part)
    this.#crc32 = crc32(part, this.#crc32)
    this.#doneBytes += part.length
    // At every step, so that a file being written is given up early and not after the last of many gigabytes.
    checkSame(this.#fd, this.#file)
    if (this.#doneBytes < this.#file.size) return undefined
    return { sha256: this.#sha256.digest('hex'), crc32: this.#crc32 }
  }

  close(): void {
    closeSync(this.#fd)
  }
}

function openSeen(file: SeenFile): number {
  const fd = openSync(fsPath(file.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    checkSame(fd, file)
    return fd
  } catch (thrown) {
    closeSync(fd)
    throw thrown
  }
}

function checkSame(fd: number, file: SeenFile): void {
  const stat = fstatSync(fd, { bigint: true })
  if (!stat.isFile()) throw new ReadFailure({ kind: 'gone' })
  const isSame =
    stat.size === BigInt(file.size) &&
    stat.mtimeNs === file.mtimeNs &&
    stat.ctimeNs === file.ctimeNs &&
    stat.ino === file.inode
  if (!isSame) throw new ReadFailure({ kind: 'changed' })
}

function readFully(fd: number, into: Uint8Array, from: number): void {
  for (let done = 0; done < into.length;) {
    const count = readSync(fd, into, done, into.length - done, from + done)
    if (count === 0) throw new ReadFailure({ kind: 'changed' })
    done += count
  }
}
