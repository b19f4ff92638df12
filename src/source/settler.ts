/** The shell around settle.ts: waits until a dirty path is due, has it looked at, and hands on what settled. Owns the collector. */
import { Bell } from './bell.ts'
import type { Clock } from '../base/clock.ts'
import { asError, assert } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { SourcePath } from '../base/path.ts'
import { changesMax, type Change, type HandOn } from './change.ts'
import { Collector, dirtyPathsMax, type Due } from './collector.ts'
import type { Believed } from './reconcile.ts'
import { looksMax, type Look } from './scan.ts'
import type { Scanner } from './scanner.ts'
import { judge, type Outcome, type Sign, type Version } from './settle.ts'

/** Dirty paths at which a scan waits, so that what it finds never makes the collector collapse, which would ask for that scan again. */
const scanHoldsAt = dirtyPathsMax / 2
/** Pause after a look that failed as a whole (the scan thread died), ms. */
const lookRetryMs = 500

export interface SettlerOptions {
  readonly source: string
  readonly settleMs: number
  readonly believed: Believed
  readonly scanner: Scanner
  readonly handOn: HandOn
  readonly clock: Clock
  readonly log: Log
  /** The root's number at the scan thread; undefined while there is no root. */
  readonly rootId: () => number | undefined
  /** The root is not what it was. */
  readonly onBlind: () => void
  /** Too much was dirty at once: everything below `folder` has to be scanned. */
  readonly onCollapse: (folder: string) => void
  /** A path that is left alone, and why. */
  readonly onLeft: (path: SourcePath, look: Extract<Look, { kind: 'skipped' | 'unreadable' }>) => void
}

interface Verdict {
  readonly due: Due
  /** Nothing more is to be waited for. */
  readonly isDone: boolean
  /** All files believed below the path are gone. */
  readonly isTreeGone: boolean
  readonly change: Change | undefined
}

export class Settler {
  readonly #options: SettlerOptions
  readonly #collector: Collector
  readonly #bell: Bell
  readonly #roomBell: Bell
  #isFlushing = false
  /** Paths handed on since the scan last asked, while one runs: what it brings of them may be older than what was taken. */
  #recent: Set<SourcePath> | undefined

  constructor(options: SettlerOptions) {
    this.#options = options
    this.#collector = new Collector(options.settleMs)
    this.#bell = new Bell(options.clock)
    this.#roomBell = new Bell(options.clock)
  }

  get size(): number {
    return this.#collector.size
  }

  get isIdle(): boolean {
    return this.#collector.size === 0 && !this.#isFlushing
  }

