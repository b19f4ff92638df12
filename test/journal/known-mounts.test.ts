import { expect, test } from 'vitest'
import { aJournal } from './rig.ts'

const mounts = ['', 'a', 'a/b', 'with\nline', '\udcff'].map((folder) => ({
  folder,
  mark: folder === '' ? '2:1700000000000000000' : undefined,
}))
const [, mount = { folder: '', mark: undefined }] = mounts

test('F11: where disks were mounted is kept over a restart, whatever bytes their names have, each for its own source', () => {
  const rig = aJournal()
  rig.journal.mounts.keep('inbox', [
    { ...mount, mark: 'other' },
    { folder: 'gone', mark: undefined },
  ])
  rig.journal.mounts.keep('inbox', mounts)

  rig.reopen()

  expect(new Set(rig.journal.mounts.of('inbox'))).toEqual(new Set(mounts))
  expect(rig.journal.mounts.of('papers')).toEqual([])
  expect(rig.journal.mounts.of('nobody')).toEqual([])
})

test('F11: a source that is known by its mounts only is known after a restart', () => {
  const rig = aJournal()
  rig.journal.mounts.keep('new', [mount])

  rig.reopen()

  expect(rig.journal.mounts.of('new')).toEqual([mount])
})
