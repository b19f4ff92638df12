/** What it costs to know what lies at Google Drive. */
import { expect, test } from 'vitest'
import { remotePath } from '../../src/base/path.ts'
import { never } from './contract.ts'
import { aDriveTarget } from './google-drive-fixture.ts'

const files = 2000
const folders = 5

test('F87: a listing of 2,000 files in 5 folders costs less than two requests for 1,000 files and one for each folder', async () => {
  const fixture = await aDriveTarget()
  for (let n = 0; n < files; n++) await fixture.alter(`d${n % folders}/f${n}`, `${n}`)
  await fixture.target.open(undefined, never)
  const before = fixture.calls().length

  const found = new Set<string>()
  for await (const entry of fixture.target.list(remotePath(''), { hash: true }, never)) {
    expect(entry.sha256).toBeDefined()
    found.add(entry.path)
  }

  const requests = fixture.calls().length - before
  expect(found.size).toBe(files)
  expect(requests).toBeLessThanOrEqual(2 * (files / 1000) + folders + 1)
})
