/**
 * The folders below the place that is restored to, entered name by name without following a link, so that nothing is ever written outside of it
 * (F60). Node has no openat; `/proc/self/fd/N/name` is the same thing, and no path is too long for it.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises'
import { errnoOf, OwnerError } from '../base/errors.ts'
import { type FsPath, fsPath, joinPath, showPath } from '../base/path.ts'

const rootFlags = constants.O_RDONLY | constants.O_DIRECTORY
const enterFlags = rootFlags | constants.O_NOFOLLOW

/** An open folder. */
export class Folder {
  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /**
   * A folder below `root`, which itself may be a link.
   * @param mayMake false answers undefined for one that is missing.
   * @throws OwnerError where something else than a folder is on the way.
   */
  static async enter(root: string, path: string, mayMake: boolean): Promise<Folder | undefined> {
    let folder = await rootFolder(root, mayMake)
    let entered = ''
    for (const name of path === '' ? [] : path.split('/')) {
      if (folder === undefined) return undefined
      entered = joinPath(entered, name)
      const parent = folder
      try {
        folder = await parent.#step(name, entered, mayMake)
      } finally {
        await parent.close()
      }
    }
    return folder
  }

  static opened(handle: FileHandle): Folder {
    return new Folder(handle)
  }

  /** A name in it, as a path that node:fs takes and no link can redirect. */
  at(name: string): FsPath {
    return fsPath(`/proc/self/fd/${this.#handle.fd}/${name}`)
  }

  /** Makes the names in it durable. */
  sync(): Promise<void> {
    return this.#handle.sync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #step(name: string, path: string, mayMake: boolean): Promise<Folder | undefined> {
    const at = this.at(name)
    try {
      return new Folder(await open(at, enterFlags))
    } catch (thrown) {
      const errno = errnoOf(thrown)
      if (errno === 'ENOTDIR' || errno === 'ELOOP') throw await obstacle(at, path)
      if (errno !== 'ENOENT') throw thrown
      if (!mayMake) return undefined
    }
    await made(at)
    return new Folder(await open(at, enterFlags))
  }
}

async function rootFolder(root: string, mayMake: boolean): Promise<Folder | undefined> {
  try {
    if (mayMake) await mkdir(root, { recursive: true })
    return Folder.opened(await open(root, rootFlags))
  } catch (thrown) {
    const errno = errnoOf(thrown)
    if (errno === 'ENOENT' && !mayMake) return undefined
    const options = { cause: thrown }
    if (errno === 'ENOTDIR' || errno === 'EEXIST') throw new OwnerError(`${root} is no folder; name another`, options)
    throw new OwnerError(`cannot use ${root} (${errno ?? 'unknown reason'}); name a folder that you may write`, options)
  }
}

async function made(at: FsPath): Promise<void> {
  try {
    await mkdir(at)
  } catch (thrown) {
    // Somebody was faster, which is as good.
    if (errnoOf(thrown) !== 'EEXIST') throw thrown
  }
}

async function obstacle(at: FsPath, path: string): Promise<OwnerError> {
  const isLink = await lstat(at).then(
    (stat) => stat.isSymbolicLink(),
    () => false,
  )
  const what = isLink ? 'a symbolic link' : 'something else'
  return new OwnerError(`${what} stands where the folder ${showPath(path)} must be; move it away`)
}
