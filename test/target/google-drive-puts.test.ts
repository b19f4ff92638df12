/** How copies come to Google Drive: sessions and their ends, answers that are lost, ids that are used, what the lane is told. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RemotePath, remotePath } from '../../src/base/path.ts'
import type { LocalCopy, TargetError, UploadSession } from '../../src/target/target.ts'
import type { Item } from '../emulator/google-drive/items.ts'
import { aCopy, all, aWork, failureOf, never } from './contract.ts'
import { aDriveTarget, type DriveFixture, type DriveWish } from './google-drive-fixture.ts'

const granule = 256 * 1024
const at = (path: string): RemotePath => remotePath(path)

let fixture: DriveFixture
let source: string

async function begin(wish?: DriveWish): Promise<void> {
  fixture = await aDriveTarget(wish)
  await fixture.target.open(undefined, never)
}

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
  await begin()
})

afterEach(async () => {
  await fixture.target.close()
  await rm(source, { recursive: true })
})

/** Not the same in any two pieces. */
function content(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  for (let offset = 0; offset + 4 <= bytes; offset += 4096) buffer.writeUInt32LE(offset, offset)
  return buffer
}

const aLargeCopy = (bytes = 3 * granule + 5): Promise<LocalCopy> => aCopy(source, content(bytes), { isLarge: true })

const { emulated } = {
  emulated: {
    get emulator() {
      return fixture.rig.emulator
    },
    get owner() {
      return fixture.rig.emulator.provider.owner
    },
    items: (path: string): readonly Item[] => fixture.rig.emulator.provider.owner.itemsAt(`/Archive/${path}`),
    count: (route: string): number => fixture.rig.emulator.recorder.count(route),
    sentBytes: (): number =>
      Object.values(fixture.rig.emulator.recorder.routes).reduce((sum, { requestBytes }) => sum + requestBytes, 0),
  },
}

async function expectBig(bytes: number): Promise<void> {
  expect((await fixture.held('big'))?.equals(content(bytes))).toBe(true)
  expect(emulated.items('big').map(({ revisions }) => revisions.length)).toEqual([1])
}

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

