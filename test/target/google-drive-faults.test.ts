/** Every call of a copy to Google Drive fails once in every way: whoever puts it again as a lane does ends with one right file of one revision. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { remotePath } from '../../src/base/path.ts'
import { type LocalCopy, TargetError, type UploadSession } from '../../src/target/target.ts'
import type { FaultScript } from '../emulator/core/faults.ts'
import { aCopy, aWork, never } from './contract.ts'
import { aDriveTarget, type DriveFixture } from './google-drive-fixture.ts'

const at = remotePath('d/x')
/** Three chunks, the last inside of what Google wants whole. */
const largeBytes = 2 * 256 * 1024 + 5

let fixture: DriveFixture
let source: string

beforeEach(async () => {
  fixture = await aDriveTarget()
  source = await mkdtemp(join(tmpdir(), 'fanfold-source-'))
  await fixture.target.open(undefined, never)
})

afterEach(async () => {
  await fixture.target.close()
  await rm(source, { recursive: true })
})

/** As a lane: what was saved is given to the next attempt. Answers how many it took. */
async function putUntilDone(copy: LocalCopy): Promise<number> {
  let session: UploadSession | undefined
  for (let attempts = 1; attempts <= 4; attempts++) {
    const work = aWork({ session })
    try {
      await fixture.target.put(copy, at, work, never)
      return attempts
    } catch (thrown) {
      if (!(thrown instanceof TargetError)) throw thrown
      expect(thrown.next.kind).toMatch(/^(retry|pause-target)$/)
      session = work.saved.length > 0 ? work.saved.at(-1) : session
    }
  }
  throw new Error('not done after four attempts')
}

const faults: [title: string, fault: FaultScript['fault']][] = [
  ['cut before it did anything', { do: 'cut', when: 'before' }],
  ['cut after it did its work', { do: 'cut', when: 'after' }],
  ['cut in its answer', { do: 'cut-answer', bytes: 3 }],
  ['cut in its request, of which a part stays', { do: 'cut-request', bytes: 3000, keep: true }],
  ['answered 503 after it did its work', { do: 'refuse', when: 'after', name: 'backend-error' }],
  ['answered with a page', { do: 'answer', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<html>' }],
  ['answered with garbage after it did its work', { do: 'answer', when: 'after', status: 200, body: '{"a":' }],
  [
    'answered with another JSON',
    { do: 'answer', status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' },
  ],
  ['asked for rest', { do: 'refuse', name: 'throttle' }],
  ['told of an offset that is ahead', { do: 'refuse', name: 'offset' }],
  ['without a login', { do: 'expire-token' }],
]

const small = ['files.create', 'files.generateIds', 'upload.create']
const large = ['files.list', 'files.create', 'upload.create', 'upload.session']

describe.each(faults)('%s', (_title, fault) => {
  test.each([
    ...small.map((route) => ['small', route, 1] as const),
    ...large.map((route) => ['large', route, 1] as const),
    ['large', 'upload.session', 2] as const,
  ])('a %s copy ends as one file: %s', async (kind, route, nth) => {
    const bytes = Buffer.alloc(kind === 'small' ? 5000 : largeBytes, 'content ')
    const copy = await aCopy(source, bytes, { isLarge: kind === 'large' })
    fixture.rig.emulator.fault({ route, nth, fault })

    await putUntilDone(copy)

    const { items, owner } = {
      items: fixture.rig.emulator.provider.account.items,
      owner: fixture.rig.emulator.provider.owner,
    }
    const files = [...items.all()].filter(({ revisions }) => revisions.length > 0)
    expect(owner.list().map(({ path }) => path)).toEqual(['/Archive', '/Archive/d', '/Archive/d/x'])
    expect(files.map(({ revisions }) => revisions.length)).toEqual([1])
    expect(files[0]?.revisions[0]?.bytes.hashes.md5).toBe(createHash('md5').update(bytes).digest('hex'))
  })
})
