/**
 * The folders below a target's root, for one piece of work: entered name by name without following a link, so that nothing is
 * ever written elsewhere (F60), and written durably. Node has no openat; `/proc/self/fd/N/name` is the same thing, and no path is too long for it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  statfsSync,
} from 'node:fs'
import { errnoOf } from '../../base/errors.ts'
import { folderOf, type FsPath, fsPath, nameOf, showPath } from '../../base/path.ts'
import { showBytes } from '../../base/units.ts'
import { asFailure, during, Failure, type Side } from './failure.ts'
import { isSamePlace, markOf } from './mark.ts'

/** Where the target is and which place that has to be. */
export interface Place {
  readonly root: string
  readonly mark: string
}

const enterFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** Names at the root that are Fanfold's own. */
const reservedPrefix = '.fanfold-'
export const temporaryFolder = '.fanfold-tmp'
export const trashFolder = '.fanfold-trash'

export function isReserved(path: string): boolean {
  return path.startsWith(reservedPrefix)
}

/** Folders held open at once; beyond, `trim` closes them all. A deep tree would otherwise use up the process's descriptors. */
const openFoldersMax = 256

export class Folders {
  readonly #root: string
  readonly #open = new Map<string, number>()
  readonly #unsynced = new Set<string>()

  /** @throws Failure `root:…` where the root is absent or not the expected place. */
  constructor(place: Place) {
    this.#root = place.root
    const fd = during('root', place.root, () =>
      openSync(fsPath(place.root), constants.O_RDONLY | constants.O_DIRECTORY),
    )
    this.#open.set('', fd)
    if (isSamePlace(markOf(fstatSync(fd, { bigint: true })), place.mark)) return
    closeSync(fd)
    throw new Failure('root', 'another-place', `another disk or an empty mount point stands at ${place.root}`)
  }

  /** Descriptor of a folder; valid until `trim` or `close`. @param make creates what is missing. */
  enter(path: string, make: boolean): number {
    const known = this.#open.get(path)
    if (known !== undefined) return known
    const parent = folderOf(path)
    const fd = this.#step(this.enter(parent, make), path, make)
    this.#open.set(path, fd)
    return fd
  }

  /** The name `path` ends in, as a path that node:fs takes and no link can redirect. */
  inside(path: string, make: boolean): FsPath {
    return below(this.enter(folderOf(path), make), nameOf(path))
  }

  #step(parent: number, path: string, make: boolean): number {
    const at = below(parent, nameOf(path))
    const side = sideOf(path)
    try {
      return openSync(at, enterFlags)
    } catch (thrown) {
      const errno = errnoOf(thrown)
      if (errno === 'ENOTDIR' || errno === 'ELOOP') throw obstacle(at, path)
      if (errno !== 'ENOENT' || !make) throw asFailure(side, path, thrown)
    }
    during(side, path, () => makeFolder(at))
    this.#unsynced.add(folderOf(path))
    return during(side, path, () => openSync(at, enterFlags))
  }

  /** A name in this folder was made, replaced or removed: `sync` makes that last. */
  changed(path: string): void {
    this.#unsynced.add(path)
  }

  get unsynced(): readonly string[] {
    return [...this.#unsynced]
  }

  /** Makes every changed name durable, the names of new folders included. */
  sync(): void {
    for (const path of this.unsynced) this.syncOne(path)
  }

  syncOne(path: string): void {
    during(sideOf(path), path, () => fsyncSync(this.enter(path, false)))
    this.#unsynced.delete(path)
  }

  /** Removes `path` and the folders above it as far as they are empty, never the root. Best effort: someone may be using them. */
  removeEmpty(path: string): void {
    for (let folder = path; folder !== ''; folder = folderOf(folder)) {
      try {
        rmdirSync(this.inside(folder, false))
      } catch {
        // Not empty, gone, or not ours to remove: the folders above hold something then, too.
        return
      }
      this.#forget(folder)
      this.changed(folderOf(folder))
    }
  }

  /** Bytes that still fit; undefined where the file system does not say. */
  freeBytes(): number | undefined {
    const stat = statfsSync(below(this.enter('', false), '.'))
    return stat.blocks === 0 ? undefined : stat.bavail * stat.bsize
  }

  /** @throws Failure `root:ENOSPC` with numbers where `bytes` more do not fit. */
  checkSpace(bytes: number): void {
    const freeBytes = this.freeBytes()
    if (freeBytes !== undefined && bytes > freeBytes) throw this.full('ENOSPC', bytes)
  }

  full(errno: string, neededBytes: number): Failure {
    const free = this.freeBytes()
    const rest = free === undefined ? '' : `, ${showBytes(free)} are free`
    return new Failure('root', errno, `no space left at ${this.#root}: ${showBytes(neededBytes)} are needed${rest}`)
  }

  /** Between two files: keeps the number of open folders bounded. */
  trim(): void {
    if (this.#open.size <= openFoldersMax) return
    this.sync()
    for (const path of [...this.#open.keys()]) if (path !== '') this.#forget(path)
  }

  #forget(path: string): void {
    const fd = this.#open.get(path)
    this.#open.delete(path)
    this.#unsynced.delete(path)
    if (fd !== undefined) closeSync(fd)
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }
}

/** One name in an open folder. */
export function below(folder: number, name: string): FsPath {
  return fsPath(`/proc/self/fd/${folder}/${name}`)
}

/** Trouble with our own folders or the root is the target's, with anything else that one object's. */
export function sideOf(path: string): Side {
  return path === '' || isReserved(path) ? 'root' : 'object'
}

function makeFolder(at: FsPath): void {
  try {
    mkdirSync(at)
  } catch (thrown) {
    // Somebody was faster, which is as good.
    if (errnoOf(thrown) !== 'EEXIST') throw thrown
  }
}

function obstacle(at: FsPath, path: string): Failure {
  const isLink = lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true
  // Copies are put without the trash: what stands in its way holds back removals, not the target.
  const side = path === trashFolder || path.startsWith(`${trashFolder}/`) ? 'object' : sideOf(path)
  const what = isLink ? 'a symbolic link' : 'a file'
  return new Failure(
    side,
    isLink ? 'link-in-path' : 'in-the-way',
    `${what} stands where the folder ${showPath(path)} must be`,
  )
}
