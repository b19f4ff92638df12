/** A whole pipeline on a real journal, a real digest and real folders; targets may be wrapped to be slow or broken. */
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog, type Log } from '../../src/base/log.ts'
import { sourcePath, type SourcePath } from '../../src/base/path.ts'
import type { DirectoryConfig, TargetConfig } from '../../src/config/config.ts'
import { openDigest } from '../../src/digest/digest.ts'
import { openJournal, type Change, type FileStat, type Journal } from '../../src/journal/journal.ts'
import { Pipeline, type LaneSeat, type OpenedTarget } from '../../src/pipeline/pipeline.ts'
import { directoryTarget } from '../../src/target/directory/directory.ts'
import { openPace } from '../../src/target/pace.ts'
import type { Target } from '../../src/target/target.ts'
import { aFolder } from '../builders.ts'

export interface World {
  readonly folder: string
  readonly journal: Journal
  readonly pipeline: Pipeline
  readonly failures: readonly Error[]
  /** Writes a file into the source and takes it as a settled change. */
  put(path: string, content: string | Buffer): Promise<void>
  /** Removes files from the source and takes that as settled. */
  remove(...paths: string[]): Promise<void>
  /** Renames files in the source, all at once, and takes that as settled. */
  move(...moves: readonly (readonly [from: string, path: string])[]): Promise<void>
  take(changes: readonly Change[]): Promise<void>
  copies(target: string): string
  seat(target: string): LaneSeat
  /** Ends it before the test does. */
  stop(): Promise<void>
}

const all = { sources: undefined, include: [], exclude: [], sizeMin: 0, sizeMax: undefined, newerThanMs: undefined }

export function aTargetConfig(folder: string, name: string, some: Partial<DirectoryConfig> = {}): DirectoryConfig {
  return {
    name,
    kind: 'directory',
    path: join(folder, 'copies', name),
    select: all,
    at: '{path}',
    onRemove: 'keep',
    onConflict: 'overwrite',
    formerly: undefined,
    removeAfterMs: 0,
    verify: { everyMs: undefined, share: 0 },
    pace: {
      concurrency: 8,
      requests: undefined,
      uploads: undefined,
      bytesPerSecond: undefined,
      dailyBytes: undefined,
      monthlyRequests: undefined,
      hours: undefined,
    },
    ...some,
  }
}

/** A target as the pipeline gets it, at a pace without limits. */
function opened(target: Target, name: string): OpenedTarget {
  const store = { load: () => undefined, save: () => Promise.resolve() }
  const parts = { name, clock: systemClock, random: Math.random, log: silentLog, store, onFailure: () => {} }
  const none = { requests: undefined, uploads: undefined, bytesPerSecond: undefined }
  return {
    target,
    pace: openPace({ ...none, dailyBytes: undefined, monthlyRequests: undefined, hours: undefined }, parts),
  }
}

/** A target to change single verbs of: hands every call on. */
export function forwarded(target: Target): Target {
  return {
    traits: target.traits,
    open: (expected, signal) => target.open(expected, signal),
    put: (copy, at, work, signal) => target.put(copy, at, work, signal),
    move: (receipt, to, signal) => target.move(receipt, to, signal),
    moveFolder: (from, to, signal) => target.moveFolder(from, to, signal),
    remove: (receipt, how, signal) => target.remove(receipt, how, signal),
    look: (at, want, signal) => target.look(at, want, signal),
    recognise: (entry, copy, previous, signal) => target.recognise(entry, copy, previous, signal),
    list: (under, want, signal) => target.list(under, want, signal),
    get: (entry, range, signal) => target.get(entry, range, signal),
    about: (signal) => target.about(signal),
    rest: () => target.rest(),
    close: () => target.close(),
  }
}

function statOf(file: string): FileStat {
  const { size, mtimeNs, ctimeNs, ino: inode } = statSync(file, { bigint: true })
  return { size: Number(size), mtimeNs, ctimeNs, inode }
}

function aDirectory(config: TargetConfig, log: Log): Target {
  if (config.kind !== 'directory') throw new Error(`expected a directory, got ${config.kind}`)
  return directoryTarget({ name: config.name, root: config.path, log, clock: systemClock })
}

export async function aWorld(options: {
  readonly targets: readonly string[]
  /** What is special about some of them. */
  readonly configs?: Readonly<Record<string, Partial<DirectoryConfig>>>
  readonly log?: Log
  readonly wrap?: (target: Target, config: TargetConfig) => Target
  readonly stopGraceMs?: number
  readonly onStale?: (source: string, path: SourcePath) => void
  /** Where an earlier world left off. */
  readonly folder?: string
  /** The journal's. */
  readonly file?: string
  readonly onStatement?: (name: string, when: 'before' | 'after') => void
}): Promise<World> {
  const folder = options.folder ?? aFolder()
  const inbox = join(folder, 'inbox')
  mkdirSync(inbox, { recursive: true })
  const { onStatement } = options
  const file = options.file ?? join(folder, 'journal.sqlite')
  const { journal } = openJournal(file, systemClock, onStatement === undefined ? {} : { onStatement })
  journal.declareSource('inbox')
  const log = options.log ?? silentLog
  const digest = await openDigest({ threads: 1, cacheBytesMax: 2 ** 20, log, clock: systemClock })
  const failures: Error[] = []
  const wrap = options.wrap ?? ((target) => target)
  const pipeline = new Pipeline(
    options.targets.map((name) => aTargetConfig(folder, name, options.configs?.[name])),
    {
      journal,
      digest,
      openerOf: () => Promise.resolve((config) => opened(wrap(aDirectory(config, log), config), config.name)),
      rootOf: (source) => join(folder, source),
      onStale: options.onStale ?? (() => {}),
      host: 'here',
      clock: systemClock,
      random: Math.random,
      log,
      stopGraceMs: options.stopGraceMs ?? 2000,
      onFailure: (error) => failures.push(error),
    },
  )
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> =>
    (stopped ??= (async () => {
      await pipeline.stop()
      await digest.stop()
      journal.close()
    })())
  onTestFinished(stop)
  await pipeline.start()
  return {
    folder,
    journal,
    pipeline,
    failures,
    async put(path, content) {
      const file = join(inbox, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
      await pipeline.take([{ kind: 'put', source: 'inbox', path: sourcePath(path), stat: statOf(file) }])
    },
    remove(...paths) {
      for (const path of paths) rmSync(join(inbox, path))
      return pipeline.take(paths.map((path) => ({ kind: 'remove', source: 'inbox', path: sourcePath(path) })))
    },
    async move(...moves) {
      for (const [from, path] of moves) renameSync(join(inbox, from), join(inbox, `${path}.moving`))
      const changes = moves.map(([from, path]): Change => {
        renameSync(join(inbox, `${path}.moving`), join(inbox, path))
        return {
          kind: 'move',
          source: 'inbox',
          from: sourcePath(from),
          path: sourcePath(path),
          stat: statOf(join(inbox, path)),
        }
      })
      await pipeline.take(changes)
    },
    take: (changes) => pipeline.take(changes),
    copies: (target) => join(folder, 'copies', target),
    seat(target) {
      const seat = pipeline.seat(target)
      if (seat === undefined) throw new Error(`no target ${target}`)
      return seat
    },
    stop,
  }
}
