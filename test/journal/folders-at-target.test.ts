import { expect, test } from 'vitest'
import { aJournal, declared, type Rig } from './rig.ts'

const paths = ['', 'a', 'a/b', 'a/b/c', 'a-b', 'a0', 'ab', 'a\udcff', 'a/\udcff']

const idOf = (path: string): string => `id ${paths.indexOf(path)}`

async function filled(): Promise<Rig> {
  const rig = aJournal()
  for (const path of paths) await rig.journal.foldersAt('nas').keep(path, idOf(path))
  return rig
}

const kept = ({ journal }: Rig, target = 'nas'): string[] =>
  paths.filter((path) => journal.foldersAt(target).get(path) === idOf(path))

test('ids of folders are kept over a restart, whatever bytes their names have, each for its own target', async () => {
  const rig = await filled()

  rig.reopen()

  expect(kept(rig)).toEqual(paths)
  expect(kept(rig, 'usb')).toEqual([])
})

test('a folder is where it was kept last', async () => {
  const rig = await filled()

  await rig.journal.foldersAt('nas').keep('a', 'another')

  expect(rig.journal.foldersAt('nas').get('a')).toBe('another')
})

test.each([
  ['a', ['', 'a-b', 'a0', 'ab', 'a\udcff']],
  ['a/b', ['', 'a', 'a-b', 'a0', 'ab', 'a\udcff', 'a/\udcff']],
  ['nowhere', paths],
  ['', []],
])('with folder "%s" all below it is forgotten, and nothing beside it', async (path, left) => {
  const rig = await filled()

  await rig.journal.foldersAt('nas').forget(path)

  expect(kept(rig)).toEqual(left)
})

test('another place behind a target begins with no folders, the same one keeps them', async () => {
  const rig = await filled()
  await rig.journal.foldersAt('usb').keep('a', idOf('a'))

  rig.journal.setMark('nas', 'first')
  rig.journal.setMark('nas', 'first')
  const afterFirst = kept(rig)
  rig.journal.setMark('nas', 'second')

  expect(afterFirst).toEqual(paths)
  expect(kept(rig)).toEqual([])
  expect(kept(rig, 'usb')).toEqual(['a'])
})

test('a configuration that puts a target elsewhere begins with no folders', async () => {
  const rig = await filled()

  rig.journal.declareTarget('nas', declared('another selector'))
  const afterSelector = kept(rig)
  rig.journal.declareTarget('nas', declared('another selector', '/elsewhere'))

  expect(afterSelector).toEqual(paths)
  expect(kept(rig)).toEqual([])
})
