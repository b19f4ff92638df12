/**
 * Compares a folder tree with what is believed of it, piece by piece as the scan thread lists it. Says what differs and hands
 * it on; memory is bounded by one page of one folder, and whoever takes the differences sets the pace.
 */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import { joinPath, type SourcePath } from '../base/path.ts'
import { looksMax, unpackStat, type FileStat, type Look, type Piece, type Pieces } from './scan.ts'
import type { Scanner } from './scanner.ts'
import { isOlderThan, isSameVersion, type Version } from './settle.ts'

/** A file as the journal knows it. */
export interface KnownFile extends Version {
  readonly name: string
}

/** What the journal believes; synchronous and fast (SQLite lookups). */
export interface Believed {
  /** The file, if it is believed to be present. */
  file(source: string, path: SourcePath): KnownFile | undefined
  /** Present files directly in the folder: at most `limit`, in one fixed order of names, those after the name `after` (undefined: from the start). */
  filesIn(source: string, folder: SourcePath, after: string | undefined, limit: number): readonly KnownFile[]
  /** Names of direct subfolders that hold present files, at any depth. */
  foldersIn(source: string, folder: SourcePath): readonly string[]
  /** Up to `limit` present files anywhere below; asked again after those were removed. */
  filesBelow(source: string, folder: SourcePath, limit: number): readonly SourcePath[]
  readonly moves: {
    /** Where a file of this inode, size and time is believed, or was before it went: a few paths. */
    whereabouts(source: string, stat: FileStat): readonly SourcePath[]
  }
}

/** Files of a folder that nobody knew, to ask where they were before. */
export const samplesMax = 16

export interface FoundFile {
  readonly name: string
  readonly stat: FileStat
}

/** Believed files compared at a time, about 15 ms of SQLite. A folder with more is compared file by file instead. */
const pageMax = 5_000

export interface Differences {
  /** A folder in which nothing is believed, with some of its files. Awaited: what is believed of it may be another thing after that. */
  unknown(folder: SourcePath, files: readonly FoundFile[]): Promise<void>
  /** A file whose new state is old enough to be settled. */
  settled(path: SourcePath, stat: FileStat): void
  /** A file that differs and may still be changing. */
  young(path: SourcePath): void
  /** A believed file, or a folder with all below it, that is not in its folder any more. */
  missing(path: SourcePath, isTree: boolean): void
  unreadable(folder: SourcePath, reason: string): void
  skipped(kind: string): void
  scanned(count: number): void
  /** Called before the thread looks at the next files, which it does while those of the last look are compared. */
  asks(isFirst: boolean): void
  /** Called before each piece, and awaited: the place to hold the scan back. */
  ready(): Promise<void>
  /** Called when a piece's differences were all named. */
  endPiece(): Promise<void>
}

export interface ReconcileView {
  readonly source: string
  /** The root's number at the scan thread. */
  readonly id: number
  readonly settleMs: number
  readonly believed: Believed
  readonly scanner: Scanner
  readonly clock: Clock
}

/** `blind`: the root went away; `empty`: the root holds nothing at all although files are believed in it. */
export type ScanEnd = 'complete' | 'blind' | 'empty'

export interface ScanOptions {
  /** End with `empty` rather than conclude from an empty root that all was deleted (F11). */
  readonly doubtsEmptyRoot: boolean
  readonly signal: AbortSignal
}

/** One folder being listed. */
interface OpenFolder {
  readonly path: SourcePath
  /** Believed files not found yet; undefined in a folder too large for that. */
  readonly files: Map<string, KnownFile> | undefined
  readonly folders: Set<string>
}

/** Scans `folder` and all below it. @throws the signal's reason when aborted, Error when the scan thread dies. */
export async function reconcile(
  view: ReconcileView,
  folder: SourcePath,
  found: Differences,
  options: ScanOptions,
): Promise<ScanEnd> {
  const walk = await view.scanner.call('walk', { id: view.id, folder })
  const comparison = new Comparison(view, found)
  const ask = (isFirst: boolean): Promise<Pieces | Error> => {
    found.asks(isFirst)
    return view.scanner.call('next', { walk }).catch((thrown: unknown) => asError(thrown))
  }
  let asked = ask(true)
  try {
    for (;;) {
      options.signal.throwIfAborted()
      const next = await asked
      if (next instanceof Error) throw next
      if (next.kind === 'blind') return 'blind'
      // The thread looks at the next files while these are compared.
      if (!next.isEnd) asked = ask(false)
      for (const piece of next.pieces) {
        if (options.doubtsEmptyRoot && isEmptyRoot(piece) && comparison.believesAnything()) return 'empty'
        await found.ready()
        await comparison.piece(piece)
      }
      await found.endPiece()
      if (next.isEnd) return 'complete'
    }
  } finally {
    // A dead thread has left its walks already.
    await view.scanner.call('leave', { walk }).catch(() => null)
  }
}

