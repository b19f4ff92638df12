/**
 * A file on its way: beside its place under a name of its own until it is whole and proven, then put there in one step. What a run that was
 * killed left of a large one is gone on with. Which content is right is not said here.
 */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises'
import { errnoOf, OwnerError } from '../base/errors.ts'
import { setMtimeNs, tryLock } from '../base/libc.ts'
import { encodeName, showPath } from '../base/path.ts'
import type { Folder } from './folder-chain.ts'
import type { Wanted } from './wanted.ts'

/** What is less is fetched anew sooner than it is read again. Unit: bytes. */
const keptBytesMin = 2 ** 20
const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK

interface Naming {
  readonly name: string
  readonly wanted: Wanted
  /** Told when the name is there. */
  readonly onPlaced: () => Promise<void>
}

export class Unfinished {
  readonly #folder: Folder
  readonly #file: FileHandle
  readonly #temporary: string
  readonly #naming: Naming
  #sha256: Hash = createHash('sha256')
  #bytes = 0
  #isOpen = true

  private constructor(folder: Folder, file: FileHandle, naming: Naming) {
    this.#folder = folder
    this.#file = file
    this.#naming = naming
    this.#temporary = temporaryName(naming)
  }

  static async open(folder: Folder, naming: Naming, signal: AbortSignal): Promise<Unfinished> {
    const file = await open(folder.at(temporaryName(naming)), flags)
    const unfinished = new Unfinished(folder, file, naming)
    try {
      if (!tryLock(file.fd))
        throw new OwnerError(
          `another restore writes ${showPath(naming.name)} now; wait for its end, then run this again`,
        )
      await unfinished.#takeUp(signal)
      return unfinished
    } catch (thrown) {
      await file.close()
      throw thrown
    }
  }

  /** Bytes that are there. */
  get bytes(): number {
    return this.#bytes
  }

  /** Reads what is there already; without a hash nobody could tell whether it belongs to what follows. */
  async #takeUp(signal: AbortSignal): Promise<void> {
    const stat = await this.#file.stat()
    if (!stat.isFile()) throw new OwnerError(`${this.#temporary} is no file; move it away`)
    if (stat.size === 0) return
    const { sha256, size } = this.#naming.wanted
    if (sha256 === null || stat.size > size || stat.size < keptBytesMin) return this.startOver()
    const content = this.#file.createReadStream({ start: 0, autoClose: false, signal }) as AsyncIterable<Buffer>
    for await (const piece of content) {
      this.#sha256.update(piece)
      this.#bytes += piece.length
    }
  }

  async startOver(): Promise<void> {
    await this.#file.truncate(0)
    this.#sha256 = createHash('sha256')
    this.#bytes = 0
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#sha256.update(piece)
    for (let done = 0; done < piece.length;) {
      const { bytesWritten } = await this.#file.write(piece, done, piece.length - done, this.#bytes)
      done += bytesWritten
      this.#bytes += bytesWritten
    }
  }

  /** Of all bytes that are there, hex. */
  digest(): string {
    return this.#sha256.copy().digest('hex')
  }

  /** Gives it its time and its name. @returns false where something stands there that may not be replaced; nothing is changed then. */
  async place(mayReplace: boolean): Promise<boolean> {
    const { name, wanted, onPlaced } = this.#naming
    setMtimeNs(this.#file.fd, wanted.mtimeNs)
    await this.#file.sync()
    const from = this.#folder.at(this.#temporary)
    const to = this.#folder.at(name)
    if (mayReplace) await rename(from, to)
    else if (!(await this.#placeAsNew())) return false
    await this.#close()
    await onPlaced()
    return true
  }

  /** A link never replaces what a rename would. */
  async #placeAsNew(): Promise<boolean> {
    const from = this.#folder.at(this.#temporary)
    const to = this.#folder.at(this.#naming.name)
    try {
      await link(from, to)
    } catch (thrown) {
      const errno = errnoOf(thrown) ?? ''
      if (errno === 'EEXIST') return false
      if (!noLinks.has(errno)) throw thrown
      // A file system without links (FAT, some shares): who puts a file there between these two loses it.
      if (!(await isFree(to))) return false
      await rename(from, to)
      return true
    }
    await unlink(from)
    return true
  }

  /** Ends without a name. What is worth it stays for the next run. */
  async leave(): Promise<void> {
    if (!this.#isOpen) return
    if (this.#bytes < keptBytesMin || this.#naming.wanted.sha256 === null) await this.drop()
    else await this.#close()
  }

  async drop(): Promise<void> {
    if (!this.#isOpen) return
    try {
      await unlink(this.#folder.at(this.#temporary))
    } finally {
      await this.#close()
    }
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    try {
      await this.#file.close()
    } finally {
      await this.#folder.close()
    }
  }
}

const noLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'])

/** The same for the same content of the same name, so that the next run finds it. Fanfold itself ignores it where it watches. */
export function temporaryName({ name, wanted: { sha256, size, mtimeNs } }: Pick<Naming, 'name' | 'wanted'>): string {
  const what = createHash('sha256')
    .update(encodeName(name))
    .update(`\0${sha256 ?? ''}\0${size}\0${mtimeNs}`)
  return `.fanfold-restore-${what.digest('hex').slice(0, 32)}.part`
}

async function isFree(at: string | Buffer): Promise<boolean> {
  try {
    await lstat(at)
    return false
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return true
    throw thrown
  }
}
