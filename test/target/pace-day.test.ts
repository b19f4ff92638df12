/** The day's bytes: never more than the day allows, whatever is restarted, killed or set meanwhile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PaceClosed } from '../../src/target/verdict.ts'
import { aFolder } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { aPace, free, MemoryStore, never } from './pace-rig.ts'

const MiB = 2 ** 20
const dayMs = 86_400_000
/** Local, whatever the zone. */
const noon = new Date(2026, 10, 20, 12).getTime()

/** Takes pieces until the day refuses one; answers how much went. */
async function useUp(pace: { bytes(count: number, signal: AbortSignal): Promise<void> }, piece = MiB): Promise<number> {
  let used = 0
  try {
    for (;;) {
      await pace.bytes(piece, never)
      used += piece
    }
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(PaceClosed)
  }
  return used
}

test('F69: a day sends what it may to the last byte, and the rest waits for midnight', async () => {
  const pace = aPace({ dailyBytes: 100 * MiB }, { clock: new ManualClock(noon) })

  const used = await useUp(pace)

  expect(used).toBe(100 * MiB)
  expect(pace.verdict()).toMatchObject({
    kind: 'closed',
    why: 'daily',
    waitMs: 12 * 3_600_000,
    reason: 'the 100 MiB of this day are spent, until 2026-11-21 00:00',
  })
  expect(pace.snapshot().daily).toEqual({ usedBytes: 100 * MiB, leftBytes: 0 })
})

test('F69: on a spent day no copy begins, while requests go on', async () => {
  const pace = aPace({ dailyBytes: 64 * MiB }, { clock: new ManualClock(noon) })
  await useUp(pace)

  const upload = pace.upload(never, () => Promise.resolve())

  await expect(upload).rejects.toMatchObject({ next: { kind: 'pause-target', state: 'paused', againInMs: dayMs / 2 } })
  expect(await pace.request(never, () => Promise.resolve('asked'))).toBe('asked')
})

test('F69: one piece that does not fit any more ends the day, so that copies do not begin in vain', async () => {
  const pace = aPace({ dailyBytes: 100 * MiB }, { clock: new ManualClock(noon) })

  const used = await useUp(pace, 64 * MiB)

  expect(used).toBe(64 * MiB)
  expect(pace.verdict()).toMatchObject({ why: 'daily' })
})

test('F69: the next local day begins at nothing', async () => {
  const clock = new ManualClock(noon)
  const pace = aPace({ dailyBytes: 100 * MiB }, { clock })
  await useUp(pace)

  clock.advance(dayMs / 2)

  expect(pace.verdict()).toEqual({ kind: 'open' })
  expect(await useUp(pace)).toBe(100 * MiB)
})

test('F45: a clock set back gives no second day, and one set forward by mistake takes none away', async () => {
  const clock = new ManualClock(noon)
  const pace = aPace({ dailyBytes: 100 * MiB }, { clock })
  await useUp(pace)

  clock.setWall(noon - dayMs)
  const dayBefore = pace.verdict().kind
  clock.setWall(noon + 3650 * dayMs)
  const farAway = pace.verdict().kind
  await useUp(pace)
  clock.setWall(noon)
  const back = pace.verdict().kind
  clock.advance(dayMs / 2)

  expect([dayBefore, farAway, back, pace.verdict().kind]).toEqual(['closed', 'open', 'closed', 'open'])
})

test('F69: three restarts share one day', async () => {
  const store = new MemoryStore()
  let used = 0

  for (let run = 0; run < 3; run++) {
    const pace = aPace({ dailyBytes: 100 * MiB }, { clock: new ManualClock(noon + run), store })
    for (let piece = 0; piece < 20; piece++) await pace.bytes(MiB, never)
    used += 20 * MiB
    await pace.close()
  }
  const last = aPace({ dailyBytes: 100 * MiB }, { clock: new ManualClock(noon + 3), store })

  expect(used + (await useUp(last))).toBe(100 * MiB)
})

test('a raised day goes on at once, a lowered one counts what went already', async () => {
  const pace = aPace({ dailyBytes: 100 * MiB }, { clock: new ManualClock(noon) })
  await useUp(pace)

  pace.change({ ...free, dailyBytes: 150 * MiB })
  const more = await useUp(pace)
  pace.change({ ...free, dailyBytes: 120 * MiB })

  expect(more).toBe(50 * MiB)
  expect(await useUp(pace)).toBe(0)
})

