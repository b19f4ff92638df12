/** Walks one folder tree without following links, piece by piece. Runs in the scan thread; every call blocks it for a few milliseconds at most. */
import { lstatSync, opendirSync, type BigIntStats, type Dir, type Dirent } from 'node:fs'
import { asError, errnoOf } from '../base/errors.ts'
import { decodeName, fsPath, joinPath } from '../base/path.ts'
import { EntryStats } from './entry-stats.ts'
import type { IgnoreRules } from './ignore-rules.ts'
import type { Mounts } from './mounts.ts'
import { packStat, statWords, type FileStat, type Piece } from './scan.ts'

/** Entries read from the kernel at a time. */
const readAheadCount = 512

export interface WalkedRoot {
  readonly path: string
  readonly rules: IgnoreRules
  readonly mounts: Mounts
  /** The only file system that counts; undefined where all do. */
  readonly onlyDevice: bigint | undefined
}

interface OpenFolder {
  readonly folder: string
  readonly dir: Dir
  readonly stats: EntryStats
  isFirst: boolean
}

export class Walk {
  readonly #root: WalkedRoot
  /** Folders found and not yet opened: names only, the siblings along one line down. */
  readonly #ahead: string[]
  #open: OpenFolder | undefined

  constructor(root: WalkedRoot, folder: string) {
    this.#root = root
    this.#ahead = [folder]
  }

  get isEnd(): boolean {
    return this.#open === undefined && this.#ahead.length === 0
  }

  /** The next pieces: about `entryCount` entries, a folder counting as one more. */
  next(entryCount: number): Piece[] {
    this.#root.rules.refresh()
    const pieces: Piece[] = []
    for (let left = entryCount; left > 0 && !this.isEnd;) {
      const piece = this.#piece(left)
      pieces.push(piece)
      left -= 1 + piece.names.length + piece.folders.length + piece.kept.length
    }
    return pieces
  }

  close(): void {
    this.#closeFolder()
    this.#ahead.length = 0
  }

  #piece(entriesMax: number): Piece {
    if (this.#open !== undefined) return this.#read(this.#open, entriesMax)
    const folder = this.#ahead.pop() ?? ''
    try {
      const missing = this.#root.mounts.missing(folder)
      if (missing !== undefined) return failed(folder, true, `the file system mounted at ${missing} is gone`)
      const path = this.#pathOf(folder)
      this.#open = { folder, dir: openFolder(path), stats: new EntryStats(path), isFirst: true }
    } catch (thrown) {
      const errno = errnoOf(thrown)
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return { ...failed(folder, true, undefined), isGone: true }
      return failed(folder, true, asError(thrown).message)
    }
    return this.#read(this.#open, entriesMax)
  }

  #read(open: OpenFolder, entriesMax: number): Piece {
    const found = new Findings(open, this.#root)
    const { isFirst } = open
    open.isFirst = false
    try {
      for (let count = 0; count < entriesMax; count++) {
        const entry = open.dir.readSync()
        if (entry === null) return this.#finish(found.piece(isFirst, true))
        found.add(entry)
      }
      return this.#continue(found.piece(isFirst, false))
    } catch (thrown) {
      return this.#finish({ ...found.piece(isFirst, true), failure: asError(thrown).message })
    }
  }

  #finish(piece: Piece): Piece {
    this.#closeFolder()
    return this.#continue(piece)
  }

  #closeFolder(): void {
    this.#open?.dir.closeSync()
    this.#open?.stats.close()
    this.#open = undefined
  }

  #continue(piece: Piece): Piece {
    for (const name of piece.folders) this.#ahead.push(joinPath(piece.folder, name))
    return piece
  }

  #pathOf(folder: string): string {
    return joinPath(this.#root.path, folder).replace(/\/$/, '')
  }
}

/** Names come as bytes, because from a string those that are no UTF-8 could not be opened again (F17). */
function openFolder(path: string): Dir {
  // The type says a text encoding; the call takes 'buffer' as readdir does, and entries then carry bytes.
  const options = { encoding: 'buffer' as BufferEncoding, bufferSize: readAheadCount }
  if (lstatSync(fsPath(path)).isSymbolicLink()) throw Object.assign(new Error('is a link'), { code: 'ENOTDIR' })
  const given = fsPath(path)
  // opendir is typed for strings only, while it takes the same paths as all of node:fs.
  return opendirSync(given, options)
}

