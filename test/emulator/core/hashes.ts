/** Content hashes as the providers define them, one pass each. What is done with a hash is the provider's concern. */
import { createHash, type Hash } from 'node:crypto'

export type HashKind = 'sha256' | 'sha1' | 'md5' | 'dropbox' | 'quickxor'

export interface Hasher {
  update(chunk: Uint8Array): void
  /** An independent one that stands at the same byte: to go back to. */
  copy(): Hasher
  /** Of everything so far; more may follow. Lower hex, quickxor in base64 as its provider writes it. */
  digest(): string
}

export function hasherOf(kind: HashKind): Hasher {
  switch (kind) {
    case 'dropbox':
      return new BlockHasher()
    case 'quickxor':
      return new QuickXorHasher()
    case 'sha256':
    case 'sha1':
    case 'md5':
      return new PlainHasher(createHash(kind))
  }
}

export function hashOf(kind: HashKind, content: Uint8Array | string): string {
  const hasher = hasherOf(kind)
  hasher.update(Buffer.from(content))
  return hasher.digest()
}

class PlainHasher implements Hasher {
  readonly #hash: Hash

  constructor(hash: Hash) {
    this.#hash = hash
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }

  copy(): Hasher {
    return new PlainHasher(this.#hash.copy())
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}

/** Dropbox "content hash": SHA-256 of the SHA-256s of blocks of this many bytes. Source: Dropbox "Content hash" page. */
const blockBytes = 4 * 1024 * 1024

class BlockHasher implements Hasher {
  readonly #outer: Hash
  #block: Hash
  #filled: number

  constructor(outer = createHash('sha256'), block = createHash('sha256'), filled = 0) {
    this.#outer = outer
    this.#block = block
    this.#filled = filled
  }

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + blockBytes - this.#filled)
      this.#block.update(piece)
      this.#filled += piece.length
      at += piece.length
      if (this.#filled === blockBytes) this.#endBlock()
    }
  }

  copy(): Hasher {
    return new BlockHasher(this.#outer.copy(), this.#block.copy(), this.#filled)
  }

  digest(): string {
    const outer = this.#outer.copy()
    if (this.#filled > 0) outer.update(this.#block.copy().digest())
    return outer.digest('hex')
  }

  #endBlock(): void {
    this.#outer.update(this.#block.digest())
    this.#block = createHash('sha256')
    this.#filled = 0
  }
}

/** Width of a quickXorHash in bits; byte i is XORed in at bit 11 i of a ring of this many. Source: OneDrive "QuickXorHash". */
const ringBits = 160
const shiftBits = 11

class QuickXorHasher implements Hasher {
  /** The ring closes after 160 bytes too, so bytes 160 apart meet at one place and are folded before they are shifted. */
  readonly #folded: Uint8Array
  #length: number

  constructor(folded = new Uint8Array(ringBits), length = 0) {
    this.#folded = folded
    this.#length = length
  }

  update(chunk: Uint8Array): void {
    const folded = this.#folded
    let place = this.#length % ringBits
    for (const byte of chunk) {
      folded[place] = (folded[place] ?? 0) ^ byte
      place = place + 1 === ringBits ? 0 : place + 1
    }
    this.#length += chunk.length
  }

  copy(): Hasher {
    return new QuickXorHasher(this.#folded.slice(), this.#length)
  }

  digest(): string {
    const ring = Buffer.alloc(ringBits / 8)
    const mix = (place: number, bits: number): void => {
      const at = place % ring.length
      ring[at] = (ring[at] ?? 0) ^ (bits & 0xff)
    }
    this.#folded.forEach((byte, index) => {
      const bit = (index * shiftBits) % ringBits
      const shifted = byte << (bit % 8)
      mix(bit >> 3, shifted)
      mix((bit >> 3) + 1, shifted >> 8)
    })
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(this.#length))
    length.forEach((byte, index) => mix(ring.length - length.length + index, byte))
    return ring.toString('base64')
  }
}
