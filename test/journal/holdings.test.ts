import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { remotePath } from '../../src/base/path.ts'
import type { Listed, Listing } from '../../src/journal/journal.ts'
import { aPut, aRemove } from '../builders.ts'
import { aJournal, delivered, type Rig } from './rig.ts'

function entry(path: string, some: Partial<Listed> = {}): Listed {
  const marks = {
    remoteId: `id of ${path}`,
    revision: 'r1',
    size: 1,
    mtimeNs: 5n,
    sha256: undefined,
    contentHash: undefined,
  }
  return { path: remotePath(path), ...marks, ...some }
}

function aListing(rig: Rig): Listing {
  const listing = rig.journal.holdings.newListing()
  onTestFinished(() => listing.close())
  return listing
}

test('a listing is found again by path and by id, whatever bytes its names have, and its later word counts', () => {
  const rig = aJournal()
  const listing = aListing(rig)

  listing.add([entry('a'), entry('caf\udce9', { remoteId: '7', sha256: 'cd'.repeat(32) })])
  listing.add([entry('a', { revision: 'r2', size: 2 ** 40 })])

  expect(listing.count).toBe(2)
  expect(listing.at('a')).toEqual(entry('a', { revision: 'r2', size: 2 ** 40 }))
  expect(listing.byId('7')).toEqual(entry('caf\udce9', { remoteId: '7', sha256: 'cd'.repeat(32) }))
  expect(listing.at('b')).toBeUndefined()
})

test('what nobody knows is told page by page', () => {
  const listing = aListing(aJournal())
  listing.add(['a', 'b', 'c', 'd', 'e'].map((path) => entry(path)))
  listing.know('b')
  listing.knowId('id of d')

  const first = listing.unknown(0, 2)
  const second = listing.unknown(first.last, 2)

  expect([...first.entries, ...second.entries].map(({ path }) => path)).toEqual(['a', 'c', 'e'])
  expect(listing.unknown(second.last, 2).entries).toEqual([])
})

test('a listing has no file that a crash could leave', () => {
  const rig = aJournal()
  aListing(rig).add([entry('a')])

  expect(readdirSync(dirname(rig.file)).filter((name) => name.includes('listing'))).toEqual([])
})

test('a repair owes a copy again by its content, once, and says why; what is gone is not owed', async () => {
  const rig = aJournal()
  const { journal, nas } = rig
  const [kept, gone] = journal.record([aPut('kept'), aPut('gone')], () => [nas])
  for (const delivery of journal.claim(nas, 10)) await journal.finish(delivery, delivered(delivery))
  journal.record([aRemove('gone')], () => [nas])
  const ids = [kept?.fileId ?? 0, gone?.fileId ?? 0]

  const repaired = journal.holdings.repair(
    'nas',
    ids.map((fileId) => ({ fileId, why: 'missing; owed again' })),
  )

  const [owed, ...others] = journal.claim(nas, 10)
  expect([repaired, others.length]).toEqual([1, 0])
  expect(owed).toMatchObject({ path: 'kept', look: 'hash', receipt: { path: 'kept' } })
  expect(journal.history(kept?.fileId ?? 0, 1)).toMatchObject([{ event: 'repair', detail: 'missing; owed again' }])
  expect(journal.holdings.page('nas', 0, 10).map(({ isPresent, isOwed }) => [isPresent, isOwed])).toEqual([
    [true, true],
    [false, false],
  ])
})

test('an offer passes what a listing proves, and nothing that is owed already', async () => {
  const rig = aJournal()
  const { journal, nas } = rig
  journal.record([aPut('a'), aPut('b'), aPut('c')], () => [nas])
  for (const delivery of journal.claim(nas, 2)) await journal.finish(delivery, delivered(delivery))
  journal.offerAgain('nas', { source: null, glob: null, look: 'entry' })

  const { owed } = journal.offer(
    'nas',
    10,
    () => 'take',
    ({ path }) => path !== 'b',
  )

  expect(owed).toBe(2)
  expect(
    journal
      .claim(nas, 10)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['b', 'c'])
})
