/** How copies come to Box: sessions and their ends, answers that are lost, names that are twins, times, what the lane is told. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import type { LocalCopy, TargetError, UploadSession } from '../../src/target/target.ts'
import type { FaultScript } from '../emulator/core/faults.ts'
import { aBoxTarget, type BoxFixture, boxNamesIn, directBytesMax, partBytes } from './box-fixture.ts'
import { aCopy, all, aWork, failureOf, never } from './contract.ts'

const at = (path: string): RemotePath => remotePath(path)

let fixture: BoxFixture
let source: string

beforeEach(async () => {
  fixture = await aBoxTarget()
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
  await fixture.target.open(undefined, never)
})

afterEach(async () => {
  await fixture.target.close()
  await rm(source, { recursive: true })
})

/** Not the same in any two blocks. */
function content(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  for (let offset = 0; offset + 4 <= bytes; offset += 4096) buffer.writeUInt32LE(offset + 1, offset)
  return buffer
}

const largeBytes = 5 * partBytes + 777
const aLargeCopy = (bytes = largeBytes): Promise<LocalCopy> => aCopy(source, content(bytes), { isLarge: true })

async function expectBig(bytes = largeBytes): Promise<void> {
  expect((await fixture.held('big'))?.equals(content(bytes))).toBe(true)
}

const countOf = (route: string): number => fixture.rig.emulator.recorder.count(route)
const sentBytes = (): number => fixture.rig.emulator.recorder.routes['sessions/part']?.requestBytes ?? 0
const openSessions = (): number => fixture.rig.emulator.provider.account.sessions.openCount

function fault(route: string, script: FaultScript['fault'], over: Partial<FaultScript> = {}): void {
  fixture.rig.emulator.fault({ route, fault: script, ...over })
}

/** Puts the large copy, dies after some parts, and answers what was saved. */
async function killedAfter(copy: LocalCopy, parts: number): Promise<UploadSession | undefined> {
  const abort = new AbortController()
  const saved: (UploadSession | undefined)[] = []
  const save = (session: UploadSession | undefined): Promise<void> => {
    saved.push(session)
    if (saved.length > parts) abort.abort(new Error('killed'))
    return Promise.resolve()
  }
  await expect(fixture.target.put(copy, at('big'), aWork({ save }), abort.signal)).rejects.toThrow('killed')
  return saved.at(-1)
}