describe('a large copy', () => {
  test('F55, F61: has its id written down before its session, that before its first byte, and each chunk after it', async () => {
    const work = aWork()
    const copy = await aLargeCopy()

    await fixture.target.put(copy, at('big'), work, never)

    const told = work.saved.map((session) => session && [session['offset'], session['url'] !== undefined])
    expect(told).toEqual([
      [0, false],
      [0, true],
      [granule, true],
      [2 * granule, true],
      [3 * granule, true],
    ])
    expect(work.saved[0]?.['id']).toBe(emulated.items('big')[0]?.id)
    await expectBig(copy.size)
  })

  test('F61: goes on after a kill where Google is, and sends no chunk twice', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 4)
    const before = emulated.sentBytes()
    const restarted = fixture.again()
    await restarted.open(undefined, never)

    await restarted.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(copy.size)
    expect(emulated.sentBytes() - before).toBeLessThan(copy.size - 2 * granule + 2000)
    expect(emulated.count('upload.create')).toBe(1)
  })

  test.each([
    ['whose answer was lost', { do: 'cut', when: 'after' }],
    ['of which a part arrived', { do: 'cut-request', bytes: granule - 1000, keep: true }],
    ['of which Google took a part', { do: 'behave', name: 'partial-accept', value: 0 }],
    ['of which Google took nothing', { do: 'behave', name: 'store-nothing' }],
    ['that was said to be ahead', { do: 'refuse', name: 'offset' }],
    ['at which a token ended (F75)', { do: 'expire-token' }],
  ] as const)('F61: is asked about after a chunk %s, and goes on', async (_title, fault) => {
    const copy = await aLargeCopy()
    emulated.emulator.fault({ route: 'upload.session', nth: 2, fault })

    await fixture.target.put(copy, at('big'), aWork(), never)

    await expectBig(copy.size)
    expect(emulated.count('upload.create')).toBe(1)
    expect(emulated.sentBytes()).toBeLessThan(copy.size + 2 * granule + 5000)
  })

  test('F64: whose last answer was lost is found by asking, and is one file of one revision', async () => {
    const copy = await aLargeCopy()
    emulated.emulator.fault({ route: 'upload.session', nth: 4, fault: { do: 'cut', when: 'after' } })

    const receipt = await fixture.target.put(copy, at('big'), aWork(), never)

    expect(receipt.sha256).toBe(copy.sha256)
    await expectBig(copy.size)
  })

  test.each([404, 410])('F63: whose session ended (%s) begins anew, as the file it was to be', async (status) => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 3)
    emulated.emulator.fault({ route: 'upload.session', fault: { do: 'behave', name: 'forget-session', value: status } })

    await fixture.target.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(copy.size)
    expect(emulated.items('big')[0]?.id).toBe(saved?.['id'])
  })

  test('F63: after more than a week begins anew', async () => {
    const copy = await aLargeCopy()
    const saved = await killedAfter(copy, 3)
    emulated.emulator.clock.advance(8 * 24 * 3_600_000)

    await fixture.target.put(copy, at('big'), aWork({ session: saved }), never)

    await expectBig(copy.size)
    expect(emulated.count('upload.create')).toBe(2)
  })

  test('F62: of another content keeps the id that was written down and nothing else', async () => {
    const saved = await killedAfter(await aLargeCopy(), 3)
    const other = await aLargeCopy(granule + 1)

    await fixture.target.put(other, at('big'), aWork({ session: saved }), never)

    await expectBig(granule + 1)
    expect(emulated.items('big')[0]?.id).toBe(saved?.['id'])
  })

  test('F23: whose file changes on its way never gets its name', async () => {
    const copy = await aLargeCopy()
    let change: Promise<unknown> | undefined
    const work = async (): Promise<void> => {
      await (change = aCopy(source, content(copy.size), { mtime: new Date(0) }))
    }
    emulated.emulator.fault({ route: 'upload.session', nth: 2, fault: { do: 'call', when: 'before', work } })

    const failure = await failureOf(fixture.target.put(copy, at('big'), aWork(), never))

    await change
    expect(failure.next).toEqual({ kind: 'source-changed' })
    expect(await fixture.names()).toEqual([])
  })

  test('F115: that is there already is not sent, nor read where Google has its sha256', async () => {
    const copy = await aLargeCopy()
    await fixture.target.put(copy, at('big'), aWork(), never)
    const before = emulated.sentBytes()
    const work = aWork()

    await fixture.target.put(copy, at('big'), work, never)
    emulated.emulator.fault({ count: 'all', fault: { do: 'behave', name: 'no-sha256' } })
    await fixture.target.put(copy, at('big'), work, never)

    expect(emulated.sentBytes()).toBe(before)
    expect(work.told).toEqual([])
  })
})

