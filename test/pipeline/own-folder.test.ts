/** F81: which folder of a target is one Fanfold's own. */
import { expect, test } from 'vitest'
import { ownFolder } from '../../src/pipeline/pipeline.ts'

test.each([
  ['{path}', ''],
  ['{source}/{path}', ''],
  ['{host}/{source}/{path}', 'tower'],
  ['archive/{host}-{yyyy}/{path}', 'archive'],
  ['/archive//{host}/{path}', 'archive/tower'],
  ['a/b/{name}', 'a/b'],
])('%s on tower: "%s"', (template, folder) => {
  expect(ownFolder(template, 'tower')).toBe(folder)
})
