/** Builders for tests: temporary folders that go away, and values of which only what matters is said. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { sourcePath } from '../src/base/path.ts'
import type { Change, FileStat } from '../src/journal/journal.ts'

/** A folder of the test's own; gone when the test is over. */
export function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fanfold-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function aStat(some: Partial<FileStat> = {}): FileStat {
  return { size: 10, mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: 1_700_000_000_987_654_321n, inode: 42n, ...some }
}

export function aPut(path: string, some: Partial<FileStat> & { source?: string } = {}): Change {
  const { source = 'papers', ...stat } = some
  return { kind: 'put', source, path: sourcePath(path), stat: aStat(stat) }
}

export function aMove(from: string, path: string, some: Partial<FileStat> = {}): Change {
  return { kind: 'move', source: 'papers', from: sourcePath(from), path: sourcePath(path), stat: aStat(some) }
}

export function aRemove(path: string, source = 'papers'): Change {
  return { kind: 'remove', source, path: sourcePath(path) }
}

/** The seed of a random test: from FANFOLD_SEED to repeat a failure, else new. Say it in every failure message. */
export function aSeed(): number {
  const given = process.env['FANFOLD_SEED']
  return given === undefined ? (Date.now() ^ (process.pid << 8)) >>> 0 : Number(given)
}
