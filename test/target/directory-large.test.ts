/** Large copies to a directory: sessions, aborts in the middle, and small copies passing by. */
import { createReadStream } from 'node:fs'
import { appendFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { remotePath, type RemotePath } from '../../src/base/path.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { LocalCopy, Target, UploadSession } from '../../src/target/target.ts'
import { aCopy, aWork, copyOf, failureOf, never } from './contract.ts'
import { aDirectory, type DirectoryFixture, namesIn } from './directory-fixture.ts'

const MiB = 2 ** 20
const sessionBytes = 64 * MiB
const size = 150 * MiB
const at = (path: string): RemotePath => remotePath(path)

let source: string
let large: LocalCopy
let fixture: DirectoryFixture
let target: Target

beforeAll(async () => {
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
  large = await aLargeCopy('large', 1)
})

afterAll(() => rm(source, { recursive: true }))

beforeEach(async () => {
  fixture = await aDirectory()
  target = fixture.target
  await target.open(undefined, never)
})

afterEach(async () => {
  await target.close()
  await fixture.end()
})

/** Bytes that repeat nowhere near a chunk's border, so that a chunk in the wrong place shows. */
async function aLargeCopy(name: string, seed: number): Promise<LocalCopy> {
  const random = seededRandom(seed)
  const bytes = Buffer.alloc(size)
  for (let n = 0; n < size; n += 4096) bytes.writeDoubleLE(random(), n)
  await writeFile(join(source, name), bytes)
  return copyOf(join(source, name), bytes, true)
}

async function sha256At(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(join(fixture.root, path)), hash)
  return hash.digest('hex')
}

/** Puts until `bytes` were allowed, then aborts. Answers the last session saved. */
async function putUntil(bytes: number): Promise<UploadSession | undefined> {
  const abort = new AbortController()
  let allowedBytes = 0
  const work = aWork({
    allow: (more) => {
      allowedBytes += more
      if (allowedBytes > bytes) abort.abort(new Error('enough'))
      return Promise.resolve()
    },
  })
  await expect(target.put(large, at('large'), work, abort.signal)).rejects.toThrow('enough')
  return work.saved.at(-1)
}

/** Counts the bytes a put sends. */
function counting(session: UploadSession | undefined): {
  readonly work: ReturnType<typeof aWork>
  readonly sentBytes: () => number
} {
  let sentBytes = 0
  const allow = (bytes: number): Promise<void> => {
    sentBytes += bytes
    return Promise.resolve()
  }
  return { work: aWork({ session, allow }), sentBytes: () => sentBytes }
}

test('a large copy arrives whole, saves a session every 64 MiB, and forgets it at the end', async () => {
  const work = aWork()

  const receipt = await target.put(large, at('large'), work, never)

  expect(await sha256At('large')).toBe(large.sha256)
  expect(receipt).toMatchObject({ size, sha256: large.sha256, mtimeNs: large.mtimeNs })
  expect(work.saved.map((session) => session?.['offset'])).toEqual([sessionBytes, 2 * sessionBytes, undefined])
  expect(await fixture.names()).toEqual(['large'])
})

test('F61: an aborted copy goes on where its session says, after a restart too', async () => {
  const session = await putUntil(140 * MiB)
  const { mark } = await target.open(undefined, never)
  await target.close()
  target = fixture.again()
  await target.open(mark, never)
  const { work, sentBytes } = counting(session)

  await target.put(large, at('large'), work, never)

  expect(work.told[0]).toBe(2 * sessionBytes)
  expect(sentBytes()).toBe(size - 2 * sessionBytes)
  expect(await sha256At('large')).toBe(large.sha256)
  expect(work.saved.at(-1)).toBeUndefined()
  expect(await fixture.names()).toEqual(['large'])
})

test('F61: an unfinished copy has no name among the copies', async () => {
  await putUntil(100 * MiB)

  expect(await target.look(at('large'), { hash: false }, never)).toBeUndefined()
  expect(await fixture.names()).toEqual(['.fanfold-tmp'])
})

test('a beginning that is not what the session says is written anew', async () => {
  const session = await putUntil(100 * MiB)
  const [name = ''] = await namesIn(join(fixture.root, '.fanfold-tmp'))
  const file = await open(join(fixture.root, '.fanfold-tmp', name), 'r+')
  await file.write(Buffer.from('rot'), 0, 3, 10 * MiB)
  await file.close()
  const { work, sentBytes } = counting(session)

  await target.put(large, at('large'), work, never)

  expect(sentBytes()).toBe(size)
  expect(await sha256At('large')).toBe(large.sha256)
})

test.each([
  ['nonsense', { offset: -5, crc32: 'x', size, sha256: 'y' }],
  ['a session of other content', { offset: sessionBytes, crc32: 1, size, sha256: 'f'.repeat(64) }],
  ['a session whose file is gone', { offset: sessionBytes, crc32: 1, size, sha256: 'same' }],
])('F62, F63: %s costs a fresh start and no more', async (_, saved) => {
  const session = saved.sha256 === 'same' ? { ...saved, sha256: large.sha256 } : saved
  const { work, sentBytes } = counting(session)

  await target.put(large, at('large'), work, never)

  expect(sentBytes()).toBe(size)
  expect(await sha256At('large')).toBe(large.sha256)
  expect(work.saved.at(-1)).toBeUndefined()
})

test('F62: another content takes the place of an unfinished one', async () => {
  await putUntil(100 * MiB)
  const other = await aLargeCopy('other', 2)

  await target.put(other, at('large'), aWork(), never)

  expect(await sha256At('large')).toBe(other.sha256)
  expect(await fixture.names()).toEqual(['large'])
})

test('F64: a copy whose end was done but not heard of is not sent again', async () => {
  const session = await putUntil(140 * MiB)
  const first = await target.put(large, at('large'), aWork({ session }), never)
  const { work, sentBytes } = counting(session)

  const second = await target.put(large, at('large'), work, never)

  expect(sentBytes()).toBe(0)
  expect(second).toEqual(first)
  expect(work.saved).toEqual([undefined])
})

test('F23: a file that is written while it is copied never gets its name, and its session is forgotten', async () => {
  const growing = await aLargeCopy('growing', 3)
  const work = aWork({
    save: async (session) => {
      if (session !== undefined) await appendFile(join(source, 'growing'), 'more')
      work.saved.push(session)
    },
  })

  const failure = await failureOf(target.put(growing, at('large'), work, never))

  expect(failure.next).toEqual({ kind: 'source-changed' })
  expect(work.saved.at(-1)).toBeUndefined()
  expect(await fixture.names()).toEqual([])
})

test('F72: small copies pass a large one, and the large one ends right', async () => {
  const small = await aCopy(source, 'small', { name: 'small' })
  const passed: number[] = []
  const work = aWork({
    allow: async () => {
      await target.put(small, at(`small-${passed.length}`), aWork(), never)
      passed.push(passed.length)
    },
  })

  await target.put(large, at('large'), work, never)

  expect(passed.length).toBeGreaterThan(10)
  expect(await sha256At('large')).toBe(large.sha256)
  expect(await fixture.names()).toEqual(['large', ...passed.map((n) => `small-${n}`)].sort())
})

test.each([0, 1, 5, 17, 37])('aborted at chunk %i it is not there, and what is left goes at rest', async (chunks) => {
  await putUntil(chunks * 4 * MiB)

  expect(await target.look(at('large'), { hash: false }, never)).toBeUndefined()
  await target.rest()
  expect(await fixture.names()).toEqual([])
})
