/** File systems mounted inside of a source: once seen there, an empty folder in their place is not taken for deleted files (F11, F14). */
import { lstatSync } from 'node:fs'
import { folderOf, fsPath } from '../base/path.ts'
import { isBelow } from './dirty-folders.ts'

/** Mounts remembered per source: far more than any machine has; beyond it, none is added. */
const mountsMax = 1_000

export class Mounts {
  readonly #root: string
  readonly #rootDevice: bigint
  /** Device by folder; undefined where it was not seen yet, since disks are numbered anew at each start of the machine. */
  readonly #devices = new Map<string, bigint | undefined>()

  /** @param expected folders that were mounts when the program ran last. */
  constructor(root: string, rootDevice: bigint, expected: readonly string[]) {
    this.#root = root
    this.#rootDevice = rootDevice
    for (const folder of expected.slice(0, mountsMax)) this.#devices.set(folder, undefined)
  }

  /** A folder was seen on `device`. */
  see(folder: string, device: bigint): void {
    if (device === this.#rootDevice || this.#devices.get(folder) !== undefined) return
    if (this.#devices.has(folder) || this.#devices.size < mountsMax) this.#devices.set(folder, device)
  }

  /** The mount at or above `path` that is not there any more; undefined where all are. */
  missing(path: string): string | undefined {
    for (const [folder, device] of this.#devices) {
      if (path !== folder && !isBelow(path, folder)) continue
      if (!this.#isMounted(folder, device)) return folder
    }
    return undefined
  }

  #isMounted(folder: string, expected: bigint | undefined): boolean {
    const device = this.#deviceOf(folder)
    if (expected !== undefined) return device === expected
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
