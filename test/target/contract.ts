/** What every kind of target promises, as tests: `contract(name, makeFixture)`. Whatever passes may be used by a lane. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FsPath, type RemotePath, remotePath } from '../../src/base/path.ts'
import {
  type LocalCopy,
  type PutWork,
  type RemoteEntry,
  type Target,
  TargetError,
  type UploadSession,
} from '../../src/target/target.ts'
import { folderContract } from './folder-contract.ts'

/** A fresh target, and a way around it to what it holds. */
export interface Fixture {
  /** False where an object's time cannot be set without writing it: then only the receipt tells it, and times are of whole seconds. */
  readonly keepsTimes?: boolean
  /** Not opened yet. */
  readonly target: Target
  /** A second one on the same place, as after a restart. */
  again(): Target
  /** Content of an object as its owner sees it, undefined where there is none. */
  held(path: string): Promise<Buffer | undefined>
  /** Somebody else writes an object. */
  alter(path: string, content: string): Promise<void>
  /** Names of everything that is there, Fanfold's own things included. */
  names(): Promise<string[]>
  /** Calls that arrived so far, by route; left out where nothing is called. */
  readonly calls?: () => readonly string[]
  end(): Promise<void>
}

export const never = new AbortController().signal

/** What a lane lends to a put, and what it was told. */
export function aWork(
  over: Partial<PutWork> = {},
): PutWork & { readonly saved: (UploadSession | undefined)[]; readonly told: number[] } {
  const saved: (UploadSession | undefined)[] = []
  const told: number[] = []
  return {
    session: undefined,
    save: (session) => {
      saved.push(session)
      return Promise.resolve()
    },
    allow: () => Promise.resolve(),
    progress: (bytes) => told.push(bytes),
    previous: undefined,
    ...over,
    saved,
    told,
  }
}

const oldTime = new Date('2001-02-03T04:05:06.789Z')

/** A file of a source, digested. `isLarge` leaves its bytes on disk, as the digest does above 1 MiB. */
export async function aCopy(
  folder: string,
  content: string | Uint8Array,
  over: { readonly name?: string; readonly isLarge?: boolean; readonly mtime?: Date } = {},
): Promise<LocalCopy> {
  const path = join(folder, over.name ?? 'source')
  const bytes = Buffer.from(content)
  await writeFile(path, bytes)
  await utimes(path, over.mtime ?? oldTime, over.mtime ?? oldTime)
  return copyOf(path, bytes, over.isLarge === true)
}

export async function copyOf(path: FsPath, bytes: Buffer, isLarge: boolean): Promise<LocalCopy> {
  const { mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true })
  return {
    path,
    size: bytes.length,
    mtimeNs,
    ctimeNs,
    inode: ino,
    sha256: sha256Of(bytes),
    crc32: crc32(bytes),
    bytes: isLarge ? undefined : new Uint8Array(bytes),
  }
}

export function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export async function all(entries: AsyncIterable<RemoteEntry>): Promise<RemoteEntry[]> {
  const list: RemoteEntry[] = []
  for await (const entry of entries) list.push(entry)
  return list.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** What was thrown, for looking at its `next`. */
export async function failureOf(work: Promise<unknown>): Promise<TargetError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof TargetError) return thrown
  throw new Error(`expected a TargetError, got ${String(thrown)}`)
}

const at = (path: string): RemotePath => remotePath(path)

