import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { unwatchedReason } from '../../src/source/root.ts'
import { aWorld, atRest, endWorlds, until } from './world.ts'

afterEach(endWorlds)

test('F7: folders that could not be watched are told with the numbers and the setting to raise', () => {
  const setting = '(fs\\.inotify\\.max_user_watches|user\\.max_inotify_watches)'
  const words = `3 folders are not watched but polled: 12 watches are in use here and the limit is \\d+; raise ${setting}`

  expect(unwatchedReason('ENOSPC', 3, 12)).toMatch(new RegExp(`^${words}$`))
  expect(unwatchedReason('EACCES', 1, 12)).toBe('1 folder is not watched but polled: EACCES')
})

test('F46: a machine that slept has its sources scanned; F45: a clock that was set back is no reason to', async () => {
  let aheadMs = 0
  const clock: Clock = {
    wallMs: () => systemClock.wallMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs(),
    after: (delayMs, work) => systemClock.after(delayMs, work),
    sleep: (delayMs, signal) => systemClock.sleep(delayMs, signal),
  }
  const world = await aWorld({ clock, before: (root) => writeFileSync(join(root, 'a'), '1') })
  await atRest(world)
  const firstMs = world.source.state().lastScanMonotonicMs ?? 0

  aheadMs = -3_600_000
  await systemClock.sleep(6_000, new AbortController().signal)
  const afterSetBackMs = world.source.state().lastScanMonotonicMs
  aheadMs += 60_000
  await until(() => (world.source.state().lastScanMonotonicMs ?? 0) > firstMs)

  expect(afterSetBackMs).toBe(firstMs)
})
