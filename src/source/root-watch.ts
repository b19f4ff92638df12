/** The watch of one root, as its source sees it: hands on what became dirty, and keeps what could not be watched and when to try again. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { sourcePath, type SourcePath } from '../base/path.ts'
import { unwatchedReason } from './root.ts'
import type { Coverage } from './scan.ts'
import type { Settler } from './settler.ts'
import type { Watch } from './watch.ts'
import type { WatchReport } from './watch-reports.ts'

/** Pauses between tries to watch what could not be watched, ms (F7). */
const extendFirstMs = 60_000
const extendLastMs = 3_600_000

export interface RootWatchOptions {
  readonly source: string
  readonly coverage: Coverage
  readonly watch: Watch
  readonly settler: Settler
  readonly clock: Clock
  readonly log: Log
  readonly note: (note: { event: string; path?: SourcePath; detail: string }) => void
  /** Everything below the folder has to be scanned. */
  readonly onDirty: (folder: string) => void
  /** Any change may have been missed. `isUnderWay`: the watch begins anew and will call `onDirty` for the root. */
  readonly onMissed: (reason: string, isUnderWay: boolean) => void
  readonly onUnmounted: (folder: string) => void
  readonly onRootLost: () => void
  /** A report could not be dealt with. */
  readonly onFailure: (error: Error) => void
}

export class RootWatch {
  readonly #options: RootWatchOptions
  #id: number | undefined
  #watchedCount = 0
  #isWalking = false
  #unavailable: string | undefined
  readonly #unwatched = new Map<string, string>()
  #isExtending = false
  #extendDelayMs = extendFirstMs

  constructor(options: RootWatchOptions) {
    this.#options = options
  }

  get watchedCount(): number {
    return this.#watchedCount
  }

  /** The thread goes through the whole tree; its end asks for a scan of it. */
  get isWalking(): boolean {
    return this.#isWalking
  }

  /** Why nothing at all can be watched. */
  get unavailable(): string | undefined {
    return this.#unavailable
  }

  /** Folders that could not be watched, with the errno. */
  get unwatched(): ReadonlyMap<string, string> {
    return this.#unwatched
  }

  /** New folders, which may be renamed ones, are being put under watch; that ends with `onDirty` for them (F32). */
  get isExtending(): boolean {
    return this.#isExtending
  }

  /** Watches `root`; when all of it is watched, `onDirty('')` follows. */
  begin(root: string): void {
    this.#isWalking = true
    this.#id = this.#options.watch.add(root, this.#options.coverage, {
      report: (report) => this.#guarded(() => this.#report(report)),
      lost: (reason) => this.#guarded(() => this.#lost(reason)),
      unavailable: (reason) => this.#guarded(() => this.#becomeUnavailable(reason)),
    })
  }

  end(): void {
    if (this.#id !== undefined) this.#options.watch.remove(this.#id)
    this.#id = undefined
    this.#watchedCount = 0
    this.#isWalking = false
    this.#unwatched.clear()
    this.#isExtending = false
    this.#unavailable = undefined
  }

  /** Makes sure that every folder is watched; `onDirty('')` follows. False where there is no watch to do so. */
  extendAll(): boolean {
    if (this.#id === undefined || this.#unavailable !== undefined) return false
    this.#isWalking = true
    this.#unwatched.clear()
    this.#options.watch.extend(this.#id, '')
    return true
  }

  /** Another file system lies at a folder now; where that is watched, `onDirty` follows for it. */
  extend(folder: string): void {
    if (this.#id !== undefined) this.#options.watch.extend(this.#id, folder)
  }

  /** Tries again, ever more rarely, to watch what could not be watched. Runs until aborted. */
  async keepExtending(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(this.#extendDelayMs, signal)
      const folders = [...this.#unwatched.keys()]
      this.#extendDelayMs = folders.length === 0 ? extendFirstMs : Math.min(this.#extendDelayMs * 2, extendLastMs)
      this.#unwatched.clear()
      for (const folder of folders) if (this.#id !== undefined) this.#options.watch.extend(this.#id, folder)
    }
  }

  /** What fails here is this source's affair, not that of the thread's other listeners. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.#options.onFailure(asError(thrown))
    }
  }

  #report(report: WatchReport): void {
    const { settler, note, onDirty, onMissed, onUnmounted, onRootLost } = this.#options
    switch (report.kind) {
      case 'paths':
        // Paths from the watch thread are made of names the kernel gave, below a root: safe by construction.
        for (const { path, sign, isTree } of report.paths) settler.touch(path as SourcePath, sign, isTree)
        return
      case 'subtree':
        if (report.isCollapse)
          note({ event: 'collapsed', path: sourcePath(report.folder), detail: 'many events at once' })
        onDirty(report.folder)
        return
      case 'watched':
        this.#isWalking = false
        this.#unavailable = undefined
        return
      case 'count':
        this.#watchedCount = report.watchedCount
        this.#isExtending = report.isWalking
        return
      case 'unwatched':
        this.#cannotWatch(report.folder, report.code)
        return
      case 'unmounted':
        note({ event: 'unmounted', path: sourcePath(report.folder), detail: 'a file system inside was unmounted' })
        onUnmounted(report.folder)
        return
      case 'root-lost':
        onRootLost()
        return
      case 'overflow':
        note({ event: 'overflow', detail: 'the kernel dropped events; everything is scanned' })
        onMissed('the kernel dropped events', false)
        return
    }
  }

  #cannotWatch(folder: string, code: string): void {
    const { source, note, log } = this.#options
    if (this.#unwatched.size === 0) {
      const reason = unwatchedReason(code, 1, this.#watchedCount)
      note({ event: 'unwatched', path: sourcePath(folder), detail: reason })
      log.warn('cannot watch', { source, path: folder, reason })
    }
    this.#unwatched.set(folder, code)
  }

  #lost(reason: string): void {
    this.#options.note({ event: 'watch-restarted', detail: reason })
    this.#unwatched.clear()
    this.#watchedCount = 0
    this.#isExtending = false
    // The new thread watches first and then asks for the scan.
    this.#isWalking = true
    this.#options.onMissed(reason, true)
  }

  #becomeUnavailable(reason: string): void {
    this.#options.note({ event: 'unwatched', detail: reason })
    this.#unavailable = reason
    this.#isWalking = false
    this.#isExtending = false
    this.#options.onDirty('')
  }
}
