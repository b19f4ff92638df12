/** The built program with a Box target, against the emulator: what its owner sees. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test, vi } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { treeOf } from '../tree.ts'
import type { BoxRig } from '../emulator/box-rig.ts'
import { aBoxBench } from './box-bench.ts'
import { fanfold, isAtRest, startDaemon, targetOf } from './rig.ts'

const mebibyte = 2 ** 20

test('archives a tree, and goes on with its login after a restart', async () => {
  const bench = await aBoxBench()
  bench.login()
  mkdirSync(join(bench.inbox, 'a/B c'), { recursive: true })
  for (let n = 0; n < 30; n++) writeFileSync(join(bench.inbox, `a/f${n}.txt`), `content ${n}`)
  writeFileSync(join(bench.inbox, 'a/B c/tab\there'), '')
  writeFileSync(join(bench.inbox, 'a/B c/large'), randomBytes(21 * mebibyte))

  const first = await fanfold(bench, 'run', '--until-idle')
  // The token of that run is spent in the eyes of Box; the next one has to be there.
  bench.rig.emulator.auth.expireAccess()
  writeFileSync(join(bench.inbox, 'a/late'), 'late')
  const second = await fanfold(bench, 'run', '--until-idle')

  expect([first.code, second.code], first.stderr + second.stderr).toEqual([0, 0])
  for (const path of treeOf(bench.inbox).keys())
    expect(bench.held(path.replace('\t', '␉'))?.equals(readFileSync(join(bench.inbox, path))) ?? false, path).toBe(true)
  const { recorder } = bench.rig.emulator
  expect([recorder.count('sessions/create'), recorder.count('folders/create')]).toEqual([1, 3])
})

const locked = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' },
})

/** The file that Box's console gives for an app with a key. */
function keyFile({ emulator }: BoxRig, folder: string): string {
  const { clientId, clientSecret } = emulator.auth.client
  emulator.provider.pages.serviceKey = locked.publicKey
  const appAuth = { publicKeyID: 'k1', privateKey: locked.privateKey, passphrase: 'open sesame' }
  const boxAppSettings = { clientID: clientId, clientSecret, appAuth }
  writeFileSync(join(folder, 'key.json'), JSON.stringify({ boxAppSettings, enterpriseID: '77' }), { mode: 0o600 })
  return 'service: { key-file: ./key.json }'
}

test.each([
  [
    'client credentials',
    ({ emulator }: BoxRig) =>
      `client-id: ${emulator.auth.client.clientId}, client-secret-file: ./secret, service: { enterprise: '77' }`,
  ],
  ['a key', keyFile],
])('a program logs in as itself, with %s, and once more where that ended, without a person', async (_what, account) => {
  const bench = await aBoxBench('', account)
  writeFileSync(join(bench.inbox, 'a'), 'a')
  const daemon = await startDaemon(bench)
  await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 1)

  bench.rig.emulator.auth.expireAccess()
  writeFileSync(join(bench.inbox, 'b'), 'b')
  const healthy = await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 2 && seen.healthy)
  const checked = await fanfold(bench, 'login', 'main', '--check')

  expect([bench.held('a')?.toString(), bench.held('b')?.toString()]).toEqual(['a', 'b'])
  expect(healthy.accounts[0]).toMatchObject({ name: 'main', state: 'logged-in' })
  expect(checked.code, checked.stderr).toBe(0)
})

test('F69: the month’s requests are counted over restarts, shown, and end it until the next month or a larger number', async () => {
  const bench = await aBoxBench(', pace: { monthly-requests: 1000 }')
  bench.login()
  for (let n = 0; n < 5; n++) writeFileSync(join(bench.inbox, `f${n}`), `content ${n}`)
  await fanfold(bench, 'run', '--until-idle')
  const first = await startDaemon(bench)
  const counted = (await first.until((seen) => targetOf(seen, 'cloud').state === 'running')).targets[0]?.requests
  await first.end('SIGTERM')
  const made = bench.rig.emulator.recorder.records.length
  const journal = new Database(join(bench.folder, 'state/journal.sqlite'))
  journal.prepare('UPDATE target_pace SET requests = 1000').run()
  journal.close()

  const second = await startDaemon(bench)
  const spent = targetOf(await second.until((seen) => targetOf(seen, 'cloud').state === 'paused'), 'cloud')
  const yaml = readFileSync(bench.config, 'utf8').replace('1000', '2000')
  writeFileSync(bench.config, yaml)
  await fanfold(bench, 'reload')
  writeFileSync(join(bench.inbox, 'late'), 'late')
  await second.until((seen) => targetOf(seen, 'cloud').delivered === 6)

  expect(counted).toMatchObject({ most: 1000 })
  expect(counted?.requests).toBeGreaterThan(5)
  expect(counted?.requests).toBeLessThanOrEqual(made)
  expect(spent.requests).toMatchObject({ requests: 1000, most: 1000 })
  expect(spent.reason).toMatch(/the 1,000 requests of this month are spent .*until /)
})

