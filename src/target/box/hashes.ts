/** Hashes that are made while a file is read: of all of it and of one part at once, or none where it was hashed before. */
import { createHash, type Hash } from 'node:crypto'
import type { RunningHash } from '../source-file.ts'

/** SHA-1 of all that was read, and of the part that was begun last. */
export class PartHash implements RunningHash<PartHash> {
  readonly whole: Hash
  readonly part: Hash

  private constructor(whole: Hash, part: Hash) {
    this.whole = whole
    this.part = part
  }

  static ofNothing(): PartHash {
    return new PartHash(createHash('sha1'), createHash('sha1'))
  }

  update(bytes: Uint8Array): void {
    this.whole.update(bytes)
    this.part.update(bytes)
  }

  copy(): PartHash {
    return new PartHash(this.whole.copy(), this.part.copy())
  }

  /** Goes on with the next part. */
  next(): PartHash {
    return new PartHash(this.whole.copy(), createHash('sha1'))
  }
}

interface NoHash extends RunningHash<NoHash> {
  update(): void
}

/** For bytes that were hashed before they go: Box holds what comes against that. */
export const unhashed: NoHash = { update: () => undefined, copy: () => unhashed }