describe('a large copy', () => {
  test('goes in parts of the size that Box says, the session written down before the first and after each', async () => {
    const work = aWork()

    await fixture.target.put(await aLargeCopy(), at('big'), work, never)

    await expectBig()
    expect(countOf('sessions/part')).toBe(6)
    const done = work.saved.map((session) => session?.['done'])
    expect([done[0], done.at(-2), done.at(-1), done.length]).toEqual([0, largeBytes, undefined, 8])
    expect(work.told.at(-1)).toBe(largeBytes)
  })

  test('up to the bound goes in one call, beyond it in a session', async () => {
    await fixture.target.put(await aCopy(source, content(directBytesMax), { isLarge: true }), at('a'), aWork(), never)
    expect([countOf('files/upload'), countOf('sessions/create')]).toEqual([1, 0])

    await fixture.target.put(await aLargeCopy(directBytesMax + 1), at('b'), aWork(), never)
    expect([countOf('files/upload'), countOf('sessions/create')]).toEqual([1, 1])
  })

  test('F61: goes on after a kill, and sends no part twice that Box has', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 3)
    await expect.poll(() => fixture.rig.emulator.recorder.routes['sessions/part']?.underWay).toBe(0)
    const restarted = fixture.again()
    await restarted.open(undefined, never)

    await restarted.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig()
    // What was under way when it died may have come or not.
    expect(sentBytes()).toBeLessThanOrEqual(copy.size + 3 * partBytes)
    expect([countOf('sessions/create'), openSessions()]).toEqual([1, 0])
  })

  test.each([
    ['its answer is lost', { do: 'cut', when: 'after' }],
    ['it is answered 500', { do: 'refuse', when: 'after', name: 'server-error' }],
    ['it is answered 502 with a page', { do: 'refuse', when: 'after', name: 'bad-gateway' }],
  ] as const)('a part that came although %s is found in the list and not sent again', async (_title, script) => {
    fault('sessions/part', script, { nth: 2 })

    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    await expectBig()
    expect([countOf('sessions/part'), countOf('sessions/parts')]).toEqual([6, 1])
  })

  test('a part that did not come leaves the session to the next attempt', async () => {
    fault('sessions/part', { do: 'cut', when: 'before' }, { nth: 2 })
    const work = aWork()
    const copy = await aLargeCopy()

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))
    await fixture.target.put(copy, at('big'), aWork({ session: work.saved.at(-1) }), never)

    expect(failure.next).toEqual({ kind: 'retry' })
    await expectBig()
    expect(countOf('sessions/create')).toBe(1)
  })

  test('416 means that the part is there: it is taken as done', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 2)
    await expect.poll(() => fixture.rig.emulator.recorder.routes['sessions/part']?.underWay).toBe(0)
    // The list lags behind once.
    fault('sessions/parts', {
      do: 'answer',
      status: 200,
      body: '{"entries":[],"total_count":0}',
      headers: { 'content-type': 'application/json' },
    })

    await fixture.target.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig()
    expect(countOf('sessions/create')).toBe(1)
  })

  test('F62: a session that holds other bytes is ended and begun anew', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 2)
    const other = await aCopy(source, content(largeBytes).fill('x', 0, 100), { isLarge: true })
    const claimed = { ...saved, sha256: other.sha256 }

    const failure = await failureOf(fixture.target.put(other, at('big'), aWork({ session: claimed }), never))
    await fixture.target.put(other, at('big'), aWork(), never)

    expect(failure.next).toEqual({ kind: 'restart-session' })
    expect((await fixture.held('big'))?.subarray(0, 3).toString()).toBe('xxx')
    expect(openSessions()).toBe(0)
  })

  test('F62: a file that changed meanwhile ends its session', async () => {
    const saved = await killedAfter(await aLargeCopy(), 2)
    const other = await aCopy(source, content(largeBytes).reverse(), { isLarge: true })

    await fixture.target.put(other, at('big'), aWork({ session: saved }), never)

    expect([openSessions(), countOf('sessions/abort')]).toEqual([0, 1])
    expect(await fixture.names()).toEqual(['big'])
  })

  test('F62: a file that changes while it is sent ends its session, and nothing is there', async () => {
    const copy = await aLargeCopy()
    let parts = 0
    const work = aWork({
      allow: async () => {
        if (++parts === 3) await aCopy(source, content(largeBytes).reverse(), { isLarge: true })
      },
    })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))

    expect(failure.next).toEqual({ kind: 'source-changed' })
    expect([await fixture.names(), openSessions(), work.saved.at(-1)]).toEqual([[], 0, undefined])
  })

  test('F63: a session of more than seven days is begun anew without a failure', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 2)
    fixture.rig.emulator.clock.advance(8 * 24 * 3600_000)

    await fixture.target.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig()
    expect(countOf('sessions/create')).toBe(2)
  })

  test('a session of which the answer was lost is taken over where Box tells of it', async () => {
    fixture.rig.emulator.provider.set({ sessionConflict: 'same-name' })
    fault('sessions/create', { do: 'cut', when: 'after' })
    const copy = await aLargeCopy()

    await failureOf(fixture.target.put(copy, at('big'), aWork(), never))
    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig()
    expect(openSessions()).toBe(0)
  })

  test('where Box does not tell of it another one is made', async () => {
    fault('sessions/create', { do: 'cut', when: 'after' })
    const copy = await aLargeCopy()

    await failureOf(fixture.target.put(copy, at('big'), aWork(), never))
    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig()
  })
})

