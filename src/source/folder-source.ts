/** One watched folder tree: decides when its root counts as there, when it is watched, and when which part of it is scanned. */
import { Bell } from './bell.ts'
import { asError, OwnerError } from '../base/errors.ts'
import { sourcePath, type SourcePath } from '../base/path.ts'
import { Tasks } from '../base/tasks.ts'
import type { SourceConfig } from '../config/config.ts'
import { HandOn } from './change.ts'
import { conditionOf, type SourceState } from './condition.ts'
import type { SourceDeps } from './deps.ts'
import { DirtyFolders } from './dirty-folders.ts'
import { IgnoreRules, type IgnoredBecause } from './ignore-rules.ts'
import { reconcile, type ScanEnd } from './reconcile.ts'
import { blindFileSystem, isSameRoot } from './root.ts'
import type { Look, RootIdentity, RootLook } from './scan.ts'
import { ScanFindings } from './scan-findings.ts'
import type { Scanner } from './scanner.ts'
import { Settler } from './settler.ts'
import type { Watch } from './watch.ts'
import { RootWatch } from './root-watch.ts'

/** Time between two looks at the root, ms (F10). */
const rootCheckMs = 5_000
/** Shortest time between two scans where nothing is watched, ms; and their largest share of the time, as a divisor. */
const pollMs = 2_000
const pollShare = 10
/** Clocks drifting apart by this much mean that the machine slept, ms (F46). */
const sleptMs = 30_000
/** Entries skipped by events since the last whole scan whose kind is remembered, so that none is counted twice. */
const skippedPathsMax = 10_000

interface Root {
  readonly id: number
  readonly identity: RootIdentity
  /** Name of a file system that cannot be watched, or the word of the configuration. */
  readonly pollsBecause: string | undefined
}

export class FolderSource {
  readonly name: string
  readonly firstScan: Promise<void>
  readonly #config: SourceConfig
  readonly #deps: SourceDeps
  readonly #scanner: Scanner
  readonly #watch: RootWatch
  readonly #tasks: Tasks
  readonly #handOn: HandOn
  readonly #settler: Settler
  readonly #rootBell: Bell
  readonly #scanBell: Bell
  readonly #wanted = new DirtyFolders()
  readonly #waitingForScan = new Set<() => void>()
  #endFirstScan: () => void = () => {}

  #root: Root | undefined
  #firstDevice: bigint | undefined
  #missingReason: string | undefined = 'not looked at yet'
  #isRootChecked = false
  /** The watched folder was deleted or moved. What has its name now is another one, even with the same inode number (F31). */
  #isRootLost = false
  #suspectReason: string | undefined
  /** Not scanned since it appeared: should it be empty, it may be a mount point without its disk (F11). */
  #isRootNew = true
  #isFirstScanDone = false
  #isScanning = false
  #scanReason = 'start'
  #scannedCount = 0
  #lastScanMs: number | null = null
  #lastScanTookMs = 0
  #skipped = new Map<string, number>()
  readonly #skippedPaths = new Set<string>()