function failed(folder: string, isFirst: boolean, failure: string | undefined): Piece {
  const nothing = { names: [], stats: new BigInt64Array(0), folders: [], kept: [], skipped: [] }
  return { folder, isFirst, isLast: true, failure, isGone: false, ...nothing }
}

/** Sorts a folder's entries into what a piece tells of them. */
class Findings {
  readonly #folder: string
  readonly #entryStats: EntryStats
  readonly #root: WalkedRoot
  readonly #names: string[] = []
  readonly #stats: FileStat[] = []
  readonly #folders: string[] = []
  readonly #kept: string[] = []
  readonly #skipped: string[] = []

  constructor({ folder, stats }: OpenFolder, root: WalkedRoot) {
    this.#folder = folder
    this.#entryStats = stats
    this.#root = root
  }

  add(entry: Dirent): void {
    const bytes: unknown = entry.name
    const name = bytes instanceof Uint8Array ? decodeName(bytes) : entry.name
    const path = joinPath(this.#folder, name)
    const isFolder = entry.isDirectory()
    if (this.#root.rules.whyInside(path, isFolder) !== undefined) this.#kept.push(name)
    else if (!(entry.isFile() && bytes instanceof Uint8Array && this.#takePlain(name, bytes))) this.#look(name, path)
  }

  #takePlain(name: string, bytes: Uint8Array): boolean {
    // Which file system counts is asked of each entry.
    const stat = this.#root.onlyDevice === undefined ? this.#entryStats.file(bytes) : undefined
    if (stat !== undefined) this.#addFile(name, stat)
    return stat !== undefined
  }

  #look(name: string, path: string): void {
    let stat: BigIntStats | undefined
    try {
      stat = lstatSync(fsPath(`${this.#root.path}/${path}`), { bigint: true, throwIfNoEntry: false })
    } catch {
      // Its name is there and its state is unknown (F57): it is neither taken nor gone.
      this.#keep(name, 'unreadable')
      return
    }
    if (stat === undefined) return
    if (isElsewhere(stat, this.#root)) this.#keep(name, 'mount')
    else if (stat.isDirectory()) {
      this.#root.mounts.see(path, stat.dev)
      this.#folders.push(name)
    } else if (stat.isFile()) {
      this.#addFile(name, fileStat(stat))
    } else this.#keep(name, kindOf(stat))
  }

  #addFile(name: string, stat: FileStat): void {
    this.#names.push(name)
    this.#stats.push(stat)
  }

  #keep(name: string, kind: string): void {
    this.#skipped.push(kind)
    // What is no regular file any more has taken the place of the file that was known there; of the others nothing is to be concluded.
    if (kind === 'unreadable' || kind === 'mount') this.#kept.push(name)
  }

  piece(isFirst: boolean, isLast: boolean): Piece {
    const stats = new BigInt64Array(this.#stats.length * statWords)
    this.#stats.forEach((stat, index) => {
      packStat(stats, index, stat)
    })
    const listed = { names: this.#names, stats, folders: this.#folders, kept: this.#kept, skipped: this.#skipped }
    return { folder: this.#folder, isFirst, isLast, failure: undefined, isGone: false, ...listed }
  }
}

/** Does it lie on a file system that does not count? */
export function isElsewhere({ dev }: BigIntStats, { onlyDevice }: Pick<WalkedRoot, 'onlyDevice'>): boolean {
  return onlyDevice !== undefined && dev !== onlyDevice
}

export function fileStat(stat: BigIntStats): FileStat {
  const { size, mtimeNs, ctimeNs, ino, mode } = stat
  return { size: Number(size), mtimeNs, ctimeNs, inode: ino, mode: Number(mode) }
}

export function kindOf(stat: BigIntStats): string {
  if (stat.isSymbolicLink()) return 'link'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isSocket()) return 'socket'
  return 'device'
}
