/** F81: a place that belongs to another Fanfold is kept away from, wherever a target keeps the note that says so. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { remotePath } from '../../src/base/path.ts'
import { claimed, noteFile, type Claimant, type OwnerNotes } from '../../src/target/claim.ts'
import { directoryTarget } from '../../src/target/directory/directory.ts'
import type { Target } from '../../src/target/target.ts'
import { aFolder } from '../builders.ts'
import { canMount } from '../disk.ts'
import { aBoxTarget } from './box-fixture.ts'
import { aCopy, all, aWork, failureOf } from './contract.ts'
import { aDropboxTarget } from './dropbox-fixture.ts'
import { aDriveTarget } from './google-drive-fixture.ts'
import { aOneDriveTarget } from './onedrive-fixture.ts'

const never = new AbortController().signal
const root = remotePath('')

interface Place {
  readonly target: Target
  readonly notesIn: (folder: ReturnType<typeof remotePath>) => OwnerNotes
}

function directoryAt(path: string): Place {
  const target = directoryTarget({ name: 'nas', root: path, log: silentLog, clock: systemClock })
  onTestFinished(() => target.close())
  return { target, notesIn: (folder) => target.notesIn(folder) }
}

function withFiles(target: Target): Place {
  return { target, notesIn: (folder) => noteFile(target, folder, () => systemClock.wallMs()) }
}

/** A folder on a file system that keeps no attributes. */
function aPlainDisk(): string {
  const folder = aFolder()
  execFileSync('mount', ['-t', 'ramfs', 'fanfold-test', folder])
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder])
  })
  return folder
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  'a directory': () => Promise.resolve(directoryAt(aFolder())),
  ...(canMount && { 'a directory on a disk without attributes': () => Promise.resolve(directoryAt(aPlainDisk())) }),
  dropbox: async () => withFiles((await aDropboxTarget()).target),
  box: async () => withFiles((await aBoxTarget()).target),
  'google-drive': async () => withFiles((await aDriveTarget()).target),
  onedrive: async () => withFiles((await aOneDriveTarget()).target),
}

interface Who extends Claimant {
  mayTake: boolean
}

function aFanfold(instance: string, seat = `seat of ${instance}`): Who {
  const who: Who = {
    ...{ instance, seat, host: `host-of-${instance}`, mayTake: false },
    mayTakeOver: () => who.mayTake,
    tookOver: () => (who.mayTake = false),
  }
  return who
}

function asSeenBy(claimant: Claimant, { target, notesIn }: Place, folder = root): Target {
  const nowMs = (): number => Date.UTC(2026, 10, 20)
  return claimed(target, { name: 'nas', folder, notes: notesIn(folder), claimant, nowMs })
}

for (const [kind, aPlace] of Object.entries(places)) {
  describe(`F81: ${kind}`, () => {
    test('belongs to who comes first; a second one is told who and what to do, until its owner says that it takes over', async () => {
      const place = await aPlace()
      const [first, second] = [aFanfold('one'), aFanfold('two')]
      await asSeenBy(first, place).open(undefined, never)
      await asSeenBy(first, place).open(undefined, never)

      const refused = await failureOf(asSeenBy(second, place).open(undefined, never))
      second.mayTake = true
      await asSeenBy(second, place).open(undefined, never)
      const back = await failureOf(asSeenBy(first, place).open(undefined, never))

      expect(refused.message).toMatch(/another Fanfold \(on host-of-one, since 2026-11-20T.*fanfold take-over nas/)
      expect(refused.next).toEqual({ kind: 'pause-target', state: 'paused' })
      expect(second.mayTake).toBe(false)
      expect(back.message).toContain('host-of-two')
    })

    test('that is its own already uses the owner’s word up, which would take it back one day', async () => {
      const place = await aPlace()
      const first = aFanfold('one')
      await asSeenBy(first, place).open(undefined, never)

      first.mayTake = true
      await asSeenBy(first, place).open(undefined, never)

      expect(first.mayTake).toBe(false)
    })

    test('knows one that lost its state, and one whose state moved to another folder', async () => {
      const place = await aPlace()
      await asSeenBy(aFanfold('one', 'here'), place).open(undefined, never)

      await asSeenBy(aFanfold('one', 'elsewhere'), place).open(undefined, never)
      await asSeenBy(aFanfold('anew', 'here'), place).open(undefined, never)

      expect((await failureOf(asSeenBy(aFanfold('one'), place).open(undefined, never))).message).toContain('of-anew')
    })

    test('is shared by hosts that have a folder each', async () => {
      const place = await aPlace()
      const [a, b] = [remotePath('host-a'), remotePath('host-b')]

      await asSeenBy(aFanfold('one'), place, a).open(undefined, never)
      await asSeenBy(aFanfold('two'), place, b).open(undefined, never)

      await failureOf(asSeenBy(aFanfold('three'), place, a).open(undefined, never))
    })

    test('lists its copies and never the note, whose name no copy can have', async () => {
      const place = await aPlace()
      const target = asSeenBy(aFanfold('one'), place)
      await target.open(undefined, never)
      const copy = await aCopy(aFolder(), 'content')
      await target.put(copy, remotePath('a'), aWork(), never)

      const refused = await failureOf(target.put(copy, remotePath('.fanfold-owner'), aWork(), never))

      expect((await all(target.list(root, { hash: false }, never))).map(({ path }) => path)).toEqual(['a'])
      expect(refused.next.kind).toBe('park')
    })
  })
}

test('F81: where a disk keeps attributes, nothing but the copies is seen in its folder', async () => {
  const folder = join(aFolder(), 'root')
  mkdirSync(folder)

  await asSeenBy(aFanfold('one'), directoryAt(folder)).open(undefined, never)

  expect(readdirSync(folder)).toEqual([])
})

test('F81: a note that cannot be read is another one’s', async () => {
  const { target, notesIn } = directoryAt(aFolder())
  await target.open(undefined, never)
  await notesIn(root).write('{"of":"the future"}', never)

  const refused = await failureOf(asSeenBy(aFanfold('one'), { target, notesIn }).open(undefined, never))

  expect(refused.message).toMatch(/its note cannot be read/)
})
