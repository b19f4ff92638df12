/** How copies come to Dropbox: sessions and their ends, answers that are lost, names that are twins, what the lane is told. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import type { LocalCopy, TargetError, UploadSession } from '../../src/target/target.ts'
import { aCopy, all, aWork, failureOf, never } from './contract.ts'
import { aDropboxTarget, namesIn, type DropboxFixture } from './dropbox-fixture.ts'

const mebibyte = 2 ** 20
const chunk = 16 * mebibyte
const at = (path: string): RemotePath => remotePath(path)

let fixture: DropboxFixture
let source: string

beforeEach(async () => {
  fixture = await aDropboxTarget()
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
  for (let offset = 0; offset + 4 <= bytes; offset += 4096) buffer.writeUInt32LE(offset, offset)
  return buffer
}

/** Compared as buffers: the runner's own comparison takes minutes. */
async function expectBig(bytes: number): Promise<void> {
  expect((await fixture.held('big'))?.equals(content(bytes))).toBe(true)
}

const aLargeCopy = (bytes = 2 * chunk + 3 * mebibyte): Promise<LocalCopy> =>
  aCopy(source, content(bytes), { isLarge: true })

/** Bytes of content that arrived. */
const sentBytes = (): number =>
  Object.values(fixture.rig.emulator.recorder.routes).reduce((sum, { requestBytes }) => sum + requestBytes, 0)

const countOf = (route: string): number => fixture.rig.emulator.recorder.count(route)

function revisions(path: string): Promise<number> {
  return fixture.rig
    .rpc('files/list_revisions', { path: `/Archive/${path}` })
    .then(({ body }) => (body as { entries: unknown[] }).entries.length)
}