describe('a commit', () => {
  test('is repeated as often as Box asks for it', async () => {
    fixture.rig.emulator.provider.set({ commitWaits: 15 })

    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    await expectBig()
    expect(countOf('sessions/commit')).toBe(16)
  })

  test('waits for as long as Box says', async () => {
    fault('sessions/commit', { do: 'behave', name: 'commit-202', value: 1 })
    const begun = performance.now()

    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    expect(performance.now() - begun).toBeGreaterThan(900)
  })

  test('of which Box does not see all parts yet is repeated with a fresh list', async () => {
    fault('sessions/commit', { do: 'refuse', name: 'parts-mismatch' }, { count: 5 })

    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    await expectBig()
    expect(countOf('sessions/parts')).toBe(5)
  })

  test('of which Box never sees all parts is begun anew', async () => {
    fault('sessions/commit', { do: 'refuse', name: 'parts-mismatch' }, { count: 'all' })

    const failure = await failureOf(fixture.target.put(await aLargeCopy(), at('big'), aWork(), never))

    expect([failure.next, openSessions()]).toEqual([{ kind: 'restart-session' }, 0])
  })

  test.each(['gone', 'answers'] as const)(
    'F64: that came although its answer was lost is found (%s)',
    async (finishedSession) => {
      fixture.rig.emulator.provider.set({ finishedSession })
      fault('sessions/commit', { do: 'cut', when: 'after' })

      const receipt = await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

      await expectBig()
      expect([receipt.size, countOf('sessions/commit')]).toEqual([largeBytes, 1])
    },
  )

  test('F64: that goes on behind a 202 is found when the session is gone', async () => {
    fault('sessions/commit', { do: 'behave', name: 'commit-later' })

    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    await expectBig()
    expect(await fixture.names()).toEqual(['big'])
  })

  test('F80: meets a version that nobody looked at: it is looked at, and one new version comes of it', async () => {
    const first = await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)
    const second = await aLargeCopy(largeBytes + 1)
    fault('sessions/commit', { do: 'call', when: 'before', work: () => fixture.alter('big', 'theirs') })

    const receipt = await fixture.target.put(second, at('big'), aWork({ previous: first }), never)

    await expectBig(largeBytes + 1)
    expect(receipt.remoteId).toBe(first.remoteId)
    expect(countOf('sessions/commit')).toBe(3)
  })

  test('F80: meets a file that somebody else put there: the next attempt makes a version of it', async () => {
    const copy = await aLargeCopy()
    fault('sessions/commit', { do: 'call', when: 'before', work: () => fixture.alter('big', 'theirs') })
    const work = aWork()

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))
    await fixture.target.put(copy, at('big'), aWork({ session: work.saved.at(-1) }), never)

    expect(failure.next).toEqual({ kind: 'restart-session' })
    await expectBig()
    expect(openSessions()).toBe(0)
  })
})

