/** Object bytes in files, hashed while they are stored. Knows no names and no objects: those are the provider's. */
import {
  closeSync,
  createReadStream,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Hasher, hasherOf, type HashKind } from './hashes.ts'

/** Finished bytes. Never changed and never removed as long as the emulator runs: old revisions point at them. */
export interface StoredBytes {
  readonly file: string
  /** Where they begin in the file: small ones share one. */
  readonly offset: number
  readonly size: number
  /** One for each kind the store was opened with. */
  readonly hashes: Readonly<Partial<Record<HashKind, string>>>
}

/** One read of a download. Larger ones need fewer turns of the event loop, memory stays flat. Unit: bytes. */
const readBytes = 512 * 1024
/** A listing of a folder with many files is slow on some disks. Unit: files per folder. */
const filesPerFolder = 4096
/** Up to here bytes wait in memory for their end and go into a shared file: making a file costs more than all else of a small request. */
const smallBytesMax = 16 * 1024

export class ByteStore {
  readonly #folder: string
  readonly #kinds: readonly HashKind[]
  readonly #packFile: string
  readonly #pack: number
  #packedBytes = 0
  #made = 0

  /** What an earlier run left in `folder` is taken away. */
  constructor(folder: string, kinds: readonly HashKind[]) {
    this.#folder = folder
    this.#kinds = kinds
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    this.#packFile = join(folder, 'small')
    // Open for the life of the process, as the emulator is.
    this.#pack = openSync(this.#packFile, 'w+')
  }

  draft(): Draft {
    return new Draft(
      this.#kinds,
      () => this.#newFile(),
      (small) => this.#packIn(small),
    )
  }

  /** Stores what is at hand at once: for tests that put something there. */
  put(content: Uint8Array | string): StoredBytes {
    const draft = this.draft()
    draft.append(Buffer.from(content))
    return draft.seal()
  }

  /** Bytes `from` to `until`, the latter not included. */
  read(bytes: StoredBytes, from = 0, until = bytes.size): Readable {
    if (bytes.file === this.#packFile) return Readable.from([this.readWhole(bytes).subarray(from, until)])
    if (from >= until) return Readable.from([])
    const [start, end] = [bytes.offset + from, bytes.offset + until - 1]
    return createReadStream(bytes.file, { start, end, highWaterMark: readBytes })
  }

  readWhole(bytes: StoredBytes): Buffer {
    if (bytes.file !== this.#packFile) return readFileSync(bytes.file)
    const content = Buffer.alloc(bytes.size)
    readSync(this.#pack, content, 0, bytes.size, bytes.offset)
    return content
  }

  #newFile(): string {
    const folder = join(this.#folder, String(Math.floor(this.#made / filesPerFolder)))
    if (this.#made % filesPerFolder === 0) mkdirSync(folder, { recursive: true })
    this.#made += 1
    return join(folder, String(this.#made))
  }

  #packIn(small: Buffer): { readonly file: string; readonly offset: number } {
    const offset = this.#packedBytes
    writeFully(this.#pack, small, offset)
    this.#packedBytes += small.length
    return { file: this.#packFile, offset }
  }
}

/** Bytes that are still coming in, of one request or of a session of many. */
export class Draft {
  readonly #kinds: readonly HashKind[]
  readonly #newFile: () => string
  readonly #packIn: (small: Buffer) => { readonly file: string; readonly offset: number }
  #hashers: readonly Hasher[]
  #size = 0
  /** All of it, as long as it is small. */
  #small = Buffer.alloc(0)
  #file: string | undefined
  /** Open only while bytes arrive: a thousand sessions may lie open at once, files may not. */
  #fd: number | undefined

  constructor(
    kinds: readonly HashKind[],
    newFile: () => string,
    packIn: (small: Buffer) => { readonly file: string; readonly offset: number },
  ) {
    this.#kinds = kinds
    this.#newFile = newFile
    this.#packIn = packIn
    this.#hashers = kinds.map(hasherOf)
  }

  get size(): number {
    return this.#size
  }

  append(chunk: Uint8Array): void {
    if (this.#file === undefined && this.#size + chunk.length <= smallBytesMax) {
      this.#small = Buffer.concat([this.#small, chunk])
    } else {
      writeFully(this.#open(), chunk, this.#size)
    }
    this.#size += chunk.length
    for (const hasher of this.#hashers) hasher.update(chunk)
  }

  /** Bytes out of order, for `sealAt`. They do not count as the draft's size. */
  place(chunk: Uint8Array, offset: number): void {
    writeFully(this.#open(), chunk, offset)
  }

  /** Where the draft stands, to go back to when what follows turns out to be void. */
  mark(): () => void {
    const size = this.#size
    const hashers = this.#hashers.map((hasher) => hasher.copy())
    return () => {
      if (this.#file === undefined) this.#small = this.#small.subarray(0, size)
      else ftruncateSync(this.#open(), size)
      this.#size = size
      this.#hashers = hashers
      this.rest()
    }
  }

  /** No bytes for now. */
  rest(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  seal(): StoredBytes {
    this.rest()
    const hashes = Object.fromEntries(this.#kinds.map((kind, index) => [kind, this.#hashers[index]?.digest()]))
    const place = this.#file === undefined ? this.#packIn(this.#small) : { file: this.#file, offset: 0 }
    return { ...place, size: this.#size, hashes }
  }

  /** What was placed, up to `size`. It is hashed now, from the file. */
  sealAt(size: number): StoredBytes {
    ftruncateSync(this.#open(), size)
    this.#size = size
    this.#hashAgain()
    return this.seal()
  }

  discard(): void {
    this.rest()
    if (this.#file !== undefined) rmSync(this.#file, { force: true })
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd
    if (this.#file !== undefined) return (this.#fd = openSync(this.#file, 'r+'))
    this.#file = this.#newFile()
    this.#fd = openSync(this.#file, 'w+')
    writeFully(this.#fd, this.#small, 0)
    this.#small = Buffer.alloc(0)
    return this.#fd
  }

  #hashAgain(): void {
    this.#hashers = this.#kinds.map(hasherOf)
    const piece = Buffer.alloc(readBytes)
    for (let at = 0; at < this.#size;) {
      const count = readSync(this.#open(), piece, 0, piece.length, at)
      if (count === 0) throw new Error(`${String(this.#file)}: expected ${this.#size} bytes, got ${at}`)
      for (const hasher of this.#hashers) hasher.update(piece.subarray(0, count))
      at += count
    }
  }
}

function writeFully(fd: number, chunk: Uint8Array, offset: number): void {
  for (let done = 0; done < chunk.length;) {
    done += writeSync(fd, chunk, done, chunk.length - done, offset + done)
  }
}