  constructor(config: SourceConfig, deps: SourceDeps, threads: { scanner: Scanner; watch: Watch }) {
    this.name = config.name
    this.#config = config
    this.#deps = deps
    this.#scanner = threads.scanner
    this.#rootBell = new Bell(deps.clock)
    this.#scanBell = new Bell(deps.clock)
    this.firstScan = new Promise((resolve) => (this.#endFirstScan = resolve))
    this.#tasks = new Tasks((task, error) =>
      deps.log.error('task failed', { source: this.name, task, error: error.message }),
    )
    const { clock, log, believed } = deps
    const { signal } = this.#tasks
    this.#handOn = new HandOn({ take: (changes) => deps.take(changes), clock, log, signal })
    this.#settler = new Settler({
      ...{
        source: this.name,
        settleMs: config.settleMs,
        believed,
        scanner: threads.scanner,
        handOn: this.#handOn,
        clock,
        log,
      },
      rootId: () => this.#root?.id,
      onBlind: () => this.#rootBell.ring(),
      onCollapse: (folder) => this.#collapsed(folder),
      onLeft: (path, look) => this.#left(path, look),
    })
    this.#watch = new RootWatch({
      ...{ source: this.name, ignore: config.ignore, watch: threads.watch, settler: this.#settler, clock, log },
      note: (note) => deps.note({ source: this.name, ...note }),
      onDirty: (folder) => this.#want(folder),
      onMissed: (reason, isUnderWay) => this.#missed(reason, isUnderWay),
      onRootLost: () => {
        this.#isRootLost = true
        this.#rootBell.ring()
      },
    })
    this.#tasks.run('root', (stop) => this.#keepRoot(stop))
    this.#tasks.run('settle', (stop) => this.#settler.run(stop))
    this.#tasks.run('scan', (stop) => this.#keepScanning(stop))
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
        scannedCount: this.#scannedCount,
        isStanding: this.#isRootChecked && !this.#watch.isWalking,
      },
      lastScanMonotonicMs: this.#lastScanMs,
      skipped: this.#skipped,
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
    })
  }

  /** Scans everything. @throws OwnerError while the root is missing. */
  async rescan(reason: string): Promise<void> {
    if (this.#missingReason !== undefined && this.#isRootChecked) {
      throw new OwnerError(`source ${this.name} cannot be scanned: ${this.#missingReason}`)
    }
    const done = new Promise<void>((resolve) => this.#waitingForScan.add(resolve))
    this.#scanAll(reason)
    await done
  }

  isIdle(): boolean {
    if (!this.#isRootChecked || !this.#settler.isIdle) return false
    if (this.#missingReason !== undefined) return true
    return !this.#isScanning && !this.#watch.isWalking && this.#wanted.size === 0
  }

  whyIgnored(path: SourcePath): IgnoredBecause | undefined {
    return new IgnoreRules(this.#root?.identity.path ?? this.#config.path, this.#config.ignore).why(path, false)
  }

  async stop(): Promise<void> {
    this.#watch.end()
    await this.#tasks.stop()
    if (this.#root !== undefined) await this.#scanner.call('close', { id: this.#root.id }).catch(() => null)
    this.#root = undefined
    this.#endFirstScan()
    for (const done of this.#waitingForScan) this.#endScan(done)
  }

  /** The scan thread is a new one and knows no roots. */
  scannerLost(reason: string): void {
    this.#loseRoot(reason, 'scan-thread-restarted')
    this.#rootBell.ring()
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
    const reason = this.#whyNoRoot(look)
    if (look.kind === 'absent' || reason !== undefined) this.#loseRoot(reason ?? 'absent', 'root-missing')
    else if (this.#root === undefined || this.#isRootLost || !isSameRoot(this.#root.identity, look.identity))
      await this.#gainRoot(look)
    this.#isRootChecked = true
  }

  #whyNoRoot(look: RootLook): string | undefined {
    if (look.kind === 'absent') return `${this.#config.path}: ${look.reason}`
    if (this.#firstDevice === undefined || look.identity.device === this.#firstDevice) return undefined
    return `${this.#config.path} is on another file system than before; mount it again, or restart if this is meant`
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
    this.#watch.end()
    this.#settler.clear()
    this.#wanted.clear()
    this.#tasks.run('close', async () => {
      await this.#scanner.call('close', { id: root.id }).catch(() => null)
    })
  }

  async #gainRoot({ identity, fsType }: Extract<RootLook, { kind: 'folder' }>): Promise<void> {
    if (this.#root !== undefined) this.#loseRoot(`${this.#config.path} is another folder now`, 'root-replaced')
    const id = this.#scanner.newId()
    await this.#scanner.call('open', { id, identity, ignore: this.#config.ignore })
    const pollsBecause = this.#pollsBecause(fsType)
    this.#root = { id, identity, pollsBecause }
    this.#firstDevice ??= identity.device
    if (this.#isRootChecked) this.#deps.note({ source: this.name, event: 'root-found', detail: identity.path })
    this.#missingReason = undefined
    this.#isRootLost = false
    this.#suspectReason = this.#isFirstScanDone ? 'the folder was away; it is being scanned' : undefined
    this.#isRootNew = true
    this.#scanReason = 'start'
    if (pollsBecause === undefined) this.#watch.begin(identity.path)
    else this.#want('')
  }

  #pollsBecause(fsType: number): string | undefined {
    const blind = blindFileSystem(fsType)
    if (this.#config.watch === 'poll') return 'watch: poll is configured'
    return this.#config.watch === 'auto' && blind !== undefined ? `${blind} does not tell of changes` : undefined
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
    if (this.#root === undefined) return
    this.#wanted.add(folder)
    this.#scanBell.ring()
  }

  #collapsed(folder: string): void {
    this.#deps.note({
      source: this.name,
      event: 'collapsed',
      path: sourcePath(folder),
      detail: 'too many files settle at once',
    })
    this.#want(folder)
  }

  async #keepScanning(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const folder = this.#root === undefined ? undefined : this.#wanted.shift()
      if (folder === undefined) await this.#scanBell.wait(undefined, signal)
      else await this.#scan(sourcePath(folder), signal)
    }
  }

  async #scan(folder: SourcePath, signal: AbortSignal): Promise<void> {
    const { clock, log, believed } = this.#deps
    const root = this.#root
    if (root === undefined) return
    this.#isScanning = true
    const startMs = clock.monotonicMs()
    const waiting = folder === '' ? [...this.#waitingForScan] : []
    const found = new ScanFindings({
      ...{ source: this.name, settler: this.#settler, handOn: this.#handOn, signal },
      onScanned: (count) => (this.#scannedCount = folder === '' ? count : this.#scannedCount),
    })
    const view = {
      source: this.name,
      id: root.id,
      settleMs: this.#config.settleMs,
      believed,
      scanner: this.#scanner,
      clock,
    }
    try {
      const end = await reconcile(view, folder, found, { doubtsEmptyRoot: this.#isRootNew, signal })
      if (this.#root !== root) return
      this.#scanEnded(folder, end, found)
      for (const done of end === 'complete' ? waiting : []) this.#endScan(done)
    } catch (thrown) {
      if (signal.aborted || this.#root !== root) return
      log.warn('scan failed', { source: this.name, path: folder, error: asError(thrown).message })
      await clock.sleep(pollMs, signal).catch(() => undefined)
      this.#want(folder)
    } finally {
      this.#lastScanTookMs = clock.monotonicMs() - startMs
      this.#isScanning = false
    }
  }

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
    this.#skipped = found.skippedCounts
    this.#skippedPaths.clear()
    if (this.#scanReason === 'periodic' && found.settledCount > 0 && this.#condition().state === 'watching') {
      const detail = `${found.settledCount} changes raised no event`
      this.#deps.note({ source: this.name, event: 'missed', ...found.example(), detail })
    }
    this.#lastScanMs = this.#deps.clock.monotonicMs()
    this.#scanReason = 'change'
    this.#suspectReason = undefined
    this.#isRootNew = false
    this.#isFirstScanDone = true
    this.#endFirstScan()
  }

  #endScan(done: () => void): void {
    this.#waitingForScan.delete(done)
    done()
  }

  #left(path: SourcePath, look: Extract<Look, { kind: 'skipped' | 'unreadable' }>): void {
    const kind = look.kind === 'skipped' ? look.what : 'unreadable'
    if (this.#skippedPaths.has(path) || this.#skippedPaths.size >= skippedPathsMax) return
    this.#skippedPaths.add(path)
    this.#skipped = new Map(this.#skipped).set(kind, (this.#skipped.get(kind) ?? 0) + 1)
    if (look.kind === 'unreadable')
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
      await this.#deps.clock.sleep(Math.max(pollMs, this.#lastScanTookMs * (pollShare - 1)), signal)
      if (this.#root === undefined || this.#isScanning) continue
      if (this.#root.pollsBecause !== undefined || this.#watch.unavailable !== undefined || this.#isRootDoubted())
        this.#want('')
      for (const folder of this.#watch.unwatched.keys()) this.#want(folder)
    }
  }

  #isRootDoubted(): boolean {
    return this.#suspectReason !== undefined && !this.#watch.isWalking
  }
}