describe('a small copy', () => {
  test('that is new costs one call, once its folder is known', async () => {
    await fixture.target.put(await aCopy(source, 'a'), at('d/a'), aWork(), never)
    const before = fixture.calls().length

    await fixture.target.put(await aCopy(source, 'b'), at('d/b'), aWork(), never)

    expect(fixture.calls().slice(before)).toEqual(['files/upload'])
  })

  test('F64: that came although its answer was lost is known by its hash and not sent again', async () => {
    fault('files/upload', { do: 'cut', when: 'after' })

    const receipt = await fixture.target.put(await aCopy(source, 'once'), at('x'), aWork(), never)

    expect([receipt.size, countOf('files/upload'), await fixture.names()]).toEqual([4, 1, ['x']])
  })

  test.each(['object', 'array'] as const)(
    'F115: whose content lies there is told by the conflict, an %s',
    async (fileConflicts) => {
      fixture.rig.emulator.provider.set({ fileConflicts })
      const copy = await aCopy(source, 'once')
      const first = await fixture.target.put(copy, at('x'), aWork(), never)

      const second = await fixture.target.put(copy, at('x'), aWork(), never)

      expect(second).toEqual(first)
    },
  )

  test('F80: never takes the place of what was not looked at; the version before it stays', async () => {
    await fixture.alter('x', 'theirs')

    const receipt = await fixture.target.put(await aCopy(source, 'ours'), at('x'), aWork(), never)

    expect((await fixture.held('x'))?.toString()).toBe('ours')
    const { body } = await fixture.rig.api('GET', `/2.0/files/${receipt.remoteId}/versions`)
    expect(body).toMatchObject({ total_count: 1 })
  })

  test('a name that is reserved for a moment is tried again', async () => {
    fault('files/upload', { do: 'refuse', name: 'reserved' })
    fault('folders/create', { do: 'refuse', name: 'blocked' })
    const copy = await aCopy(source, 'x')

    const reserved = await failureOf(fixture.target.put(copy, at('x'), aWork(), never))
    const blocked = await failureOf(fixture.target.put(copy, at('d/x'), aWork(), never))

    expect([reserved.next, blocked.next]).toEqual([{ kind: 'retry' }, { kind: 'retry' }])
  })

  test('one upload too many in a minute rests for as long as Box says, the whole account', async () => {
    fixture.rig.emulator.provider.set({ uploadsPerMinute: 1 })
    await fixture.target.put(await aCopy(source, 'a'), at('a'), aWork(), never)

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'b'), at('b'), aWork(), never))

    expect(failure.next).toMatchObject({ kind: 'pause-target', state: 'paused' })
    expect(fixture.pace.verdicts.length).toBe(1)
  })

  test('F65: what Box says it has is held against what was sent', async () => {
    fault('files/upload', { do: 'behave', name: 'wrong-hash' })
    const copy = await aCopy(source, 'x')

    const failure = await failureOf(fixture.target.put(copy, at('x'), aWork(), never))

    expect([failure.next, failure.message]).toEqual([{ kind: 'retry' }, expect.stringContaining('expected the SHA-1')])
    await fixture.target.put(copy, at('x'), aWork(), never)
    expect(await fixture.names()).toEqual(['x'])
  })

  test('F65: that arrives wrong goes to the trash, is sent three times more, and then only when its owner says so', async () => {
    fault('files/upload', { do: 'behave', name: 'wrong-hash' }, { count: 'all' })
    const copy = await aCopy(source, 'x')
    const ends: string[] = []

    for (let attempt = 0; attempt < 4; attempt++) {
      const failure = await failureOf(fixture.target.put(copy, at('x'), aWork(), never))
      ends.push(`${failure.next.kind} ${/verify-failed/.exec(failure.message)?.[0] ?? ''}`.trim())
      expect(await fixture.names()).toEqual([])
    }
    fixture.rig.emulator.faults.disarmAll()
    await fixture.target.put(copy, at('x'), aWork(), never)

    expect(ends).toEqual(['retry', 'retry', 'retry', 'park verify-failed'])
    expect(await fixture.names()).toEqual(['x'])
  })

  test('a hash that is left out is asked for', async () => {
    fault('files/upload', { do: 'behave', name: 'no-hash' })

    await fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never)

    expect(countOf('files/get')).toBe(1)
  })
})

