/** The scans of one source, one after the other: which folders want one, who waits for a whole one. What a scan's end means is its source's concern. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { sourcePath, type SourcePath } from '../base/path.ts'
import { Bell } from './bell.ts'
import type { HandOn } from './change.ts'
import { DirtyFolders } from './dirty-folders.ts'
import type { FolderMoves } from './folder-moves.ts'
import type { Moves } from './moves.ts'
import { type Believed, reconcile, type ScanEnd } from './reconcile.ts'
import { ScanFindings } from './scan-findings.ts'
import type { Scanner } from './scanner.ts'
import type { Settler } from './settler.ts'

/** Pause after a scan that failed, ms. */
const retryMs = 2_000

/** The root that is scanned; another object means another root. */
interface ScannedRoot {
  readonly id: number
}

export interface ScanQueueOptions {
  readonly source: string
  readonly settleMs: number
  readonly believed: Believed
  readonly scanner: Scanner
  readonly settler: Settler
  readonly handOn: HandOn
  readonly moves: Moves
  readonly folderMoves: FolderMoves
  readonly clock: Clock
  readonly log: Log
  /** Undefined while there is none, and nothing is scanned. */
  readonly root: () => ScannedRoot | undefined
  /** Should the root be empty, it may be a mount point without its disk (F11). */
  readonly doubtsEmptyRoot: () => boolean
  /** A scan of the folder has ended; one that throws has failed and is repeated. */
  readonly onEnd: (folder: SourcePath, end: ScanEnd, found: ScanFindings) => void
}

export class ScanQueue {
  readonly #options: ScanQueueOptions
  readonly #bell: Bell
  readonly #wanted = new DirtyFolders()
  readonly #waiting = new Set<(error?: Error) => void>()
  isScanning = false
  /** Files looked at by the scan that runs, or by the last whole one. */
  scannedCount = 0
  /** How long the last scan took, ms. */
  tookMs = 0

  constructor(options: ScanQueueOptions) {
    this.#options = options
    this.#bell = new Bell(options.clock)
  }

  get isIdle(): boolean {
    return !this.isScanning && this.#wanted.size === 0
  }

  want(folder: string): void {
    this.#wanted.add(folder)
    this.#bell.ring()
  }

  /** Nothing is wanted any more: the root is gone. */
  clear(): void {
    this.#wanted.clear()
  }

  /** Resolves when a whole scan that begins after this call is complete. @throws what `end` is told. */
  whole(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add((error) => (error === undefined ? resolve() : reject(error)))
    })
  }

  /** No scan will follow: lets go of whoever waits for one. */
  end(error?: Error): void {
    this.#release([...this.#waiting], error)
  }

  /** Scans what is wanted until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const root = this.#options.root()
      const folder = root === undefined ? undefined : this.#wanted.shift()
      if (root === undefined || folder === undefined) await this.#bell.wait(undefined, signal)
      else await this.#scan(root, sourcePath(folder), signal)
    }
  }

  async #scan(root: ScannedRoot, folder: SourcePath, signal: AbortSignal): Promise<void> {
    const { clock, source, log } = this.#options
    this.isScanning = true
    const startMs = clock.monotonicMs()
    const waiting = folder === '' ? [...this.#waiting] : []
    try {
      const end = await this.#reconcile(root, folder, signal)
      if (end === 'complete') this.#release(waiting)
    } catch (thrown) {
      if (signal.aborted || this.#options.root() !== root) return
      log.warn('scan failed', { source, path: folder, error: asError(thrown).message })
      await clock.sleep(retryMs, signal).catch(() => undefined)
      if (this.#options.root() !== undefined) this.want(folder)
    } finally {
      this.tookMs = clock.monotonicMs() - startMs
      this.isScanning = false
    }
  }

  /** Answers undefined where the root is another one by now. */
  async #reconcile(root: ScannedRoot, folder: SourcePath, signal: AbortSignal): Promise<ScanEnd | undefined> {
    const { source, settleMs, believed, scanner, settler, handOn, moves, folderMoves, clock } = this.#options
    const found = new ScanFindings({
      ...{ source, settler, handOn, moves, folderMoves, signal },
      onMovedAbove: (moved) => this.want(moved),
      onScanned: (count) => (this.scannedCount = folder === '' ? count : this.scannedCount),
    })
    const view = { ...{ source, id: root.id, settleMs, believed, scanner, clock } }
    const doubtsEmptyRoot = this.#options.doubtsEmptyRoot()
    const end = await reconcile(view, folder, found, { doubtsEmptyRoot, signal })
    if (this.#options.root() !== root) return undefined
    this.#options.onEnd(folder, end, found)
    return end
  }

  #release(waiting: readonly ((error?: Error) => void)[], error?: Error): void {
    for (const done of waiting) {
      this.#waiting.delete(done)
      done(error)
    }
  }
}
