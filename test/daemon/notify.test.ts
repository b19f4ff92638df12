/** What a service manager hears of the built daemon, on a socket the kernel made. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { aBench, startDaemon } from '../e2e/rig.ts'
import { aliveWithin, isAlive, startManaged } from './managed.ts'
import { aNotifySocket } from './notify-socket.ts'
import { stopThread } from './stopped-thread.ts'

describe('F99: messages reach', () => {
  test('a socket at a path', async () => {
    const manager = aNotifySocket(join(aFolder(), 'notify'))

    await startManaged(manager, aBench({ nas: '' }))

    expect(manager.heard[0]).toMatch(/^READY=1\nSTATUS=/)
  })

  test('a socket with an abstract name', async () => {
    const manager = aNotifySocket()

    await startManaged(manager, aBench({ nas: '' }))

    expect(manager.heard[0]).toMatch(/^READY=1\nSTATUS=/)
  })
})

test('F99: without NOTIFY_SOCKET, and with one nobody reads, the daemon works as ever', async () => {
  const alone = aBench({ nas: '' })
  const unheard = aBench({ nas: '' })

  const silent = await startDaemon(alone, { NOTIFY_SOCKET: '' })
  const speaking = await startDaemon(unheard, { NOTIFY_SOCKET: '/nonexistent/notify' })
  for (const bench of [alone, unheard]) writeFileSync(join(bench.inbox, 'a'), 'a')
  for (const daemon of [silent, speaking]) await daemon.until(({ targets }) => targets[0]?.delivered === 1)
  await speaking.until(() => speaking.log().includes('service manager not reached'))

  expect(await silent.end('SIGTERM')).toBe(0)
  expect(await speaking.end('SIGTERM')).toBe(0)
  expect(silent.log()).not.toContain('service manager')
  expect(speaking.log().match(/service manager not reached/g)).toHaveLength(1)
})

test('F100: READY comes when all folders are watched, although a target is missing', async () => {
  const manager = aNotifySocket()
  const bench = aBench({ nas: '' })
  writeFileSync(join(bench.folder, 'copies'), 'a file where the folder of the target should be')
  for (let n = 0; n < 3000; n++) mkdirSync(join(bench.inbox, `folder-${n}`))

  const daemon = await startManaged(manager, bench)
  const { sources } = await daemon.status()

  expect(sources[0]?.watched).toBe(3001)
})

test('F100: a source that is not there delays READY by nothing', async () => {
  const manager = aNotifySocket()
  const bench = aBench({ nas: '' })
  const text = `state: ./state\nsources: [{ name: stick, path: ./nowhere }]\ntargets: [{ name: nas, kind: directory, path: ./nas }]\n`
  writeFileSync(bench.config, text)

  await startManaged(manager, bench)

  expect(manager.heard[0]).toContain('stick missing')
})

test('F100: STATUS tells queue and lag, and that nothing waits any more', async () => {
  const manager = aNotifySocket()
  const bench = aBench({ slow: 'pace: { concurrency: 1, uploads: 2/s }' })
  await startManaged(manager, bench)

  for (let n = 0; n < 10; n++) writeFileSync(join(bench.inbox, `f${n}`), 'x')
  await manager.until((heard) => heard.some((said) => /^STATUS=\d+ to deliver \(\d+ B\), lag \d+(ms|s)/.test(said)))
  await manager.until((heard) => heard.at(-1) === 'STATUS=nothing waits')
})

describe('F101: the sign of life', () => {
  const watched = { WATCHDOG_USEC: '2000000' }

  test('comes four times a period', async () => {
    const manager = aNotifySocket()
    await startManaged(manager, aBench({ nas: '' }), watched)

    expect(await aliveWithin(manager, 2_500)).toBeGreaterThanOrEqual(4)
  })

  test('is not given where the watchdog is meant for another process', async () => {
    const manager = aNotifySocket()
    await startManaged(manager, aBench({ nas: '' }), { ...watched, WATCHDOG_PID: '1' })

    expect(await aliveWithin(manager, 2_500)).toBe(0)
  })

  test('stops while the main loop is blocked, and comes back with it', async () => {
    const manager = aNotifySocket()
    const daemon = await startManaged(manager, aBench({ nas: '' }), watched)

    const goOn = stopThread(daemon.pid)
    await aliveWithin(manager, 100)
    const blocked = await aliveWithin(manager, 2_000)
    goOn()

    expect(blocked).toBe(0)
    expect(await aliveWithin(manager, 3_000)).toBeGreaterThan(0)
  })

  test('stops while the journal cannot be written, and comes back', async () => {
    const manager = aNotifySocket()
    const bench = aBench({ nas: '' })
    await startManaged(manager, bench, watched)

    const other = new Database(join(bench.folder, 'state/journal.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    await aliveWithin(manager, 1_000)
    const blocked = await aliveWithin(manager, 2_500)
    other.exec('ROLLBACK')
    other.close()

    expect(blocked).toBe(0)
    await manager.until((heard) => heard.slice(-1).some(isAlive), 15_000)
  })
})
