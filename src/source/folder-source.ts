/**
 * One life of a watched folder tree: decides when its root counts as there, when it is watched, and when which part of it is scanned. A task of it that
 * throws ends this life; the next one is its supervisor's concern.
 */
import { Bell } from './bell.ts'
import { asError, OwnerError } from '../base/errors.ts'
import { sourcePath, type SourcePath } from '../base/path.ts'
import { Tasks } from '../base/tasks.ts'
import type { SourceConfig } from '../config/config.ts'
import type { Child, Reason } from '../stage/stage.ts'
import { HandOn } from './change.ts'
import { conditionOf, type SourceState } from './condition.ts'
import type { SourceDeps } from './deps.ts'
import { IgnoreRules, type IgnoredBecause } from './ignore-rules.ts'
import { FolderMoves } from './folder-moves.ts'
import { Moves } from './moves.ts'
import type { ScanEnd } from './reconcile.ts'
import { blindMount, isSameRoot, whyPolled } from './root.ts'
import type { Look, RootFolder, RootIdentity } from './scan.ts'
import type { ScanFindings } from './scan-findings.ts'
import { ScanQueue } from './scan-queue.ts'
import type { Scanner } from './scanner.ts'
import { Settler } from './settler.ts'
import { SourceMounts, type SourceMemory } from './source-mounts.ts'
import type { Watch } from './watch.ts'
import { RootWatch, type RootWatchOptions } from './root-watch.ts'
import { SkippedEntries, whyLeftAlone } from './skipped-entries.ts'
import { WriterCheck } from './writer-check.ts'

/** Time between two looks at the root, ms (F10). */
const rootCheckMs = 5_000
/** Shortest time between two scans where nothing is watched, ms; and their largest share of the time, as a divisor. */
const pollMs = 2_000
const pollShare = 10
/** Clocks drifting apart by this much mean that the machine slept, ms (F46). */
const sleptMs = 30_000
interface Root {
  readonly id: number
  readonly identity: RootIdentity
  /** Name of a file system that cannot be watched, or the word of the configuration. */
  readonly pollsBecause: string | undefined
}

export interface FolderSourceParts {
  readonly scanner: Scanner
  readonly watch: Watch
  readonly memory: SourceMemory
  /** The first whole scan is done. */
  readonly onFirstScan: () => void
}

export class FolderSource implements Child {
  readonly name: string
  readonly stopped: Promise<Reason>
  readonly #config: SourceConfig
  readonly #deps: SourceDeps
  readonly #scanner: Scanner
  readonly #watch: RootWatch
  readonly #tasks: Tasks
  readonly #handOn: HandOn
  readonly #settler: Settler
  readonly #rootBell: Bell
  readonly #scans: ScanQueue
  readonly #mounts: SourceMounts
  readonly #onFirstScan: () => void
  #resolveStopped: (reason: Reason) => void = () => {}
  #ending: Promise<void> | undefined

  #root: Root | undefined
  #missingReason: string | undefined = 'not looked at yet'
  #isRootChecked = false
  /** The watched folder was deleted or moved. What has its name now is another one, even with the same inode number (F31). */
  #isRootLost = false
  #suspectReason: string | undefined
  /** Not scanned since it appeared: should it be empty, it may be a mount point without its disk (F11). */
  #isRootNew = true
  #isFirstScanDone = false
  #scanReason = 'start'
  #lastScanMs: number | null = null
  readonly #skipped = new SkippedEntries()

