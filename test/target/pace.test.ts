import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { remotePath } from '../../src/base/path.ts'
import { PaceClosed } from '../../src/target/verdict.ts'
import { gated, paced } from '../../src/target/paced.ts'
import type { LocalCopy, PutWork, Receipt, Target } from '../../src/target/target.ts'
import { ManualClock } from '../manual-clock.ts'
import { aPace, free, never, pass, watched } from './pace-rig.ts'

const signal = never
/** Local, whatever the zone. */
const noon = new Date(2026, 10, 20, 12).getTime()
const closedHours = [{ fromMinute: 13 * 60, toMinute: 14 * 60 }]
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
function aTarget(put: Target['put'], chunkBytes = 1): Target {
  const unasked = (): never => {
    throw new Error('not asked for here')
  }
  return {
    traits: { caseSensitive: true, fileBytesMax: 1, revisionIsContent: false, chunkBytes },
    put,
    open: unasked,
    move: unasked,
    moveFolder: unasked,
    remove: unasked,
    look: () => Promise.resolve(undefined),
    recognise: unasked,
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
    aPace({ uploads: { count: 5, intervalMs: 200 } }, { clock: systemClock }),
  )

  await Promise.all(Array.from({ length: 18 }, () => target.put(copy, remotePath('x'), work, signal)))

  expect(begunMs).toHaveLength(18)
  const crowded = begunMs.filter((ms, index) => (begunMs[index + 5] ?? Infinity) - ms < 198)
  expect(crowded).toEqual([])
})

test('requests are counted over all verbs', async () => {
  const target = paced(
    aTarget(() => Promise.resolve(receipt)),
    aPace({ requests: { count: 4, intervalMs: 150 } }, { clock: systemClock }),
  )
  const startMs = performance.now()

  await Promise.all([
    ...Array.from({ length: 5 }, () => target.put(copy, remotePath('x'), work, signal)),
    ...Array.from({ length: 4 }, () => target.look(remotePath('x'), { hash: false }, signal)),
  ])

  expect(performance.now() - startMs).toBeGreaterThan(300)
})

/** Runs `workers` side by side for a while of real time, each again and again; answers how often they were let through, and when. */
async function busy(forMs: number, workers: number, work: (signal: AbortSignal) => Promise<void>): Promise<number[]> {
  const beganMs: number[] = []
  const stop = new AbortController()
  const startMs = performance.now()
  const over = systemClock.sleep(forMs, never).then(() => stop.abort(new Error('over')))
  const worker = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await work(stop.signal)
      beganMs.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({ length: workers }, () => worker().catch(() => undefined)))
  await over
  return beganMs.filter((ms) => ms <= forMs)
}

describe.concurrent('measured over ten seconds', () => {
  test('F71: 16 workers at 1 MiB/s move 1 MiB/s, within a tenth', async () => {
    const piece = 64 * 1024
    const pace = aPace({ bytesPerSecond: 2 ** 20 }, { clock: systemClock })

    const pieces = await busy(10_000, 16, (given) => pace.bytes(piece, given))

    expect(pieces.length * piece).toBeGreaterThan(0.9 * 10 * 2 ** 20)
    expect(pieces.length * piece).toBeLessThan(1.1 * 10 * 2 ** 20)
  })

  test('F71: 16 workers at 100 MiB/s in small pieces are not slowed by timers that are late', async () => {
    const piece = 64 * 1024
    const pace = aPace({ bytesPerSecond: 100 * 2 ** 20 }, { clock: systemClock })

    const pieces = await busy(10_000, 16, (given) => pace.bytes(piece, given))

    expect(pieces.length * piece).toBeGreaterThan(0.9 * 1000 * 2 ** 20)
    expect(pieces.length * piece).toBeLessThan(1.1 * 1000 * 2 ** 20)
  })

  test('F71: 16 workers at 10 requests/s begin at most 10 in any second, and nearly as many', async () => {
    const pace = aPace({ requests: { count: 10, intervalMs: 1000 } }, { clock: systemClock })
    const begunMs: number[] = []

    await busy(10_000, 16, (given) => pace.request(given, () => Promise.resolve(void begunMs.push(performance.now()))))

    expect(begunMs.filter((ms, at) => (begunMs[at + 10] ?? Infinity) - ms < 1000)).toEqual([])
    expect(begunMs.length).toBeGreaterThanOrEqual(95)
  })
})

