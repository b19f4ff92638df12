/**
 * A hash that never changes: the same key falls into the same partition after a restart, on another machine and in every later version, since work
 * that waits by partition would lose its order otherwise. MurmurHash3 (x86, 32 bit, seed 0) by Austin Appleby; README.md has test vectors.
 */

/** What can be hashed without asking how: a value whose bytes are beyond dispute. */
export type Key = string | number | bigint | boolean | Uint8Array

const encoder = new TextEncoder()
const numberBytes = new DataView(new ArrayBuffer(8))

/**
 * 0 to 2^32 - 1. A string is hashed as its UTF-8 bytes, a number as the 8 bytes of its little-endian float (so 0 and -0 are one key), a bigint as its
 * decimal digits, a boolean as the number 0 or 1. So keys of different types may share a hash, and equal keys of one type always do.
 * @throws TypeError on anything else: how an object is to be told from another is for its owner to say.
 */
export function stableHash(key: Key): number {
  if (typeof key === 'number') return hashNumber(key)
  if (typeof key === 'boolean') return hashNumber(key ? 1 : 0)
  if (typeof key === 'string' || typeof key === 'bigint') return hashBytes(encoder.encode(key.toString()))
  return hashBytes(bytesOf(key))
}

/** Which of `count` partitions, 0 to count - 1, a key falls into. */
export function partitionOf(key: Key, count: number): number {
  return stableHash(key) % count
}

function bytesOf(key: unknown): Uint8Array {
  if (key instanceof Uint8Array) return key
  throw new TypeError(`key: expected a string, number, bigint, boolean or bytes, got ${typeof key}; give a hash`)
}

function hashNumber(key: number): number {
  numberBytes.setFloat64(0, key === 0 ? 0 : key, true)
  const low = mixIn(0, numberBytes.getInt32(0, true))
  return finish(mixIn(low, numberBytes.getInt32(4, true)), 8)
}

function hashBytes(bytes: Uint8Array): number {
  const blocksEnd = bytes.length & ~3
  let hash = 0
  for (let at = 0; at < blocksEnd; at += 4) hash = mixIn(hash, wordAt(bytes, at))
  if (bytes.length > blocksEnd) hash ^= scramble(wordAt(bytes, blocksEnd))
  return finish(hash, bytes.length)
}

/** Four bytes, little-endian; those past the end are 0. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}

function mixIn(hash: number, word: number): number {
  const mixed = hash ^ scramble(word)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number, length: number): number {
  let mixed = hash ^ length
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
