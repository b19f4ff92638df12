/** MD5 of what goes by, where all of it went by: Node cannot write a half-made one down, so one that goes on after a restart is not known. */
import { createHash, type Hash } from 'node:crypto'

export class Md5 {
  readonly #hash: Hash | undefined

  constructor(hash: Hash | undefined) {
    this.#hash = hash
  }

  static ofNothing(): Md5 {
    return new Md5(createHash('md5'))
  }

  /** The beginning went by in another life. */
  static unknown(): Md5 {
    return new Md5(undefined)
  }

  update(bytes: Uint8Array): void {
    this.#hash?.update(bytes)
  }

  copy(): Md5 {
    return new Md5(this.#hash?.copy())
  }

  hex(): string | undefined {
    return this.#hash?.copy().digest('hex')
  }
}
