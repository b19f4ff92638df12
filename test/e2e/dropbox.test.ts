/** The built program with a Dropbox target, against the emulator: what its owner sees. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { proxyFor } from '../emulator/emulators.ts'
import { treeOf } from '../tree.ts'
import { aCloudBench } from './dropbox-bench.ts'
import { fanfold, isAtRest, isCopy, startDaemon, targetOf } from './rig.ts'

const mebibyte = 2 ** 20

test('archives a tree', async () => {
  const bench = await aCloudBench()
  bench.login()
  mkdirSync(join(bench.inbox, 'a/B c'), { recursive: true })
  for (let n = 0; n < 40; n++) writeFileSync(join(bench.inbox, `a/f${n}.txt`), `content ${n}`)
  writeFileSync(join(bench.inbox, 'a/B c/tab\there'), '')
  writeFileSync(join(bench.inbox, 'a/B c/medium'), randomBytes(3 * mebibyte))
  writeFileSync(join(bench.inbox, 'a/B c/large'), randomBytes(20 * mebibyte))

  const ended = await fanfold(bench, 'run', '--until-idle')

  expect([ended.code, ended.stderr]).toEqual([0, expect.any(String)])
  const listed = bench.rig.emulator.provider.owner.list().filter(isCopy)
  expect(listed.length).toBe(43)
  for (const path of treeOf(bench.inbox).keys()) {
    expect(bench.held(path)?.equals(readFileSync(join(bench.inbox, path))) ?? false, path).toBe(true)
  }
})

test("F115: a resync that verifies compares hashes with Dropbox's own, and neither sends nor downloads content", async () => {
  const bench = await aCloudBench()
  bench.login()
  for (let n = 0; n < 10; n++) writeFileSync(join(bench.inbox, `f${n}`), `content ${n}`)
  const daemon = await startDaemon(bench)
  await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 10)
  const { recorder } = bench.rig.emulator
  const [uploads, appends] = [recorder.count('files/upload'), recorder.count('files/upload_session/append_batch')]

  const ended = await fanfold(bench, 'resync', '--verify', '--wait')

  expect(ended.code).toBe(0)
  expect(recorder.count('files/get_metadata')).toBeGreaterThanOrEqual(10)
  expect(recorder.count('files/download')).toBe(0)
  expect([recorder.count('files/upload'), recorder.count('files/upload_session/append_batch')]).toEqual([
    uploads,
    appends,
  ])
})

test('F61: killed in the middle of a large upload it goes on, and sends at most one chunk twice', async () => {
  const bench = await aCloudBench(", pace: { bandwidth: '60MiB/s' }")
  bench.login()
  const content = randomBytes(90 * mebibyte)
  writeFileSync(join(bench.inbox, 'large'), content)
  const { recorder } = bench.rig.emulator
  const first = await startDaemon(bench)
  await first.until(() => recorder.count('files/upload_session/append_v2') >= 3, 30_000)

  await first.end('SIGKILL')
  const second = await startDaemon(bench)
  await second.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 60_000)

  expect(bench.held('large')?.equals(content)).toBe(true)
  expect(recorder.count('files/upload_session/start')).toBe(1)
  expect(recorder.routes['files/upload_session/append_v2']?.requestBytes).toBeLessThan(content.length + 17 * mebibyte)
}, 120_000)

describe('its owner sees', () => {
  test('F77: that a login is needed, with the command, and it goes on with one without a restart', async () => {
    const bench = await aCloudBench()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    const daemon = await startDaemon(bench)

    const status = await daemon.until((seen) => targetOf(seen, 'cloud').state === 'needs-login')
    bench.login()
    await fanfold(bench, 'retry')
    await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 1)

    expect(targetOf(status, 'cloud').reason).toContain('fanfold login main')
    expect(bench.held('x')?.toString()).toBe('x')
  })

  test.each([
    ['F67: a rest that was asked for', { do: 'refuse', name: 'throttle', retryAfterS: 300 }, 'paused', '429'],
    ['F68: a full account', { do: 'behave', name: 'full' }, 'full', 'free space'],
    ['F77: a login that was taken back', { do: 'revoke-login' }, 'needs-login', 'fanfold login main'],
  ] as const)('%s', async (_title, fault, state, word) => {
    const bench = await aCloudBench()
    bench.login()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    bench.rig.emulator.fault({ route: 'files/upload', count: 'all', fault })
    const daemon = await startDaemon(bench)

    // The pause is told before the copy that met it is back in its queue.
    const isQueued = (seen: Status): boolean => targetOf(seen, 'cloud').waiting === 1
    const status = await daemon.until((seen) => targetOf(seen, 'cloud').state === state && isQueued(seen))

    expect(targetOf(status, 'cloud').reason).toContain(word)
  })

  test('F119: which file of certificates is missing, and it goes on when that is there, without a restart', async () => {
    let authority = ''
    const bench = await aCloudBench('', async ({ emulator }) => {
      const proxy = proxyFor([emulator])
      onTestFinished(() => proxy.stop())
      await proxy.start()
      authority = proxy.authority
      return proxy
    })
    bench.login()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    const daemon = await startDaemon(bench)

    const status = await daemon.until((seen) => targetOf(seen, 'cloud').state === 'unreachable')
    writeFileSync(join(bench.folder, 'ca.pem'), authority)
    await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 1)

    expect(targetOf(status, 'cloud').reason).toContain(`http.ca-file ${join(bench.folder, 'ca.pem')} cannot be read`)
    expect(bench.held('x')?.toString()).toBe('x')
  })

  test('F67: a rest that was asked of one target at all targets of the account', async () => {
    const bench = await aCloudBench()
    bench.login()
    const yaml = readFileSync(bench.config, 'utf8')
    const second = (/^ {2}- \{ name: cloud.*\n/m.exec(yaml)?.[0] ?? '')
      .replace('name: cloud', 'name: second')
      .replace('folder: Archive', 'folder: Other, select: { include: ["*.txt"] }')
    writeFileSync(bench.config, yaml.replace('accounts:', `${second}accounts:`))
    const throttled = { do: 'refuse', name: 'throttle', retryAfterS: 300 } as const
    const daemon = await startDaemon(bench)
    await daemon.until((seen) => seen.targets.every(({ state }) => state === 'running'))

    bench.rig.emulator.fault({ route: 'files/upload', contains: 'Archive', fault: throttled })
    writeFileSync(join(bench.inbox, 'x'), 'x')
    await daemon.until((seen) => targetOf(seen, 'cloud').state === 'paused')
    writeFileSync(join(bench.inbox, 'y.txt'), 'y')
    const status = await daemon.until((seen) => targetOf(seen, 'second').state === 'paused')

    expect(targetOf(status, 'second')).toMatchObject({ waiting: 1, delivered: 0 })
    expect(targetOf(status, 'second').reason).toContain('429')
  })

  test('F75: nothing of an access token that ended', async () => {
    const bench = await aCloudBench()
    bench.login()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    bench.rig.emulator.fault({ route: 'files/upload', fault: { do: 'expire-token' } })

    const ended = await fanfold(bench, 'run', '--until-idle')

    expect(ended.code).toBe(0)
    expect(bench.held('x')?.toString()).toBe('x')
  })
})
