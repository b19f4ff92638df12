/** One configured source across its lives: what others hold of it stays valid while its supervisor ends and restarts what does the work. */
import type { SourcePath } from '../base/path.ts'
import type { SourceConfig } from '../config/config.ts'
import type { Child, Reason } from '../stage/stage.ts'
import { restarting, type SourceState } from './condition.ts'
import type { SourceDeps } from './deps.ts'
import { FolderSource, type FolderSourceParts } from './folder-source.ts'
import type { SourceMemory } from './source-mounts.ts'
import { type IgnoredBecause, IgnoreRules } from './ignore-rules.ts'

export class SourceLives {
  readonly name: string
  readonly firstScan: Promise<void>
  readonly #config: SourceConfig
  readonly #deps: SourceDeps
  readonly #threads: Pick<FolderSourceParts, 'scanner' | 'watch'>
  readonly #memory: SourceMemory = { device: undefined }
  #life: FolderSource | undefined
  /** Why the last life ended. */
  #endReason: string | undefined
  #endFirstScan: () => void = () => {}

  constructor(config: SourceConfig, deps: SourceDeps, threads: Pick<FolderSourceParts, 'scanner' | 'watch'>) {
    this.name = config.name
    this.#config = config
    this.#deps = deps
    this.#threads = threads
    this.firstScan = new Promise((resolve) => (this.#endFirstScan = resolve))
  }

  /** One life: a new root and a scan of everything. */
  start(): Child {
    if (this.#endReason !== undefined)
      this.#deps.note({ source: this.name, event: 'source-restarted', detail: this.#endReason })
    const parts = { ...this.#threads, memory: this.#memory, onFirstScan: this.#endFirstScan }
    const life = new FolderSource(this.#config, this.#deps, parts)
    this.#life = life
    const stopped = life.stopped.then((reason) => {
      this.#ended(reason)
      return reason
    })
    return { stopped, stop: (reason) => life.stop(reason) }
  }

  state(): SourceState {
    return this.#life?.state() ?? restarting(this.#endReason ?? 'it has not been started')
  }

  async rescan(reason: string): Promise<void> {
    if (this.#life === undefined)
      throw new Error(`source ${this.name} cannot be scanned now; it is being restarted, and scanned whole after that`)
    await this.#life.rescan(reason)
  }

  approve(): readonly string[] {
    return this.#life?.approve() ?? []
  }

  isIdle(): boolean {
    return this.#life?.isIdle() ?? false
  }

  lookAgain(path: SourcePath): void {
    this.#life?.lookAgain(path)
  }

  whyIgnored(path: SourcePath): IgnoredBecause | undefined {
    if (this.#life !== undefined) return this.#life.whyIgnored(path)
    return new IgnoreRules(this.#config.path, this.#config.ignore).why(path, false)
  }

  whyNot(path: SourcePath): string | undefined {
    return this.#life?.whyNot(path)
  }

  scannerLost(reason: string): void {
    this.#life?.scannerLost(reason)
  }

  scannerStarted(): void {
    this.#life?.scannerStarted()
  }

  /** No life follows: whoever waits for the first scan is let go. */
  removed(): void {
    this.#endFirstScan()
  }

  #ended(reason: Reason): void {
    this.#life = undefined
    this.#endReason = reason instanceof Error ? reason.message : reason
  }
}
