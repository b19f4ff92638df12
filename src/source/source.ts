/**
 * Sources: watched folders in, settled changes out. An event is only a hint that a path may have changed; what counts is `stat`
 * compared with what is believed (F6). Watch, reconcile scan and polling feed the same collector, so a change found twice is handed
 * on once (F19).
 *
 * Stopping drops what has not settled: the first scan of the next start finds it again.
 */
import type { SourcePath } from '../base/path.ts'
import type { SourceConfig } from '../config/config.ts'
import type { SourceState } from './condition.ts'
import type { SourceDeps } from './deps.ts'
import { FolderSource } from './folder-source.ts'
import type { IgnoredBecause } from './ignore-rules.ts'
import { Scanner } from './scanner.ts'
import { Watch } from './watch.ts'

export { type Change } from './change.ts'
export { type SourceState } from './condition.ts'
export { type SourceDeps, type SourceNote } from './deps.ts'
export type { IgnoredBecause } from './ignore-rules.ts'
export { type Believed, type KnownFile } from './reconcile.ts'

export interface Source {
  readonly name: string
  state(): SourceState
  /**
   * Resolves when the first whole scan is done and every settled change it found is taken (`isIdle` tells of those that were still
   * settling), or when stopped. Waits while the root is missing or doubted.
   */
  readonly firstScan: Promise<void>
  /** Scans everything; resolves when a scan that began after this call is done. @throws OwnerError while the root is missing. */
  rescan(reason: string): Promise<void>
  /** Nothing dirty, nothing settling, no scan running or wanted. A missing root leaves nothing to do. */
  isIdle(): boolean
  /** Which rule leaves the path out; undefined where none does. Reads the ignore files on the way. */
  whyIgnored(path: SourcePath): IgnoredBecause | undefined
  stop(): Promise<void>
}

export interface Sources {
  /** Begins to watch. @throws RangeError for a name that is there already. */
  add(config: SourceConfig): Source
  /** Stops one source; what is believed of it stays. */
  remove(name: string): Promise<void>
  readonly all: readonly Source[]
  /** The watch thread shows that it lives, or there is nothing for it to do. False while it is silent, or dead and not yet started again. */
  readonly isAnswering: boolean
  /** Stops all sources and ends both threads. */
  stop(): Promise<void>
}

export function openSources(deps: SourceDeps): Sources {
  const sources = new Map<string, FolderSource>()
  const watch = new Watch(deps.clock, deps.log)
  const scanner = new Scanner((reason) => {
    deps.log.error('scan thread lost', { reason })
    for (const source of sources.values()) source.scannerLost(reason)
  })
  return {
    add(config) {
      if (sources.has(config.name)) throw new RangeError(`source ${config.name} is there already`)
      const source = new FolderSource(config, deps, { scanner, watch })
      sources.set(config.name, source)
      return source
    },
    async remove(name) {
      const source = sources.get(name)
      sources.delete(name)
      await source?.stop()
    },
    get all() {
      return [...sources.values()]
    },
    get isAnswering() {
      return watch.isAnswering
    },
    async stop() {
      await Promise.all([...sources.values()].map((source) => source.stop()))
      sources.clear()
      await Promise.all([watch.stop(), scanner.stop()])
    },
  }
}
