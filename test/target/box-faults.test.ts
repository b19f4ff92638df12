/** Every call of a copy to Box fails once in every way: whoever puts it again as a lane does ends with one right file of one version. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { remotePath } from '../../src/base/path.ts'
import { type LocalCopy, type Receipt, TargetError, type UploadSession } from '../../src/target/target.ts'
import type { FaultScript } from '../emulator/core/faults.ts'
import { aBoxTarget, type BoxFixture, partBytes } from './box-fixture.ts'
import { aCopy, aWork, never } from './contract.ts'

const at = remotePath('d/x')
const largeBytes = 3 * partBytes + 5

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

/** As a lane: what was saved is given to the next attempt. */
async function putUntilDone(copy: LocalCopy, previous?: Receipt): Promise<Receipt> {
  let session: UploadSession | undefined
  for (let attempts = 1; attempts <= 4; attempts++) {
    const work = aWork({ session, previous })
    try {
      return await fixture.target.put(copy, at, work, never)
    } catch (thrown) {
      if (!(thrown instanceof TargetError)) throw thrown
      expect(thrown.next.kind).toMatch(/^(retry|pause-target|restart-session)$/)
      const last = work.saved.length === 0 ? session : work.saved.at(-1)
      session = thrown.next.kind === 'restart-session' ? undefined : last
    }
  }
  throw new Error('not done after four attempts')
}

const versions = z.object({ total_count: z.number() })

/** Versions before the current one. Its own login, since one of the faults ends all of before. */
async function oldVersionCount({ remoteId }: Receipt): Promise<number> {
  const { raw, emulator } = fixture.rig
  const headers = { Authorization: `Bearer ${emulator.auth.login().accessToken}` }
  const { body } = await raw(`/2.0/files/${remoteId}/versions`, { headers })
  return versions.parse(body).total_count
}

function expectOne(bytes: Buffer): void {
  const files = fixture.rig.emulator.provider.owner.list().filter(({ kind }) => kind === 'file')
  expect(files.map(({ path, hash }) => [path, hash])).toEqual([
    ['/Archive/d/x', createHash('sha1').update(bytes).digest('hex')],
  ])
  expect(fixture.rig.emulator.provider.account.tree.trash.size).toBe(0)
}

const json = { 'Content-Type': 'application/json' }
const faults: [title: string, fault: FaultScript['fault']][] = [
  ['cut before it did anything', { do: 'cut', when: 'before' }],
  ['cut after it did its work', { do: 'cut', when: 'after' }],
  ['cut in its answer', { do: 'cut-answer', bytes: 3 }],
  ['cut in its request', { do: 'cut-request', bytes: 1000, keep: true }],
  ['answered 500 after it did its work', { do: 'refuse', when: 'after', name: 'server-error' }],
  ['answered 502 with a page', { do: 'refuse', name: 'bad-gateway' }],
  [
    'answered 503 with a rest after it did its work',
    { do: 'refuse', when: 'after', name: 'unavailable', retryAfterS: 0 },
  ],
  ['answered with a page', { do: 'answer', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
  ['answered with garbage after it did its work', { do: 'answer', when: 'after', status: 200, body: '{"a":' }],
  ['answered with another JSON', { do: 'answer', when: 'after', status: 200, headers: json, body: '{}' }],
  ['asked for rest', { do: 'refuse', name: 'throttle', retryAfterS: 0 }],
  ['without a login', { do: 'expire-token' }],
  ['refused for the moment', { do: 'refuse', name: 'blocked' }],
  ['of a session that is over', { do: 'refuse', name: 'session-expired' }],
]

const small = ['folders/create', 'files/upload']
const changed = ['files/upload_version']
const large = ['files/preflight', 'sessions/create', 'sessions/part', 'sessions/commit']
const calls: [kind: 'small' | 'changed' | 'large', route: string][] = [
  ...small.map((route): ['small', string] => ['small', route]),
  ...changed.map((route): ['changed', string] => ['changed', route]),
  ...large.map((route): ['large', string] => ['large', route]),
]

describe.each(faults)('%s', (_title, fault) => {
  test.each(calls)('a %s copy ends as one file: %s', async (kind, route) => {
    const isLarge = kind === 'large'
    const bytes = Buffer.alloc(isLarge ? largeBytes : 5000, 'content ')
    const before = kind === 'changed' ? await putUntilDone(await aCopy(source, 'before')) : undefined
    const copy = await aCopy(source, bytes, { isLarge })
    const armed = fixture.rig.emulator.fault({ route, fault })

    const receipt = await putUntilDone(copy, before)

    expect(armed.struck).toBe(1)
    expectOne(bytes)
    expect(await oldVersionCount(receipt)).toBe(kind === 'changed' ? 1 : 0)
  })
})

describe('answers that only some calls have', () => {
  const cases: [route: string, fault: FaultScript['fault'], count: number][] = [
    ['sessions/commit', { do: 'behave', name: 'commit-202', value: 0 }, 3],
    ['sessions/commit', { do: 'behave', name: 'commit-later', value: 0 }, 1],
    ['sessions/commit', { do: 'refuse', name: 'parts-mismatch' }, 3],
    ['sessions/commit', { do: 'behave', name: 'forget-session' }, 1],
    ['sessions/part', { do: 'behave', name: 'forget-session' }, 1],
    ['sessions/part', { do: 'behave', name: 'bad-digest' }, 1],
    ['sessions/create', { do: 'refuse', name: 'reserved' }, 1],
    ['files/upload', { do: 'refuse', name: 'reserved' }, 1],
    ['files/upload', { do: 'behave', name: 'bad-digest' }, 1],
  ]
  test.each(cases)('%s %j', async (route, fault, count) => {
    const isLarge = route.startsWith('sessions/')
    const bytes = Buffer.alloc(isLarge ? largeBytes : 5000, 'content ')
    const copy = await aCopy(source, bytes, { isLarge })
    const armed = fixture.rig.emulator.fault({ route, count, fault })

    const receipt = await putUntilDone(copy)

    expect(armed.struck).toBe(count)
    expectOne(bytes)
    expect(await oldVersionCount(receipt)).toBe(0)
  })
})
