/** The loss of the journal, as an owner meets it: everything is at its target already, and nothing remembers. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { canMount, smallDisk } from '../disk.ts'
import { aBench, fanfold, isAtRest, startDaemon, targetOf, type Bench } from './rig.ts'

const filesPerFolder = 500
/** What the daemon takes by itself, and what the engine leaves lying; nothing of it is for each file. Unit: MiB. */
const memoryMibMax = 360
/** By far. Unit: ms. */
const patienceMs = 900_000

function dropFiles(bench: Bench, count: number): void {
  for (let n = 0; n < count; n++) {
    const folder = join(bench.inbox, `d${Math.floor(n / filesPerFolder)}`)
    if (n % filesPerFolder === 0) mkdirSync(folder)
    writeFileSync(join(folder, `f${n}`), `content of ${String(n).padStart(8, '0')}`)
  }
}

/** What a copy that was written again, or only touched, would not be any more. */
function standingOf(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map(({ parentPath, name }) => {
      const { ino, mtimeNs, ctimeNs } = statSync(join(parentPath, name), { bigint: true })
      return [join(parentPath, name), `${ino} ${mtimeNs} ${ctimeNs}`]
    }),
  )
}

/** Each takes a page and its inode; twice that is enough. */
function mibOf(files: number): number {
  return 16 + Math.ceil((files * 2 * 5) / 1024)
}

/** The most memory that a process ever had. */
function peakBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

function isUnderWay(status: Status, files: number): boolean {
  const { delivered } = targetOf(status, 'nas')
  return delivered > files / 3 && delivered < files
}

/** Delivers so many files, forgets everything, and is killed half-way through finding it all again. */
export async function rebuildAfterLoss(files: number): Promise<void> {
  const bench = aBench({ nas: '' })
  mkdirSync(bench.copies('nas'), { recursive: true })
  // A sync costs nothing in memory, and none of this is about what a sync does; nor does it take minutes to clean up there.
  if (canMount) for (const folder of [bench.inbox, bench.copies('nas')]) smallDisk(folder, mibOf(files))
  dropFiles(bench, files)
  const first = await fanfold(bench, 'run', '--until-idle')
  expect(first.code, first.stderr).toBe(0)
  const before = standingOf(bench.copies('nas'))
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(join(bench.folder, 'state', `journal.sqlite${suffix}`), { force: true })

  const killed = await startDaemon(bench)
  const half = targetOf(await killed.until((status) => isUnderWay(status, files), patienceMs), 'nas')
  await killed.end('SIGKILL')
  const again = await startDaemon(bench)
  const begun = targetOf(await again.status(), 'nas')
  const isDone = (status: Status): boolean => targetOf(status, 'nas').delivered === files && isAtRest(status)
  const done = targetOf(await again.until(isDone, patienceMs), 'nas')
  const peakMib = peakBytes(again.pid) / 2 ** 20
  await again.end('SIGTERM')

  process.stdout.write(`${files} files found again with at most ${Math.round(peakMib)} MiB\n`)
  expect(peakMib).toBeLessThan(memoryMibMax)
  expect(before.size).toBe(files)
  expect(half).toMatchObject({ bytesSent: 0, parked: 0 })
  expect(begun.delivered, 'it goes on where it was').toBeGreaterThanOrEqual(half.delivered)
  expect(done).toMatchObject({ bytesSent: 0, parked: 0, waiting: 0 })
  expect(standingOf(bench.copies('nas'))).toEqual(before)
}