function isEmptyRoot(piece: Piece): boolean {
  const entryCount = piece.names.length + piece.folders.length + piece.kept.length + piece.skipped.length
  return piece.folder === '' && piece.isFirst && piece.isLast && piece.failure === undefined && entryCount === 0
}

class Comparison {
  readonly #view: ReconcileView
  readonly #found: Differences
  #open: OpenFolder | undefined

  constructor(view: ReconcileView, found: Differences) {
    this.#view = view
    this.#found = found
  }

  believesAnything(): boolean {
    return this.#view.believed.filesBelow(this.#view.source, '' as SourcePath, 1).length > 0
  }

  async piece(piece: Piece): Promise<void> {
    // Paths from the scan thread are made of names the kernel gave, below a root: safe by construction.
    const path = piece.folder as SourcePath
    if (piece.isGone) {
      if (path !== '') this.#found.missing(path, true)
      return
    }
    if (piece.isFirst) this.#open = await this.#openFolder(path, piece)
    const open = this.#open
    if (open?.path === path) this.#compare(open, piece)
    if (piece.failure !== undefined) this.#found.unreadable(path, piece.failure)
    else if (piece.isLast && open !== undefined) await this.#nameMissing(open)
    if (piece.isLast) this.#open = undefined
  }

  async #openFolder(path: SourcePath, piece: Piece): Promise<OpenFolder> {
    const open = this.#believedIn(path)
    if (open.files?.size !== 0 || piece.names.length === 0 || path === '') return open
    const files = piece.names
      .slice(0, samplesMax)
      .map((name, index) => ({ name, stat: unpackStat(piece.stats, index) }))
    await this.#found.unknown(path, files)
    return this.#believedIn(path)
  }

  #believedIn(path: SourcePath): OpenFolder {
    const { believed, source } = this.#view
    const page = believed.filesIn(source, path, undefined, pageMax)
    const files = page.length < pageMax ? new Map(page.map((file) => [file.name, file])) : undefined
    return { path, files, folders: new Set(believed.foldersIn(source, path)) }
  }

  #compare(open: OpenFolder, piece: Piece): void {
    const { clock, settleMs } = this.#view
    const wallNs = BigInt(Math.floor(clock.wallMs())) * 1_000_000n
    const settleNs = BigInt(settleMs) * 1_000_000n
    piece.names.forEach((name, index) => {
      const stat = unpackStat(piece.stats, index)
      const path = joinPath(open.path, name) as SourcePath
      const known = this.#knownFile(open, name, path)
      open.files?.delete(name)
      if (known !== undefined && isSameVersion(known, stat)) return
      if (isOlderThan(stat, settleNs, wallNs)) this.#found.settled(path, stat)
      else this.#found.young(path)
    })
    for (const name of piece.kept) {
      open.files?.delete(name)
      open.folders.delete(name)
    }
    for (const name of piece.folders) open.folders.delete(name)
    for (const kind of piece.skipped) this.#found.skipped(kind)
    this.#found.scanned(piece.names.length)
  }

  #knownFile(open: OpenFolder, name: string, path: SourcePath): KnownFile | undefined {
    return open.files === undefined ? this.#view.believed.file(this.#view.source, path) : open.files.get(name)
  }

  async #nameMissing(open: OpenFolder): Promise<void> {
    for (const name of open.folders) this.#found.missing(joinPath(open.path, name) as SourcePath, true)
    if (open.files === undefined) await this.#nameMissingOfMany(open.path)
    else for (const name of open.files.keys()) this.#found.missing(joinPath(open.path, name) as SourcePath, false)
  }

  /** In a huge folder the believed files are looked for one by one: slower than remembering all names, but never larger. */
  async #nameMissingOfMany(folder: SourcePath): Promise<void> {
    const { believed, source, scanner, id } = this.#view
    let after: string | undefined
    for (;;) {
      const page = believed.filesIn(source, folder, after, looksMax)
      after = page.at(-1)?.name
      if (after === undefined) return
      const paths = page.map(({ name }) => joinPath(folder, name) as SourcePath)
      const answer = await scanner.call('look', { id, paths })
      if (answer.kind === 'blind') return
      paths.forEach((path, index) => {
        if (isGone(answer.looks[index])) this.#found.missing(path, false)
      })
      await this.#found.ready()
    }
  }
}

function isGone(look: Look | undefined): boolean {
  return look?.kind === 'absent' || look?.kind === 'folder' || look?.kind === 'skipped'
}
