/** The built program with a Google Drive target, against the emulator: what its owner sees. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { treeOf } from '../tree.ts'
import { aDriveBench } from './google-drive-bench.ts'
import { fanfold, isAtRest, isCopy, startDaemon, targetOf } from './rig.ts'

const mebibyte = 2 ** 20

test('archives a tree', async () => {
  const bench = await aDriveBench()
  mkdirSync(join(bench.inbox, 'a/B c'), { recursive: true })
  for (let n = 0; n < 30; n++) writeFileSync(join(bench.inbox, `a/f${n}.txt`), `content ${n}`)
  writeFileSync(join(bench.inbox, "a/B c/it's\there"), '')
  writeFileSync(join(bench.inbox, 'a/B c/large'), randomBytes(20 * mebibyte))

  const ended = await fanfold(bench, 'run', '--until-idle')

  expect([ended.code, ended.stderr]).toEqual([0, expect.any(String)])
  const listed = bench.rig.emulator.provider.owner.list().filter(isCopy)
  expect(listed.length).toBe(32)
  for (const path of treeOf(bench.inbox).keys()) {
    expect(bench.held(path)?.equals(readFileSync(join(bench.inbox, path))) ?? false, path).toBe(true)
  }
})

test('F87, F115: without its journal it finds its folders and copies again, and sends nothing', async () => {
  const bench = await aDriveBench()
  mkdirSync(join(bench.inbox, 'd'))
  for (let n = 0; n < 10; n++) writeFileSync(join(bench.inbox, `d/f${n}`), `content ${n}`)
  await fanfold(bench, 'run', '--until-idle')
  const { recorder, provider } = bench.rig.emulator
  const before = [recorder.count('upload.create'), recorder.count('files.create')]
  // Logins stay, the rest of the state is lost.
  const state = join(bench.folder, 'state')
  for (const name of readdirSync(state)) if (name !== 'accounts') rmSync(join(state, name), { recursive: true })

  const ended = await fanfold(bench, 'run', '--until-idle')

  expect(ended.code, ended.stdout + ended.stderr).toBe(0)
  expect([recorder.count('upload.create'), recorder.count('files.create'), recorder.count('upload.update')]).toEqual([
    ...before,
    // The note that says whose place it is.
    1,
  ])
  expect(provider.owner.list().filter(isCopy).length).toBe(10)
})

test('F61: killed in the middle of a large upload it goes on, sends at most one chunk twice, and there is one file', async () => {
  const bench = await aDriveBench(", pace: { bandwidth: '60MiB/s' }")
  const content = randomBytes(90 * mebibyte)
  writeFileSync(join(bench.inbox, 'large'), content)
  const { recorder, provider } = bench.rig.emulator
  const first = await startDaemon(bench)
  await first.until(() => recorder.count('upload.session') >= 3, 30_000)

  await first.end('SIGKILL')
  const second = await startDaemon(bench)
  await second.until((status) => isAtRest(status) && targetOf(status, 'drive').delivered === 1, 60_000)

  expect(bench.held('large')?.equals(content)).toBe(true)
  expect(provider.owner.itemsAt('/Archive/large').length).toBe(1)
  // One of them is the note that says whose place it is.
  expect(recorder.count('upload.create')).toBe(2)
  expect(recorder.routes['upload.session']?.requestBytes).toBeLessThan(content.length + 17 * mebibyte)
}, 120_000)

describe('its owner sees', () => {
  test.each([
    ['F67: a rest that was asked for', { do: 'refuse', name: 'throttle', retryAfterS: 300 }, 'paused', '403'],
    ['F69: the cap of a day', { do: 'refuse', name: 'upload-cap' }, 'paused', 'so much goes in a day'],
    ['F68: a full account', { do: 'behave', name: 'full' }, 'full', 'free space'],
    ['F77: a login that was taken back', { do: 'revoke-login' }, 'needs-login', 'fanfold login main'],
  ] as const)('%s', async (_title, fault, state, word) => {
    const bench = await aDriveBench()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    bench.rig.emulator.fault({ route: 'upload.create', count: 'all', fault })
    const daemon = await startDaemon(bench)

    // The pause is told before the copy that met it is back in its queue.
    const isQueued = (seen: Status): boolean => targetOf(seen, 'drive').waiting === 1
    const status = await daemon.until((seen) => targetOf(seen, 'drive').state === state && isQueued(seen))

    expect(targetOf(status, 'drive').reason).toContain(word)
  })
})
