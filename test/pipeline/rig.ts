/** A whole pipeline on a real journal, a real digest and real folders; targets may be wrapped to be slow or broken. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog, type Log } from '../../src/base/log.ts'
import { sourcePath } from '../../src/base/path.ts'
import type { DirectoryConfig, TargetConfig } from '../../src/config/config.ts'
import { openDigest } from '../../src/digest/digest.ts'
import { openJournal, type Change, type Journal } from '../../src/journal/journal.ts'
import { Pipeline, type LaneSeat } from '../../src/pipeline/pipeline.ts'
import { directoryTarget } from '../../src/target/directory/directory.ts'
import type { Target } from '../../src/target/target.ts'
import { aFolder } from '../builders.ts'

export interface World {
  readonly folder: string
  readonly journal: Journal
  readonly pipeline: Pipeline
  readonly failures: readonly Error[]
  /** Writes a file into the source and takes it as a settled change. */
  put(path: string, content: string | Buffer): Promise<void>
  take(changes: readonly Change[]): Promise<void>
  copies(target: string): string
  seat(target: string): LaneSeat
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
    pace: {
      concurrency: 8,
      requests: undefined,
      uploads: undefined,
      bytesPerSecond: undefined,
      dailyBytes: undefined,
      hours: undefined,
    },
    ...some,
  }
}

function aDirectory(config: TargetConfig, log: Log): Target {
  if (config.kind !== 'directory') throw new Error(`expected a directory, got ${config.kind}`)
  return directoryTarget({ name: config.name, root: config.path, log, clock: systemClock })
}

export async function aWorld(options: {
  readonly targets: readonly string[]
  readonly log?: Log
  readonly wrap?: (target: Target, config: TargetConfig) => Target
}): Promise<World> {
  const folder = aFolder()
  const inbox = join(folder, 'inbox')
  mkdirSync(inbox)
  const { journal } = openJournal(join(folder, 'journal.sqlite'), systemClock)
  journal.declareSource('inbox')
  const log = options.log ?? silentLog
  const digest = await openDigest({ threads: 1, cacheBytesMax: 2 ** 20, log, clock: systemClock })
  const failures: Error[] = []
  const wrap = options.wrap ?? ((target) => target)
  const pipeline = new Pipeline(
    options.targets.map((name) => aTargetConfig(folder, name)),
    {
      journal,
      digest,
      openTarget: (config) => wrap(aDirectory(config, log), config),
      rootOf: () => inbox,
      host: 'here',
      clock: systemClock,
      random: Math.random,
      log,
      stopGraceMs: 2000,
      onFailure: (error) => failures.push(error),
    },
  )
  onTestFinished(async () => {
    await pipeline.stop()
    await digest.stop()
    journal.close()
  })
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
      const { size, mtimeNs, ctimeNs, ino: inode } = statSync(file, { bigint: true })
      const stat = { size: Number(size), mtimeNs, ctimeNs, inode }
      await pipeline.take([{ kind: 'put', source: 'inbox', path: sourcePath(path), stat }])
    },
    take: (changes) => pipeline.take(changes),
    copies: (target) => join(folder, 'copies', target),
    seat(target) {
      const seat = pipeline.seat(target)
      if (seat === undefined) throw new Error(`no target ${target}`)
      return seat
    },
  }
}
