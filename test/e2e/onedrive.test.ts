/** The built program with a OneDrive target, against the emulator: what its owner sees. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { treeOf } from '../tree.ts'
import { aCloudBench } from './onedrive-bench.ts'
import { fanfold, isAtRest, startDaemon, targetOf } from './rig.ts'

const mebibyte = 2 ** 20

test('archives a tree, and a resync that verifies neither sends nor downloads content (F115)', async () => {
  const bench = await aCloudBench({ driveType: 'business' })
  mkdirSync(join(bench.inbox, 'a/B c'), { recursive: true })
  for (let n = 0; n < 20; n++) writeFileSync(join(bench.inbox, `a/f${n}.txt`), `content ${n}`)
  writeFileSync(join(bench.inbox, 'a/B c/tab\there'), '')
  writeFileSync(join(bench.inbox, 'a/B c/large?'), randomBytes(11 * mebibyte))
  writeFileSync(join(bench.inbox, 'a/report.docx'), 'PK\x03\x04 rewritten over there')
  const { recorder } = bench.rig.emulator

  const ended = await fanfold(bench, 'run', '--until-idle')
  const daemon = await startDaemon(bench)
  // Running: it has read whose place it is.
  const isReady = (status: Status): boolean => isAtRest(status) && targetOf(status, 'cloud').state === 'running'
  await daemon.until((status) => isReady(status) && targetOf(status, 'cloud').delivered === 23)
  const [sessions, downloads] = [recorder.count('create-session'), recorder.count('download')]
  const verified = await fanfold(bench, 'resync', '--verify', '--wait')
  const { altered } = targetOf(await daemon.status(), 'cloud')
  const whys = await Promise.all(['a/report.docx', 'a/f1.txt'].map((path) => fanfold(bench, 'why', path)))

  expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining('rewritten by SharePoint')])
  // F66: shown, and not sent again.
  expect(altered).toBe(1)
  expect(whys.map(({ stdout }) => stdout.includes('the provider made'))).toEqual([true, false])
  for (const path of treeOf(bench.inbox).keys()) {
    if (path.endsWith('docx')) continue
    expect(bench.held(path.replace('\t', '␉').replace('?', '？'))?.equals(readFileSync(join(bench.inbox, path)))).toBe(
      true,
    )
  }
  expect([verified.code, sessions, downloads]).toEqual([0, 23, 2])
  expect([recorder.count('create-session'), recorder.count('download')]).toEqual([sessions, downloads])
}, 60_000)

test('F61: killed in the middle of a large upload it goes on, and sends at most one fragment twice', async () => {
  const bench = await aCloudBench({ driveType: 'business' }, ", pace: { bandwidth: '40MiB/s' }")
  const content = randomBytes(45 * mebibyte)
  writeFileSync(join(bench.inbox, 'large'), content)
  const { recorder } = bench.rig.emulator
  const first = await startDaemon(bench)
  await first.until(() => recorder.count('fragment') >= 3, 30_000)

  await first.end('SIGKILL')
  const second = await startDaemon(bench)
  await second.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 60_000)

  expect(bench.held('large')?.equals(content)).toBe(true)
  // One of them is for the note that says whose place it is.
  expect(recorder.count('create-session')).toBe(2)
  expect(recorder.routes['fragment']?.requestBytes).toBeLessThan(content.length + 11 * mebibyte)
}, 120_000)

test('F62: a file that changed after a kill in the middle of its upload has its name at once: the old upload is ended first', async () => {
  const bench = await aCloudBench({ driveType: 'business' }, ", pace: { bandwidth: '20MiB/s' }")
  const { recorder, provider } = bench.rig.emulator
  writeFileSync(join(bench.inbox, 'large'), randomBytes(30 * mebibyte))
  const first = await startDaemon(bench)
  await first.until(() => recorder.count('fragment') >= 2, 30_000)
  await first.end('SIGKILL')
  const open = provider.drive.sessions.openCount
  const content = randomBytes(12 * mebibyte)
  writeFileSync(join(bench.inbox, 'large'), content)

  const ended = await fanfold(bench, 'run', '--until-idle')

  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stderr).not.toContain('delivery postponed')
  expect([open, provider.drive.sessions.openCount]).toEqual([1, 0])
  expect(bench.held('large')?.equals(content)).toBe(true)
}, 60_000)

test.each([
  ['F67: a rest that was asked for', { do: 'refuse', name: 'throttle', retryAfterS: 300 }, 'paused', '429'],
  ['F68: a full drive', { do: 'refuse', name: 'full' }, 'full', 'free space'],
  ['F77: a login that was taken back', { do: 'revoke-login' }, 'needs-login', 'fanfold login main'],
] as const)('its owner sees %s', async (_title, fault, state, word) => {
  const bench = await aCloudBench()
  writeFileSync(join(bench.inbox, 'x'), 'x')
  bench.rig.emulator.fault({ route: 'create-session', count: 'all', fault })
  const daemon = await startDaemon(bench)

  // The pause is told before the copy that met it is back in its queue.
  const isQueued = (seen: Status): boolean => targetOf(seen, 'cloud').waiting === 1
  const status = await daemon.until((seen) => targetOf(seen, 'cloud').state === state && isQueued(seen))

  expect(targetOf(status, 'cloud').reason).toContain(word)
})
