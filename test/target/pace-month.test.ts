/** F69: the month's requests of an account that is licensed by them: counted, shown, and never more than there may be. */
import { expect, test } from 'vitest'
import { PaceClosed } from '../../src/target/verdict.ts'
import { ManualClock } from '../manual-clock.ts'
import { aPace, free, MemoryStore, never } from './pace-rig.ts'

/** Local, whatever the zone. */
const noon = new Date(2026, 10, 20, 12).getTime()
const december = new Date(2026, 11, 1).getTime()

type Asked = Pick<ReturnType<typeof aPace>, 'request' | 'upload'>

/** Asks until the month refuses; answers how often it did not. */
async function useUp(pace: Asked, verb: 'request' | 'upload' = 'request'): Promise<number> {
  let made = 0
  try {
    for (;;) await pace[verb](never, () => Promise.resolve(made++))
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(PaceClosed)
  }
  return made
}

for (const verb of ['request', 'upload'] as const) {
  test(`F69: a month makes its last ${verb}, and the rest waits for the next`, async () => {
    const clock = new ManualClock(noon)
    const pace = aPace({ monthlyRequests: 1500 }, { clock })

    const made = await useUp(pace, verb)
    const verdict = pace.verdict()
    clock.advance(december - noon)

    expect(made).toBe(1500)
    expect(verdict).toMatchObject({ kind: 'closed', why: 'monthly', waitMs: december - noon })
    expect(verdict).toMatchObject({
      reason: expect.stringMatching(/^the 1,500 requests .* until 2026-12-01 00:00$/) as string,
    })
    expect(pace.verdict()).toEqual({ kind: 'open' })
    expect(await useUp(pace, verb)).toBe(1500)
  })
}

test('F69: twenty at once make no more than the month has', async () => {
  const pace = aPace({ monthlyRequests: 1010 }, { clock: new ManualClock(noon) })

  const made = await Promise.all(Array.from({ length: 20 }, () => useUp(pace)))

  expect(made.reduce((sum, one) => sum + one)).toBe(1010)
})

test('F69: three restarts share one month, and one that is killed loses no more than its step', async () => {
  const store = new MemoryStore()
  let made = 0
  for (let run = 0; run < 3; run++) {
    const pace = aPace({ monthlyRequests: 2000 }, { clock: new ManualClock(noon + run), store })
    for (let n = 0; n < 300; n++, made++) await pace.request(never, () => Promise.resolve())
    // The last one is killed: what it wrote down ahead is all that the next one knows.
    if (run < 2) await pace.close()
  }
  const kept = { ...store.record }
  const last = aPace({ monthlyRequests: 2000 }, { clock: new ManualClock(noon + 3), store })

  const rest = await useUp(last)

  expect(kept.requests).toBeGreaterThanOrEqual(900)
  expect(made + rest).toBeLessThanOrEqual(2000)
  expect(made + rest).toBeGreaterThan(2000 - 21)
})

test('what no limit holds back is counted as well, for the status and for a limit that comes later', async () => {
  const store = new MemoryStore()
  const pace = aPace({}, { clock: new ManualClock(noon), store })
  for (let n = 0; n < 1200; n++) await pace.request(never, () => Promise.resolve())
  const { monthly } = pace.snapshot()

  pace.change({ ...free, monthlyRequests: 1300 })

  expect(monthly).toEqual({ month: '2026-11', requests: 1200, most: undefined })
  expect(store.record?.requests).toBe(1000)
  expect(await useUp(pace)).toBe(100)
})

test('a raised month goes on at once', async () => {
  const pace = aPace({ monthlyRequests: 1000 }, { clock: new ManualClock(noon) })
  await useUp(pace)

  pace.change({ ...free, monthlyRequests: 1100 })

  expect(await useUp(pace)).toBe(100)
})

test('F45: a clock set back gives no second month', async () => {
  const clock = new ManualClock(noon)
  const pace = aPace({ monthlyRequests: 1000 }, { clock })
  await useUp(pace)

  clock.setWall(noon - 25 * 86_400_000)

  expect(pace.verdict().kind).toBe('closed')
})
