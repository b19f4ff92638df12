/** Order and wording of what a service manager is told, on a manual clock and a real socket. */
import { expect, test } from 'vitest'
import { kernelMonotonicUs, systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { Announcer, type AnnouncedParts } from '../../src/daemon/announcer.ts'
import { openNotifier } from '../../src/daemon/notify.ts'
import type { SourceState } from '../../src/source/source.ts'
import { aLane, aStatus } from '../control/small-desk.ts'
import { ManualClock } from '../manual-clock.ts'
import { aNotifySocket, type NotifySocket } from './notify-socket.ts'

function aSource(some: Partial<SourceState> = {}): SourceState {
  const still = { reason: null, settling: 0, scannedCount: 0, lastScanMonotonicMs: null, skipped: new Map() }
  return { state: 'watching', watched: 1, isStanding: true, ...still, ...some }
}

function anAnnouncer(manager: NotifySocket, some: Partial<AnnouncedParts>, clock = new ManualClock()): Announcer {
  const environment = { NOTIFY_SOCKET: manager.name }
  const parts: AnnouncedParts = {
    status: () => aStatus(),
    sources: () => [aSource()],
    isConfigRefused: () => false,
    isWatchAnswering: () => true,
    journalAnswers: () => Promise.resolve(),
    ...some,
  }
  const notifier = openNotifier(environment, { clock: systemClock, log: silentLog })
  return new Announcer(notifier, parts, { clock, log: silentLog })
}

/** Moves on in small steps, since each wait begins only after the one before it. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 25) {
    clock.advance(25)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a reload is told with the kernel’s monotonic time in microseconds, and ended with READY', async () => {
  const manager = aNotifySocket()
  const announcer = anAnnouncer(manager, {})

  const beforeUs = kernelMonotonicUs()
  announcer.reloading()
  announcer.reloaded()
  await manager.until((heard) => heard.length === 2)
  const [, us] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(manager.heard[0] ?? '') ?? []

  expect(BigInt(us ?? 0) - beforeUs).toBeLessThan(1_000_000n)
  expect(BigInt(us ?? 0)).toBeGreaterThanOrEqual(beforeUs)
  expect(manager.heard[1]).toMatch(/^READY=1\nSTATUS=/)
  await announcer.close()
})

test('F95: a configuration that was not taken over is part of STATUS', async () => {
  const manager = aNotifySocket()
  const announcer = anAnnouncer(manager, { isConfigRefused: () => true })

  announcer.reloading()
  announcer.reloaded()
  await manager.until((heard) => heard.length === 2)

  expect(manager.heard[1]).toContain('; configuration not taken over, the one before stays in force')
  await announcer.close()
})

test('F100: a root that does not answer delays READY by 10 s, no more', async () => {
  const manager = aNotifySocket()
  const clock = new ManualClock()
  const announcer = anAnnouncer(
    manager,
    { sources: () => [aSource({ state: 'scanning', watched: 0, isStanding: false })] },
    clock,
  )

  announcer.start()
  await pass(clock, 9_900)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(manager.heard.filter((message) => message.startsWith('READY'))).toEqual([])
  await pass(clock, 200)

  await manager.until((heard) => heard.some((message) => message.startsWith('READY')))
  await announcer.close()
})

test('a large tree is waited for, and the manager is asked for the time', async () => {
  const manager = aNotifySocket()
  const clock = new ManualClock()
  let source = aSource({ state: 'scanning', watched: 70_000, isStanding: false })
  const announcer = anAnnouncer(manager, { sources: () => [source] }, clock)

  announcer.start()
  await pass(clock, 16_000)
  await manager.until((heard) => heard.filter((said) => said === 'EXTEND_TIMEOUT_USEC=20000000').length === 3)
  source = aSource()
  await pass(clock, 100)

  await manager.until((heard) => heard.at(-1)?.startsWith('READY=1') === true)
  await announcer.close()
})

test('a line break in a STATUS makes no second variable', async () => {
  const manager = aNotifySocket()
  const status = aStatus({ targets: [aLane({ name: 'nas', state: 'lost\nREADY=1' })] })
  const announcer = anAnnouncer(manager, { status: () => status })

  announcer.reloaded()
  await manager.until((heard) => heard.length === 1)

  expect(manager.heard[0]?.split('\n')).toHaveLength(2)
  await announcer.close()
})