describe('a large copy', () => {
  test('F61: has its session written down before its first byte and after each chunk', async () => {
    const work = aWork()
    const copy = await aLargeCopy()

    await fixture.target.put(copy, at('big'), work, never)

    const offsets = work.saved.map((session) => session?.['offset'])
    expect(offsets).toEqual([0, chunk, 2 * chunk, undefined])
    await expectBig(copy.size)
  })

  test('F61: goes on after a kill where Dropbox is, and sends no chunk twice', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 2)
    const before = sentBytes()
    const restarted = fixture.again()
    await restarted.open(undefined, never)

    await restarted.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(copy.size)
    expect(sentBytes() - before).toBeLessThan(copy.size - chunk + 10_000)
    expect(countOf('files/upload_session/start')).toBe(1)
  })

  test('F61: a chunk whose answer was lost is not sent again', async () => {
    const copy = await aLargeCopy()
    const work = aWork()
    fixture.rig.emulator.fault({ route: '*append_v2', nth: 2, fault: { do: 'cut', when: 'after' } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))
    await fixture.target.put(copy, at('big'), aWork({ session: work.saved.at(-1) }), never)

    expect(failure.next).toEqual({ kind: 'retry' })
    await expectBig(copy.size)
    expect(sentBytes()).toBeLessThan(copy.size + 10_000)
  })

  test('F61: of a chunk that arrived in part only the rest is sent', async () => {
    const copy = await aLargeCopy()
    const work = aWork()
    const fault = { do: 'cut-request', bytes: 5 * mebibyte + 1, keep: true } as const
    fixture.rig.emulator.fault({ route: '*append_v2', nth: 2, fault })

    await failureOf(fixture.target.put(copy, at('big'), work, never))
    const again = aWork({ session: work.saved.at(-1) })
    await fixture.target.put(copy, at('big'), again, never)

    await expectBig(copy.size)
    expect(again.told[0]).toBeGreaterThanOrEqual(chunk + 5 * mebibyte)
  })

  test('arrives whole where the server takes it slowly, although it is read into the same memory again and again', async () => {
    fixture.rig.emulator.pace.set({ bytesPerSecond: 30 * mebibyte })
    const copy = await aLargeCopy(chunk + 5 * mebibyte + 7)

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(copy.size)
  })

  test('F63: whose session was forgotten begins anew', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 2)
    fixture.rig.emulator.clock.advance(8 * 24 * 3_600_000)
    const restarted = fixture.again()
    await restarted.open(undefined, never)

    await restarted.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(copy.size)
    expect(countOf('files/upload_session/start')).toBe(2)
  })

  test('F63: whose session is forgotten on its way asks to begin anew', async () => {
    const copy = await aLargeCopy()
    const work = aWork()
    fixture.rig.emulator.fault({ route: '*append_v2', nth: 2, fault: { do: 'behave', name: 'forget-session' } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))

    expect(failure.next).toEqual({ kind: 'restart-session' })
  })

  test('F62: a session of another content is left alone', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 2)
    const other = await aCopy(source, content(chunk + 1), { isLarge: true })

    await fixture.target.put(other, at('big'), aWork({ session: saved }), never)

    await expectBig(chunk + 1)
  })

  test.each(['not_found', 'closed', 'success'] as const)(
    'F64: a finish whose answer was lost is found by its content (a second one finds %s)',
    async (doubleFinish) => {
      fixture.rig.emulator.provider.set({ doubleFinish })
      const copy = await aLargeCopy()
      fixture.rig.emulator.fault({ route: '*session/finish', fault: { do: 'cut', when: 'after' } })

      const receipt = await fixture.target.put(copy, at('big'), aWork(), never)

      expect(receipt.size).toBe(copy.size)
      expect(await revisions('big')).toBe(1)
    },
  )

  test('F64: a finish that was not done is done by the next attempt, which sends no byte', async () => {
    const copy = await aLargeCopy(chunk)
    const work = aWork()
    fixture.rig.emulator.fault({ route: '*session/finish', fault: { do: 'cut' } })

    await failureOf(fixture.target.put(copy, at('big'), work, never))
    const before = sentBytes()
    await fixture.target.put(copy, at('big'), aWork({ session: work.saved.at(-1) }), never)

    await expectBig(chunk)
    expect(sentBytes() - before).toBeLessThan(10_000)
  })

  test('F23: whose file changes on its way never gets its name', async () => {
    const copy = await aLargeCopy()
    const work = aWork({ session: undefined })
    const isSecond = { route: '*append_v2', nth: 2 }
    const change = async (): Promise<void> => {
      await aCopy(source, content(copy.size), { mtime: new Date(0) })
    }
    fixture.rig.emulator.fault({ ...isSecond, fault: { do: 'call', when: 'before', work: change } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))

    expect(failure.next).toEqual({ kind: 'source-changed' })
    expect(await fixture.names()).toEqual([])
  })

  test('F75: an access token that ends on the way is renewed, and the session goes on', async () => {
    const copy = await aLargeCopy()
    fixture.rig.emulator.fault({ route: '*append_v2', nth: 2, fault: { do: 'expire-token' } })

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(copy.size)
    expect(countOf('files/upload_session/start')).toBe(1)
  })

  test('F115: that is there already is read and not sent', async () => {
    const copy = await aLargeCopy()
    await fixture.target.put(copy, at('big'), aWork(), never)
    const before = sentBytes()
    const work = aWork()

    await fixture.target.put(copy, at('big'), work, never)

    expect(sentBytes() - before).toBeLessThan(10_000)
    expect(work.told).toEqual([])
  })

  async function killedAfter(copy: LocalCopy, saves: number): Promise<UploadSession | undefined> {
    const abort = new AbortController()
    let saved: UploadSession | undefined
    let count = 0
    const save = (session: UploadSession | undefined): Promise<void> => {
      saved = session
      if (++count === saves) abort.abort(new Error('killed'))
      return Promise.resolve()
    }
    await expect(fixture.target.put(copy, at('big'), aWork({ save }), abort.signal)).rejects.toThrow('killed')
    return saved
  }
})

