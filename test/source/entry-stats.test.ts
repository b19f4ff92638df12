import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { setMtimeNs } from '../../src/base/libc.ts'
import { EntryStats } from '../../src/source/entry-stats.ts'
import { fileStat } from '../../src/source/walk.ts'
import { aFolder } from '../builders.ts'

/** Asked often enough that it answers. */
function statsOf(folder: string): EntryStats {
  const stats = new EntryStats(folder)
  onTestFinished(() => stats.close())
  for (let count = 0; count < 15; count++) stats.file(Buffer.from('nobody'))
  return stats
}

/** What Node says of the plain files, by their bytes. */
function byNode(folder: string): [string, ReturnType<typeof fileStat> | undefined][] {
  return readdirSync(folder, { encoding: 'buffer' }).map((name) => {
    const stat = lstatSync(Buffer.concat([Buffer.from(`${folder}/`), name]), { bigint: true })
    return [name.toString('latin1'), stat.isFile() ? fileStat(stat) : undefined]
  })
}

function byEntry(folder: string, stats: EntryStats): ReturnType<typeof byNode> {
  return readdirSync(folder, { encoding: 'buffer' }).map((name) => [name.toString('latin1'), stats.file(name)])
}

function timed(file: string, mtimeNs: bigint): void {
  const fd = openSync(file, 'r+')
  setMtimeNs(fd, mtimeNs)
  closeSync(fd)
}

test('says of plain files what lstat says, to the nanosecond and for any name, and nothing of all else', () => {
  const folder = aFolder()
  const file = (name: string): string => {
    writeFileSync(join(folder, name), name)
    return join(folder, name)
  }
  utimesSync(file('old'), 0, -1_000_000.5)
  timed(file('before the epoch'), -1n)
  timed(file('fine'), 1_790_000_000_123_456_789n)
  timed(file('far'), 4_102_444_800_000_000_001n)
  truncateSync(file('sparse'), 2 ** 41)
  chmodSync(file('secret'), 0o4600)
  linkSync(file('twice'), join(folder, 'twice again'))
  file('n'.repeat(255))
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff, 0x0a, 0x41)]), 'x')
  symlinkSync('old', join(folder, 'link'))
  mkdirSync(join(folder, 'folder'))
  execFileSync('mkfifo', [join(folder, 'fifo')])

  const found = byEntry(folder, statsOf(folder))

  expect(found).toEqual(byNode(folder))
  expect(found.filter(([, stat]) => stat !== undefined)).toHaveLength(10)
})

test('leaves a few files to Node, and what is gone, and a folder that is a link', () => {
  const folder = aFolder()
  writeFileSync(join(folder, 'a'), 'x')
  symlinkSync(folder, `${folder}/link`)
  const few = new EntryStats(folder)
  const gone = statsOf(join(folder, 'nowhere'))

  expect(few.file(Buffer.from('a'))).toBeUndefined()
  expect(statsOf(folder).file(Buffer.from('b'))).toBeUndefined()
  expect(gone.file(Buffer.from('a'))).toBeUndefined()
  expect(statsOf(join(folder, 'link')).file(Buffer.from('a'))).toBeUndefined()
})

test('a folder that was renamed is the one that was opened', () => {
  const folder = join(aFolder(), 'one')
  mkdirSync(folder)
  writeFileSync(join(folder, 'a'), 'x')
  const stats = statsOf(folder)
  expect(stats.file(Buffer.from('a'))?.size).toBe(1)

  renameSync(folder, `${folder} more`)

  expect(stats.file(Buffer.from('a'))?.size).toBe(1)
})

test.runIf(process.getuid?.() === 0)('F14: leaves a file that is another file system’s to Node', () => {
  const folder = aFolder()
  for (const name of ['mine', 'theirs']) writeFileSync(join(folder, name), name)
  execFileSync('mount', ['--bind', '/proc/self/mountinfo', join(folder, 'theirs')])
  onTestFinished(() => void execFileSync('umount', [join(folder, 'theirs')]))
  const stats = statsOf(folder)

  expect(stats.file(Buffer.from('mine'))?.size).toBe(4)
  expect(stats.file(Buffer.from('theirs'))).toBeUndefined()
})
