import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { remotePath } from '../../src/base/path.ts'
import { paced } from '../../src/target/pace.ts'
import type { LocalCopy, PutWork, Receipt, Target } from '../../src/target/target.ts'

const free = { concurrency: 64, requests: undefined, uploads: undefined, bytesPerSecond: undefined }
const signal = new AbortController().signal
const copy: LocalCopy = {
  path: '/x',
  size: 1,
  mtimeNs: 0n,
  ctimeNs: 0n,
  inode: 1n,
  sha256: '',
  crc32: 0,
  bytes: undefined,
}
const receipt: Receipt = { path: remotePath('x'), remoteId: '', revision: '', size: 1, sha256: '', mtimeNs: 0n }
const work: PutWork = {
  session: undefined,
  save: () => Promise.resolve(),
  allow: () => Promise.resolve(),
  progress: () => {},
  previous: undefined,
}

/** The other side of the room's border: a target that notes when it is asked. */
function aTarget(put: Target['put']): Target {
  const unasked = (): never => {
    throw new Error('not asked for here')
  }
  return {
    traits: { caseSensitive: true, fileBytesMax: 1, chunkBytes: 1 },
    put,
    open: unasked,
    move: unasked,
    remove: unasked,
    look: () => Promise.resolve(undefined),
    list: unasked,
    get: unasked,
    about: unasked,
    rest: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

test('F71: never more than the given number of uploads begins in any interval', async () => {
  const begunMs: number[] = []
  const target = paced(
    aTarget(() => {
      begunMs.push(performance.now())
      return Promise.resolve(receipt)
    }),
    { ...free, uploads: { count: 5, intervalMs: 200 } },
    systemClock,
  )

  await Promise.all(Array.from({ length: 18 }, () => target.put(copy, remotePath('x'), work, signal)))

  expect(begunMs).toHaveLength(18)
  const crowded = begunMs.filter((ms, index) => (begunMs[index + 5] ?? Infinity) - ms < 198)
  expect(crowded).toEqual([])
})

test('requests are counted over all verbs', async () => {
  const target = paced(
    aTarget(() => Promise.resolve(receipt)),
    { ...free, requests: { count: 4, intervalMs: 150 } },
    systemClock,
  )
  const startMs = performance.now()

  await Promise.all([
    ...Array.from({ length: 5 }, () => target.put(copy, remotePath('x'), work, signal)),
    ...Array.from({ length: 4 }, () => target.look(remotePath('x'), { hash: false }, signal)),
  ])

  expect(performance.now() - startMs).toBeGreaterThan(300)
})

test('F71: bandwidth is a total of all copies under way, within a tenth', async () => {
  const chunk = 10_000
  const target = paced(
    aTarget(async (_copy, _at, put, given) => {
      for (let n = 0; n < 10; n++) await put.allow(chunk, given)
      return receipt
    }),
    { ...free, bytesPerSecond: 1_000_000 },
    systemClock,
  )
  const startMs = performance.now()

  await Promise.all(Array.from({ length: 16 }, () => target.put(copy, remotePath('x'), work, signal)))

  const bytesPerSecond = (16 * 10 * chunk) / ((performance.now() - startMs) / 1000)
  expect(bytesPerSecond).toBeGreaterThan(900_000)
  expect(bytesPerSecond).toBeLessThan(1_100_000)
})

test('an abort ends the waiting for bandwidth', async () => {
  const stop = new AbortController()
  const target = paced(
    aTarget(async (_copy, _at, put, given) => {
      await put.allow(1_000_000, given)
      await put.allow(1, given)
      return receipt
    }),
    { ...free, bytesPerSecond: 1000 },
    systemClock,
  )

  const put = target.put(copy, remotePath('x'), work, stop.signal)
  stop.abort(new Error('enough'))

  await expect(put).rejects.toThrow('enough')
})
