import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { silentLog, type Fields } from '../../src/base/log.ts'
import { systemRandom } from '../../src/base/random.ts'
import { readConfig } from '../../src/config/config.ts'
import { startDaemon, type Daemon } from '../../src/daemon/daemon.ts'
import { aBench, type Bench } from '../e2e/rig.ts'
import { hurriedClock } from '../hurried-clock.ts'

const never = new AbortController().signal
const dayMs = 24 * 3_600_000

/** Ten minutes pass in 100 ms; the calendar is the test's. */
function aCalendar(): Clock & { today: number } {
  const hurried = hurriedClock(6000)
  // What waits for less than a minute has nothing to do with the audit.
  const pick = (delayMs: number): Clock => (delayMs < 60_000 ? systemClock : hurried)
  return {
    today: Date.UTC(2026, 10, 20),
    wallMs() {
      return this.today
    },
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, work) => pick(delayMs).after(delayMs, work),
    sleep: (delayMs, signal) => pick(delayMs).sleep(delayMs, signal),
  }
}

async function running(bench: Bench, clock: Clock, log = silentLog): Promise<Daemon> {
  const daemon = await startDaemon(readConfig(bench.config), { log: () => log, clock, random: systemRandom }, never)
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= daemon.stop())
  onTestFinished(stop)
  await daemon.idle(never)
  return { ...daemon, stop }
}

function verifiedOf(daemon: Daemon): { checked: number; differences: number } | null {
  return daemon.desk.status().targets[0]?.verified ?? null
}

/** Longer than a look at what is due. */
const passed = (): Promise<void> => systemClock.sleep(400, never)

test('F110: a copy that vanished is found by the monthly audit of its own accord, and the status is not green until it is back', async () => {
  const bench = aBench({ nas: '' })
  for (const name of ['a', 'b', 'c']) writeFileSync(join(bench.inbox, name), `content of ${name}`)
  const clock = aCalendar()
  const daemon = await running(bench, clock)
  rmSync(join(bench.copies('nas'), 'b'))
  await passed()
  const early = verifiedOf(daemon)

  clock.today += 31 * dayMs
  await vi.waitFor(() => expect(verifiedOf(daemon)).toMatchObject({ checked: 3, differences: 1 }), 30_000)
  const { reasons } = daemon.desk.status()
  for await (const event of daemon.desk.verify(
    { targets: [], source: null, glob: null, download: false, repair: true },
    never,
  ))
    expect(event.kind).not.toBe('failed')
  await daemon.idle(never)

  expect(early).toBeNull()
  expect(reasons.join()).toMatch(/nas: 1 copy is not as delivered .*fanfold verify nas/)
  expect(verifiedOf(daemon)).toMatchObject({ differences: 0 })
  expect(daemon.desk.status().reasons.join()).not.toContain('not as delivered')
  expect(statSync(join(bench.copies('nas'), 'b')).size).toBe('content of b'.length)
})

test('F45, F48: the share of contents that is read goes round over restarts, and a clock that is set back audits nothing', async () => {
  const bench = aBench({ nas: 'verify: { every: 30d, share: 50% }' })
  writeFileSync(join(bench.inbox, 'a'), 'twelve bytes')
  writeFileSync(join(bench.inbox, 'b'), 'these are a little more')
  const clock = aCalendar()
  const read: unknown[] = []
  const info = (event: string, fields: Fields = {}): void => {
    if (event === 'audit') read.push(fields['bytesRead'])
  }
  const first = await running(bench, clock, { ...silentLog, info })
  clock.today -= 365 * dayMs
  await passed()
  expect(read).toEqual([])

  clock.today += 31 * dayMs
  await vi.waitFor(() => expect(read.length).toBe(1), 30_000)
  await first.stop()
  await running(bench, clock, { ...silentLog, info })
  await passed()
  clock.today += 31 * dayMs
  await vi.waitFor(() => expect(read.length).toBe(2), 30_000)

  expect(new Set(read)).toEqual(new Set(['twelve bytes'.length, 'these are a little more'.length]))
})
