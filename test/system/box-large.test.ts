/**
 * Large files and Box: killed again and again, in flat memory, and what is not needed is not loaded. `FANFOLD_LARGE_GIB` says how large the files
 * are; 192 MiB where it is not set.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aBoxBench } from '../e2e/box-bench.ts'
import { isAtRest, isCopy, startDaemon, targetOf } from '../e2e/rig.ts'
import { downloaded, fill, isLoaded, rssBytes, withoutClouds } from './large-files.ts'

const mebibyte = 2 ** 20
const largeBytes = Number(process.env['FANFOLD_LARGE_GIB'] ?? '0.1875') * 2 ** 30
/** As Box says here. */
const partBytes = 8 * mebibyte
const kills = 10
/** What garbage and the allocator may add to what is needed. */
const grownBytesMax = 64 * mebibyte

test(`F61: killed with -9 at ten points of ${largeBytes / mebibyte} MiB it goes on each time, sends at most one part again, and leaves one object`, async () => {
  const bench = await aBoxBench()
  bench.login()
  const { recorder, provider } = bench.rig.emulator
  const arrived = (): number =>
    recorder.records
      .filter(({ route }) => route === 'sessions/part')
      .reduce((sum, { requestBytes }) => sum + requestBytes, 0)
  const hash = createHash('sha1')
  await fill(join(bench.inbox, 'large'), largeBytes, hash)

  for (let kill = 1; kill <= kills; kill++) {
    const daemon = await startDaemon(bench)
    const before = arrived()
    const wanted = Math.max(0, largeBytes - before) / (kills + 2 - kill)
    await daemon.until(() => arrived() - before >= wanted, 120_000)
    await daemon.end('SIGKILL')
  }
  const last = await startDaemon(bench)
  await last.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 120_000)

  const again = arrived() - largeBytes
  process.stdout.write(`sent again: ${(again / mebibyte / kills).toFixed(1)} MiB per kill\n`)
  expect(recorder.count('sessions/create')).toBe(1)
  expect(again).toBeLessThanOrEqual(kills * (partBytes + mebibyte))
  expect(provider.owner.list().filter(isCopy)).toEqual([
    expect.objectContaining({ path: '/Archive/large', size: largeBytes, hash: hash.digest('hex') }),
  ])
  expect(provider.owner.versions('/Archive/large')).toBe(1)
}, 600_000)

test(`${largeBytes / mebibyte} MiB go up and come back in flat memory`, async () => {
  const bench = await aBoxBench()
  bench.login()
  // A first one, so that what the program itself takes is there.
  await fill(join(bench.inbox, 'first'), 64 * mebibyte, createHash('sha1'))
  const daemon = await startDaemon(bench)
  await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 60_000)
  const restBytes = rssBytes(daemon.pid)
  let mostBytes = 0

  const sha256 = await fill(join(bench.inbox, 'large'), largeBytes, createHash('sha1'))
  await daemon.until((status) => {
    mostBytes = Math.max(mostBytes, rssBytes(daemon.pid))
    return isAtRest(status) && targetOf(status, 'cloud').delivered === 2
  }, 300_000)
  await daemon.end('SIGTERM')
  const down = await downloaded('box', bench.rig.emulator.url, bench.rig.accessToken)

  const grown = [mostBytes - restBytes, down.grownBytes]
  process.stdout.write(`up and down: ${grown.map((bytes) => `+${Math.round(bytes / mebibyte)} MiB`).join(', ')}\n`)
  expect(down.sha256).toBe(sha256)
  expect(Math.max(...grown)).toBeLessThan(grownBytesMax)
}, 600_000)

test('who has no Box target never loads its SDK', async () => {
  const bench = await aBoxBench()
  bench.login()
  writeFileSync(join(bench.inbox, 'x'), 'x')

  // The SDK itself is no CommonJS; of what it loads this is, and nobody else wants it.
  const withTarget = await isLoaded(bench, 'whatwg-url')
  withoutClouds(bench)

  expect([withTarget, await isLoaded(bench, 'whatwg-url')]).toEqual([true, false])
}, 60_000)
