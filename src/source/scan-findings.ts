/** What one scan found: differences go to the settler or straight on, the rest is counted for the end of the scan. */
import type { SourcePath } from '../base/path.ts'
import { changesMax, type Change, type HandOn } from './change.ts'
import type { FolderMoves } from './folder-moves.ts'
import type { Moves } from './moves.ts'
import type { Differences, FoundFile } from './reconcile.ts'
import type { FileStat } from './scan.ts'
import type { Settler } from './settler.ts'

/** Unreadable folders told of by name after one scan; all are counted. */
const unreadableMax = 10

export interface ScanFindingsOptions {
  readonly source: string
  readonly settler: Settler
  readonly handOn: HandOn
  readonly moves: Moves
  readonly folderMoves: FolderMoves
  readonly signal: AbortSignal
  /** A folder moved of which a part was scanned before that was known. */
  readonly onMovedAbove: (folder: SourcePath) => void
  /** Told as the scan goes on: files looked at so far. */
  readonly onScanned: (count: number) => void
}

export class ScanFindings implements Differences {
  readonly #source: string
  readonly #settler: Settler
  readonly #handOn: HandOn
  readonly #moves: Moves
  readonly #folderMoves: FolderMoves
  readonly #onMovedAbove: (folder: SourcePath) => void
  readonly #signal: AbortSignal
  readonly #onScanned: (count: number) => void
  #changes: Change[] = []
  #example: SourcePath | undefined
  settledCount = 0
  scannedCount = 0
  readonly skippedCounts = new Map<string, number>()
  /** The first folders that could not be read, and why: enough to tell of. */
  readonly unreadableFolders = new Map<SourcePath, string>()

  constructor(options: ScanFindingsOptions) {
    this.#source = options.source
    this.#settler = options.settler
    this.#handOn = options.handOn
    this.#moves = options.moves
    this.#folderMoves = options.folderMoves
    this.#onMovedAbove = options.onMovedAbove
    this.#signal = options.signal
    this.#onScanned = options.onScanned
  }

  example(): { path?: SourcePath } {
    return this.#example === undefined ? {} : { path: this.#example }
  }

  async unknown(folder: SourcePath, files: readonly FoundFile[]): Promise<void> {
    const move = await this.#folderMoves.find(folder, files)
    if (move === undefined) return
    // What was found before it is handed on before it.
    await this.endPiece()
    await this.#handOn.take([move])
    // What lies directly in one above was compared already.
    if (move.path !== folder) this.#onMovedAbove(move.path)
  }

  asks(isFirst: boolean): void {
    this.#settler.scanAsks(isFirst)
  }

  settled(path: SourcePath, stat: FileStat): void {
    if (this.#settler.isInHand(path)) {
      this.young(path)
      return
    }
    this.#example ??= path
    this.settledCount++
    this.#changes.push({ kind: 'put', source: this.#source, path, stat })
  }

  young(path: SourcePath): void {
    this.#settler.touch(path, 'found')
  }

  missing(path: SourcePath, isTree: boolean): void {
    this.#settler.touch(path, 'gone', isTree)
  }

  unreadable(folder: SourcePath, reason: string): void {
    this.skipped('unreadable')
    if (this.unreadableFolders.size < unreadableMax) this.unreadableFolders.set(folder, reason)
  }

  skipped(kind: string): void {
    this.skippedCounts.set(kind, (this.skippedCounts.get(kind) ?? 0) + 1)
  }

  scanned(count: number): void {
    this.scannedCount += count
    this.#onScanned(this.scannedCount)
  }

  async ready(): Promise<void> {
    if (this.#changes.length >= changesMax) await this.endPiece()
    await this.#settler.room(this.#signal)
  }

  async endPiece(): Promise<void> {
    const changes = this.#changes
    this.#changes = []
    await this.#handOn.take(await this.#moves.find(changes))
  }
}
