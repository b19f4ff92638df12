/** File systems mounted inside of a source: once seen there, an empty folder in their place is not taken for deleted files (F11, F14). */
import { lstatSync } from 'node:fs'
import { folderOf, fsPath } from '../base/path.ts'
import { isBelow } from './dirty-folders.ts'

/** Mounts remembered per source: far more than any machine has; beyond it, none is added. */
const mountsMax = 1_000

export class Mounts {
  readonly #root: string
  readonly #rootDevice: bigint
  /** Folders only: a disk may have another number each time it is mounted. */
  readonly #folders = new Set<string>()

  /** @param expected folders that were mounts when the program ran last. */
  constructor(root: string, rootDevice: bigint, expected: readonly string[]) {
    this.#root = root
    this.#rootDevice = rootDevice
    for (const folder of expected.slice(0, mountsMax)) this.#folders.add(folder)
  }

  /** A folder was seen on `device`. */
  see(folder: string, device: bigint): void {
    if (device === this.#rootDevice || this.#folders.has(folder) || this.#folders.size >= mountsMax) return
    if (device !== this.#deviceOf(folderOf(folder))) this.#folders.add(folder)
  }

  /** It is a folder like any other now. */
  forget(folder: string): void {
    this.#folders.delete(folder)
  }

  /** The mount at or above `path` that is not there any more; undefined where all are. */
  missing(path: string): string | undefined {
    for (const folder of this.#folders)
      if ((path === folder || isBelow(path, folder)) && !this.#isMounted(folder)) return folder
    return undefined
  }

  #isMounted(folder: string): boolean {
    const device = this.#deviceOf(folder)
    return device !== undefined && device !== this.#deviceOf(folderOf(folder))
  }

  #deviceOf(folder: string): bigint | undefined {
    try {
      return lstatSync(fsPath(`${this.#root}/${folder}`), { bigint: true, throwIfNoEntry: false })?.dev
    } catch {
      // A mount that cannot be asked (ESTALE, EIO) is as good as gone: nothing may be concluded from what is seen there.
      return undefined
    }
  }
}