describe('a time is set', () => {
  const mtime = new Date('2011-07-08T09:10:11.987Z')
  const seconds = 1310116211n * 1_000_000_000n

  const timeOf = async (path: string): Promise<bigint | undefined> =>
    (await fixture.target.look(at(path), { hash: false }, never))?.mtimeNs

  test('by an upload in one call, of a new file and of a version', async () => {
    const first = await fixture.target.put(await aCopy(source, 'a', { mtime }), at('x'), aWork(), never)
    const isNew = await timeOf('x')
    const later = new Date(mtime.getTime() + 60_000)

    await fixture.target.put(await aCopy(source, 'b', { mtime: later }), at('x'), aWork({ previous: first }), never)

    expect([isNew, await timeOf('x')]).toEqual([seconds, seconds + 60_000_000_000n])
  })

  test('by a session, of a new file and of a version', async () => {
    const copy = await aCopy(source, content(largeBytes), { isLarge: true, mtime })
    const first = await fixture.target.put(copy, at('x'), aWork(), never)
    const isNew = await timeOf('x')
    const other = await aCopy(source, content(largeBytes + 1), {
      isLarge: true,
      mtime: new Date(mtime.getTime() + 60_000),
    })

    await fixture.target.put(other, at('x'), aWork({ previous: first }), never)

    expect([isNew, await timeOf('x')]).toEqual([seconds, seconds + 60_000_000_000n])
  })

  test('for content that is there already', async () => {
    await fixture.alter('x', 'same')

    await fixture.target.put(await aCopy(source, 'same', { mtime }), at('x'), aWork(), never)

    expect([await timeOf('x'), countOf('files/update')]).toEqual([seconds, 1])
  })

  test('not before 1970, which Box does not take', async () => {
    const copy = await aCopy(source, 'old', { mtime: new Date('1969-01-01T00:00:00Z') })

    const receipt = await fixture.target.put(copy, at('x'), aWork(), never)

    expect(receipt.mtimeNs).toBe(copy.mtimeNs)
    expect((await fixture.held('x'))?.toString()).toBe('old')
  })
})

describe('F53, F54: twins', () => {
  test('lie side by side, each under its own name', async () => {
    for (const name of ['README', 'readme', 'Readme'])
      await fixture.target.put(await aCopy(source, name), at(name), aWork(), never).catch((thrown: unknown) => thrown)
    await fixture.target.put(await aCopy(source, 'docs'), at('Docs/a'), aWork(), never)
    await fixture.target.put(await aCopy(source, 'DOCS'), at('docs/a'), aWork(), never)

    const entries = await all(fixture.target.list(at(''), { hash: false }, never))

    expect(entries.map(({ path }) => path)).toEqual(['Docs/a', 'README', 'Readme', 'docs/a', 'readme'])
    expect((await fixture.target.look(at('readme'), { hash: false }, never))?.size).toBe(6)
  })

  test('a twin keeps its spelling when it is changed and moved', async () => {
    await fixture.target.put(await aCopy(source, 'one'), at('A'), aWork(), never)
    const twin = await fixture.target.put(await aCopy(source, 'two'), at('a'), aWork(), never)

    const changed = await fixture.target.put(await aCopy(source, 'three'), at('a'), aWork({ previous: twin }), never)
    const moved = await fixture.target.move(changed, at('d/a'), never)
    const back = await fixture.target.move(moved, at('a'), never)

    expect([changed.remoteId, back.remoteId]).toEqual([twin.remoteId, twin.remoteId])
    const entries = await all(fixture.target.list(at(''), { hash: false }, never))
    expect(entries.map(({ path, size }) => [path, size])).toEqual([
      ['A', 3],
      ['a', 5],
    ])
  })

  test('names that Box refuses come back as they were', async () => {
    const names = ['end ', 'a\\b', 'tab\there', 'bell\u0007', 'café', 'cafe\u0301', '\udcff.bin', 'x'.repeat(255)]
    for (const name of names) await fixture.target.put(await aCopy(source, name), at(`n/${name}`), aWork(), never)

    const entries = await all(fixture.target.list(at('n'), { hash: false }, never))

    expect(entries.map(({ path }) => path.slice(2)).sort()).toEqual([...names].sort())
  })

  test('a twin by compatibility (U+FA1B) is one where Box compares so', async () => {
    fixture.rig.emulator.provider.set({ normalisesIncoming: true })
    await fixture.target.put(await aCopy(source, 'plain'), at('\u798f'), aWork(), never)
    const copy = await aCopy(source, 'other')

    const first = await fixture.target.put(copy, at('\ufa1b'), aWork(), never)
    const second = await fixture.target.put(copy, at('\ufa1b'), aWork(), never)

    expect(second).toEqual(first)
    expect((await fixture.held('\u798f'))?.toString()).toBe('plain')
  })
})

