/**
 * What `lstat` says of the files of one large folder, at half its price: a scan of a million files is little else. Answers only what is plain, a regular
 * file on the folder's own file system; for the rest the caller asks Node. Runs in the scan thread.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { statxAt, statxBytes } from '../base/libc.ts'
import { fsPath } from '../base/path.ts'
import type { FileStat } from './scan.ts'

/** Entries from which on the folder's descriptor is worth its price. */
const entriesMin = 16
const nameBytesMax = 255
const nanosecondsPerSecond = 1_000_000_000n
const kindMask = 0o170000
const regular = 0o100000

/** One answer at a time, read by words. Source of the places: statx(2), in words of 16, 32 and 64 bits. */
const answer = new ArrayBuffer(statxBytes)
const bytes = new Uint8Array(answer)
const halves = new Uint16Array(answer)
const words = new Uint32Array(answer)
const longs = new BigInt64Array(answer)
const at = {
  mode: 14,
  inode: 4,
  size: 5,
  ctime: { seconds: 12, nanoseconds: 26 },
  mtime: { seconds: 14, nanoseconds: 30 },
  device: { major: 34, minor: 35 },
} as const
const name = new Uint8Array(nameBytesMax + 1)
const itself = Buffer.from('.\0')

export class EntryStats {
  readonly #folder: string
  #askedCount = 0
  #fd: number | undefined
  #device: { readonly major: number; readonly minor: number } | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Undefined where it is no plain file, or nothing is known of it here. */
  file(entry: Uint8Array): FileStat | undefined {
    if (++this.#askedCount === entriesMin) this.#open()
    if (this.#fd === undefined || this.#device === undefined || entry.length > nameBytesMax) return undefined
    name.set(entry)
    name[entry.length] = 0
    if (!statxAt(this.#fd, name, bytes)) return undefined
    const mode = halves[at.mode] ?? 0
    if ((mode & kindMask) !== regular || !isOn(this.#device)) return undefined
    return {
      size: Number(longs[at.size]),
      mtimeNs: timeAt(at.mtime),
      ctimeNs: timeAt(at.ctime),
      inode: longs[at.inode] ?? 0n,
      mode,
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #open(): void {
    try {
      const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
      this.#fd = openSync(fsPath(this.#folder), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    } catch {
      // It went, or may not be opened twice: Node says what of its entries is to be said.
      return
    }
    if (statxAt(this.#fd, itself, bytes)) this.#device = deviceThere()
  }
}

function deviceThere(): { major: number; minor: number } {
  return { major: words[at.device.major] ?? 0, minor: words[at.device.minor] ?? 0 }
}

function isOn(device: { readonly major: number; readonly minor: number }): boolean {
  return words[at.device.major] === device.major && words[at.device.minor] === device.minor
}

function timeAt({ seconds, nanoseconds }: { readonly seconds: number; readonly nanoseconds: number }): bigint {
  return (longs[seconds] ?? 0n) * nanosecondsPerSecond + BigInt(words[nanoseconds] ?? 0)
}
