/** Every call of a copy to Dropbox fails once in every way: whoever puts it again as a lane does ends with one right object of one version. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { remotePath } from '../../src/base/path.ts'
import { type LocalCopy, TargetError, type UploadSession } from '../../src/target/target.ts'
import { ContentHash } from '../../src/target/dropbox/content-hash.ts'
import type { FaultScript } from '../emulator/core/faults.ts'
import { aCopy, aWork, never } from './contract.ts'
import { hurriedClock } from '../hurried-clock.ts'
import { aDropboxTarget, type DropboxFixture } from './dropbox-fixture.ts'

const at = remotePath('x')
/** A second chunk, and an end inside of a block. */
const largeBytes = 17 * 2 ** 20 + 5

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

/** As a lane: what was saved is given to the next attempt. Answers how many it took. */
async function putUntilDone(copy: LocalCopy, path = at): Promise<number> {
  let session: UploadSession | undefined
  for (let attempts = 1; attempts <= 4; attempts++) {
    const work = aWork({ session })
    try {
      await fixture.target.put(copy, path, work, never)
      return attempts
    } catch (thrown) {
      if (!(thrown instanceof TargetError)) throw thrown
      expect(thrown.next.kind).toMatch(/^(retry|pause-target|restart-session)$/)
      session = thrown.next.kind === 'restart-session' ? undefined : (work.saved.at(-1) ?? session)
    }
  }
  throw new Error('not done after four attempts')
}

