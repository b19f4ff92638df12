/** What a service manager hears of a daemon in trouble, and at its end: the cases that take their time. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { aliveWithin, isExtend, startManaged } from '../daemon/managed.ts'
import { aNotifySocket, type NotifySocket } from '../daemon/notify-socket.ts'
import { stopThread, watchThreadOf } from '../daemon/stopped-thread.ts'
import { aBench, type RunningDaemon } from '../e2e/rig.ts'

const watched = { WATCHDOG_USEC: '4000000' }

test('F18, F101: the sign of life stops while the watch thread is dead, says so, and comes back with its successor; nothing is lost', async () => {
  const manager = aNotifySocket()
  const bench = aBench({ nas: '' })
  const daemon = await startManaged(manager, bench, watched)

  stopThread(watchThreadOf(daemon.pid))
  writeFileSync(join(bench.inbox, 'unseen'), 'x')
  while (!daemon.log().includes('the watch thread does not answer')) await delay(50)
  // It is said at most 1 s after the first silent look; the second one, which gives the thread up, comes 2.5 s after that.
  const blocked = await aliveWithin(manager, 1_000)
  await daemon.until(({ targets }) => targets[0]?.delivered === 1, 60_000)

  expect(blocked).toBe(0)
  expect(await aliveWithin(manager, 3_000)).toBeGreaterThan(0)
}, 90_000)

describe('F102: a stop', () => {
  async function inMidCopy(manager: NotifySocket): Promise<RunningDaemon> {
    const bench = aBench({ slow: 'pace: { concurrency: 1, bandwidth: 1MiB/s }' })
    writeFileSync(join(bench.inbox, 'large'), Buffer.alloc(60 * 2 ** 20))
    const daemon = await startManaged(manager, bench)
    await daemon.until(({ targets }) => (targets[0]?.sending[0]?.bytesDone ?? 0) > 0, 20_000)
    return daemon
  }

  test('says STOPPING first, then asks for time as long as it drains, and ends with 0', async () => {
    const manager = aNotifySocket()
    const daemon = await inMidCopy(manager)

    const code = await daemon.end('SIGTERM')
    const stopping = manager.heard.findIndex((message) => message.startsWith('STOPPING=1\n'))

    expect(code).toBe(0)
    expect(manager.heard[stopping]).toContain('STATUS=stopping; 1 to deliver')
    expect(manager.heard.slice(0, stopping).some(isExtend)).toBe(false)
    expect(manager.heard.slice(stopping + 1).filter(isExtend).length).toBeGreaterThanOrEqual(2)
  }, 60_000)

  test('is cut short by a second TERM', async () => {
    const manager = aNotifySocket()
    const daemon = await inMidCopy(manager)

    daemon.child.kill('SIGTERM')
    await manager.until((heard) => heard.some((message) => message.startsWith('STOPPING=1\n')))
    await delay(700)
    const startMs = performance.now()
    const code = await daemon.end('SIGTERM')

    expect(code).toBe(143)
    expect(performance.now() - startMs).toBeLessThan(3_000)
  }, 60_000)
})