test('F115: a resync that verifies proves by revisions, and neither sends nor downloads content', async () => {
  const bench = await aBoxBench()
  bench.login()
  for (let n = 0; n < 10; n++) writeFileSync(join(bench.inbox, `f${n}`), `content ${n}`)
  const daemon = await startDaemon(bench)
  await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 10)
  const { recorder } = bench.rig.emulator
  const uploads = recorder.count('files/upload')

  const ended = await fanfold(bench, 'resync', '--verify', '--wait')

  expect(ended.code).toBe(0)
  expect(recorder.count('files/get')).toBeGreaterThanOrEqual(10)
  expect([recorder.count('files/content'), recorder.count('files/upload')]).toEqual([0, uploads])
})

test('F61: killed in the middle of a large upload it goes on with the parts that Box has', async () => {
  const bench = await aBoxBench(", pace: { bandwidth: '40MiB/s' }")
  bench.login()
  const content = randomBytes(50 * mebibyte)
  writeFileSync(join(bench.inbox, 'large'), content)
  const { recorder } = bench.rig.emulator
  const first = await startDaemon(bench)
  const stored = (): number =>
    recorder.records.filter(({ route, status }) => route === 'sessions/part' && status === 200).length
  await first.until(() => stored() >= 2, 30_000)

  await first.end('SIGKILL')
  const second = await startDaemon(bench)
  await second.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 60_000)

  expect(bench.held('large')?.equals(content)).toBe(true)
  expect(recorder.count('sessions/create')).toBe(1)
  // Three parts of 8 MiB were on their way at most when it died.
  expect(recorder.routes['sessions/part']?.requestBytes).toBeLessThan(content.length + 25 * mebibyte)
}, 120_000)

describe('its owner sees', () => {
  test('F77: that a login is needed, with the command, and it goes on with one without a restart', async () => {
    const bench = await aBoxBench()
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
    ['F68: a full account', { do: 'refuse', name: 'full' }, 'full', 'free space'],
    ['F77: a login that was taken back', { do: 'revoke-login' }, 'needs-login', 'fanfold login main'],
  ] as const)('%s', async (_title, fault, state, word) => {
    const bench = await aBoxBench()
    bench.login()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    bench.rig.emulator.fault({ route: 'files/upload', count: 'all', fault })
    const daemon = await startDaemon(bench)

    // The pause is told before the copy that met it is back in its queue.
    const isQueued = (seen: Status): boolean => targetOf(seen, 'cloud').waiting === 1
    const status = await daemon.until((seen) => targetOf(seen, 'cloud').state === state && isQueued(seen))

    expect(targetOf(status, 'cloud').reason).toContain(word)
  })
})

test.each([
  ['while its parts are sent, has its session ended', 'sessions/part', 2],
  ['while it is given its name, is removed there again', 'sessions/commit', 1],
])('F38: a file that is removed during its upload, %s', async (_what, route, nth) => {
  const bench = await aBoxBench(', on-remove: remove, remove-after: 0s')
  bench.login()
  const { emulator } = bench.rig
  const big = join(bench.inbox, 'big')
  const work = (): void => {
    rmSync(big)
  }
  const struck = emulator.fault({ route, nth, fault: { do: 'call', when: 'before', work } })
  writeFileSync(big, randomBytes(40 * mebibyte))
  const daemon = await startDaemon(bench)

  await vi.waitUntil(() => struck.struck === 1, { timeout: 20_000 })
  await daemon.until(({ sources, targets: [cloud] }) => {
    const open = cloud && cloud.leaving + cloud.waiting + cloud.active
    return sources[0]?.files === 0 && open === 0
  })

  expect(emulator.provider.account.sessions.openCount).toBe(0)
  expect(bench.held('big')?.length).toBeUndefined()
  expect(targetOf(await daemon.status(), 'cloud')).toMatchObject({ delivered: 0, parked: 0 })
  expect(emulator.recorder.count('sessions/commit')).toBe(nth === 1 ? 1 : 0)
})
