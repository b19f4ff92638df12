/** A directory target on a temporary folder, for the tests of this room. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { errnoOf } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { directoryTarget } from '../../src/target/directory/directory.ts'
import type { Target } from '../../src/target/target.ts'
import type { Fixture } from './contract.ts'

export function aTarget(root: string): Target {
  return directoryTarget({ name: 'nas', root, log: silentLog, clock: systemClock })
}

export interface DirectoryFixture extends Fixture {
  /** Holds `root` and whatever a test puts beside it. */
  readonly base: string
  readonly root: string
}

export async function aDirectory(): Promise<DirectoryFixture> {
  const base = await mkdtemp(join(tmpdir(), 'fanfold-target-'))
  const root = join(base, 'root')
  return {
    base,
    root,
    target: aTarget(root),
    again: () => aTarget(root),
    held: (path) => readFile(join(root, path)).catch(undefinedIfAbsent),
    alter: async (path, content) => {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    },
    names: () => namesIn(root),
    end: () => rm(base, { recursive: true, force: true }),
  }
}

export async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort()
}

function undefinedIfAbsent(thrown: unknown): undefined {
  if (errnoOf(thrown) !== 'ENOENT') throw thrown
  return undefined
}
