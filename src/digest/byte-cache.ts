/** Recently digested contents, the least recently used given up first. Bounded by bytes, not by count. */

/**
 * What an entry costs beside its bytes: digests, key, map slot, and an array with a buffer of its own are 0.8 KiB, and the engine lets garbage
 * grow to some times of what lives. Counted as 512 bytes, 100,000 tiny files took 300 MiB. Unit: bytes.
 */
const entryBytes = 4096

export class ByteCache<T extends { readonly bytes: Uint8Array | undefined }> {
  readonly #bytesMax: number
  readonly #contents = new Map<string, T>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(key: string): T | undefined {
    const content = this.#contents.get(key)
    if (content === undefined) return undefined
    this.#contents.delete(key)
    this.#contents.set(key, content)
    return content
  }

  add(key: string, content: T): void {
    this.#remove(key)
    if (weight(content) > this.#bytesMax) return
    this.#contents.set(key, content)
    this.#bytes += weight(content)
    for (const oldest of this.#contents.keys()) {
      if (this.#bytes <= this.#bytesMax) break
      this.#remove(oldest)
    }
  }

  #remove(key: string): void {
    const content = this.#contents.get(key)
    if (content === undefined) return
    this.#contents.delete(key)
    this.#bytes -= weight(content)
  }
}

function weight(content: { readonly bytes: Uint8Array | undefined }): number {
  return entryBytes + (content.bytes?.length ?? 0)
}
