/** Limits of a target as its user meets them: what is not due yet waits without blame, over restarts, and others are not held up. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { treeOf } from '../tree.ts'
import { aBench, fanfold, isAtRest, startDaemon, targetOf, writeConfig, type Bench } from './rig.ts'

const MiB = 2 ** 20

function dropFiles(bench: Bench, count: number, size: number): void {
  for (let n = 0; n < count; n++) writeFileSync(join(bench.inbox, `f${n}`), Buffer.alloc(size, n + 1))
}

function mkCopies(bench: Bench, names: readonly string[]): void {
  for (const name of names) mkdirSync(bench.copies(name), { recursive: true })
}

/** Hours that are not now: from an hour and a half ago backwards. */
function hoursElsewhere(): string {
  const at = (hoursFromNow: number): string => {
    const time = new Date(Date.now() + hoursFromNow * 3_600_000)
    return `${String(time.getHours()).padStart(2, '0')}:00`
  }
  return `'${at(-8)}-${at(-4)}'`
}

test('outside its hours a target waits and says until when; the other one goes on; new hours let it go', async () => {
  const bench = aBench({ night: `pace: { hours: ${hoursElsewhere()} }`, sound: '' })
  mkCopies(bench, ['night', 'sound'])
  dropFiles(bench, 3, 1000)
  const daemon = await startDaemon(bench)

  const waiting = await daemon.until(
    (status) =>
      targetOf(status, 'sound').delivered === 3 && targetOf(status, 'night').reason?.includes('hours') === true,
  )
  await daemon.end('SIGTERM')
  writeConfig(bench, { night: '', sound: '' })
  const again = await startDaemon(bench)
  await again.until((status) => targetOf(status, 'night').delivered === 3 && isAtRest(status))
  await again.end('SIGTERM')

  expect(targetOf(waiting, 'night')).toMatchObject({ state: 'paused', waiting: 3, parked: 0, delivered: 0 })
  expect(targetOf(waiting, 'night').reason).toMatch(/^outside its hours \(.*\), until \d{4}-\d\d-\d\d \d\d:00$/)
  expect(treeOf(bench.copies('night'))).toEqual(treeOf(bench.inbox))
})

test('F69: a spent day stays spent over a restart, and no delivery is to blame', { timeout: 60_000 }, async () => {
  const daily = { capped: 'pace: { daily: 64MiB, concurrency: 2 }' }
  const bench = aBench(daily)
  mkCopies(bench, ['capped'])
  dropFiles(bench, 6, 20 * MiB)

  const daemon = await startDaemon(bench)
  const spent = await daemon.until((status) => targetOf(status, 'capped').reason?.includes('spent') === true, 30_000)
  await daemon.end('SIGTERM')
  const again = await startDaemon(bench)
  const later = await again.until((status) => targetOf(status, 'capped').reason?.includes('spent') === true)
  await again.end('SIGTERM')
  const why = await fanfold(bench, 'why', join(bench.inbox, 'f5'))

  expect(targetOf(spent, 'capped')).toMatchObject({ state: 'paused', parked: 0 })
  expect(targetOf(later, 'capped').delivered).toBe(targetOf(spent, 'capped').delivered)
  expect(targetOf(later, 'capped').delivered).toBeLessThanOrEqual(3)
  expect(targetOf(later, 'capped').delivered).toBeGreaterThanOrEqual(1)
  expect(why.code).toBe(0)
})

test(
  'F69: a day’s bytes are the day’s bytes, however often the program ends and begins',
  { timeout: 90_000 },
  async () => {
    const bench = aBench({ capped: 'pace: { daily: 64MiB, bandwidth: 32MiB/s, concurrency: 4 }' })
    mkCopies(bench, ['capped'])
    dropFiles(bench, 30, 4 * MiB)

    for (const [restart, signal] of (['SIGTERM', 'SIGKILL', 'SIGTERM'] as const).entries()) {
      const daemon = await startDaemon(bench)
      const enough = (restart + 1) * 3
      await daemon.until((status) => targetOf(status, 'capped').delivered >= enough, 30_000)
      await daemon.end(signal)
    }
    const last = await startDaemon(bench)
    const spent = await last.until((status) => targetOf(status, 'capped').reason?.includes('spent') === true, 30_000)
    await last.end('SIGTERM')

    const { delivered } = targetOf(spent, 'capped')
    expect(delivered * 4 * MiB).toBeLessThanOrEqual(64 * MiB)
    expect(delivered, 'a restart costs little of it').toBeGreaterThanOrEqual(12)
  },
)

test('F71: sixteen copies at once move 1 MiB/s within a tenth, over ten seconds', { timeout: 60_000 }, async () => {
  const bench = aBench({ slow: 'pace: { bandwidth: 1MiB/s, concurrency: 16 }' })
  mkCopies(bench, ['slow'])
  dropFiles(bench, 300, 64 * 1024)
  const daemon = await startDaemon(bench)

  const first = targetOf(await daemon.until((status) => targetOf(status, 'slow').delivered >= 24), 'slow')
  const startMs = performance.now()
  const tenSecondsOver = (): boolean => performance.now() - startMs >= 10_000
  const then = targetOf(await daemon.until(tenSecondsOver), 'slow')
  const seconds = (performance.now() - startMs) / 1000
  await daemon.end('SIGKILL')

  const rate = (then.bytesSent - first.bytesSent) / seconds / MiB
  expect(rate).toBeGreaterThan(0.9)
  expect(rate).toBeLessThan(1.1)
})