describe('folders', () => {
  test('are made once for many files at once, and remembered by id', async () => {
    const copies = await Promise.all([1, 2, 3, 4].map((n) => aCopy(source, `${n}`, { name: `${n}` })))

    await Promise.all(copies.map((copy, n) => fixture.target.put(copy, at(`a/b/${n}`), aWork(), never)))

    // One of them is the target's own.
    expect(countOf('folders/create')).toBe(3)
    expect(fixture.folders.get('a/b')).toBeDefined()
  })

  test('F79: one that went is made again, with what lies above it', async () => {
    await fixture.target.put(await aCopy(source, '1'), at('a/b/1'), aWork(), never)
    fixture.rig.emulator.provider.owner.remove('/Archive/a')

    await fixture.target.put(await aCopy(source, '2'), at('a/b/2'), aWork(), never)

    expect((await fixture.held('a/b/2'))?.toString()).toBe('2')
    expect(await fixture.held('a/b/1')).toBeUndefined()
  })

  test('F79: one that went is not there to who looks and lists', async () => {
    await fixture.target.put(await aCopy(source, '1'), at('a/b/1'), aWork(), never)
    fixture.rig.emulator.provider.owner.remove('/Archive/a')

    expect(await fixture.target.look(at('a/b/1'), { hash: false }, never)).toBeUndefined()
    expect(await all(fixture.target.list(at('a'), { hash: false }, never))).toEqual([])
  })

  test('F79: without the folder of the target nothing is made: the owner is asked', async () => {
    fixture.rig.emulator.provider.owner.remove('/Archive')

    const failure = await failureOf(fixture.target.put(await aCopy(source, '1'), at('a/1'), aWork(), never))
    const opening = await failureOf(fixture.again().open('11446498 1', never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(opening.next).toEqual({ kind: 'pause-target', state: 'missing' })
  })

  test('a file where a folder has to be, and a folder where a file has to be, are the owner’s', async () => {
    await fixture.alter('a', 'file')
    await fixture.alter('d/x', 'file')

    const failures = [
      await failureOf(fixture.target.put(await aCopy(source, '1'), at('a/1'), aWork(), never)),
      await failureOf(fixture.target.put(await aCopy(source, '1'), at('d'), aWork(), never)),
    ]

    expect(failures.map(({ next }) => next.kind)).toEqual(['park', 'park'])
  })

  test('a copy that somebody moved away is not written over: it comes anew where it belongs', async () => {
    const first = await fixture.target.put(await aCopy(source, '1'), at('x'), aWork(), never)
    await fixture.rig.api('PUT', `/2.0/files/${first.remoteId}`, { name: 'kept' })

    const second = await fixture.target.put(await aCopy(source, '22'), at('x'), aWork({ previous: first }), never)

    expect(second.remoteId).not.toBe(first.remoteId)
    expect([(await fixture.held('x'))?.toString(), (await fixture.held('kept'))?.toString()]).toEqual(['22', '1'])
  })
})

describe('a listing', () => {
  test('goes through all pages, passes strangers over, and ends with any marker', async () => {
    for (const n of [1, 2, 3]) await fixture.alter(`d/${n}`, `${n}`)
    for (const name of ['short-page', 'web-link', 'unknown-type'])
      fault('folders/items', { do: 'behave', name }, { nth: 2, count: 2 })

    for (const lastMarker of ['null', 'absent', 'empty']) {
      fixture.rig.emulator.provider.set({ lastMarker })
      const entries = await all(fixture.target.list(at(''), { hash: false }, never))
      expect(entries.map(({ path }) => path)).toEqual(['d/1', 'd/2', 'd/3'])
    }
  })

  test('sizes may come as floats', async () => {
    await fixture.alter('x', '12345')
    fixture.rig.emulator.provider.set({ floatSizes: true })

    expect((await fixture.target.look(at('x'), { hash: false }, never))?.size).toBe(5)
    expect((await fixture.target.about(never)).usedBytes).toBe(5)
  })
})

describe('content', () => {
  test('that Box is not ready to give is waited for', async () => {
    await fixture.alter('x', '0123456789')
    fault('files/content', { do: 'behave', name: 'not-ready', value: 0 }, { count: 3 })

    const entry = await fixture.target.look(at('x'), { hash: true }, never)

    expect(entry?.sha256).toMatch(/^84d89877/)
  })

  test('that was bent on its way is told from the right one', async () => {
    await fixture.alter('x', '0123456789')
    fault('download', { do: 'behave', name: 'corrupt' })

    const failure = await failureOf(fixture.target.look(at('x'), { hash: true }, never))

    expect(failure.message).toContain('not those that Box has')
  })
})

describe('the lane is told', () => {
  const cases: [title: string, script: FaultScript['fault'], next: object][] = [
    ['F68: a full account', { do: 'refuse', name: 'full' }, { kind: 'pause-target', state: 'full' }],
    ['F67: a rest', { do: 'refuse', name: 'throttle', retryAfterS: 7 }, { state: 'paused', againInMs: 7000 }],
    ['F77: a login that was taken back', { do: 'revoke-login' }, { state: 'needs-login' }],
    ['a plan with smaller files', { do: 'refuse', name: 'too-large' }, { kind: 'park' }],
    ['missing rights', { do: 'refuse', name: 'no-rights' }, { kind: 'park' }],
  ]
  test.each(cases)('%s', async (_title, script, next) => {
    fault('files/upload', script, { count: 'all' })

    const failure: TargetError = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toMatchObject(next)
  })

  test('F58: a file beyond the account’s plan is parked before its first byte', async () => {
    fixture.rig.emulator.provider.set({ fileBytesMax: 10 })
    const target = fixture.again()
    await target.open(undefined, never)

    const failure = await failureOf(target.put(await aCopy(source, '12345678901'), at('x'), aWork(), never))

    expect([failure.next, target.traits.fileBytesMax]).toEqual([{ kind: 'park' }, 10])
    expect(countOf('files/upload')).toBe(0)
  })

  test('F75: nothing of a login that ends in the middle of a large copy', async () => {
    fault('sessions/part', { do: 'expire-token' }, { nth: 3 })

    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    await expectBig()
  })

  test('a login of another account is refused', async () => {
    const failure = await failureOf(fixture.again().open('77 0', never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  })
})

describe('a removal', () => {
  test('to the trash can be taken back; a purge cannot', async () => {
    const [kept, lost] = [
      await fixture.target.put(await aCopy(source, '1'), at('kept'), aWork(), never),
      await fixture.target.put(await aCopy(source, '2'), at('lost'), aWork(), never),
    ]

    await fixture.target.remove(kept, 'trash', never)
    await fixture.target.remove(lost, 'purge', never)

    const { body } = await fixture.rig.api('GET', '/2.0/folders/trash/items')
    expect((body as { entries: { name: string }[] }).entries.map(({ name }) => name)).toEqual(['kept'])
    expect(boxNamesIn(fixture.rig, '/Archive')).toEqual([])
  })

  test('for good that was interrupted between its two steps is done by the next one', async () => {
    const receipt = await fixture.target.put(await aCopy(source, '1'), at('x'), aWork(), never)
    fault('files/purge', { do: 'cut', when: 'before' })

    await failureOf(fixture.target.remove(receipt, 'purge', never))
    await fixture.target.remove(receipt, 'purge', never)

    expect((await fixture.rig.api('GET', '/2.0/folders/trash/items')).body).toMatchObject({ entries: [] })
  })
})