describe('a small copy', () => {
  test('that is new costs one call', async () => {
    const before = fixture.calls().length

    await fixture.target.put(await aCopy(source, 'new'), at('x'), aWork(), never)

    expect(fixture.calls().slice(before)).toEqual(['files/upload'])
  })

  test('F64: whose answer was lost is one object of one version', async () => {
    fixture.rig.emulator.fault({ route: 'files/upload', fault: { do: 'cut', when: 'after' } })
    const copy = await aCopy(source, 'once')

    const failure = await failureOf(fixture.target.put(copy, at('x'), aWork(), never))
    await fixture.target.put(copy, at('x'), aWork(), never)

    expect(failure.next).toEqual({ kind: 'retry' })
    expect(await revisions('x')).toBe(1)
  })

  test('F65: of which Dropbox has another hash is no success', async () => {
    fixture.rig.emulator.fault({ route: 'files/upload', fault: { do: 'behave', name: 'wrong-hash' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'retry' })
    expect(failure.message).toContain('expected the content hash')
  })

  test('F65: that arrives wrong goes to the trash, is sent three times more, and then only when its owner says so', async () => {
    fixture.rig.emulator.fault({ route: 'files/upload', count: 'all', fault: { do: 'behave', name: 'wrong-hash' } })
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

  test('F65: of which Dropbox tells no hash is asked about', async () => {
    fixture.rig.emulator.fault({ route: 'files/upload', fault: { do: 'behave', name: 'no-hash' } })

    const receipt = await fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never)

    expect(receipt.size).toBe(1)
  })

  test('F52: whose emoji are refused goes with them as bytes, and is read back by its own name', async () => {
    fixture.rig.emulator.provider.set({ refusesAstral: true })
    const names = ['\u{1f4f7} photo.jpg', 'in \u{1f4c1}/\u{1f4f7}.jpg']

    for (const name of names) await fixture.target.put(await aCopy(source, name), at(name), aWork(), never)
    const again = fixture.again()
    await again.open(undefined, never)
    const listed = await all(again.list(remotePath(''), { hash: false }, never))

    expect(await fixture.names()).toEqual(['in ‛F0‛9F‛93‛81', '‛F0‛9F‛93‛B7 photo.jpg'])
    expect(listed.map(({ path }) => path).sort()).toEqual([...names].sort())
    expect(await revisions('‛F0‛9F‛93‛B7 photo.jpg')).toBe(1)
  })

  test('F80: takes the place of what somebody else wrote, whose version stays to be had', async () => {
    const first = await fixture.target.put(await aCopy(source, 'ours'), at('x'), aWork(), never)
    await fixture.alter('x', 'theirs')

    await fixture.target.put(await aCopy(source, 'ours too'), at('x'), aWork({ previous: first }), never)

    expect(await revisions('x')).toBe(3)
  })
})

describe('many small copies at once', () => {
  const paths = Array.from({ length: 30 }, (_, n) => `f${n}`)

  async function putAll(): Promise<PromiseSettledResult<unknown>[]> {
    const copies = await Promise.all(paths.map((path) => aCopy(source, `content of ${path}`, { name: path })))
    return Promise.allSettled(copies.map((copy, n) => fixture.target.put(copy, at(paths[n] ?? ''), aWork(), never)))
  }

  async function expectAll(): Promise<void> {
    for (const path of paths) {
      expect((await fixture.held(path))?.toString()).toBe(`content of ${path}`)
      expect(await revisions(path)).toBe(1)
    }
  }

  test('cost few calls, and one commit is under way at a time', async () => {
    fixture.rig.emulator.provider.set({ commitMs: 5 })
    const before = fixture.calls().length

    const ends = await putAll()

    expect(ends.every(({ status }) => status === 'fulfilled')).toBe(true)
    expect(fixture.calls().length - before).toBeLessThan(10)
    await expectAll()
  })

  test.each([
    ['files/upload_session/start_batch', 'before'],
    ['files/upload_session/start_batch', 'after'],
    ['files/upload_session/append_batch', 'before'],
    ['files/upload_session/append_batch', 'after'],
    ['files/upload_session/finish_batch_v2', 'before'],
    ['files/upload_session/finish_batch_v2', 'after'],
  ] as const)('F64: put again after %s was cut %s its work are there once', async (route, when) => {
    fixture.rig.emulator.fault({ route, fault: { do: 'cut', when } })

    await putAll()
    const again = await putAll()

    expect(again.every(({ status }) => status === 'fulfilled')).toBe(true)
    await expectAll()
  })

  test('of which some are refused are told one by one', async () => {
    const fault = { do: 'behave', name: 'entries-write-lock', value: 3 } as const
    fixture.rig.emulator.fault({ route: '*finish_batch_v2', fault })

    const ends = await putAll()

    const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as TargetError] : []))
    expect(reasons.map(({ next }) => next)).toEqual(
      Array.from({ length: 3 }, () => ({ kind: 'pause-target', state: 'paused', againInMs: 1000 })),
    )
  })

  test('over what somebody else wrote there all take its place', async () => {
    for (const path of paths) await fixture.alter(path, 'theirs')

    await putAll()

    for (const path of paths) expect((await fixture.held(path))?.toString()).toBe(`content of ${path}`)
  })
})

