/** A folder under watch, and a ledger that takes its changes as the journal would: what the tests of this room stand on. */
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { folderOf, nameOf, type SourcePath } from '../../src/base/path.ts'
import { systemRandom } from '../../src/base/random.ts'
import {
  openSources,
  type Believed,
  type Change,
  type KnownFile,
  type KnownMount,
  type Source,
  type SourceDeps,
  type SourceNote,
  type Sources,
} from '../../src/source/source.ts'
import type { SourceConfig } from '../../src/config/config.ts'

/** What is believed, and every change in the order it was taken. */
export class Ledger implements Believed {
  readonly taken: Change[] = []
  readonly callSizes: number[] = []
  readonly #files = new Map<string, Map<string, KnownFile>>()
  readonly #mounts = new Map<string, readonly KnownMount[]>()
  readonly #inodes = new Map<bigint, Set<SourcePath>>()
  readonly moves: Believed['moves'] = {
    whereabouts: (_, { inode, size, mtimeNs }) =>
      [...this.#pathsOf(inode)].filter((path) => {
        const known = this.file('', path)
        return known?.inode === inode && known.size === size && known.mtimeNs === mtimeNs
      }),
  }

  /** Kept with it across restarts, as in the journal. */
  readonly mounts: SourceDeps['mounts'] = {
    of: (source) => this.#mounts.get(source) ?? [],
    keep: (source, mounts) => void this.#mounts.set(source, mounts),
  }

  take(changes: readonly Change[]): Promise<void> {
    this.callSizes.push(changes.length)
    // Moves happen at once.
    for (const change of changes)
      if (change.kind === 'move') this.#folder(folderOf(change.from)).delete(nameOf(change.from))
    for (const change of changes) {
      const folder = this.#folder(folderOf(change.path))
      const name = nameOf(change.path)
      // As in the journal: what is not there is not removed.
      if (change.kind === 'remove' && !folder.has(name)) continue
      this.taken.push(change)
      if ('stat' in change) this.#pathsOf(change.stat.inode).add(change.path)
      if ('stat' in change) folder.set(name, { name, ...change.stat })
      else folder.delete(name)
    }
    return Promise.resolve()
  }

  get paths(): string[] {
    return [...this.#files]
      .flatMap(([folder, files]) => [...files.keys()].map((name) => (folder === '' ? name : `${folder}/${name}`)))
      .sort()
  }

  /** `put a`, `remove b`, `move a b`, in the order taken. */
  get lines(): string[] {
    return this.taken.map((change) =>
      change.kind === 'move' ? `move ${change.from} ${change.path}` : `${change.kind} ${change.path}`,
    )
  }

  /** Where a file of this inode ever was. */
  #pathsOf(inode: bigint): Set<SourcePath> {
    const paths = this.#inodes.get(inode) ?? new Set<SourcePath>()
    this.#inodes.set(inode, paths)
    return paths
  }

  #folder(folder: string): Map<string, KnownFile> {
    const files = this.#files.get(folder) ?? new Map<string, KnownFile>()
    this.#files.set(folder, files)
    return files
  }

  file(_source: string, path: SourcePath): KnownFile | undefined {
    return this.#files.get(folderOf(path))?.get(nameOf(path))
  }

  filesIn(_source: string, folder: SourcePath, after: string | undefined, limit: number): readonly KnownFile[] {
    const names = [...(this.#files.get(folder)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
    return names.filter(({ name }) => after === undefined || name > after).slice(0, limit)
  }

  foldersIn(_source: string, folder: SourcePath): readonly string[] {
    const start = folder === '' ? '' : `${folder}/`
    const names = [...this.#files]
      .filter(([path, files]) => files.size > 0 && path !== '' && path !== folder && path.startsWith(start))
      .map(([path]) => path.slice(start.length).split('/')[0] ?? '')
    return [...new Set(names)]
  }

  filesBelow(_source: string, folder: SourcePath, limit: number): readonly SourcePath[] {
    const below: SourcePath[] = []
    for (const [path, files] of this.#files) {
      if (folder !== '' && path !== folder && !path.startsWith(`${folder}/`)) continue
      for (const name of files.keys()) {
        if (below.length >= limit) return below
        below.push((path === '' ? name : `${path}/${name}`) as SourcePath)
      }
    }
    return below
  }
}

export interface World {
  readonly root: string
  readonly ledger: Ledger
  readonly notes: SourceNote[]
  readonly sources: Sources
  readonly source: Source
  /** Stops the source and starts another on the same folder and ledger, as a restart of the program does. */
  restart(whileOff?: () => void): Promise<World>
  stop(): Promise<void>
}

export type WorldOptions = Partial<SourceConfig> & {
  readonly ledger?: Ledger
  readonly before?: (root: string) => void
  readonly clock?: Clock
  readonly blindMount?: (fsType: string) => string | undefined
}

const worlds = new Set<World>()
const folders = new Set<string>()

/** A fresh empty folder, removed after the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fanfold-source-'))
  folders.add(folder)
  return folder
}

/** A source that has finished its first scan. */
export async function aWorld(options: WorldOptions = {}): Promise<World> {
  const world = await aStartingWorld(options)
  await world.source.firstScan
  return world
}

/** The same without waiting for the scan. */
export async function aStartingWorld(options: WorldOptions = {}): Promise<World> {
  const { before, ledger = new Ledger(), clock = systemClock, blindMount, ...config } = options
  const root = config.path ?? join(tempFolder(), 'root')
  if (config.path === undefined) mkdirSync(root)
  before?.(root)
  const notes: SourceNote[] = []
  const sources = await openSources({
    believed: ledger,
    mounts: ledger.mounts,
    take: (changes) => ledger.take(changes),
    // A ledger knows files only.
    mayMoveFolder: () => Promise.resolve(false),
    note: (note) => notes.push(note),
    clock,
    random: systemRandom,
    log: silentLog,
    ...(blindMount === undefined ? {} : { blindMount }),
  })
  const source = await sources.add({
    ...{ name: 'papers', path: root, ignore: [], settleMs: 300, rescanMs: 3_600_000, watch: 'auto' },
    ...{ unsettledMsMax: 600_000, unsettled: 'wait', oneFileSystem: false, checkWriters: false },
    ...config,
  })
  const stop = async (): Promise<void> => {
    worlds.delete(world)
    await sources.stop()
  }
  const restart = async (whileOff?: () => void): Promise<World> => {
    await stop()
    whileOff?.()
    return aWorld({ ...config, path: root, ledger })
  }
  const world: World = { root, ledger, notes, sources, source, restart, stop }
  worlds.add(world)
  return world
}

/** Ends what the tests began; for `afterEach`. */
export async function endWorlds(): Promise<void> {
  for (const world of worlds) await world.stop()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  folders.clear()
}

/** Waits until `claim` holds. @throws Error with what `show` tells when it does not within `limitMs`. */
export async function until(claim: () => boolean, show: () => unknown = () => '', limitMs = 30_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs
  while (!claim()) {
    if (systemClock.monotonicMs() > endMs)
      throw new Error(`not within ${limitMs} ms: ${JSON.stringify(show(), asText)}`)
    await systemClock.sleep(5, new AbortController().signal)
  }
}

function asText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** Waits until nothing is dirty for `quietMs` on end, so that events still on their way are counted as well. */
export async function atRest(world: World, quietMs = 100): Promise<void> {
  let quietSinceMs: number | undefined
  await until(
    () => {
      const nowMs = systemClock.monotonicMs()
      quietSinceMs = world.source.isIdle() ? (quietSinceMs ?? nowMs) : undefined
      return quietSinceMs !== undefined && nowMs - quietSinceMs >= quietMs
    },
    () => world.source.state(),
  )
}
