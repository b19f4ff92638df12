/** How copies come to OneDrive: sessions and their ends, answers that are lost, drives that differ, what the lane is told. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import type { LocalCopy, Target, UploadSession } from '../../src/target/target.ts'
import { aCopy, all, aWork, failureOf, never, sha256Of } from './contract.ts'
import { aOneDriveTarget, fragmentBytes, type OneDriveFixture, type Wish } from './onedrive-fixture.ts'

const at = (path: string): RemotePath => remotePath(path)

let source: string

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await rm(source, { recursive: true })
})

async function opened(wish: Wish = {}): Promise<OneDriveFixture> {
  const fixture = await aOneDriveTarget(wish)
  await fixture.target.open(undefined, never)
  return fixture
}

/** Not the same in any two fragments. */
function content(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  for (let offset = 0; offset + 4 <= bytes; offset += 1024) buffer.writeUInt32LE(offset + 1, offset)
  return buffer
}

const aLargeCopy = (bytes = 2 * fragmentBytes + 1000): Promise<LocalCopy> =>
  aCopy(source, content(bytes), { isLarge: true })

const countOf = ({ rig }: OneDriveFixture, route: string): number => rig.emulator.recorder.count(route)
const sentBytes = ({ rig }: OneDriveFixture): number => rig.emulator.recorder.routes['fragment']?.requestBytes ?? 0
const versions = ({ rig }: OneDriveFixture, path: string): number =>
  rig.emulator.provider.owner.versions(`/Archive/${path}`)

async function expectBig(fixture: OneDriveFixture, bytes: number): Promise<void> {
  expect((await fixture.held('big'))?.equals(content(bytes))).toBe(true)
}

