/**
 * Sources: watched folders in, settled changes out. An event is only a hint that a path may have changed; what counts is `stat`
 * compared with what is believed (F6). Watch, reconcile scan and polling feed the same collector, so a change found twice is handed
 * on once (F19).
 *
 * Sources and both threads are children of supervisors: one that fails is started afresh, and no other notices.
 * Stopping drops what has not settled: the first scan of the next start finds it again.
 */
import type { SourcePath } from '../base/path.ts'
import type { SourceConfig } from '../config/config.ts'
import { supervise, type Supervisor } from '../stage/stage.ts'
import type { SourceState } from './condition.ts'
import type { SourceDeps } from './deps.ts'
import type { IgnoredBecause } from './ignore-rules.ts'
import { Scanner } from './scanner.ts'
import { SourceLives } from './source-lives.ts'
import { Watch } from './watch.ts'

export { type Change } from './change.ts'
export { type SourceState } from './condition.ts'
export { type KnownMount, type SourceDeps, type SourceNote } from './deps.ts'
export type { IgnoredBecause } from './ignore-rules.ts'
export { type Believed, type KnownFile } from './reconcile.ts'
export { notMounted } from './root-look.ts'

export interface Source {
  readonly name: string
  state(): SourceState
  /**
   * Resolves when the first whole scan is done and every settled change it found is taken (`isIdle` tells of those that were still
   * settling), or when stopped. Waits while the root is missing or doubted.
   */
  readonly firstScan: Promise<void>
  /**
   * Scans everything; resolves when a scan that began after this call is done.
   * @throws OwnerError while the root is missing. @throws Error when the source fails before it is done, and while it is being restarted.
   */
  rescan(reason: string): Promise<void>
  /**
   * The owner says that a file system which was mounted before is gone for good, be it the root's or one inside: what was known there counts as removed.
   * @returns where those were, absolute; empty where none is missed.
   */
  approve(): readonly string[]
  /** Nothing dirty, nothing settling, no scan running or wanted. A missing root leaves nothing to do. */
  isIdle(): boolean
  /** Somebody who wanted to read the file found another one than is believed: it is looked at, whether or not an event tells of it (F49). */
  lookAgain(path: SourcePath): void
  /** Which rule leaves the path out; undefined where none does. Reads the ignore files on the way. */
  whyIgnored(path: SourcePath): IgnoredBecause | undefined
  /** Why the path as it is now is not handed on (yet): it does not rest, or is no file. Looks at it. Undefined where nothing of the kind is so. */
  whyNot(path: SourcePath): string | undefined
}

export interface Sources {
  /** Begins to watch. Touches no other source. @throws RangeError for a name that is there already. */
  add(config: SourceConfig): Promise<Source>
  /** Stops one source; what is believed of it stays. Touches no other source. */
  remove(name: string): Promise<void>
  readonly all: readonly Source[]
  /** The watch thread shows that it lives, or there is nothing for it to do. False while it is silent, or dead and not yet started again. */
  readonly isAnswering: boolean
  /** Stops all sources and ends both threads. */
  stop(): Promise<void>
}

/** Restarts count for this long, ms, so that one that keeps failing settles at the last pause. */
const restartsWithinMs = 600_000
/** Pauses before a source that failed is started again, ms: doubling from the first to the last. */
const restartFirstMs = 1_000
const restartLastMs = 60_000

export async function openSources(deps: SourceDeps): Promise<Sources> {
  const lives = new Map<string, SourceLives>()
  const watch = new Watch(deps.clock, deps.log)
  const scanner = new Scanner({
    onLost(reason) {
      deps.log.error('scan thread lost', { reason })
      for (const source of lives.values()) source.scannerLost(reason)
    },
    onStarted() {
      for (const source of lives.values()) source.scannerStarted()
    },
  })
  const always = { restartsMax: Infinity, restartsWithinMs, clock: deps.clock }
  const threads = await supervise({
    ...{ name: 'source threads', ...always, restartDelayMs: threadDelayMs },
    children: [
      { name: 'watch', start: () => watch.start() },
      { name: 'scan', start: () => scanner.start() },
    ],
  })
  const supervisor = await supervise({ name: 'sources', ...always, restartDelayMs: growingMs })
  return new SupervisedSources({ deps, lives, threads, supervisor, scanner, watch })
}

function growingMs(restarts: number): number {
  return Math.min(restartFirstMs * 2 ** (restarts - 1), restartLastMs)
}

/** All sources depend on a thread, so the first time it is not waited. */
function threadDelayMs(restarts: number): number {
  return restarts === 1 ? 0 : growingMs(restarts - 1)
}

interface SourcesParts {
  readonly deps: SourceDeps
  readonly lives: Map<string, SourceLives>
  readonly threads: Supervisor
  readonly supervisor: Supervisor
  readonly scanner: Scanner
  readonly watch: Watch
}

class SupervisedSources implements Sources {
  readonly #parts: SourcesParts

  constructor(parts: SourcesParts) {
    this.#parts = parts
  }

  get all(): readonly Source[] {
    return [...this.#parts.lives.values()]
  }

  get isAnswering(): boolean {
    return this.#parts.watch.isAnswering
  }

  async add(config: SourceConfig): Promise<Source> {
    const { deps, lives, supervisor, scanner, watch } = this.#parts
    if (lives.has(config.name)) throw new RangeError(`source ${config.name} is there already`)
    const source = new SourceLives(config, deps, { scanner, watch })
    lives.set(config.name, source)
    await supervisor.add({ name: config.name, start: () => source.start() })
    return source
  }

  async remove(name: string): Promise<void> {
    const { lives, supervisor } = this.#parts
    const source = lives.get(name)
    if (source === undefined) return
    lives.delete(name)
    await supervisor.remove(name)
    source.removed()
  }

  async stop(): Promise<void> {
    const { lives, supervisor, threads } = this.#parts
    // All at once: each may have to wait for what it is handing on.
    await Promise.all([...lives.keys()].map((name) => this.remove(name)))
    await supervisor.stop()
    await threads.stop()
  }
}
