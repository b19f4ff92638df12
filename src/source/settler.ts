/**
 * Settles one source with two stages: the collector, a producer of what is due, and the flusher, its only consumer. Owns the dirty paths, the demand
 * between the two and the timer; how a path is judged and handed on is the flusher's.
 */
import { orAbort } from '../base/abort.ts'
import type { Timer } from '../base/clock.ts'
import type { SourcePath } from '../base/path.ts'
import { consumer, producer, type Producer } from '../stage/stage.ts'
import { Bell } from './bell.ts'
import type { Change } from './change.ts'
import { Collector, dirtyPathsMax, type Due } from './collector.ts'
import { Flusher, type FlusherOptions } from './flusher.ts'
import { Restless, unsettledReason } from './restless.ts'
import { looksMax } from './scan.ts'
import type { Sign } from './settle.ts'

/** Dirty paths at which a scan waits, so that what it finds never makes the collector collapse, which would ask for that scan again. */
const scanHoldsAt = dirtyPathsMax / 2

export interface SettlerOptions extends FlusherOptions {
  /** Too much was dirty at once: everything below `folder` has to be scanned. */
  readonly onCollapse: (folder: string) => void
}

/** One event: the due paths of one call to the scan thread. Demand is counted in calls, since paths by the piece would tear a burst into small ones. */
type Round = readonly Due[]

export class Settler {
  readonly #options: SettlerOptions
  readonly #collector: Collector
  readonly #restless = new Restless()
  readonly #rounds: Producer<Round>
  readonly #flusher: Flusher
  readonly #roomBell: Bell
  #alarm: { readonly timer: Timer; readonly dueMs: number } | undefined
  /** Paths handed on since the scan asked the last time, and the time before, while one runs: what it brings of them may be older than what was taken. */
  #recent: Set<SourcePath> | undefined
  #recentBefore: Set<SourcePath> | undefined

  constructor(options: SettlerOptions) {
    this.#options = options
    this.#collector = new Collector(options.patience)
    this.#rounds = producer<Round>({ name: `${options.source} collector`, handleDemand: () => this.#give() })
    this.#flusher = new Flusher(options, { collector: this.#collector, restless: this.#restless }, (changes) =>
      this.#taking(changes),
    )
    this.#roomBell = new Bell(options.clock)
  }

  get size(): number {
    return this.#collector.size
  }

  get isIdle(): boolean {
    return this.#collector.isEmpty
  }

  touch(path: SourcePath, sign: Sign, isTree = false): void {
    this.#collector.touch(path, sign, this.#options.clock.monotonicMs(), isTree)
    if (this.#collector.size > dirtyPathsMax) {
      this.#restless.clear()
      this.#options.onCollapse(this.#collector.collapse())
    }
    this.#give()
  }

  clear(): void {
    this.#collector.clear()
    this.#restless.clear()
    this.#roomBell.ring()
  }

  /** Files that do not come to rest, for the status. */
  get restlessReason(): string | undefined {
    return this.#restless.reason(this.#options.patience)
  }

  /** What the path waits for; undefined where it does not. */
  whyUnsettled(path: SourcePath): string | undefined {
    const { clock, patience, writers } = this.#options
    const settling = this.#collector.settlingOf(path)
    if (settling === undefined) return undefined
    const writer = writers?.whoHolds(path)
    const held = writer === undefined ? '' : `; open for writing by ${writer}`
    return `${unsettledReason(settling.sinceMs, clock.monotonicMs(), patience)}${held}`
  }

  /** Is the path being settled, or was it since the scan last asked? */
  isInHand(path: SourcePath): boolean {
    if (this.#collector.has(path) || this.#recent === undefined || this.#recentBefore === undefined) return true
    return this.#recent.has(path) || this.#recentBefore.has(path)
  }

  /** A scan is about to ask the file system. */
  scanAsks(isFirst: boolean): void {
    this.#recentBefore = isFirst ? new Set() : this.#recent
    this.#recent = new Set()
  }

  /** Resolves when a scan may go on, or on abort. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#collector.size >= scanHoldsAt && !signal.aborted) await this.#roomBell.wait(undefined, signal)
  }

  /** Settles until aborted; what is not settled by then is dropped. @throws what ended one of the stages. */
  async run(signal: AbortSignal): Promise<void> {
    const flusher = consumer<Round>({
      name: `${this.#options.source} flusher`,
      handleEvents: async ([round]) => {
        if (round !== undefined) await this.#flusher.flush(round, signal)
        this.#roomBell.ring()
      },
    })
    flusher.subscribe(this.#rounds, { maxDemand: 1, minDemand: 0 })
    const reason = await orAbort(flusher.stopped, signal).catch(() => flusher.stop('shutdown'))
    this.#alarm?.timer.clear()
    await this.#rounds.stop(reason)
    if (reason instanceof Error) throw reason
  }

  /** Answers demand with what is due, or sees to it that it is answered in time. */
  #give(): void {
    if (this.#rounds.wantedCount === 0) return
    const dueMs = this.#collector.nextDueMs()
    if (dueMs === undefined) return
    const nowMs = this.#options.clock.monotonicMs()
    if (dueMs <= nowMs) this.#rounds.emit([this.#collector.take(nowMs, looksMax)])
    else this.#giveAt(dueMs, nowMs)
  }

  #giveAt(dueMs: number, nowMs: number): void {
    if (this.#alarm !== undefined && this.#alarm.dueMs <= dueMs) return
    this.#alarm?.timer.clear()
    const timer = this.#options.clock.after(dueMs - nowMs, () => {
      this.#alarm = undefined
      this.#give()
    })
    this.#alarm = { timer, dueMs }
  }

  #taking(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#recent?.add(change.path)
      if (change.kind === 'move') this.#recent?.add(change.from)
    }
    // Too many to tell apart: until the scan asks again, all it brings is looked at once more.
    if ((this.#recent?.size ?? 0) > dirtyPathsMax) this.#recent = undefined
  }
}
