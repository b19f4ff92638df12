/**
 * The file of a copy as a body: read piece by piece, with the running proof that it is what was digested (F23). Where it is not, the body
 * breaks off before its last piece, so that no server ever has a whole one of wrong bytes.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { asSourceFault, sourceFault } from './source-faults.ts'
import type { LocalCopy } from './target.ts'

/** Read at a time: enough for a disk, few enough for many uploads at once. Unit: bytes. */
const pieceBytes = 256 * 2 ** 10

/** A provider's hash, made while the bytes go by: Node's own are some. */
export interface RunningHash<Self> {
  update(bytes: Uint8Array): unknown
  copy(): Self
}

/** Pieces of one body in memory. */
const buffersMax = 4

/** What is known of the first `offset` bytes. */
export interface Proof<Hash extends RunningHash<Hash>> {
  readonly offset: number
  readonly crc32: number
  /** Not changed by whoever got it. */
  readonly hash: Hash
}

/** @param hash of nothing. */
export function nothingRead<Hash extends RunningHash<Hash>>(hash: Hash): Proof<Hash> {
  return { offset: 0, crc32: 0, hash }
}

export class SourceFile {
  readonly #copy: LocalCopy
  readonly #what: string
  readonly #file: FileHandle | undefined

  private constructor(copy: LocalCopy, what: string, file: FileHandle | undefined) {
    this.#copy = copy
    this.#what = what
    this.#file = file
  }

  /** Runs `work` with the file open. @param what whose copy, for messages. */
  static async with<T>(copy: LocalCopy, what: string, work: (source: SourceFile) => Promise<T>): Promise<T> {
    if (copy.bytes !== undefined) return work(new SourceFile(copy, what, undefined))
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const file = await open(copy.path, flags).catch((thrown: unknown) => {
      throw asSourceFault(what, thrown)
    })
    try {
      const source = new SourceFile(copy, what, file)
      await source.#check(file)
      return await work(source)
    } finally {
      await file.close()
    }
  }

  /**
   * Bytes from a proof's end on, each piece good until the one after the next is asked for: what they are read into is used again, since
   * memory anew for each costs more than reading. `onProof` is told what is known when the last of them was read.
   */
  async *pieces<Hash extends RunningHash<Hash>>(
    from: Proof<Hash>,
    until: number,
    onProof: (proof: Proof<Hash>) => void,
  ): AsyncGenerator<Uint8Array> {
    const hash = from.hash.copy()
    let sum = from.crc32
    let offset = from.offset
    const memory = new PieceMemory()
    do {
      const piece = await this.#read(offset, Math.min(pieceBytes, until - offset), memory)
      hash.update(piece)
      sum = crc32(piece, sum)
      offset += piece.length
      if (offset >= until) {
        await this.#proven(offset, sum)
        onProof({ offset, crc32: sum, hash })
      }
      yield piece
    } while (offset < until)
  }

  /** Reads without sending. */
  async prove<Hash extends RunningHash<Hash>>(
    from: Proof<Hash>,
    until: number,
    signal: AbortSignal,
  ): Promise<Proof<Hash>> {
    let proof = from
    for await (const piece of this.pieces(from, until, (last) => (proof = last))) {
      if (piece.length > 0) signal.throwIfAborted()
    }
    return proof
  }

  async #read(offset: number, count: number, memory: PieceMemory): Promise<Uint8Array> {
    const { bytes } = this.#copy
    if (bytes !== undefined) return bytes.subarray(offset, offset + count)
    const buffer = memory.next(count)
    for (let done = 0; done < count;) {
      const { bytesRead } = await this.#handle().read(buffer, done, count - done, offset + done)
      if (bytesRead === 0) throw sourceFault(this.#what, 'changed')
      done += bytesRead
    }
    return buffer
  }

  async #proven(offset: number, sum: number): Promise<void> {
    if (this.#file !== undefined) await this.#check(this.#file)
    if (offset === this.#copy.size && sum !== this.#copy.crc32) throw sourceFault(this.#what, 'unproven')
  }

  async #check(file: FileHandle): Promise<void> {
    const { size, mtimeNs, ctimeNs, inode } = this.#copy
    const stat = await file.stat({ bigint: true })
    const isSame =
      stat.isFile() &&
      stat.size === BigInt(size) &&
      stat.mtimeNs === mtimeNs &&
      stat.ctimeNs === ctimeNs &&
      stat.ino === inode
    if (!isSame) throw sourceFault(this.#what, 'changed')
  }

  #handle(): FileHandle {
    if (this.#file === undefined) throw sourceFault(this.#what, 'changed')
    return this.#file
  }
}

/** Buffers taken in turn. A socket is asked to take the next piece when it took the last one: one more than that would do. */
class PieceMemory {
  readonly #buffers: Buffer[] = []
  #at = 0

  next(count: number): Buffer {
    this.#at = (this.#at + 1) % buffersMax
    const known = this.#buffers[this.#at]
    const buffer = known !== undefined && known.length >= count ? known : Buffer.allocUnsafeSlow(count)
    this.#buffers[this.#at] = buffer
    return buffer.subarray(0, count)
  }
}
