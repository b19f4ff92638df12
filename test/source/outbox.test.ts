import { expect, test } from 'vitest'
import { commonFolder, DirtyFolders } from '../../src/source/dirty-folders.ts'
import { Outbox } from '../../src/source/outbox.ts'
import type { DirtyPath, WatchReport } from '../../src/source/watch-reports.ts'

function dirty(path: string, sign: DirtyPath['sign'], changed: Partial<DirtyPath> = {}): DirtyPath {
  return { path, sign, isTree: false, cookie: 0, ...changed }
}

function takeAll(outbox: Outbox): WatchReport[] {
  const reports: WatchReport[] = []
  while (!outbox.isEmpty) reports.push(...outbox.take())
  return reports
}

test('F1: the events of one path leave as one, which keeps the last sign, a lost folder and the cookie', () => {
  const outbox = new Outbox()

  outbox.path(1, dirty('a', 'gone', { isTree: true, cookie: 5 }))
  outbox.path(1, dirty('a', 'open'))
  outbox.path(1, dirty('a', 'closed'))
  outbox.path(1, dirty('a', 'attributes'))

  expect(takeAll(outbox)).toEqual([
    { kind: 'paths', id: 1, paths: [dirty('a', 'closed', { isTree: true, cookie: 5 })] },
  ])
})

test('A19: past 100,000 paths they become their common folder, and other sources keep theirs', () => {
  const outbox = new Outbox()
  outbox.path(2, dirty('other', 'closed'))

  for (let n = 0; n < 100_000; n++) outbox.path(1, dirty(`a/b/f${n}`, 'closed'))
  outbox.path(1, dirty('a/b/late', 'closed'))
  outbox.path(1, dirty('elsewhere', 'closed'))

  expect(takeAll(outbox)).toEqual([
    { kind: 'paths', id: 2, paths: [dirty('other', 'closed')] },
    { kind: 'subtree', id: 1, folder: 'a/b', isCollapse: true },
    { kind: 'paths', id: 1, paths: [dirty('elsewhere', 'closed')] },
  ])
})

test('a dirty folder takes in those below it and nothing beside it', () => {
  const folders = new DirtyFolders()

  for (const folder of ['a/b', 'a/c', 'ab', 'a', 'a/d']) folders.add(folder)

  expect([...folders]).toEqual(['ab', 'a'])
  expect(folders.covers('a/x/y')).toBe(true)
  expect(folders.covers('abc')).toBe(false)
})

test('the common folder of paths is the deepest that holds them all', () => {
  expect(commonFolder(['a/b/1', 'a/bc/2'])).toBe('a')
  expect(commonFolder(['a', 'b'])).toBe('')
  expect(commonFolder([])).toBe('')
})