test('the first byte never waits', async () => {
  const pace = aPace({ bytesPerSecond: 1 }, { clock: new ManualClock() })

  await pace.bytes(1000, never)

  expect(pace.snapshot().waiting).toBe(0)
})

test('F71: bandwidth is a total of all copies under way', async () => {
  const clock = new ManualClock()
  const target = paced(
    aTarget(async (_copy, _at, put, given) => {
      for (let n = 0; n < 10; n++) await put.allow(1000, given)
      return receipt
    }),
    aPace({ bytesPerSecond: 10_000 }, { clock }),
  )

  const puts = Promise.all(Array.from({ length: 4 }, () => target.put(copy, remotePath('x'), work, signal)))
  await pass(clock, 5000, 50)
  await puts

  expect(clock.monotonicMs()).toBe(5000)
})

test('a bandwidth that changes is paid by from then on; what was owed is not lost', async () => {
  const clock = new ManualClock()
  const pace = aPace({ bytesPerSecond: 1 }, { clock })
  await pace.bytes(10_000, never)
  const next = watched(pace.bytes(1, never))
  await pass(clock, 1000, 100)

  pace.change({ ...free, bytesPerSecond: 10_000 })
  await pass(clock, 900, 100)
  const early = next.state
  await pass(clock, 200, 100)

  expect([early, next.state]).toEqual(['waiting', 'done'])
})

test('without limits nothing waits for anything', async () => {
  const clock = new ManualClock()
  const pace = aPace({}, { clock })

  await Promise.all(
    Array.from({ length: 500 }, async () => {
      await pace.upload(never, () => Promise.resolve())
      await pace.bytes(2 ** 30, never)
    }),
  )

  expect(clock.timerCount).toBe(0)
})

test('while its hours are over a target cannot be opened, and says how long', async () => {
  const target = paced(
    aTarget(() => Promise.resolve(receipt)),
    aPace({ hours: closedHours }, { clock: new ManualClock(noon) }),
  )

  await expect(target.open(undefined, signal)).rejects.toMatchObject({
    next: { kind: 'pause-target', state: 'paused', againInMs: 3_600_000 },
  })
})

describe('a target whose transport keeps the pace', () => {
  test('is asked at once, and its bytes are not counted twice', async () => {
    const pace = aPace(
      { requests: { count: 1, intervalMs: 1000 }, dailyBytes: 2 ** 27 },
      { clock: new ManualClock(noon) },
    )
    const target = gated(
      aTarget(async (_copy, _at, put) => {
        await put.allow(1000, signal)
        return receipt
      }),
      pace,
    )

    for (let n = 0; n < 5; n++) await target.put(copy, remotePath('x'), work, signal)

    expect(pace.snapshot().daily?.usedBytes).toBe(0)
  })

  test('ends its piece when the hours end, and is not opened while they are over', async () => {
    const pace = aPace({}, { clock: new ManualClock(noon) })
    const target = gated(
      aTarget(async (_copy, _at, put) => {
        for (;;) {
          await put.allow(1, signal)
          pace.change({ ...free, hours: closedHours })
        }
      }),
      pace,
    )

    await expect(target.put(copy, remotePath('x'), work, signal)).rejects.toThrow(PaceClosed)
    await expect(target.open(undefined, signal)).rejects.toThrow(PaceClosed)
  })
})

test('a copy under way when the hours end goes on to the end of its piece, and no further', async () => {
  const clock = new ManualClock(noon)
  const pace = aPace({}, { clock })
  let allowed = 0
  const target = paced(
    aTarget(async (_copy, _at, put, given) => {
      for (; allowed < 100; allowed++) {
        await put.allow(1, given)
        if (allowed === 12) pace.change({ ...free, hours: closedHours })
      }
      return receipt
    }, 10),
    pace,
  )

  await expect(target.put(copy, remotePath('x'), work, signal)).rejects.toBeInstanceOf(PaceClosed)

  expect(allowed).toBe(20)
})

test('an abort ends the waiting for bandwidth', async () => {
  const stop = new AbortController()
  const target = paced(
    aTarget(async (_copy, _at, put, given) => {
      await put.allow(1_000_000, given)
      await put.allow(1, given)
      return receipt
    }),
    aPace({ bytesPerSecond: 1000 }, { clock: systemClock }),
  )

  const put = target.put(copy, remotePath('x'), work, stop.signal)
  stop.abort(new Error('enough'))

  await expect(put).rejects.toThrow('enough')
})
