/** F48: content that changed although nobody wrote to the file is never sent over a good copy. */
import Database from 'better-sqlite3'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { sourcePath } from '../../src/base/path.ts'
import { aWorld, type World } from './rig.ts'

const soon = { timeout: 30_000, interval: 10 }

/** Gives the file another content of equal length, and has the journal know it by the times it has now: as if no times had changed. */
function rot(world: World, path: string, content: string): void {
  const file = join(world.folder, 'inbox', path)
  writeFileSync(file, content)
  const { mtimeNs, ctimeNs } = statSync(file, { bigint: true })
  const journal = new Database(join(world.folder, 'journal.sqlite'))
  journal.prepare('UPDATE file SET mtime_ns = ?, ctime_ns = ? WHERE id = ?').run(mtimeNs, ctimeNs, idOf(world, path))
  journal.close()
}

function idOf(world: World, path: string): number {
  const record = world.journal.recordOf('inbox', sourcePath(path))
  if (record === undefined) throw new Error(`${path} is not in the journal`)
  return record.fileId
}

/** Loses the copy at `target`, and has the target looked through. */
function lose(world: World, target: string, path: string): void {
  rmSync(join(world.copies(target), path))
  world.journal.offerAgain(target, { source: null, glob: null, look: 'hash' })
  world.seat(target).lane?.offer()
}

test.each([
  ['small enough to be read once', 1_000],
  ['large, so that it is read again while it is sent', 600_000],
])('F48: a file %s: not sent, parked with who has it as it was; touched, it goes', async (_what, bytes) => {
  const world = await aWorld({ targets: ['nas', 'usb'] })
  const copy = (target: string): string => join(world.copies(target), 'photo')
  const counts = (target: string): { parked: number; delivered: number } =>
    world.journal.counts(world.seat(target).targetId)
  await world.put('photo', 'good'.repeat(bytes / 4))
  await vi.waitUntil(() => counts('nas').delivered + counts('usb').delivered === 2, soon)

  rot(world, 'photo', 'bad!'.repeat(bytes / 4))
  lose(world, 'nas', 'photo')
  await vi.waitUntil(() => counts('nas').parked === 1, soon)
  const isSent = existsSync(copy('nas'))
  const parked = world.journal.history(idOf(world, 'photo'), 10).find(({ event }) => event === 'parked')
  await world.put('photo', 'bad!'.repeat(bytes / 4))
  await vi.waitUntil(() => existsSync(copy('nas')) && counts('nas').parked === 0, soon)

  expect(isSent).toBe(false)
  expect(parked?.detail).toMatch(
    /^photo has another content than before, .*usb: as it was; .*fanfold restore best photo .*"touch" it/,
  )
  expect(readFileSync(copy('nas'), 'utf8').slice(0, 4)).toBe('bad!')
})
