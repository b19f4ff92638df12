/** Every call of a copy to OneDrive fails once in every way: whoever puts it again as a lane does ends with one right object of one version. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { remotePath } from '../../src/base/path.ts'
import { QuickXor } from '../../src/target/onedrive/quickxor.ts'
import { type LocalCopy, TargetError, type UploadSession } from '../../src/target/target.ts'
import type { FaultScript } from '../emulator/core/faults.ts'
import { aCopy, aWork, never } from './contract.ts'
import { aOneDriveTarget, fragmentBytes, type OneDriveFixture } from './onedrive-fixture.ts'

const at = remotePath('d/x')
const attemptsMax = 6

let source: string

beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
})

afterEach(async () => {
  await rm(source, { recursive: true })
})

/** As a lane: what was saved is given to the next attempt. */
async function putUntilDone({ target, rig }: OneDriveFixture, copy: LocalCopy): Promise<void> {
  let session: UploadSession | undefined
  for (let attempts = 1; attempts <= attemptsMax; attempts++) {
    const work = aWork({ session })
    try {
      await target.put(copy, at, work, never)
      return
    } catch (thrown) {
      if (!(thrown instanceof TargetError)) throw thrown
      expect(thrown.next.kind).toMatch(/^(retry|pause-target|restart-session)$/)
      const isForgotten = thrown.next.kind === 'restart-session' || work.saved.at(-1) === undefined
      session = isForgotten && work.saved.length > 0 ? undefined : (work.saved.at(-1) ?? session)
      // The lane's own waits, which grow, come to that.
      if (thrown.message.includes('quarter of an hour')) rig.emulator.clock.advance(16 * 60_000)
    }
  }
  throw new Error(`not done after ${attemptsMax} attempts`)
}

const json = { 'Content-Type': 'application/json' }
/** Those that a drive which reserves names takes otherwise stand first. */
const faults: [title: string, fault: FaultScript['fault']][] = [
  ['cut before it did anything', { do: 'cut', when: 'before' }],
  ['cut after it did its work', { do: 'cut', when: 'after' }],
  ['cut in its answer', { do: 'cut-answer', bytes: 3 }],
  ['answered 500 after it did its work', { do: 'answer', when: 'after', status: 500 }],
  ['without a login', { do: 'expire-token' }],
  ['answered 404', { do: 'refuse', name: 'not-found' }],
  ['cut in its request', { do: 'cut-request', bytes: 20 }],
  ['answered 504 with a page after it did its work', { do: 'answer', when: 'after', status: 504, body: '<html>' }],
  ['answered with a page', { do: 'answer', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
  ['answered with garbage after it did its work', { do: 'answer', when: 'after', status: 200, body: '{"a":' }],
  ['answered with another JSON', { do: 'answer', status: 200, headers: json, body: '{}' }],
  ['answered with nothing', { do: 'answer', status: 202 }],
  ['answered 409', { do: 'refuse', name: 'resource-modified' }],
  ['asked for rest', { do: 'refuse', name: 'throttle', retryAfterS: 0 }],
  ['asked for rest with a page', { do: 'refuse', name: 'unavailable-page' }],
]

const routes = {
  small: ['item', 'create-folder', 'create-session', 'fragment'],
  large: ['create-session', 'fragment', 'fragment 2', 'fragment 3'],
  empty: ['upload', 'update'],
} as const
const sizes = { small: 5000, large: 2 * fragmentBytes + 77, empty: 0 }
const cases = (['small', 'large', 'empty'] as const).flatMap((kind) =>
  routes[kind].map((route) => [kind, route] as const),
)

describe.each([
  ['personal', faults],
  ['business', faults.slice(0, 7)],
] as const)('on a %s drive', (driveType, its) => {
  describe.each(its)('%s', (_title, fault) => {
    test.each(cases)('a %s copy ends as one object: %s', async (kind, call) => {
      const fixture = await aOneDriveTarget({ driveType })
      await fixture.target.open(undefined, never)
      const bytes = Buffer.alloc(sizes[kind])
      for (let place = 0; place + 4 <= bytes.length; place += 1024) bytes.writeUInt32LE(place + 1, place)
      const copy = await aCopy(source, bytes, { isLarge: kind === 'large' })
      const [route = '', nth = '1'] = call.split(' ')
      const armed = fixture.rig.emulator.fault({ route, nth: Number(nth), fault })

      await putUntilDone(fixture, copy)

      expect(armed.struck).toBe(1)
      const { owner } = fixture.rig.emulator.provider
      const files = owner.list().filter((object) => object.kind === 'file')
      expect(files.map(({ path }) => path)).toEqual(['/Archive/d/x'])
      expect(files[0]?.hash).toBe(QuickXor.of(bytes))
      // A time that is set by itself makes a version of nothing.
      const versionsMax = kind === 'empty' && driveType === 'business' ? 2 : 1
      expect(owner.versions('/Archive/d/x')).toBeLessThanOrEqual(versionsMax)
      await fixture.target.close()
    })
  })
})