  touch(path: SourcePath, sign: Sign, isTree = false): void {
    this.#collector.touch(path, sign, this.#options.clock.monotonicMs(), isTree)
    if (this.#collector.size > dirtyPathsMax) this.#options.onCollapse(this.#collector.collapse())
    this.#bell.ring()
  }

  clear(): void {
    this.#collector.clear()
    this.#roomBell.ring()
  }

  /** Is the path being settled, or was it since the scan last asked? */
  isInHand(path: SourcePath): boolean {
    if (this.#collector.has(path) || this.#recent === undefined) return true
    return this.#recent.has(path)
  }

  /** A scan is about to ask the file system. */
  scanAsks(): void {
    this.#recent = new Set()
  }

  /** Resolves when a scan may go on, or on abort. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#collector.size >= scanHoldsAt && !signal.aborted) await this.#roomBell.wait(undefined, signal)
  }

  /** Settles until aborted: the loop of this source. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const dueMs = this.#collector.nextDueMs()
      const delayMs = dueMs === undefined ? undefined : dueMs - this.#options.clock.monotonicMs()
      if (delayMs === undefined || delayMs > 0) await this.#bell.wait(delayMs, signal)
      else await this.#flush(signal)
    }
  }

  async #flush(signal: AbortSignal): Promise<void> {
    const { clock, rootId, scanner, log, onBlind } = this.#options
    const id = rootId()
    const due = this.#collector.due(clock.monotonicMs(), looksMax)
    // Without a root, nothing is dirty: its return is followed by a scan of everything.
    if (id === undefined) {
      this.clear()
      return
    }
    this.#isFlushing = true
    try {
      const answer = await scanner.call('look', { id, paths: due.map(({ path }) => path) })
      if (answer.kind === 'seen') await this.#conclude(due, answer.looks, signal)
      else if (rootId() === id) {
        this.clear()
        onBlind()
      }
    } catch (thrown) {
      if (signal.aborted) return
      if (rootId() !== id) return
      log.warn('look failed', { source: this.#options.source, error: asError(thrown).message })
      await clock.sleep(lookRetryMs, signal).catch(() => undefined)
    } finally {
      this.#isFlushing = false
      this.#roomBell.ring()
    }
  }

  /** What the looks mean. Paths stay in the collector until their changes are taken. */
  async #conclude(due: readonly Due[], looks: readonly Look[], signal: AbortSignal): Promise<void> {
    const verdicts: Verdict[] = []
    due.forEach((one, index) => {
      const look = looks[index]
      if (look !== undefined && this.#collector.isUntouched(one)) verdicts.push(this.#judge(one, look))
    })
    // What is gone goes first, so that a name is free before a file or folder of another kind takes it (F39).
    for (const { due: one, isTreeGone } of verdicts) if (isTreeGone) await this.#removeBelow(one.path, signal)
    for (const kind of ['remove', 'put'] as const) {
      await this.#take(verdicts.flatMap(({ change }) => (change?.kind === kind ? [change] : [])))
    }
    for (const { due: one, isDone } of verdicts) if (isDone) this.#collector.settle(one)
  }

  #judge(one: Due, look: Look): Verdict {
    const { source, believed, clock, settleMs, onLeft } = this.#options
    const { path, settling } = one
    const known = believed.file(source, path)
    // A folder that is there again is compared by the scan that every new folder gets.
    const isTree = settling.isTree && look.kind !== 'folder' && believed.filesBelow(source, path, 1).length > 0
    const nowMs = clock.monotonicMs()
    const at = { nowMs, settleMs, wallNs: BigInt(Math.floor(clock.wallMs())) * 1_000_000n }
    const outcome = judge(settling, look, known, isTree || known !== undefined, at)
    if (look.kind === 'skipped' || look.kind === 'unreadable') onLeft(path, look)
    if (outcome.kind === 'wait') this.#collector.wait(one, outcome.settling, nowMs)
    const isTreeGone = isTree && (outcome.kind === 'remove' || look.kind === 'file')
    return { due: one, isTreeGone, isDone: outcome.kind !== 'wait', change: this.#changeOf(path, outcome, known) }
  }

  #changeOf(path: SourcePath, outcome: Outcome, known: Version | undefined): Change | undefined {
    const { source } = this.#options
    if (outcome.kind === 'put') return { kind: 'put', source, path, stat: outcome.stat }
    return outcome.kind === 'remove' && known !== undefined ? { kind: 'remove', source, path } : undefined
  }

  /** All files that went with a folder, some at a time. */
  async #removeBelow(folder: SourcePath, signal: AbortSignal): Promise<void> {
    const { source, believed } = this.#options
    let first: SourcePath | undefined
    while (!signal.aborted) {
      const paths = believed.filesBelow(source, folder, changesMax)
      if (paths.length === 0) return
      assert(paths[0] !== first, `removed files are still believed below ${source}:${folder}`)
      first = paths[0]
      await this.#take(paths.map((path) => ({ kind: 'remove', source, path })))
    }
  }

  async #take(changes: readonly Change[]): Promise<void> {
    for (const { path } of changes) this.#recent?.add(path)
    // Too many to tell apart: until the scan asks again, all it brings is looked at once more.
    if ((this.#recent?.size ?? 0) > dirtyPathsMax) this.#recent = undefined
    if (changes.length > 0) await this.#options.handOn.take(changes)
  }
}
