/**
 * OneDrive's quickXorHash, fast and with a state that can be written down, so that an upload goes on after a crash without its beginning
 * being read again. It proves bytes and not their order: equal pieces a multiple of 160 bytes apart may be swapped unseen.
 *
 * A ring of 160 bits into which byte i goes at bit 11 i, and the length at its end. After 160 bytes the ring is where it was, so bytes so far
 * apart meet at one place: they are folded as words into one block, and only that is turned into the ring. Source: "QuickXorHash Algorithm".
 */

const ringBits = 160
const shiftBits = 11
/** Bytes after which places repeat. */
const blockBytes = ringBits
const blockWords = blockBytes / 4

export class QuickXor {
  #words = new Int32Array(blockWords)
  #count = 0

  update(bytes: Uint8Array): void {
    const head = Math.min((blockBytes - (this.#count % blockBytes)) % blockBytes, bytes.length)
    this.#mix(bytes.subarray(0, head))
    const blocks = Math.floor((bytes.length - head) / blockBytes)
    fold(this.#words, wordsOf(bytes, head, blocks * blockWords))
    this.#count += blocks * blockBytes
    this.#mix(bytes.subarray(head + blocks * blockBytes))
  }

  copy(): QuickXor {
    const copy = new QuickXor()
    copy.#words = this.#words.slice()
    copy.#count = this.#count
    return copy
  }

  /** As OneDrive writes it, of all bytes so far. */
  base64(): string {
    const ring = Buffer.alloc(ringBits / 8)
    const mix = (place: number, bits: number): void => {
      const at = place % ring.length
      ring[at] = (ring[at] ?? 0) ^ (bits & 0xff)
    }
    for (const [index, byte] of bytesOf(this.#words).entries()) {
      const bit = (index * shiftBits) % ringBits
      mix(bit >> 3, byte << (bit & 7))
      mix((bit >> 3) + 1, (byte << (bit & 7)) >> 8)
    }
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(this.#count))
    for (const [index, byte] of length.entries()) mix(ring.length - length.length + index, byte)
    return ring.toString('base64')
  }

  /** Bytes taken and the folded block: all that another process needs. */
  save(): string {
    return `${this.#count}:${bytesOf(this.#words).toString('base64')}`
  }

  /** undefined for a text that `save` never writes. */
  static restore(text: string): QuickXor | undefined {
    const [, count = '', block = ''] = /^(\d{1,15}):([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
    const bytes = Buffer.from(block, 'base64')
    if (count === '' || bytes.length !== blockBytes) return undefined
    const restored = new QuickXor()
    bytesOf(restored.#words).set(bytes)
    restored.#count = Number(count)
    return restored
  }

  static of(bytes: Uint8Array): string {
    const hash = new QuickXor()
    hash.update(bytes)
    return hash.base64()
  }

  /** Few bytes, from anywhere to anywhere in a block. */
  #mix(bytes: Uint8Array): void {
    const folded = bytesOf(this.#words)
    const start = this.#count % blockBytes
    for (const [index, byte] of bytes.entries()) {
      const place = (start + index) % blockBytes
      folded[place] = (folded[place] ?? 0) ^ byte
    }
    this.#count += bytes.length
  }
}

function bytesOf(words: Int32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength)
}

/** The same memory as words; a copy where it does not begin at a word. */
function wordsOf(bytes: Uint8Array, start: number, count: number): Int32Array {
  const at = bytes.byteOffset + start
  if (at % 4 === 0) return new Int32Array(bytes.buffer, at, count)
  // Not `slice`, which copies nothing of a Buffer.
  return new Int32Array(new Uint8Array(bytes.subarray(start, start + count * 4)).buffer, 0, count)
}

/** Eight columns at a time: so many the engine keeps in registers, which is ten times as fast as a byte after the other. */
function fold(block: Int32Array, words: Int32Array): void {
  for (let column = 0; column < blockWords; column += 8) {
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = block.subarray(column, column + 8)
    for (let at = column; at < words.length; at += blockWords) {
      a ^= words[at] ?? 0
      b ^= words[at + 1] ?? 0
      c ^= words[at + 2] ?? 0
      d ^= words[at + 3] ?? 0
      e ^= words[at + 4] ?? 0
      f ^= words[at + 5] ?? 0
      g ^= words[at + 6] ?? 0
      h ^= words[at + 7] ?? 0
    }
    block.set([a, b, c, d, e, f, g, h], column)
  }
}