test('a day that is set while the program runs counts what went before', async () => {
  const pace = aPace({}, { clock: new ManualClock(noon) })
  await pace.bytes(90 * MiB, never)

  pace.change({ ...free, dailyBytes: 100 * MiB })

  expect(await useUp(pace)).toBe(10 * MiB)
})

test('a piece larger than any day is its owner’s to settle, not waited for', async () => {
  const pace = aPace({ dailyBytes: 64 * MiB }, { clock: new ManualClock(noon) })

  await expect(pace.bytes(65 * MiB, never)).rejects.toMatchObject({ next: { kind: 'park' } })

  expect(pace.verdict()).toEqual({ kind: 'open' })
})

test('what cannot be written down is not sent', async () => {
  const store = new MemoryStore()
  const pace = aPace({ dailyBytes: 100 * MiB }, { clock: new ManualClock(noon), store })
  store.save = () => Promise.reject(new Error('disk full'))

  await expect(pace.bytes(MiB, never)).rejects.toThrow('disk full')

  expect(pace.snapshot().daily?.usedBytes).toBe(0)
  store.save = () => Promise.resolve()
})

test('the day is written down in steps of a hundredth, not for each piece', async () => {
  const store = new MemoryStore()
  const pace = aPace({ dailyBytes: 1000 * MiB }, { clock: new ManualClock(noon), store })

  await useUp(pace, MiB / 4)

  expect(store.saveCount).toBeLessThan(110)
})

const built = new URL('../../dist/', import.meta.url).href
/** Uses the day as fast as it can and appends a letter to a file for each 64 KiB that it was allowed. */
const child = `
  import { appendFileSync, writeSync } from 'node:fs'
  import { openJournal } from '${built}journal/journal.js'
  import { openPace } from '${built}target/pace.js'
  import { systemClock } from '${built}base/clock.js'
  import { silentLog } from '${built}base/log.js'
  const { file, used, dailyBytes } = JSON.parse(process.env.DAY)
  const { journal } = openJournal(file, systemClock)
  journal.declareTarget('nas', { kind: 'directory', selector: 'all', place: '/mnt' })
  const store = { load: () => journal.pace('nas'), save: (record) => journal.keepPace('nas', record) }
  const parts = { name: 'nas', clock: systemClock, random: Math.random, log: silentLog, store, onFailure: (error) => { throw error } }
  const pace = openPace({ dailyBytes }, parts)
  const never = new AbortController().signal
  try {
    for (let piece = 0; ; piece++) {
      await pace.bytes(65536, never)
      appendFileSync(used, '.')
      if (piece % 16 === 0) { writeSync(1, '.'); await systemClock.sleep(1, never) }
    }
  } catch (thrown) {
    writeSync(1, thrown.constructor.name)
    await pace.close()
    journal.close()
  }
`

test(
  'F69: a process that is killed again and again never sends more than its day allows',
  { timeout: 60_000 },
  async () => {
    const folder = aFolder()
    const day = { file: join(folder, 'journal.sqlite'), used: join(folder, 'used'), dailyBytes: 100 * MiB }
    const run = async (killAfterBeats: number): Promise<string> => {
      const process_ = spawn(process.execPath, ['--input-type=module', '-e', child], {
        env: { ...process.env, DAY: JSON.stringify(day) },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      let beats = 0
      process_.stdout.on('data', (text: Buffer) => {
        output += text.toString()
        if (++beats === killAfterBeats) process_.kill('SIGKILL')
      })
      await once(process_, 'close')
      return output
    }
    const todayBefore = new Date().getDate()

    const killed = [await run(3), await run(7), await run(12)]
    const usedKilled = readFileSync(day.used).length * 65536
    const last = await run(Infinity)

    const used = readFileSync(day.used).length * 65536
    expect(killed.every((output) => !output.includes('PaceClosed'))).toBe(true)
    expect(last).toContain('PaceClosed')
    expect(usedKilled).toBeGreaterThan(0)
    // Each kill may lose a step of the day (1 MiB here); a midnight in between would give a second day.
    if (new Date().getDate() === todayBefore) {
      expect(used).toBeLessThanOrEqual(day.dailyBytes)
      expect(used).toBeGreaterThanOrEqual(day.dailyBytes - 3 * 2 * MiB)
    }
  },
)
