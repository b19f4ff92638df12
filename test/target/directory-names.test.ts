/** Names and times of copies: any that Linux allows. */
import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fsPath, remotePath, type RemotePath } from '../../src/base/path.ts'
import type { LocalCopy, Target } from '../../src/target/target.ts'
import { aCopy, all, aWork, failureOf, never } from './contract.ts'
import { aDirectory, type DirectoryFixture } from './directory-fixture.ts'

const run = promisify(execFile)
const at = (path: string): RemotePath => remotePath(path)

let fixture: DirectoryFixture
let target: Target
let source: string

beforeEach(async () => {
  fixture = await aDirectory()
  target = fixture.target
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await target.close()
  await fixture.end()
  await rm(source, { recursive: true })
})

function put(copy: LocalCopy, path: string): Promise<unknown> {
  return target.put(copy, at(path), aWork(), never)
}

describe('names', () => {
  beforeEach(() => target.open(undefined, never))

  const hostile = [
    'new\nline',
    ' ',
    '-rf',
    '~',
    '\udcff\udc80',
    'ü',
    'a'.repeat(255),
    '.hidden',
    '"quotes\'',
    '😀',
    'back\\slash',
  ]

  test.each(hostile)('F17: %j arrives, is listed and looked at under its very bytes', async (name) => {
    const copy = await aCopy(source, name)

    await target.put(copy, at(`d/${name}`), aWork(), never)
    await target.put({ ...copy, bytes: undefined }, at(`large/${name}`), aWork(), never)

    expect((await all(target.list(at(''), { hash: false }, never))).map(({ path }) => path)).toEqual([
      `d/${name}`,
      `large/${name}`,
    ])
    expect((await stat(fsPath(`${fixture.root}/d/${name}`))).size).toBe(copy.size)
    expect(await target.look(at(`d/${name}`), { hash: true }, never)).toMatchObject({ sha256: copy.sha256 })
  })

  test('F17: a source whose own path is no UTF-8 is copied', async () => {
    const path = Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0xfe])])
    const file = await open(path, 'w')
    await file.write('bytes')
    await file.close()
    const { mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true })
    const usual = await aCopy(source, 'bytes', { isLarge: true })

    await target.put({ ...usual, path, mtimeNs, ctimeNs, inode: ino }, at('x'), aWork(), never)

    expect(await fixture.held('x')).toEqual(Buffer.from('bytes'))
  })

  test.each([false, true])('F52: a name too long for the file system is parked (large: %s)', async (isLarge) => {
    const failure = await failureOf(put(await aCopy(source, 'x', { isLarge }), 'a'.repeat(256)))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(await fixture.names()).toEqual([])
  })

  test('a path far deeper than the system takes in one go arrives', async () => {
    const path = `${'deep/'.repeat(1200)}x`

    await put(await aCopy(source, 'deep'), path)

    expect(await target.look(at(path), { hash: false }, never)).toMatchObject({ size: 4 })
    const [entry] = await all(target.list(at(''), { hash: false }, never))
    expect(entry?.path).toBe(path)
    // Node's own rm takes no path that long.
    await run('rm', ['-rf', fixture.root])
  })

  test('times are kept to the nanosecond, before 1970 too', async () => {
    const copy = await aCopy(source, 'x')
    const times = [1_700_000_000_123_456_789n, -1n, -123_456_789_012n]

    const receipts = []
    for (const mtimeNs of times) receipts.push(await target.put({ ...copy, mtimeNs }, at('x'), aWork(), never))

    expect(receipts.map(({ mtimeNs }) => mtimeNs)).toEqual(times)
  })
})
