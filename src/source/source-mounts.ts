/**
 * File systems of one source: that of its root, and those mounted inside of it. One that was there before and is not any more, be it since before the
 * program started, is missing: nothing below it counts as removed until it is mounted again, or its owner says that it is gone (F11). The others are told
 * of once each, and those that do not tell of changes are looked at every few seconds (F8, F14). Asks no file system.
 */
import type { SourceConfig } from '../config/config.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { joinPath, sourcePath, type SourcePath } from '../base/path.ts'
import type { KnownMount, MountMemory } from './deps.ts'
import type { Believed } from './reconcile.ts'
import { whyNoRoot } from './root.ts'
import type { NestedMount, RootFolder, RootLook } from './scan.ts'

/** Mounts named in the status; the others are counted. */
const namedMax = 3
/** Mounts remembered; beyond that, the first ones by name. */
const rememberedMax = 1_000

/** What outlives one life of a source. */
export interface SourceMemory {
  /** The file system that its root was last seen on (F11). */
  device: bigint | undefined
}

export interface SourceMountsOptions {
  readonly source: string
  readonly coverage: Pick<SourceConfig, 'path' | 'watch' | 'oneFileSystem'>
  readonly memory: SourceMemory
  readonly mounts: MountMemory
  readonly believed: Pick<Believed, 'filesBelow'>
  /** Name of a kind of file system that does not tell of changes. */
  readonly blindMount: (fsType: string) => string | undefined
  readonly note: (note: { event: string; path: SourcePath; detail: string }) => void
  readonly log: Log
}

export class SourceMounts {
  readonly #options: SourceMountsOptions
  readonly #known = new Map<string, string>()
  readonly #polled = new Map<string, string>()
  /** Unmounted since they were looked at: what is there next is another one, however short the time. */
  readonly #unmounted = new Set<string>()
  /** What was told of each: a disk that comes and goes is told of once. */
  readonly #told = new Map<string, string>()
  #remembered: readonly KnownMount[]
  #isKept = true
  #missing: readonly string[] = []
  #forgotten: readonly string[] = []
  /** There is a folder at the root's path, on another file system. */
  #isRootElsewhere = false

  constructor(options: SourceMountsOptions) {
    this.#options = options
    this.#remembered = options.mounts.of(options.source)
  }

  /** Folders that are to be scanned every few seconds, with the name of what is mounted there. */
  get polled(): ReadonlyMap<string, string> {
    return this.#polled
  }

