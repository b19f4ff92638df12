/** The built program with a Box target, against the emulator: what its owner sees. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { treeOf } from '../tree.ts'
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