async function revisionCount(name = 'x'): Promise<number> {
  const { raw, emulator } = fixture.rig
  const { body } = await raw('/2/files/list_revisions', {
    method: 'POST',
    // Its own login, since one of the faults ends all of before.
    headers: { Authorization: `Bearer ${emulator.auth.login().accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ path: `/Archive/${name}` }),
  })
  return (body as { entries: unknown[] }).entries.length
}

const faults: [title: string, fault: FaultScript['fault']][] = [
  ['cut before it did anything', { do: 'cut', when: 'before' }],
  ['cut after it did its work', { do: 'cut', when: 'after' }],
  ['cut in its answer', { do: 'cut-answer', bytes: 3 }],
  ['cut in its request, of which a part stays', { do: 'cut-request', bytes: 1000, keep: true }],
  ['answered 500 after it did its work', { do: 'answer', when: 'after', status: 500 }],
  ['answered with a page', { do: 'answer', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
  ['answered with garbage after it did its work', { do: 'answer', when: 'after', status: 200, body: '{"a":' }],
  [
    'answered with another JSON',
    { do: 'answer', status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' },
  ],
  ['asked for rest', { do: 'refuse', name: 'throttle', retryAfterS: 0 }],
  ['without a login', { do: 'expire-token' }],
  ['refused before all of it was sent', { do: 'early', bytes: 10, name: 'throttle' }],
  ['cut when it was slow', { do: 'cut-request', bytes: 0 }],
  ['answered with nothing', { do: 'answer', status: 200, headers: { 'Content-Type': 'application/json' }, body: '' }],
  ['told that the server is broken', { do: 'answer', status: 503, headers: { 'Retry-After': '0' }, body: 'busy' }],
]

const small = ['files/upload']
const large = ['files/get_metadata', 'start', 'append_v2', 'finish'].map((route) =>
  route.includes('/') ? route : `files/upload_session/${route}`,
)

describe.each(faults)('%s', (_title, fault) => {
  test.each([...small.map((route) => ['small', route] as const), ...large.map((route) => ['large', route] as const)])(
    'a %s copy ends as one object: %s',
    async (kind, route) => {
      const bytes = Buffer.alloc(kind === 'small' ? 5000 : largeBytes, 'content ')
      const copy = await aCopy(source, bytes, { isLarge: kind === 'large' })
      fixture.rig.emulator.fault({ route, fault })

      await putUntilDone(copy)

      const [held] = fixture.rig.emulator.provider.owner.list().filter((object) => object.kind === 'file')
      expect(await fixture.names()).toEqual(['x'])
      expect(held?.hash).toBe(ContentHash.of(bytes))
      expect(await revisionCount()).toBe(1)
    },
  )
})

const batch = ['start_batch', 'append_batch', 'finish_batch_v2'].map((route) => `files/upload_session/${route}`)
const batchFaults: [title: string, route: string, fault: FaultScript['fault']][] = [
  ...faults.flatMap(([title, fault]) => batch.map((route): [string, string, typeof fault] => [title, route, fault])),
  ['which lets two of its entries wait', '*finish_batch_v2', { do: 'behave', name: 'entries-write-lock', value: 2 }],
  ['which lets all of its entries wait', '*finish_batch_v2', { do: 'behave', name: 'entries-write-lock' }],
  ['of which somebody else holds the lock', '*finish_batch_v2', { do: 'behave', name: 'write-lock' }],
  ['that finds no space', '*finish_batch_v2', { do: 'behave', name: 'full' }],
  ['that tells no hashes', '*finish_batch_v2', { do: 'behave', name: 'no-hash' }],
  ['that tells wrong hashes', '*finish_batch_v2', { do: 'behave', name: 'wrong-hash' }],
]
const names = ['a', 'b', 'c', 'd', 'e']

describe('where nothing moves any more, it is not waited for longer than a minute', () => {
  const halts: [title: string, fault: FaultScript['fault']][] = [
    ['in the request', { do: 'stall', of: 'request', bytes: 10 }],
    ['in the answer', { do: 'stall', of: 'answer' }],
  ]
  const cases = [...small, ...large, ...batch]
    .flatMap((route) => halts.map(([title, fault]) => [route, title, fault] as const))
    // A server that does not read does not see that its client left either: the emulator would keep the session to that one for ever.
    .filter(([route, title]) => !(route.endsWith('append_v2') && title === 'in the request'))

  beforeEach(async () => {
    await fixture.target.close()
    fixture = await aDropboxTarget({}, 'Archive', hurriedClock(100))
    await fixture.target.open(undefined, never)
  })

  test.each(cases)('%s: %s', async (route, _title, fault) => {
    const armed = fixture.rig.emulator.fault({ route, fault })
    const isLarge = large.includes(route)
    // Several at once are a batch.
    const puts = batch.includes(route) ? names : ['x']
    const bytes = Buffer.alloc(isLarge ? largeBytes : 5000, 'content ')
    const copies = await Promise.all(puts.map((name) => aCopy(source, bytes, { name, isLarge })))

    await Promise.all(copies.map((copy, n) => putUntilDone(copy, remotePath(puts[n] ?? ''))))

    expect(armed.struck).toBe(1)
    expect(await fixture.names()).toEqual(puts)
    for (const name of puts) expect((await fixture.held(name))?.equals(bytes), name).toBe(true)
    for (const name of puts) expect(await revisionCount(name)).toBe(1)
  })
})

describe.each(batchFaults)('a batch %s: %s', (_title, route, fault) => {
  test('ends as one object of each file', async () => {
    const copies = await Promise.all(names.map((name) => aCopy(source, `content of ${name}`, { name })))
    const armed = fixture.rig.emulator.fault({ route, fault })

    await Promise.all(copies.map((copy, n) => putUntilDone(copy, remotePath(names[n] ?? ''))))

    expect(armed.struck).toBe(1)
    expect(await fixture.names()).toEqual(names)
    for (const name of names) expect((await fixture.held(name))?.toString()).toBe(`content of ${name}`)
    // What arrived wrong went to the trash, and is another version there.
    const isTrashed = fault.do === 'behave' && fault.name === 'wrong-hash'
    for (const name of names) expect(await revisionCount(name)).toBe(isTrashed ? 2 : 1)
  })
})

test('a batch in which one name is refused and one is taken ends well for the others', async () => {
  await fixture.alter('c', 'somebody else’s')
  const paths = ['a', 'b', 'c', 'd', `${'x'.repeat(250)}/${'y'.repeat(100)}`]
  await fixture.alter(paths[4]?.split('/')[0] ?? '', 'a file where a folder has to be')
  const copies = await Promise.all(paths.map((_, n) => aCopy(source, `content ${n}`, { name: String(n) })))

  const ends = await Promise.allSettled(copies.map((copy, n) => putUntilDone(copy, remotePath(paths[n] ?? ''))))

  expect(ends.map(({ status }) => status)).toEqual([...Array<string>(4).fill('fulfilled'), 'rejected'])
  for (const n of [0, 1, 2, 3]) expect((await fixture.held(paths[n] ?? ''))?.toString()).toBe(`content ${n}`)
  expect(await revisionCount('c')).toBe(2)
})