  /** Folders below the root in which another file system is expected. */
  get expected(): readonly string[] {
    if (this.#options.coverage.oneFileSystem) return []
    return this.#remembered.map(({ folder }) => folder).filter((folder) => folder !== '')
  }

  /** Since the last look: what was mounted there held no file, so that it is not missed, and the folder is one like any other. */
  get forgotten(): readonly string[] {
    return this.#forgotten
  }

  /** For the status; undefined while all that is watched tells of changes. */
  get polledReason(): string | undefined {
    if (this.#polled.size === 0) return undefined
    return `polled, since they do not tell of changes: ${someOf([...this.#polled].map(([folder, kind]) => `${folder} (${kind})`))}`
  }

  /** For the status, with the next step; undefined while all are there. */
  get missingReason(): string | undefined {
    if (this.#missing.length === 0) return undefined
    return `not mounted: ${someOf(this.#missing)}; files known there count as there until it is mounted again, or "fanfold approve ${this.#options.source}" says that it is gone`
  }

  /** Why nothing is to be concluded from what is seen at the root. */
  whyNoRoot(look: RootLook): string | undefined {
    const { source, coverage, memory } = this.#options
    const disk = this.#remembered.find(({ folder }) => folder === '')
    const reason = whyNoRoot(source, coverage.path, look, { device: memory.device, disk })
    this.#isRootElsewhere = look.kind === 'folder' && reason !== undefined
    return reason
  }

  /** The kernel says so of a folder, or of the disk that it is on. */
  unmounted(folder: string): void {
    if (this.#known.has(folder)) this.#unmounted.add(folder)
  }

  /** The root is gone; what is mounted below the next one is new. */
  clear(): void {
    this.#known.clear()
    this.#unmounted.clear()
    this.#polled.clear()
    this.#missing = []
    this.#forgotten = []
  }

  /** The root is there. @param below what is mounted inside now. @returns folders where something else is than before, and that count. */
  see(root: RootFolder, below: readonly NestedMount[]): string[] {
    const { memory, coverage, blindMount } = this.#options
    memory.device = root.identity.device
    const fresh = below.filter(
      ({ folder, fsType }) => this.#known.get(folder) !== fsType || this.#unmounted.has(folder),
    )
    this.#unmounted.clear()
    this.#remember(root, below)
    this.#known.clear()
    this.#polled.clear()
    for (const { folder, fsType } of below) {
      this.#known.set(folder, fsType)
      const kind = blindMount(fsType)
      if (kind !== undefined && coverage.watch === 'auto' && !coverage.oneFileSystem) this.#polled.set(folder, kind)
    }
    for (const mount of fresh) this.#tellMounted(mount)
    return coverage.oneFileSystem ? [] : fresh.map(({ folder }) => folder)
  }

  /** The owner says that what is not mounted is gone. @returns where that was, absolute. */
  giveUpMissing(): readonly string[] {
    const { coverage, memory } = this.#options
    const given = this.#isRootElsewhere ? [''] : this.#missing
    if (this.#isRootElsewhere) memory.device = undefined
    this.#keep(this.#remembered.filter(({ folder }) => !given.includes(folder)))
    return given.map((folder) => (folder === '' ? coverage.path : joinPath(coverage.path, folder)))
  }

  /** Those that are there, and those that are missed: where no file is known, nothing is. */
  #remember(root: RootFolder, below: readonly NestedMount[]): void {
    const { source, believed, coverage } = this.#options
    const now = coverage.oneFileSystem ? [] : below.map(({ folder }) => folder)
    const isHeld = (folder: string): boolean => believed.filesBelow(source, sourcePath(folder), 1).length > 0
    const missing = this.expected.filter((folder) => !now.includes(folder) && isHeld(folder))
    for (const folder of missing) if (!this.#missing.includes(folder)) this.#tellMissing(folder)
    this.#missing = missing
    this.#forgotten = this.expected.filter((folder) => !now.includes(folder) && !missing.includes(folder))
    const inside = [...now, ...missing].sort().map((folder) => ({ folder, mark: undefined }))
    this.#keep([...(root.isMount ? [{ folder: '', mark: root.mark }] : []), ...inside].slice(0, rememberedMax))
  }

  /** Before anything is recorded of what is mounted there. */
  #keep(found: readonly KnownMount[]): void {
    const { source, mounts, log } = this.#options
    const before = this.#remembered
    const isAsBefore = ({ folder, mark }: KnownMount, n: number): boolean =>
      folder === before[n]?.folder && mark === before[n].mark
    if (this.#isKept && found.length === before.length && found.every(isAsBefore)) return
    this.#remembered = found
    try {
      mounts.keep(source, found)
      this.#isKept = true
    } catch (thrown) {
      // Tried again at the next look.
      this.#isKept = false
      log.warn('mounts not kept', { source, error: asError(thrown).message })
    }
  }

  #tellMissing(folder: string): void {
    const { source, note, log } = this.#options
    const detail = 'no file system is mounted there any more; nothing below it counts as removed'
    this.#told.delete(folder)
    // That of a running program was told by the kernel.
    if (!this.#known.has(folder)) note({ event: 'unmounted', path: sourcePath(folder), detail })
    log.warn('file system inside of a source is gone', { source, path: folder })
  }

  #tellMounted({ folder, fsType }: NestedMount): void {
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

function someOf(named: readonly string[]): string {
  const more = named.length > namedMax ? ` and ${named.length - namedMax} more` : ''
  return `${named.slice(0, namedMax).join(', ')}${more}`
}