describe('F53, F54: twins', () => {
  test.each([
    ['of other content', 'capital', 'small'],
    ['of equal content', 'same', 'same'],
  ])('%s lie side by side and are told apart', async (_title, first, second) => {
    await fixture.target.put(await aCopy(source, first), at('README'), aWork(), never)
    await fixture.target.put(await aCopy(source, second), at('readme'), aWork(), never)

    const listed = await all(fixture.target.list(at(''), { hash: false }, never))
    expect(listed.map(({ path }) => path)).toEqual(['README', 'readme'])
    expect(new Set(listed.map(({ remoteId }) => remoteId)).size).toBe(2)
    expect((await fixture.target.look(at('readme'), { hash: false }, never))?.size).toBe(second.length)
  })

  test('of folders keep their files apart, also when both come at once', async () => {
    const paths = ['Docs/a', 'docs/a', 'DOCS/a']
    const copies = await Promise.all(paths.map((path, n) => aCopy(source, path, { name: `f${n}` })))

    await Promise.all(copies.map((copy, n) => fixture.target.put(copy, at(paths[n] ?? ''), aWork(), never)))

    const listed = await all(fixture.target.list(at(''), { hash: false }, never))
    expect(listed.map(({ path }) => path)).toEqual(['DOCS/a', 'Docs/a', 'docs/a'])
  })

  test('F52: names that Dropbox refuses are listed under their own', async () => {
    const names = ['back\\slash', 'trail ', 'desktop.ini', 'tab\there', 'nfd e\u0301', 'byte \udcfe', '日本 😀']
    for (const [n, name] of names.entries())
      await fixture.target.put(await aCopy(source, `${n}`), at(`a ${name}/${name}`), aWork(), never)

    const listed = await all(fixture.target.list(at(''), { hash: false }, never))

    expect(listed.map(({ path }) => path)).toEqual(names.map((name) => `a ${name}/${name}`).sort())
  })
})

describe('the lane is told', () => {
  const cases: [title: string, fault: object, next: object][] = [
    [
      'F67: of a rest asked for',
      { do: 'refuse', name: 'throttle', retryAfterS: 300 },
      { kind: 'pause-target', state: 'paused', againInMs: 300_000 },
    ],
    [
      'F67: of a rest asked for in plain text',
      { do: 'refuse', name: 'throttle-text', retryAfterS: 15 },
      { kind: 'pause-target', state: 'paused', againInMs: 15_000 },
    ],
    [
      'of the lock on writes',
      { do: 'behave', name: 'write-lock' },
      { kind: 'pause-target', state: 'paused', againInMs: 1000 },
    ],
    ['F68: of a full account', { do: 'behave', name: 'full' }, { kind: 'pause-target', state: 'full' }],
    ['F77: of a login that ended', { do: 'revoke-login' }, { kind: 'pause-target', state: 'needs-login' }],
    ['of a server in trouble', { do: 'refuse', name: 'unavailable' }, { kind: 'retry' }],
  ]
  for (const [title, fault, next] of cases) {
    test(title, async () => {
      fixture.rig.emulator.fault({ route: 'files/upload', fault: fault as never })

      const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

      expect(failure.next).toEqual(next)
      expect(await fixture.names()).toEqual([])
    })
  }

  test('F67: and the account’s pace too, of a lock on writes', async () => {
    fixture.rig.emulator.fault({ route: 'files/upload', fault: { do: 'behave', name: 'write-lock' } })

    await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(fixture.pace.verdicts.length).toBe(1)
  })

  test('of a folder in the way', async () => {
    await fixture.alter('x/y', 'theirs')

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('move it away at Dropbox')
  })
})