export function contract(name: string, makeFixture: () => Promise<Fixture>): void {
  describe(`contract of a target: ${name}`, () => {
    let fixture: Fixture
    let target: Target
    let source: string

    beforeEach(async () => {
      fixture = await makeFixture()
      target = fixture.target
      source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
      await target.open(undefined, never)
    })

    afterEach(async () => {
      await target.close()
      await fixture.end()
      await rm(source, { recursive: true })
    })

    for (const isLarge of [false, true]) {
      describe(isLarge ? 'a large copy' : 'a small copy', () => {
        test('arrives whole, and its receipt says size, hash and time', async () => {
          const copy = await aCopy(source, 'paper', { isLarge })

          const receipt = await target.put(copy, at('a/b/c.txt'), aWork(), never)

          expect(await fixture.held('a/b/c.txt')).toEqual(Buffer.from('paper'))
          expect(receipt).toMatchObject({
            path: 'a/b/c.txt',
            size: 5,
            sha256: sha256Of('paper'),
            mtimeNs: copy.mtimeNs,
          })
        })

        test('F56: may be empty', async () => {
          const copy = await aCopy(source, '', { isLarge })

          const receipt = await target.put(copy, at('empty'), aWork(), never)

          expect(await fixture.held('empty')).toEqual(Buffer.alloc(0))
          expect(receipt.size).toBe(0)
        })

        test('takes the place of the one before it', async () => {
          const first = await target.put(await aCopy(source, 'first', { isLarge }), at('x'), aWork(), never)
          const copy = await aCopy(source, 'second', { isLarge })

          const second = await target.put(copy, at('x'), aWork({ previous: first }), never)

          expect(await fixture.held('x')).toEqual(Buffer.from('second'))
          expect(second.revision).not.toBe(first.revision)
        })

        test('F64, F115: put again after an unknown outcome is the same object, not a second one', async () => {
          const copy = await aCopy(source, 'once', { isLarge })
          const first = await target.put(copy, at('x'), aWork(), never)

          const second = await target.put(copy, at('x'), aWork(), never)

          expect(second).toEqual(first)
          expect(await fixture.names()).toEqual(['x'])
        })

        test('F12: with only another time keeps its object and gets that time', async () => {
          const first = await target.put(await aCopy(source, 'same', { isLarge }), at('x'), aWork(), never)
          const touched = await aCopy(source, 'same', { isLarge, mtime: new Date('2011-01-01T00:00:00Z') })

          const second = await target.put(touched, at('x'), aWork({ previous: first }), never)

          expect(second.remoteId).toBe(first.remoteId)
          expect(second.mtimeNs).toBe(touched.mtimeNs)
          const isKept = fixture.keepsTimes !== false
          const seen = await target.look(at('x'), { hash: false }, never)
          if (isKept) expect(seen?.mtimeNs).toBe(touched.mtimeNs)
        })

        test('F80: repairs what somebody else wrote there, even of equal size', async () => {
          const copy = await aCopy(source, 'right', { isLarge })
          const first = await target.put(copy, at('x'), aWork(), never)
          await fixture.alter('x', 'wrong')

          await target.put(copy, at('x'), aWork({ previous: first }), never)

          expect(await fixture.held('x')).toEqual(Buffer.from('right'))
        })

        test('says how far it is, ends with its size, and leaves nothing beside it', async () => {
          const work = aWork()

          await target.put(await aCopy(source, 'paper', { isLarge }), at('x'), work, never)

          expect(work.told).toEqual([...work.told].sort((a, b) => a - b))
          expect(work.told.at(-1)).toBe(5)
          expect(await fixture.names()).toEqual(['x'])
        })

        test('F71: waits for every byte it sends to be allowed', async () => {
          let allowed = 0
          const work = aWork({ allow: (bytes) => ((allowed += bytes), Promise.resolve()) })

          await target.put(await aCopy(source, 'paper', { isLarge }), at('x'), work, never)

          expect(allowed).toBe(5)
        })

        test('aborted while it waits for bandwidth is not there, and leaves nothing', async () => {
          const abort = new AbortController()
          const allow = (): Promise<void> => {
            abort.abort(new Error('enough'))
            return Promise.reject(new Error('enough'))
          }

          const put = target.put(await aCopy(source, 'paper', { isLarge }), at('x'), aWork({ allow }), abort.signal)

          await expect(put).rejects.toThrow('enough')
          await target.rest()
          expect(await fixture.names()).toEqual([])
        })

        test('aborted before it began is not there', async () => {
          const put = target.put(
            await aCopy(source, 'x', { isLarge }),
            at('x'),
            aWork(),
            AbortSignal.abort(new Error('no')),
          )

          await expect(put).rejects.toThrow('no')
          expect(await fixture.names()).toEqual([])
        })
      })
    }

    test('F23: a large copy whose file changed since it was digested never gets its name', async () => {
      const copy = await aCopy(source, 'before', { isLarge: true })
      await aCopy(source, 'after!', { isLarge: true })

      const failure = await failureOf(target.put(copy, at('x'), aWork(), never))

      expect(failure.next).toEqual({ kind: 'source-changed' })
      expect(await fixture.names()).toEqual([])
    })

    test('F23: a large copy whose bytes are not those that were digested never gets its name', async () => {
      const copy = await aCopy(source, 'bytes', { isLarge: true })

      const failure = await failureOf(target.put({ ...copy, crc32: copy.crc32 ^ 1 }, at('x'), aWork(), never))

      expect(failure.next).toEqual({ kind: 'source-changed' })
      expect(await fixture.names()).toEqual([])
    })

    test('two copies put to one path at once end with the later one', async () => {
      const contents = ['one', 'two', 'three', 'four']
      const copies = await Promise.all(
        contents.map((content, n) => aCopy(source, content, { name: `f${n}`, isLarge: n % 2 === 0 })),
      )

      await Promise.all(copies.map((copy) => target.put(copy, at('x'), aWork(), never)))

      expect(await fixture.held('x')).toEqual(Buffer.from('four'))
      expect(await fixture.names()).toEqual(['x'])
    })

    test('many copies at once all arrive, each with its own bytes', async () => {
      const numbers = Array.from({ length: 300 }, (_, n) => n)
      const copies = await Promise.all(numbers.map((n) => aCopy(source, `content ${n}`, { name: `f${n}` })))

      await Promise.all(copies.map((copy, n) => target.put(copy, at(`d${n % 7}/f${n}`), aWork(), never)))

      for (const n of numbers) expect((await fixture.held(`d${n % 7}/f${n}`))?.toString()).toBe(`content ${n}`)
    })

    test('looks at what it holds, with the hash when asked for', async () => {
      await fixture.alter('seen', 'content')

      const entry = await target.look(at('seen'), { hash: true }, never)

      expect(entry).toMatchObject({ path: 'seen', size: 7, sha256: sha256Of('content') })
      expect(await target.look(at('not/there'), { hash: true }, never)).toBeUndefined()
    })

    test('F87: lists everything below a folder and nothing of its own', async () => {
      await target.put(await aCopy(source, '1'), at('a/1'), aWork(), never)
      await target.put(await aCopy(source, '2'), at('a/b/2'), aWork(), never)
      const gone = await target.put(await aCopy(source, '3'), at('c/3'), aWork(), never)
      await target.remove(gone, 'trash', never)

      const everything = await all(target.list(at(''), { hash: true }, never))
      const some = await all(target.list(at('a/b'), { hash: false }, never))

      expect(everything.map(({ path, sha256 }) => [path, sha256])).toEqual([
        ['a/1', sha256Of('1')],
        ['a/b/2', sha256Of('2')],
      ])
      expect(some.map(({ path }) => path)).toEqual(['a/b/2'])
      expect(await all(target.list(at('nowhere'), { hash: false }, never))).toEqual([])
    })

    test.each([false, true])(
      'F87: recognises by a listing what it holds, and nothing else of that size (on disk: %s)',
      async (isLarge) => {
        const copy = await aCopy(source, 'content', { isLarge })
        const receipt = await target.put(copy, at('a/x'), aWork(), never)
        const other = await aCopy(source, 'CONTENT', { isLarge, name: 'other' })
        const [entry] = await all(target.list(at(''), { hash: false }, never))
        if (entry === undefined) throw new Error('nothing is listed')

        const found = await target.recognise(entry, copy, undefined, never)

        // On a disk content may change behind every mark, so nothing is known by marks.
        expect(found).toEqual(target.traits.revisionIsContent ? receipt : undefined)
        expect(await target.recognise(entry, other, undefined, never)).toBeUndefined()
      },
    )

    test('gives content back from any byte on', async () => {
      await fixture.alter('x', '0123456789')
      const entry = await target.look(at('x'), { hash: false }, never)
      if (entry === undefined) throw new Error('nothing to get')

      const whole = await text(await target.get(entry, { start: 0 }, never))
      const rest = await text(await target.get(entry, { start: 7 }, never))

      expect([whole, rest]).toEqual(['0123456789', '789'])
    })

    test('does not give back another version than the one that was listed', async () => {
      await fixture.alter('x', 'old')
      const entry = await target.look(at('x'), { hash: false }, never)
      if (entry === undefined) throw new Error('nothing to get')
      await fixture.alter('x', 'newer')

      const failure = await failureOf(target.get(entry, { start: 0 }, never))

      expect(failure.next).toEqual({ kind: 'retry' })
    })

    test('F30: moves a copy, and moving it again is done already', async () => {
      const receipt = await target.put(await aCopy(source, 'moved'), at('a/x'), aWork(), never)

      const moved = await target.move(receipt, at('b/y'), never)
      const again = await target.move(receipt, at('b/y'), never)

      expect(await fixture.held('b/y')).toEqual(Buffer.from('moved'))
      expect(await fixture.held('a/x')).toBeUndefined()
      expect(moved).toMatchObject({ path: 'b/y', remoteId: receipt.remoteId, sha256: receipt.sha256 })
      expect(again).toEqual(moved)
    })

    test('F40: a name changed only in its case keeps its content', async () => {
      const receipt = await target.put(await aCopy(source, 'case'), at('readme'), aWork(), never)

      await target.move(receipt, at('README'), never)

      expect(await fixture.held('README')).toEqual(Buffer.from('case'))
      expect(await fixture.names()).toEqual(['README'])
    })

    for (const how of ['trash', 'purge'] as const) {
      test(`F36: ${how} takes a copy away, and one that is gone is done`, async () => {
        const receipt = await target.put(await aCopy(source, 'x'), at('a/x'), aWork(), never)

        await target.remove(receipt, how, never)
        await target.remove(receipt, how, never)

        expect(await target.look(at('a/x'), { hash: false }, never)).toBeUndefined()
      })
    }

    test('purge leaves alone what somebody else changed', async () => {
      const receipt = await target.put(await aCopy(source, 'ours'), at('x'), aWork(), never)
      await fixture.alter('x', 'theirs now')

      const failure = await failureOf(target.remove(receipt, 'purge', never))

      expect(failure.next).toEqual({ kind: 'park' })
      expect(await fixture.held('x')).toEqual(Buffer.from('theirs now'))
    })

    test('is known again by its mark after a restart', async () => {
      const { mark } = await target.open(undefined, never)
      const restarted = fixture.again()

      const identity = await restarted.open(mark, never)
      await restarted.close()

      expect(identity).toEqual({ mark, isSame: true })
    })

    test('tells its space', async () => {
      const space = await target.about(never)

      expect(space.account).not.toBe('')
      expect(space.usedBytes).toBeGreaterThanOrEqual(0)
      expect(space.freeBytes ?? Infinity).toBeGreaterThan(0)
    })

    folderContract({ fixture: () => fixture, target: () => target, source: () => source })

    test('F17, F60: refuses names that leave its root', () => {
      for (const path of ['../x', '/x', 'a/../x', 'a\0b']) expect(() => remotePath(path)).toThrow(RangeError)
    })
  })
}