async function killedAfter(
  fixture: OneDriveFixture,
  copy: LocalCopy,
  saves: number,
): Promise<UploadSession | undefined> {
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

async function restarted(fixture: OneDriveFixture): Promise<Target> {
  const target = fixture.again()
  await target.open(undefined, never)
  return target
}

describe.each(['personal', 'business'] as const)('a copy to a %s drive', (driveType) => {
  test('F61: has its session written down before its first byte and after each fragment', async () => {
    const fixture = await opened({ driveType })
    const work = aWork()
    const copy = await aLargeCopy()

    await fixture.target.put(copy, at('big'), work, never)

    expect(work.saved.map((session) => session?.['offset'])).toEqual([0, fragmentBytes, 2 * fragmentBytes])
    await expectBig(fixture, copy.size)
  })

  test('has its time, in whole seconds and in its first version', async () => {
    const fixture = await opened({ driveType })

    await fixture.target.put(await aCopy(source, 'paper'), at('x'), aWork(), never)

    expect(fixture.rig.emulator.provider.owner.modifiedMs('/Archive/x')).toBe(Date.parse('2001-02-03T04:05:06Z'))
    expect(versions(fixture, 'x')).toBe(1)
  })

  test('F61: goes on after a kill where OneDrive is, and sends no fragment twice', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    const saved = await killedAfter(fixture, copy, 2)
    const before = sentBytes(fixture)
    const target = await restarted(fixture)

    await target.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(fixture, copy.size)
    expect(sentBytes(fixture) - before).toBe(copy.size - fragmentBytes)
    expect(countOf(fixture, 'create-session')).toBe(1)
  })

  test('F61: a fragment whose answer was lost is not sent again', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    const work = aWork()
    fixture.rig.emulator.fault({ route: 'fragment', nth: 2, fault: { do: 'cut', when: 'after' } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))
    await fixture.target.put(copy, at('big'), aWork({ session: work.saved.at(-1) }), never)

    expect(failure.next).toEqual({ kind: 'retry' })
    await expectBig(fixture, copy.size)
    expect(sentBytes(fixture)).toBe(copy.size)
  })

  test('F64: a last fragment whose answer was lost is found by its content', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    fixture.rig.emulator.fault({ route: 'fragment', nth: 3, fault: { do: 'cut', when: 'after' } })

    const receipt = await fixture.target.put(copy, at('big'), aWork(), never)

    expect(receipt.sha256).toBe(copy.sha256)
    expect(versions(fixture, 'big')).toBe(1)
  })

  test('F63: whose session ended begins anew', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    const saved = await killedAfter(fixture, copy, 2)
    fixture.rig.emulator.clock.advance(8 * 24 * 3_600_000)
    const target = await restarted(fixture)

    await target.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(fixture, copy.size)
    expect(countOf(fixture, 'create-session')).toBe(2)
  })

  test('F63: whose URL lost its right asks to begin anew, and its session is given up', async () => {
    const fixture = await opened({ driveType })
    const work = aWork()
    fixture.rig.emulator.fault({ route: 'fragment', nth: 2, fault: { do: 'behave', name: 'stale-url' } })

    const failure = await failureOf(fixture.target.put(await aLargeCopy(), at('big'), work, never))
    await fixture.target.put(await aLargeCopy(), at('big'), aWork(), never)

    expect(failure.next).toEqual({ kind: 'restart-session' })
    expect(work.saved.at(-1)).toBeUndefined()
    expect(countOf(fixture, 'cancel-session')).toBe(1)
  })

  test('a server that went back to the beginning is sent all of it again', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    fixture.rig.emulator.fault({ route: 'fragment', nth: 3, fault: { do: 'behave', name: 'rewind' } })

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(fixture, copy.size)
    expect([countOf(fixture, 'create-session'), countOf(fixture, 'fragment')]).toEqual([1, 6])
  })

  test('a server whose word of where it is proves wrong is asked again', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    const body = JSON.stringify({ nextExpectedRanges: ['0-'] })
    const headers = { 'Content-Type': 'application/json' }
    fixture.rig.emulator.fault({
      route: 'fragment',
      fault: { do: 'answer', when: 'after', status: 202, headers, body },
    })

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(fixture, copy.size)
    expect(sentBytes(fixture)).toBe(copy.size)
  })

  test('a fragment that is refused for its place is sent where OneDrive is', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    fixture.rig.emulator.fault({ route: 'fragment', nth: 2, fault: { do: 'behave', name: 'bad-range' } })

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(fixture, copy.size)
    expect(countOf(fixture, 'session')).toBe(1)
  })

  test('F68: whose end is refused for want of space is ended later, and no byte is sent again', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    const work = aWork()
    fixture.rig.emulator.fault({ route: 'fragment', nth: 3, fault: { do: 'behave', name: 'full' } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))
    await fixture.target.put(copy, at('big'), aWork({ session: work.saved.at(-1) }), never)

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'full' })
    await expectBig(fixture, copy.size)
    expect(sentBytes(fixture)).toBe(copy.size)
    expect(countOf(fixture, 'commit')).toBe(1)
  })

  test('F62, F23: whose file changes on its way never gets its name, and its session is given up', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    const work = aWork()
    const change = async (): Promise<void> => {
      await aCopy(source, content(copy.size), { mtime: new Date(0) })
    }
    fixture.rig.emulator.fault({ route: 'fragment', nth: 2, fault: { do: 'call', when: 'before', work: change } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), work, never))

    expect(failure.next).toEqual({ kind: 'source-changed' })
    expect(await fixture.names()).toEqual([])
    expect(work.saved.at(-1)).toBeUndefined()
    expect(fixture.rig.emulator.provider.drive.sessions.openCount).toBe(0)
  })

  test('F62: a session of another content is given up first', async () => {
    const fixture = await opened({ driveType })
    const saved = await killedAfter(fixture, await aLargeCopy(), 2)
    const other = await aCopy(source, content(fragmentBytes + 1), { isLarge: true })

    await fixture.target.put(other, at('big'), aWork({ session: saved }), never)

    await expectBig(fixture, fragmentBytes + 1)
    expect(fixture.rig.emulator.provider.drive.sessions.openCount).toBe(0)
  })

  test('F75: an access token that ends on the way is renewed, and the session goes on', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    fixture.rig.emulator.fault({ route: 'create-session', fault: { do: 'expire-token' } })

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(fixture, copy.size)
  })

  test('F115: that is there already is read and not sent', async () => {
    const fixture = await opened({ driveType })
    const copy = await aLargeCopy()
    await fixture.target.put(copy, at('big'), aWork(), never)
    const work = aWork()

    await fixture.target.put(copy, at('big'), work, never)

    expect([countOf(fixture, 'create-session'), work.told]).toEqual([1, []])
  })

  test('whose fragments are those of another in another order is not taken for it', async () => {
    const fixture = await opened({ driveType })
    const [one, two] = [Buffer.alloc(fragmentBytes, 1), Buffer.alloc(fragmentBytes, 2)]
    const first = await aCopy(source, Buffer.concat([one, two]), { isLarge: true })
    await fixture.target.put(first, at('big'), aWork(), never)
    const swapped = await aCopy(source, Buffer.concat([two, one]), {
      isLarge: true,
      mtime: new Date('2011-01-01T00:00:00Z'),
    })

    await fixture.target.put(swapped, at('big'), aWork(), never)

    expect(sha256Of((await fixture.held('big')) ?? '')).toBe(swapped.sha256)
  })

  test('F65: of which OneDrive has another hash is no success', async () => {
    const fixture = await opened({ driveType })
    fixture.rig.emulator.fault({ route: 'fragment', fault: { do: 'behave', name: 'wrong-hash' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'retry' })
    expect(failure.message).toContain('of the hash')
  })

  test('F65: of which OneDrive tells no hash yet is asked about', async () => {
    const fixture = await opened({ driveType })
    fixture.rig.emulator.fault({ route: 'fragment', fault: { do: 'behave', name: 'no-hash' } })

    const receipt = await fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never)

    expect([receipt.size, countOf(fixture, 'download')]).toEqual([1, 0])
  })

  test('F65: of which OneDrive never tells a hash is downloaded once', async () => {
    const fixture = await opened({ driveType })
    fixture.rig.emulator.fault({ route: '*', count: 'all', fault: { do: 'behave', name: 'no-hash' } })

    await fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never)

    expect(countOf(fixture, 'download')).toBe(1)
  })

  test('F79: whose folder was taken away has it made again', async () => {
    const fixture = await opened({ driveType })
    await fixture.target.put(await aCopy(source, '1'), at('a/b/1'), aWork(), never)
    fixture.rig.emulator.provider.owner.remove('/Archive/a')

    await fixture.target.put(await aCopy(source, '2'), at('a/b/2'), aWork(), never)

    expect((await fixture.held('a/b/2'))?.toString()).toBe('2')
  })

  test('F79: whose root was taken away waits for its owner', async () => {
    const fixture = await opened({ driveType })
    fixture.rig.emulator.provider.owner.remove('/Archive')

    const failure = await failureOf(fixture.target.put(await aCopy(source, '2'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  })
})

describe('F12: a touched file', () => {
  test.each([
    ['personal', '2011-01-01T00:00:00Z', 1],
    ['business', '2001-02-03T04:05:06Z', 1],
  ] as const)('on a %s drive makes no second version', async (driveType, time, count) => {
    const fixture = await opened({ driveType })
    const first = await fixture.target.put(await aCopy(source, 'same'), at('x'), aWork(), never)
    const touched = await aCopy(source, 'same', { mtime: new Date('2011-01-01T00:00:00Z') })

    const second = await fixture.target.put(touched, at('x'), aWork({ previous: first }), never)

    expect(second.mtimeNs).toBe(touched.mtimeNs)
    expect(fixture.rig.emulator.provider.owner.modifiedMs('/Archive/x')).toBe(Date.parse(time))
    expect([versions(fixture, 'x'), countOf(fixture, 'create-session')]).toEqual([count, 1])
  })
})

describe('a business drive', () => {
  test('that keeps a name for an upload nobody knows any more is asked again later', async () => {
    const fixture = await opened({ driveType: 'business' })
    fixture.rig.emulator.fault({ route: 'create-session', fault: { do: 'cut', when: 'after' } })
    const copy = await aCopy(source, 'x')

    await failureOf(fixture.target.put(copy, at('x'), aWork(), never))
    const failure = await failureOf(fixture.target.put(copy, at('x'), aWork(), never))
    fixture.rig.emulator.clock.advance(16 * 60_000)
    await fixture.target.put(copy, at('x'), aWork(), never)

    expect(failure.next).toEqual({ kind: 'retry' })
    expect(failure.message).toContain('within a quarter of an hour')
    expect((await fixture.held('x'))?.toString()).toBe('x')
  })

  test('F66: that rewrites a document has it accepted once, told, and not sent again', async () => {
    const fixture = await opened({ driveType: 'business' })
    const copy = await aCopy(source, 'PK\x03\x04 a document')

    const first = await fixture.target.put(copy, at('a.docx'), aWork(), never)
    const second = await fixture.target.put(copy, at('a.docx'), aWork({ previous: first }), never)
    const seen = await fixture.target.look(at('a.docx'), { hash: false }, never)

    expect(second).toEqual(first)
    expect([first.sha256, first.size === copy.size]).toEqual([copy.sha256, false])
    expect([seen?.size, seen?.revision]).toEqual([first.size, first.revision])
    expect([fixture.warnings, countOf(fixture, 'create-session')]).toEqual([['rewritten by SharePoint'], 1])
  })

  test('F66: that alters any other file is not believed', async () => {
    const fixture = await opened({ driveType: 'business' })
    fixture.rig.emulator.fault({ route: 'fragment', fault: { do: 'behave', name: 'rewrite' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x.bin'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'retry' })
  })

  test('purges past the recycle bin', async () => {
    const fixture = await opened({ driveType: 'business' })
    const receipt = await fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never)

    await fixture.target.remove(receipt, 'purge', never)

    expect([countOf(fixture, 'delete-for-ever'), fixture.rig.emulator.provider.drive.tree.deletedBytes]).toEqual([1, 0])
  })
})

describe('F53, F54: twins', () => {
  test.each([
    ['of other content', 'capital', 'small'],
    ['of equal content', 'same', 'same'],
  ])('%s lie side by side and are told apart', async (_title, first, second) => {
    const { target } = await opened()
    await target.put(await aCopy(source, first), at('README'), aWork(), never)
    await target.put(await aCopy(source, second), at('readme'), aWork(), never)

    const listed = await all(target.list(at(''), { hash: false }, never))
    expect(listed.map(({ path }) => path)).toEqual(['README', 'readme'])
    expect(new Set(listed.map(({ remoteId }) => remoteId)).size).toBe(2)
  })

  test('that come at the same moment lie side by side all the same', async () => {
    const { target } = await opened()
    const paths = Array.from({ length: 8 }, (_, n) => [`Case ${n}`, `case ${n}`]).flat()
    const copies = await Promise.all(paths.map((path, n) => aCopy(source, path, { name: `f${n}` })))

    await Promise.all(copies.map((copy, n) => target.put(copy, at(paths[n] ?? ''), aWork(), never)))

    const listed = await all(target.list(at(''), { hash: true }, never))
    expect(listed.map(({ path, sha256 }) => [path, sha256])).toEqual(
      [...paths].sort().map((path) => [path, sha256Of(path)]),
    )
  })

  test('of folders keep their files apart, also when both come at once', async () => {
    const { target } = await opened()
    const paths = ['Docs/a', 'docs/a', 'DOCS/a']
    const copies = await Promise.all(paths.map((path, n) => aCopy(source, path, { name: `f${n}` })))

    await Promise.all(copies.map((copy, n) => target.put(copy, at(paths[n] ?? ''), aWork(), never)))

    const listed = await all(target.list(at(''), { hash: false }, never))
    expect(listed.map(({ path }) => path)).toEqual(['DOCS/a', 'Docs/a', 'docs/a'])
  })

  test.each(['personal', 'business', 'documentLibrary'] as const)(
    'F52: names that a %s drive refuses are listed under their own',
    async (driveType) => {
      const { target } = await opened({ driveType, place: '' })
      const names = [
        'a:b*?',
        'trail ',
        ' lead',
        'dot.',
        'desktop.ini',
        'con',
        'LPT1.txt',
        '.lock',
        '~$office',
        'x_vti_y',
      ]
      const more = [
        'tab\there',
        'nfd e\u0301',
        'byte \udcfe',
        '日本 😀',
        'forms',
        'photo',
        '~tilde',
        '&#38;',
        'back\\slash',
        "quote'%#",
      ]
      const every = [...names, ...more]
      for (const [n, name] of every.entries())
        await target.put(await aCopy(source, `${n}`), at(`${name}/${name}`), aWork(), never)

      const listed = await all(target.list(at(''), { hash: false }, never))
      const looked = await target.look(at('con/con'), { hash: true }, never)

      expect(listed.map(({ path }) => path)).toEqual(every.map((name) => `${name}/${name}`).sort())
      expect(looked?.sha256).toBe(sha256Of('5'))
    },
    30_000,
  )

  test('F52: a path that is too long with the library before it is shortened in its last name, or parked for its folders', async () => {
    const { target } = await opened({ driveType: 'business' })
    const folder = 'd'.repeat(250)

    await target.put(await aCopy(source, 'x'), at(`${folder}/${'f'.repeat(200)}.txt`), aWork(), never)
    const failure = await failureOf(target.put(await aCopy(source, 'x'), at(`${folder}/${folder}/x`), aWork(), never))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('too long')
    expect((await all(target.list(at(folder), { hash: false }, never))).length).toBe(1)
  })
})

describe('the lane is told', () => {
  const cases: [title: string, route: string, fault: object, next: object][] = [
    [
      'F67: of a rest asked for',
      'create-session',
      { do: 'refuse', name: 'throttle', retryAfterS: 300 },
      { kind: 'pause-target', state: 'paused', againInMs: 300_000 },
    ],
    [
      'F67: of a rest until a time',
      'create-session',
      { do: 'refuse', name: 'throttle-date', retryAfterS: 60 },
      { kind: 'pause-target', state: 'paused', againInMs: 60_000 },
    ],
    [
      'F67: of a rest asked for by a fragment',
      'fragment',
      { do: 'refuse', name: 'unavailable', retryAfterS: 7 },
      { kind: 'pause-target', state: 'paused', againInMs: 7000 },
    ],
    [
      'F67: of a server that is away, with a page',
      'create-session',
      { do: 'refuse', name: 'unavailable-page' },
      { kind: 'pause-target', state: 'paused', againInMs: 5000 },
    ],
    [
      'F67: of too many bytes',
      'fragment',
      { do: 'refuse', name: 'bandwidth', retryAfterS: 60 },
      { kind: 'pause-target', state: 'paused', againInMs: 60_000 },
    ],
    ['F68: of a full drive', 'create-session', { do: 'refuse', name: 'full' }, { kind: 'pause-target', state: 'full' }],
    [
      'F77: of a login that ended',
      'create-session',
      { do: 'revoke-login' },
      { kind: 'pause-target', state: 'needs-login' },
    ],
    [
      'of a drive that takes no changes',
      'create-session',
      { do: 'refuse', name: 'read-only' },
      { kind: 'pause-target', state: 'read-only' },
    ],
    ['of a right that is missing', 'create-session', { do: 'refuse', name: 'access-denied' }, { kind: 'park' }],
    ['of a file that is checked out', 'create-session', { do: 'refuse', name: 'locked' }, { kind: 'retry' }],
    ['of a gateway that gave up', 'fragment', { do: 'refuse', name: 'gateway-timeout' }, { kind: 'retry' }],
    ['of a server in trouble', 'fragment', { do: 'refuse', name: 'server-error' }, { kind: 'retry' }],
    ['of a path too long', 'create-session', { do: 'refuse', name: 'path-too-long' }, { kind: 'park' }],
  ]
  test.each(cases)('%s', async (_title, route, fault, next) => {
    const fixture = await opened()
    fixture.rig.emulator.fault({ route, count: 'all', fault: fault as never })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    const { againInMs: wanted, ...rest } = next as { readonly againInMs?: number }
    const { againInMs, ...told } = failure.next as { readonly againInMs?: number }
    expect(told).toEqual(rest)
    // A time is told in whole seconds.
    expect(Math.abs((againInMs ?? 0) - (wanted ?? 0))).toBeLessThan(1500)
    expect(await fixture.names()).toEqual([])
  })

  test('F67: and the account’s pace, too', async () => {
    const fixture = await opened()
    fixture.rig.emulator.fault({ route: 'fragment', fault: { do: 'refuse', name: 'throttle', retryAfterS: 300 } })

    await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(fixture.pace.verdicts.map(({ retryAfterMs }) => retryAfterMs)).toEqual([300_000])
  })

  test('of a fault of Microsoft’s login that passes', async () => {
    const fixture = await opened()
    fixture.rig.emulator.fault({ route: 'create-session', count: 2, fault: { do: 'refuse', name: 'rps' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'retry' })
  })

  test('of a folder in the way', async () => {
    const fixture = await opened()
    await fixture.alter('x/y', 'theirs')

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'park' })
    expect(failure.message).toContain('move it away at OneDrive')
  })

  test('F58: of a file that is too large, before any byte', async () => {
    const fixture = await opened()
    const copy = await aCopy(source, 'x', { isLarge: true })

    const failure = await failureOf(fixture.target.put({ ...copy, size: 250e9 + 1 }, at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'park' })
  })
})

describe('the place', () => {
  test('F79: that its owner removed is missed, not made again', async () => {
    const fixture = await opened()
    const { mark } = await fixture.target.open(undefined, never)
    fixture.rig.emulator.provider.owner.remove('/Archive')

    const failure = await failureOf(fixture.again().open(mark, never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
    expect(failure.message).toContain('Archive is gone')
  })

  test('that its owner made again is another one', async () => {
    const fixture = await opened()
    const { mark } = await fixture.target.open(undefined, never)
    fixture.rig.emulator.provider.owner.remove('/Archive')
    await fixture.alter('x', 'theirs')

    expect((await fixture.again().open(mark, never)).isSame).toBe(false)
  })

  test('of another drive is refused', async () => {
    const fixture = await opened()

    const failure = await failureOf(fixture.again().open('another root', never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'missing' })
  })

  test('is the same by a personal id in other letters', async () => {
    const fixture = await opened({ drive: 'app-folder', place: '' })
    const { mark } = await fixture.target.open(undefined, never)
    fixture.rig.emulator.fault({ route: 'approot', fault: { do: 'behave', name: 'drive-id-flip' } })

    expect(await fixture.again().open(mark, never)).toEqual({ mark, isSame: true })
  })

  test('may be a library by its id', async () => {
    const id = 'b!libraryAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    const fixture = await opened({ driveType: 'documentLibrary', drive: { id } })

    await fixture.target.put(await aCopy(source, 'x'), at('a/x'), aWork(), never)

    expect((await fixture.held('a/x'))?.toString()).toBe('x')
    expect((await fixture.target.about(never)).account).toBe('owner@example.com')
  })

  test('may be an app’s folder, of which the space is not told to a login that sees nothing else', async () => {
    const fixture = await opened({ drive: 'app-folder', place: 'deep/er', scopes: ['Files.ReadWrite.AppFolder'] })

    await fixture.target.put(await aCopy(source, 'x'), at('a/x'), aWork(), never)

    expect((await fixture.held('a/x'))?.toString()).toBe('x')
    expect(await fixture.target.about(never)).toMatchObject({ account: 'main', freeBytes: undefined })
    expect((await all(fixture.target.list(at(''), { hash: false }, never))).map(({ path }) => path)).toEqual(['a/x'])
  })
})

describe('a listing', () => {
  const wanted = ['d1/e/f', 'd2/f', 'd3/f']

  async function aTree(wish: Wish = {}): Promise<OneDriveFixture> {
    const fixture = await opened(wish)
    fixture.rig.emulator.provider.owner.write('/Elsewhere/f', 'not ours')
    for (const path of wanted) await fixture.alter(path, path)
    return fixture
  }

  const paths = async ({ target }: OneDriveFixture, under = ''): Promise<string[]> =>
    (await all(target.list(at(under), { hash: false }, never))).map(({ path }) => path)

  test.each(['short-page', 'repeat-entry', 'children-first'])('of all is whole over a %s', async (name) => {
    const fixture = await aTree()
    fixture.rig.emulator.fault({ route: 'delta', count: 'all', fault: { do: 'behave', name } })

    expect(await paths(fixture)).toEqual(wanted)
    expect(countOf(fixture, 'children')).toBe(0)
  })

  test.each(['short-page', 'repeat-entry'])('of a part is whole over a %s', async (name) => {
    const fixture = await aTree()
    fixture.rig.emulator.fault({ route: 'children', count: 'all', fault: { do: 'behave', name } })

    expect(await paths(fixture, 'd1')).toEqual(['d1/e/f'])
    expect(countOf(fixture, 'delta')).toBe(0)
  })

  test.each([
    ['refuse', 'gateway-timeout'],
    ['refuse', 'access-denied'],
    ['behave', 'resync'],
  ] as const)('whose changes cannot be had (%s %s) goes folder by folder', async (kind, name) => {
    const fixture = await aTree({ driveType: 'business' })
    fixture.rig.emulator.fault({ route: 'delta', count: 'all', fault: { do: kind, name } })

    expect(await paths(fixture)).toEqual(wanted)
  })

  test('whose page cannot be had fails and is tried again', async () => {
    const fixture = await aTree()
    fixture.rig.emulator.fault({ route: 'delta', count: 'all', fault: { do: 'behave', name: 'short-page' } })
    fixture.rig.emulator.fault({ route: 'delta', nth: 2, fault: { do: 'refuse', name: 'bad-page-token' } })

    expect((await failureOf(paths(fixture))).next).toEqual({ kind: 'retry' })
  })

  test('on a business drive tells versions by which content can be had', async () => {
    const fixture = await aTree({ driveType: 'business' })

    const listed = await all(fixture.target.list(at(''), { hash: true }, never))

    expect(listed.map(({ path, sha256 }) => [path, sha256])).toEqual(wanted.map((path) => [path, sha256Of(path)]))
  })
})

describe('a download', () => {
  test('F65: whose bytes are not those that OneDrive has fails at its end', async () => {
    const fixture = await opened()
    await fixture.alter('x', 'content')
    fixture.rig.emulator.fault({ route: 'download', fault: { do: 'behave', name: 'corrupt' } })

    const failure = await failureOf(fixture.target.look(at('x'), { hash: true }, never))

    expect(failure.message).toContain('not those that OneDrive has')
  })

  test('of a part that comes whole is cut', async () => {
    const fixture = await opened()
    await fixture.alter('x', '0123456789')
    const entry = await fixture.target.look(at('x'), { hash: false }, never)
    if (entry === undefined) throw new Error('nothing to get')
    fixture.rig.emulator.fault({ route: 'download', fault: { do: 'behave', name: 'ignore-range' } })

    const parts: Buffer[] = []
    for await (const part of await fixture.target.get(entry, { start: 7 }, never)) parts.push(part as Buffer)

    expect(Buffer.concat(parts).toString()).toBe('789')
  })

  test('of a web page that was archived is no portal’s', async () => {
    const fixture = await opened()
    await fixture.alter('x.html', '<html>paper</html>')

    expect((await fixture.target.look(at('x.html'), { hash: true }, never))?.sha256).toBe(
      sha256Of('<html>paper</html>'),
    )
  })
})
