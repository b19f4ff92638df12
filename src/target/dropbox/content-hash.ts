/**
 * Dropbox's content hash: SHA-256 over the SHA-256 digests of blocks of 4 MiB. Between two blocks its state can be written down, so that
 * an upload goes on after a crash without its beginning being read again. Source: Dropbox, "Content hash".
 */
import { createHash, type Hash } from 'node:crypto'
import { RunningSha256 } from '../running-sha256.ts'
import { nothingRead, type Proof as ProofBy } from '../source-file.ts'

export const hashBlockBytes = 4 * 2 ** 20

export class ContentHash {
  #outer = new RunningSha256()
  /** Of the block begun, undefined between two. */
  #block: Hash | undefined
  #blockBytes = 0

  update(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length;) {
      const part = bytes.subarray(start, start + hashBlockBytes - this.#blockBytes)
      this.#block ??= createHash('sha256')
      this.#block.update(part)
      this.#blockBytes += part.length
      start += part.length
      if (this.#blockBytes === hashBlockBytes) this.#closeBlock(this.#block)
    }
  }

  copy(): ContentHash {
    const copy = new ContentHash()
    copy.#outer = this.#outer.copy()
    copy.#block = this.#block?.copy()
    copy.#blockBytes = this.#blockBytes
    return copy
  }

  hex(): string {
    const outer = this.#outer.copy()
    if (this.#block !== undefined) outer.update(this.#block.copy().digest())
    return outer.hex()
  }

  /** undefined inside of a block. */
  save(): string | undefined {
    return this.#block === undefined ? this.#outer.save() : undefined
  }

  static restore(text: string): ContentHash | undefined {
    const outer = RunningSha256.restore(text)
    if (outer === undefined) return undefined
    const restored = new ContentHash()
    restored.#outer = outer
    return restored
  }

  static of(bytes: Uint8Array): string {
    const hash = new ContentHash()
    hash.update(bytes)
    return hash.hex()
  }

  #closeBlock(block: Hash): void {
    this.#outer.update(block.digest())
    this.#block = undefined
    this.#blockBytes = 0
  }
}

export type Proof = ProofBy<ContentHash>

export const nothingYet: Proof = nothingRead(new ContentHash())