  constructor(config: SourceConfig, deps: SourceDeps, parts: FolderSourceParts) {
    this.name = config.name
    this.#config = config
    this.#deps = deps
    this.#scanner = parts.scanner
    this.#onFirstScan = parts.onFirstScan
    this.#rootBell = new Bell(deps.clock)
    this.stopped = new Promise((resolve) => (this.#resolveStopped = resolve))
    this.#tasks = new Tasks((_, error) => this.#fall(error))
    const { clock, log, believed } = deps
    const { signal } = this.#tasks
    this.#handOn = new HandOn({ take: (changes) => deps.take(changes), clock, log, signal })
    const rootId = (): number | undefined => this.#root?.id
    const moves = new Moves({ source: this.name, believed, scanner: parts.scanner, rootId })
    const note: RootWatchOptions['note'] = (one) => deps.note({ source: this.name, ...one })
    const folderMoves = new FolderMoves({ ...deps, source: this.name, scanner: parts.scanner, rootId })
    const common = { source: this.name, settleMs: config.settleMs, believed, scanner: parts.scanner, clock, log }
    const writers = config.checkWriters ? new WriterCheck({ ...common, note }) : undefined
    this.#settler = new Settler({
      ...{ ...common, patience: config, handOn: this.#handOn, moves, rootId, writers },
      isScanning: () => !this.#scans.isIdle || this.#watch.isWalking || this.#watch.isExtending,
      onBlind: () => this.#rootBell.ring(),
      onCollapse: (folder) => this.#collapsed(folder),
      onLeft: (path, look) => this.#left(path, look),
      onRestless: (path) => deps.note({ source: this.name, event: 'unsettled', path, detail: this.whyNot(path) ?? '' }),
    })
    this.#scans = new ScanQueue({
      ...{ ...common, settler: this.#settler, handOn: this.#handOn, moves, folderMoves },
      root: () => this.#root,
      doubtsEmptyRoot: () => this.#isRootNew,
      onEnd: (folder, end, found) => this.#scanEnded(folder, end, found),
    })
    this.#mounts = new SourceMounts({ blindMount, ...deps, ...parts, source: this.name, coverage: config, note })
    this.#watch = new RootWatch({
      ...{ source: this.name, coverage: config, watch: parts.watch, settler: this.#settler, clock, log },
      note,
      onDirty: (folder) => this.#want(folder),
      onMissed: (reason, isUnderWay) => this.#missed(reason, isUnderWay),
      onFailure: (error) => this.#fall(error),
      onUnmounted: (folder) => this.#mounts.unmounted(folder),
      onRootLost: () => {
        this.#isRootLost = true
        this.#rootBell.ring()
      },
    })
    this.#tasks.run('root', (stop) => this.#keepRoot(stop))
    this.#tasks.run('settle', (stop) => this.#settler.run(stop))
    this.#tasks.run('scan', (stop) => this.#scans.run(stop))
    this.#tasks.run('rescan', (stop) => this.#keepRescanning(stop))
    this.#tasks.run('poll', (stop) => this.#keepPolling(stop))
    this.#tasks.run('extend', (stop) => this.#watch.keepExtending(stop))
  }

  state(): SourceState {
    const { state, reason } = this.#condition()
    return {
      ...{
        state,
        reason,
        watched: this.#watch.watchedCount,
        settling: this.#settler.size,
        scannedCount: this.#scans.scannedCount,
        isStanding: this.#isRootChecked && !this.#watch.isWalking,
      },
      lastScanMonotonicMs: this.#lastScanMs,
      skipped: this.#skipped.counts,
    }
  }

  #condition(): Pick<SourceState, 'state' | 'reason'> {
    return conditionOf({
      missing: this.#isRootChecked ? this.#missingReason : undefined,
      suspect: this.#suspectReason,
      isFirstScanDone: this.#isFirstScanDone,
      unavailable: this.#watch.unavailable,
      unwatched: this.#watch.unwatched,
      watchedCount: this.#watch.watchedCount,
      pollsBecause: this.#root?.pollsBecause,
      missingMounts: this.#mounts.missingReason,
      polledMounts: this.#mounts.polledReason,
      restless: this.#settler.restlessReason,
    })
  }

  /** Scans everything. @throws OwnerError while the root is missing. */
  async rescan(reason: string): Promise<void> {
    if (this.#missingReason !== undefined && this.#isRootChecked) {
      throw new OwnerError(`source ${this.name} cannot be scanned: ${this.#missingReason}`)
    }
    const done = this.#scans.whole()
    this.#scanAll(reason)
    await done
  }

  /** The owner says that what is not mounted is gone: what was known there counts as removed. @returns where that was. */
  approve(): readonly string[] {
    const gone = this.#mounts.giveUpMissing()
    if (gone.length > 0) this.#loseRoot(`approved: ${gone.join(', ')}`, 'mount-given-up')
    this.#rootBell.ring()
    return gone
  }

  isIdle(): boolean {
    if (!this.#isRootChecked || !this.#settler.isIdle) return false
    if (this.#missingReason !== undefined) return true
    return this.#scans.isIdle && !this.#watch.isWalking
  }

  /** Without a root there is nothing to look at: its return is followed by a scan of everything. */
  lookAgain(path: SourcePath): void {
    if (this.#root !== undefined) this.#settler.touch(path, 'found')
  }

  whyIgnored(path: SourcePath): IgnoredBecause | undefined {
    return new IgnoreRules(this.#root?.identity.path ?? this.#config.path, this.#config.ignore).why(path, false)
  }

  whyNot(path: SourcePath): string | undefined {
    return this.#settler.whyUnsettled(path) ?? whyLeftAlone(this.#root?.identity.path, path)
  }

  /** What has not settled is dropped; what is being handed on is waited for. */
  stop(reason: Reason = 'normal'): Promise<Reason> {
    this.#ending ??= this.#end(reason)
    return this.stopped
  }

  /** The scan thread is gone, and a new one will know no roots. */
  scannerLost(reason: string): void {
    try {
      this.#loseRoot(reason, 'scan-thread-restarted')
    } catch (thrown) {
      this.#fall(asError(thrown))
    }
  }

  /** There is a scan thread to open the root at. */
  scannerStarted(): void {
    this.#rootBell.ring()
  }

  #fall(error: Error): void {
    if (this.#ending !== undefined) return
    this.#deps.log.error('source failed', { source: this.name, error: error.message })
    this.#ending = this.#end(error)
  }

  async #end(reason: Reason): Promise<void> {
    this.#watch.end()
    await this.#tasks.stop()
    if (this.#root !== undefined) this.#scanner.close(this.#root.id)
    this.#root = undefined
    const error = reason instanceof Error ? reason : undefined
    this.#scans.end(error)
    this.#resolveStopped(reason)
  }

  async #keepRoot(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    let driftMs = clock.wallMs() - clock.monotonicMs()
    while (!signal.aborted) {
      try {
        await this.#checkRoot(signal)
      } catch (thrown) {
        if (!this.#tasks.signal.aborted)
          log.warn('root check failed', { source: this.name, error: asError(thrown).message })
      }
      await this.#rootBell.wait(rootCheckMs, signal)
      const nowDriftMs = clock.wallMs() - clock.monotonicMs()
      if (nowDriftMs - driftMs > sleptMs && this.#root !== undefined) this.#scanAll('the machine slept')
      driftMs = nowDriftMs
    }
  }

  async #checkRoot(signal: AbortSignal): Promise<void> {
    const look = await this.#scanner.call('identify', { path: this.#config.path })
    if (signal.aborted) return
    const reason = this.#mounts.whyNoRoot(look)
    if (look.kind === 'absent' || reason !== undefined) this.#loseRoot(reason ?? 'absent', 'root-missing')
    else if (this.#root === undefined || this.#isRootLost || !isSameRoot(this.#root.identity, look.identity))
      await this.#gainRoot(look)
    else await this.#checkMounts(this.#root.id, look)
    this.#isRootChecked = true
  }

  /** No event tells of a mount (F14). */
  async #checkMounts(id: number, look: RootFolder): Promise<void> {
    const { forgotten } = this.#mounts
    const mounts = await this.#scanner.call('mounts', { id, forget: forgotten })
    if (this.#root?.id !== id) return
    for (const folder of [...forgotten, ...this.#mounts.see(look, mounts)]) {
      this.#watch.extend(folder)
      this.#want(folder)
    }
  }

  #loseRoot(reason: string, event: string): void {
    const root = this.#root
    if (root !== undefined || this.#missingReason === undefined || !this.#isRootChecked) {
      this.#deps.note({ source: this.name, event, detail: reason })
      this.#deps.log.warn(event, { source: this.name, reason })
    }
    this.#missingReason = reason
    if (root === undefined) return
    this.#root = undefined
    this.#mounts.clear()
    this.#watch.end()
    this.#settler.clear()
    this.#scans.clear()
    this.#scanner.close(root.id)
  }

  async #gainRoot(look: RootFolder): Promise<void> {
    const { identity, fsType } = look
    if (this.#root !== undefined) this.#loseRoot(`${this.#config.path} is another folder now`, 'root-replaced')
    const id = this.#scanner.newId()
    const { ignore, oneFileSystem } = this.#config
    await this.#scanner.call('open', { id, identity, ignore, oneFileSystem, mounts: this.#mounts.expected })
    this.#mounts.see(look, await this.#scanner.call('mounts', { id, forget: [] }))
    const pollsBecause = whyPolled(this.#config.watch, fsType)
    this.#root = { id, identity, pollsBecause }
    if (this.#isRootChecked) this.#deps.note({ source: this.name, event: 'root-found', detail: identity.path })
    this.#missingReason = undefined
    this.#isRootLost = false
    this.#suspectReason = this.#isFirstScanDone ? 'the folder was away; it is being scanned' : undefined
    this.#isRootNew = true
    this.#scanReason = 'start'
    if (pollsBecause === undefined) this.#watch.begin(identity.path)
    else this.#want('')
  }

  /** Changes may have been missed. @param isUnderWay the watch begins anew and asks for the scan by itself. */
  #missed(reason: string, isUnderWay: boolean): void {
    if (this.#root === undefined) return
    this.#suspectReason = reason
    if (isUnderWay) this.#scanReason = reason
    else this.#scanAll(reason)
  }

  /** Everything is to be scanned; where there is a watch, after making sure that all of it is watched. */
  #scanAll(reason: string): void {
    this.#scanReason = reason
    if (!this.#watch.extendAll()) this.#want('')
  }

  #want(folder: string): void {
    if (this.#root !== undefined) this.#scans.want(folder)
  }

  #collapsed(folder: string): void {
    const detail = 'too many files settle at once'
    this.#deps.note({ source: this.name, event: 'collapsed', path: sourcePath(folder), detail })
    this.#want(folder)
  }

  /** @throws Error where the scan has to be repeated. */
  #scanEnded(folder: SourcePath, end: ScanEnd, found: ScanFindings): void {
    if (end === 'blind') {
      this.#rootBell.ring()
      throw new Error('the root is not the folder it was')
    }
    if (end === 'empty') {
      this.#doubtEmptyRoot()
      return
    }
    for (const [path, reason] of found.unreadableFolders) {
      this.#deps.note({ source: this.name, event: 'unreadable', path, detail: reason })
    }
    if (folder === '') this.#wholeScanEnded(found)
  }

  #doubtEmptyRoot(): void {
    const reason = `${this.#config.path} is empty although files are known in it; nothing counts as removed until something is in it again`
    if (this.#suspectReason !== reason) this.#deps.note({ source: this.name, event: 'root-empty', detail: reason })
    this.#suspectReason = reason
  }

  #wholeScanEnded(found: ScanFindings): void {
    this.#skipped.scanned(found.skippedCounts)
    const isAllWatched = this.#mounts.polled.size === 0 && this.#condition().state === 'watching'
    if (this.#scanReason === 'periodic' && found.settledCount > 0 && isAllWatched) {
      const detail = `${found.settledCount} ${found.settledCount === 1 ? 'change' : 'changes'} raised no event`
      this.#deps.note({ source: this.name, event: 'missed', ...found.example(), detail })
    }
    this.#lastScanMs = this.#deps.clock.monotonicMs()
    this.#scanReason = 'change'
    this.#suspectReason = undefined
    this.#isRootNew = false
    this.#isFirstScanDone = true
    this.#onFirstScan()
  }

  #left(path: SourcePath, look: Extract<Look, { kind: 'skipped' | 'unreadable' }>): void {
    const kind = look.kind === 'skipped' ? look.what : 'unreadable'
    if (this.#skipped.add(path, kind) && look.kind === 'unreadable')
      this.#deps.note({ source: this.name, event: 'unreadable', path, detail: look.reason })
  }

  async #keepRescanning(signal: AbortSignal): Promise<void> {
    for (;;) {
      // 20 % to both sides, so that many sources do not scan together for ever (F9).
      await this.#deps.clock.sleep(this.#config.rescanMs * (0.8 + 0.4 * this.#deps.random()), signal)
      if (this.#root !== undefined) this.#scanAll('periodic')
    }
  }

  async #keepPolling(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(Math.max(pollMs, this.#scans.tookMs * (pollShare - 1)), signal)
      if (this.#root === undefined || this.#scans.isScanning) continue
      const isDoubted = this.#suspectReason !== undefined && !this.#watch.isWalking
      if (this.#root.pollsBecause !== undefined || this.#watch.unavailable !== undefined || isDoubted) this.#want('')
      for (const folder of [...this.#watch.unwatched.keys(), ...this.#mounts.polled.keys()]) this.#want(folder)
    }
  }
}
