import { expect, test } from 'vitest'
import { aJournal } from './rig.ts'

const folders = ['', 'a', 'a/b', 'with\nline', '\udcff']

test('F11: where disks were mounted is kept over a restart, whatever bytes their names have, each for its own source', () => {
  const rig = aJournal()
  rig.journal.mounts.keep('inbox', ['gone', 'a'])
  rig.journal.mounts.keep('inbox', folders)

  rig.reopen()

  expect(new Set(rig.journal.mounts.of('inbox'))).toEqual(new Set(folders))
  expect(rig.journal.mounts.of('papers')).toEqual([])
  expect(rig.journal.mounts.of('nobody')).toEqual([])
})

test('F11: a source that is known by its mounts only is known after a restart', () => {
  const rig = aJournal()
  rig.journal.mounts.keep('new', ['a'])

  rig.reopen()

  expect(rig.journal.mounts.of('new')).toEqual(['a'])
})