describe('a small copy', () => {
  test('that is new costs one call where its folder is known', async () => {
    await fixture.target.put(await aCopy(source, 'first'), at('d/a'), aWork(), never)
    const before = fixture.calls().length

    await fixture.target.put(await aCopy(source, 'second'), at('d/b'), aWork(), never)

    expect(fixture.calls().slice(before)).toEqual(['upload.create'])
  })

  test('that changed costs a look and a call, and keeps its file', async () => {
    const first = await fixture.target.put(await aCopy(source, 'first'), at('a'), aWork(), never)
    const before = fixture.calls().length

    const second = await fixture.target.put(await aCopy(source, 'other'), at('a'), aWork({ previous: first }), never)

    expect(fixture.calls().slice(before)).toEqual(['files.get', 'upload.update'])
    expect(second.remoteId).toBe(first.remoteId)
  })

  test.each(['after', 'before'] as const)(
    'F55: a hundred of which each was cut %s its creation are a hundred',
    async (when) => {
      const names = Array.from({ length: 100 }, (_, n) => `f${n}`)
      const copies = await Promise.all(names.map((name) => aCopy(source, `content of ${name}`, { name })))
      await fixture.target.put(await aCopy(source, 'x'), at('many/first'), aWork(), never)
      emulated.emulator.fault({ route: 'upload.create', count: 100, fault: { do: 'cut', when } })

      const works = names.map(() => aWork())
      const put = (again: boolean): Promise<PromiseSettledResult<unknown>[]> =>
        Promise.allSettled(
          copies.map((copy, n) => {
            const work = again ? aWork({ session: works[n]?.saved.at(-1) }) : (works[n] ?? aWork())
            return fixture.target.put(copy, at(`many/${names[n] ?? ''}`), work, never)
          }),
        )
      const first = await put(false)
      const second = await put(true)

      expect(first.every(({ status }) => status === 'rejected')).toBe(true)
      expect(second.every(({ status }) => status === 'fulfilled')).toBe(true)
      for (const name of names)
        expect(emulated.items(`many/${name}`).map(({ revisions }) => revisions.length)).toEqual([1])
    },
    60_000,
  )

  test('F55: whose creation was lost and whose file changed meanwhile is still one', async () => {
    emulated.emulator.fault({ route: 'upload.create', fault: { do: 'cut', when: 'after' } })
    await failureOf(fixture.target.put(await aCopy(source, 'before'), at('x'), aWork(), never))

    await fixture.target.put(await aCopy(source, 'after'), at('x'), aWork(), never)

    expect(emulated.items('x').length).toBe(1)
    expect((await fixture.held('x'))?.toString()).toBe('after')
  })

  test.each(['open', 'commit'] as const)(
    'F55: an id that is used already, as told at the %s of an upload, is found',
    async (idConflict) => {
      emulated.emulator.provider.set({ idConflict })
      const copy = await aCopy(source, content(granule), { isLarge: true })
      const work = aWork()
      const receipt = await fixture.target.put(copy, at('x'), work, never)
      const session = { ...work.saved[0], id: receipt.remoteId } as UploadSession
      // As if nothing could be seen at first: by its id it is not there, until the upload is refused.
      emulated.emulator.fault({ route: 'files.get', fault: { do: 'refuse', name: 'not-found' } })
      emulated.emulator.fault({
        route: 'files.list',
        fault: { do: 'answer', status: 200, headers: { 'Content-Type': 'application/json' }, body: '{"files":[]}' },
      })
      const restarted = fixture.again()
      await restarted.open(undefined, never)

      const again = await restarted.put(copy, at('x'), aWork({ session }), never).catch((error: unknown) => error)
      const last = await restarted.put(copy, at('x'), aWork({ session }), never)

      expect([again instanceof Error || again !== undefined, last.remoteId]).toEqual([true, receipt.remoteId])
      expect(emulated.items('x').length).toBe(1)
    },
  )

  test('F55: an id of an earlier attempt that is good no more is replaced by another', async () => {
    const copy = await aCopy(source, 'x')
    emulated.emulator.fault({ route: 'upload.create', fault: { do: 'cut', when: 'before' } })
    const work = aWork()
    await failureOf(fixture.target.put(copy, at('x'), work, never))
    const session = { ...work.saved.at(-1), id: 'of-long-ago' } as UploadSession
    const restarted = fixture.again()
    await restarted.open(undefined, never)
    const next = aWork({ session })

    const failure = await failureOf(restarted.put(copy, at('x'), next, never))
    await restarted.put(copy, at('x'), aWork({ session: next.saved.at(-1) }), never)

    expect(failure.next).toEqual({ kind: 'retry' })
    expect(next.saved.at(-1)).toBeUndefined()
    expect(emulated.items('x').length).toBe(1)
  })

  test('F65: of which Google has another hash is no success', async () => {
    emulated.emulator.fault({ route: 'upload.create', fault: { do: 'behave', name: 'wrong-hash' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'retry' })
    expect(failure.message).toContain('expected the content')
  })

  test('F65: that arrives wrong again and again waits for the owner, and is right after that', async () => {
    const copy = await aCopy(source, 'x')
    emulated.emulator.fault({ route: 'upload.*', count: 4, fault: { do: 'behave', name: 'wrong-hash' } })
    const ends: string[] = []
    let session: UploadSession | undefined
    for (let n = 0; n < 4; n++) {
      const work = aWork({ session })
      // Google says it has other bytes, and says so of all of them.
      emulated.emulator.fault({ route: 'files.get', fault: { do: 'behave', name: 'wrong-hash' } })
      ends.push((await failureOf(fixture.target.put(copy, at('x'), work, never))).next.kind)
      emulated.emulator.faults.disarmAll()
      emulated.emulator.fault({ route: 'upload.*', count: 4, fault: { do: 'behave', name: 'wrong-hash' } })
      session = work.saved.length > 0 ? work.saved.at(-1) : session
    }
    emulated.emulator.faults.disarmAll()

    await fixture.target.put(copy, at('x'), aWork(), never)

    expect(ends).toEqual(['retry', 'retry', 'retry', 'park'])
    expect(emulated.items('x').length).toBe(1)
  })

  test('that somebody threw away before its answer was known is made again', async () => {
    const work = aWork()
    const copy = await aCopy(source, 'x')
    emulated.emulator.fault({ route: 'upload.create', fault: { do: 'cut', when: 'after' } })
    await failureOf(fixture.target.put(copy, at('x'), work, never))
    emulated.owner.remove('/Archive/x')

    await fixture.target.put(copy, at('x'), aWork({ session: work.saved.at(-1) }), never)

    expect(emulated.items('x').length).toBe(1)
  })

  test('F65: of which Google has no sha256 is proven by its MD5', async () => {
    emulated.emulator.fault({ count: 'all', fault: { do: 'behave', name: 'no-sha256' } })
    const copy = await aCopy(source, 'x')

    const first = await fixture.target.put(copy, at('x'), aWork(), never)
    const second = await fixture.target.put(copy, at('x'), aWork(), never)

    expect(second).toEqual(first)
    expect((await fixture.target.look(at('x'), { hash: true }, never))?.sha256).toBe(copy.sha256)
  })

  test('has its time to the millisecond, also before 1970', async () => {
    for (const time of ['2001-02-03T04:05:06.789Z', '1969-12-31T23:59:59.001Z']) {
      const copy = await aCopy(source, time, { mtime: new Date(time) })

      await fixture.target.put(copy, at(time.slice(0, 4)), aWork(), never)

      expect((await fixture.target.look(at(time.slice(0, 4)), { hash: false }, never))?.mtimeNs).toBe(copy.mtimeNs)
    }
  })

  test('F80: takes the place of what somebody else wrote, whose revision stays to be had', async () => {
    const first = await fixture.target.put(await aCopy(source, 'ours'), at('x'), aWork(), never)
    await fixture.alter('x', 'theirs')

    await fixture.target.put(await aCopy(source, 'ours too'), at('x'), aWork({ previous: first }), never)

    expect(emulated.items('x').map(({ revisions }) => revisions.length)).toEqual([3])
  })

  test('of which somebody moved the last one away is put where it belongs, and the other is left alone', async () => {
    const first = await fixture.target.put(await aCopy(source, 'one'), at('x'), aWork(), never)
    const { items } = emulated.emulator.provider.account
    items.move(items.find(first.remoteId), items.root)

    const second = await fixture.target.put(await aCopy(source, 'two'), at('x'), aWork({ previous: first }), never)

    expect(second.remoteId).not.toBe(first.remoteId)
    expect([(await fixture.held('x'))?.toString(), emulated.owner.read('/x')?.toString()]).toEqual(['two', 'one'])
  })

  test('is never written over a copy that lies in the trash', async () => {
    const first = await fixture.target.put(await aCopy(source, 'one'), at('x'), aWork(), never)
    await fixture.target.remove(first, 'trash', never)

    const second = await fixture.target.put(await aCopy(source, 'two'), at('x'), aWork({ previous: first }), never)

    expect(second.remoteId).not.toBe(first.remoteId)
    expect(emulated.emulator.provider.account.items.get(first.remoteId)?.trashedMs).toBeDefined()
  })

  test('F67: that meets a rate limit slows the account down, whatever status Google gives it', async () => {
    emulated.emulator.fault({ route: 'upload.create', fault: { do: 'refuse', name: 'throttle' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toMatchObject({ kind: 'pause-target', state: 'paused' })
    expect(fixture.pace.verdicts.length).toBe(1)
  })

  test('F69: that meets the cap of a day is looked at again in an hour, and slows nothing down', async () => {
    emulated.emulator.fault({ route: 'upload.create', fault: { do: 'refuse', name: 'upload-cap' } })

    const failure = await failureOf(fixture.target.put(await aCopy(source, 'x'), at('x'), aWork(), never))

    expect(failure.next).toEqual({ kind: 'pause-target', state: 'paused', againInMs: 3_600_000 })
    expect(fixture.pace.verdicts).toEqual([])
  })
})

test('F35: a move to where another file is waits for the owner', async () => {
  const one = await fixture.target.put(await aCopy(source, 'one'), at('one'), aWork(), never)
  await fixture.target.put(await aCopy(source, 'two'), at('d/two'), aWork(), never)

  const failure: TargetError = await failureOf(fixture.target.move(one, at('d/two'), never))

  expect(failure.next).toEqual({ kind: 'park' })
  expect((await all(fixture.target.list(at(''), { hash: false }, never))).map(({ path }) => path)).toEqual([
    'd/two',
    'one',
  ])
})
