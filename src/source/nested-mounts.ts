/**
 * File systems that are mounted inside of one source, as its owner is told of them: each once, and which of them are looked at every few seconds because
 * they do not tell of changes (F8, F14). Asks no file system.
 */
import type { SourceConfig } from '../config/config.ts'
import type { Log } from '../base/log.ts'
import { sourcePath, type SourcePath } from '../base/path.ts'
import type { NestedMount } from './scan.ts'

/** Mounts named in the status; the others are counted. */
const namedMax = 3

export interface NestedMountsOptions {
  readonly source: string
  readonly coverage: Pick<SourceConfig, 'watch' | 'oneFileSystem'>
  /** Name of a kind of file system that does not tell of changes. */
  readonly blindMount: (fsType: string) => string | undefined
  readonly note: (note: { event: string; path: SourcePath; detail: string }) => void
  readonly log: Log
}

export class NestedMounts {
  readonly #options: NestedMountsOptions
  readonly #known = new Map<string, string>()
  readonly #polled = new Map<string, string>()
  /** What was told of each: a disk that comes and goes is told of once. */
  readonly #told = new Map<string, string>()

  constructor(options: NestedMountsOptions) {
    this.#options = options
  }

  /** Folders that are to be scanned every few seconds, with the name of what is mounted there. */
  get polled(): ReadonlyMap<string, string> {
    return this.#polled
  }

  /** For the status; undefined while all that is watched tells of changes. */
  get reason(): string | undefined {
    if (this.#polled.size === 0) return undefined
    const named = [...this.#polled].slice(0, namedMax).map(([folder, kind]) => `${folder} (${kind})`)
    const more = this.#polled.size > namedMax ? ` and ${this.#polled.size - namedMax} more` : ''
    return `polled, since they do not tell of changes: ${named.join(', ')}${more}`
  }

  /** The root is gone; what is mounted below the next one is new. */
  clear(): void {
    this.#known.clear()
    this.#polled.clear()
  }

  /** What is mounted now. @returns folders where something else is than before, and that count. */
  see(mounts: readonly NestedMount[]): string[] {
    const { watch, oneFileSystem } = this.#options.coverage
    const now = new Map(mounts.map(({ folder, fsType }) => [folder, fsType]))
    const fresh = mounts.filter(({ folder, fsType }) => this.#known.get(folder) !== fsType)
    this.clear()
    for (const [folder, fsType] of now) {
      this.#known.set(folder, fsType)
      const kind = this.#options.blindMount(fsType)
      if (kind !== undefined && watch === 'auto' && !oneFileSystem) this.#polled.set(folder, kind)
    }
    for (const mount of fresh) this.#tell(mount)
    return oneFileSystem ? [] : fresh.map(({ folder }) => folder)
  }

  #tell({ folder, fsType }: NestedMount): void {
    const { source, note, log } = this.#options
    const detail = `${fsType} is mounted there; ${this.#fateOf(folder)}`
    if (this.#told.get(folder) === detail) return
    this.#told.set(folder, detail)
    note({ event: 'mounted', path: sourcePath(folder), detail })
    log.info('file system inside of a source', { source, path: folder, reason: detail })
  }

  #fateOf(folder: string): string {
    if (this.#options.coverage.oneFileSystem) return 'it is left out, since one-file-system is set'
    const kind = this.#polled.get(folder)
    return kind === undefined
      ? 'it is taken as a part of the source'
      : `it is looked at every few seconds, since ${kind} does not tell of changes`
  }
}
