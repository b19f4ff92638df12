/** File systems mounted inside of a source: once seen there, an empty folder in their place is not taken for deleted files (F11, F14). */
import { lstatSync } from 'node:fs'
import { fsPath } from '../base/path.ts'
import { isBelow } from './dirty-folders.ts'

/** Mounts remembered per source: far more than any machine has; beyond it, none is added. */
const mountsMax = 1_000

export class Mounts {
  readonly #root: string
  readonly #rootDevice: bigint
  readonly #devices = new Map<string, bigint>()

  constructor(root: string, rootDevice: bigint) {
    this.#root = root
    this.#rootDevice = rootDevice
  }

  /** A folder was seen on `device`. */
  see(folder: string, device: bigint): void {
    if (device === this.#rootDevice || this.#devices.has(folder) || this.#devices.size >= mountsMax) return
    this.#devices.set(folder, device)
  }

  /** The mount at or above `path` that is not there any more; undefined where all are. */
  missing(path: string): string | undefined {
    for (const [folder, device] of this.#devices) {
      if (path !== folder && !isBelow(path, folder)) continue
      if (this.#deviceOf(folder) === device) continue
      return folder
    }
    return undefined
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