describe('the place', () => {
  test('F79: that its owner removed is missed, not made again', async () => {
    const { mark } = await fixture.target.open(undefined, never)
    fixture.rig.emulator.provider.owner.remove('/Archive')

    const failure = await failureOf(fixture.again().open(mark, never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(failure.message).toContain('/Archive is gone')
  })

  test('that its owner made again is another one', async () => {
    const { mark } = await fixture.target.open(undefined, never)
    fixture.rig.emulator.provider.owner.remove('/Archive')
    await fixture.alter('x', 'theirs')

    expect((await fixture.again().open(mark, never)).isSame).toBe(false)
  })

  test('of another account is refused', async () => {
    const failure = await failureOf(fixture.again().open('dbid:another id:x', never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  })

  test('may be all that the login sees', async () => {
    const whole = await aDropboxTarget({}, '')
    await whole.target.open(undefined, never)

    await whole.target.put(await aCopy(source, 'x'), at('a/x'), aWork(), never)

    expect(namesIn(whole.rig, '')).toEqual(['a'])
    expect((await all(whole.target.list(at(''), { hash: false }, never))).map(({ path }) => path)).toEqual(['a/x'])
    await whole.target.close()
  })
})

describe('a listing', () => {
  test.each(['short-page', 'empty-page'])('is whole over a %s', async (name) => {
    for (const n of [1, 2, 3]) await fixture.alter(`d${n}/f`, `${n}`)
    fixture.rig.emulator.fault({ route: 'files/list_folder*', count: 2, fault: { do: 'behave', name } })

    expect((await all(fixture.target.list(at(''), { hash: false }, never))).map(({ path }) => path)).toEqual([
      'd1/f',
      'd2/f',
      'd3/f',
    ])
  })

  test('whose cursor is dead fails and is tried again', async () => {
    for (const n of [1, 2, 3]) await fixture.alter(`f${n}`, `${n}`)
    fixture.rig.emulator.fault({ route: 'files/list_folder', fault: { do: 'behave', name: 'short-page' } })
    fixture.rig.emulator.fault({ route: '*/continue', fault: { do: 'behave', name: 'reset-cursor' } })

    const failure = await failureOf(all(fixture.target.list(at(''), { hash: false }, never)))

    expect(failure.next).toEqual({ kind: 'retry' })
  })
})

test('F65: a download whose bytes are not those that Dropbox has fails at its end', async () => {
  await fixture.alter('x', 'content')
  fixture.rig.emulator.fault({ route: 'files/download', fault: { do: 'behave', name: 'corrupt' } })

  const failure = await failureOf(fixture.target.look(at('x'), { hash: true }, never))

  expect(failure.message).toContain('not those that Dropbox has')
})

test('F40: a move between two spellings that was cut short is ended by the next one', async () => {
  const receipt = await fixture.target.put(await aCopy(source, 'case'), at('readme'), aWork(), never)
  fixture.rig.emulator.fault({ route: 'files/move_v2', nth: 2, fault: { do: 'cut' } })

  await failureOf(fixture.target.move(receipt, at('README'), never))
  const between = await all(fixture.target.list(at(''), { hash: false }, never))
  await fixture.target.move(receipt, at('README'), never)

  expect(between).toEqual([])
  expect(await fixture.names()).toEqual(['README'])
})
