/** Real sources, watched, in front of a pipeline. */
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { openSources, type Source, type Sources } from '../../src/source/source.ts'
import type { World } from './rig.ts'

/** One life of the sources. */
export interface Life {
  readonly sources: Sources
  readonly all: readonly Source[]
}

export async function watched(world: World, sourceNames: readonly string[]): Promise<Life> {
  const sources = await openSources({
    believed: world.journal,
    mounts: world.journal.mounts,
    take: (changes) => world.take(changes),
    mayMoveFolder: (move) => world.pipeline.mayMoveFolder(move),
    note: () => {},
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  onTestFinished(() => sources.stop())
  const calm = { unsettledMsMax: 600_000, unsettled: 'wait', oneFileSystem: false, checkWriters: false } as const
  const common = { ignore: [], settleMs: 100, rescanMs: 3_600_000, watch: 'auto', ...calm } as const
  const all = await Promise.all(
    sourceNames.map((name) => sources.add({ name, path: join(world.folder, name), ...common })),
  )
  return { sources, all }
}
