/** An object being read step by step: for its hash, or for somebody who gets it back. Runs inside the directory thread. */
import { closeSync, constants, fstatSync, fsyncSync, openSync } from 'node:fs'
import { createHash, type Hash } from 'node:crypto'
import { setMtimeNs } from '../../base/libc.ts'
import { showPath } from '../../base/path.ts'
import { during, Failure } from './failure.ts'
import type { Folders } from './folders.ts'
import { readFully } from './large-copy.ts'
import { type Stored, storedAt } from './objects.ts'

const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export class OpenObject {
  readonly stored: Stored
  readonly #fd: number
  readonly #sha256: Hash = createHash('sha256')
  #hashedBytes = 0

  /** @throws Failure `object:changed` where it is not a file any more. */
  constructor(folders: Folders, path: string) {
    this.#fd = during('object', path, () => openSync(folders.inside(path, false), flags))
    const stat = fstatSync(this.#fd, { bigint: true })
    this.stored = storedAt(path, stat)
    if (stat.isFile()) return
    this.close()
    throw new Failure('object', 'changed', `${showPath(path)} is no file any more`)
  }

  /** Hashes on, as much as `buffer` holds. Answers the sha256 in hex when the object is through. */
  hashOn(buffer: Uint8Array): string | undefined {
    const part = this.read(buffer, this.#hashedBytes)
    this.#sha256.update(part)
    this.#hashedBytes += part.length
    if (part.length === buffer.length) return undefined
    this.checkSame()
    return this.#sha256.digest('hex')
  }

  /** Fills `buffer` from byte `start` on; less at the end. */
  read(buffer: Uint8Array, start: number): Uint8Array {
    const { path } = this.stored
    return buffer.subarray(
      0,
      during('object', path, () => readFully(this.#fd, buffer, start)),
    )
  }

  /** @throws Failure when somebody wrote it since it was opened. */
  checkSame(): void {
    const { path, revision } = this.stored
    if (storedAt(path, fstatSync(this.#fd, { bigint: true })).revision === revision) return
    throw new Failure('object', 'changed', `${showPath(path)} was changed while it was read`)
  }

  setMtime(mtimeNs: bigint): void {
    during('object', this.stored.path, () => {
      if (this.stored.mtimeNs !== mtimeNs) setMtimeNs(this.#fd, mtimeNs)
      fsyncSync(this.#fd)
    })
  }

  close(): void {
    closeSync(this.#fd)
  }
}
