/**
 * Large files and Dropbox: killed again and again, in flat memory, and what is not needed is not loaded. `FANFOLD_LARGE_GIB` says how large
 * the file for the memory is; 1 where it is not set.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Rig } from '../emulator/dropbox-rig.ts'
import { aCloudBench } from '../e2e/dropbox-bench.ts'
import { isAtRest, isCopy, startDaemon, targetOf } from '../e2e/rig.ts'
import { ContentHash } from '../../src/target/dropbox/content-hash.ts'
import { downloaded, fill, isLoaded, rssBytes, withoutClouds } from './large-files.ts'

const mebibyte = 2 ** 20
const gibibyte = 2 ** 30
const chunkBytes = 16 * mebibyte
const kills = 10
const largeBytes = Number(process.env['FANFOLD_LARGE_GIB'] ?? '1') * gibibyte
/** What garbage and the allocator may add to what is needed. */
const grownBytesMax = 64 * mebibyte

/** Whoever else wants the loop waits no longer. Unit: ms. */
const busyMsMax = 50

/** Its hash as Dropbox has it, and its sha256. */
async function filled(path: string, bytes: number): Promise<{ readonly hash: string; readonly sha256: string }> {
  const hash = new ContentHash()
  const sha256 = await fill(path, bytes, hash)
  return { hash: hash.hex(), sha256 }
}

/** Of content, the one under way included. */
function arrivedBytes({ emulator }: Rig): number {
  return emulator.recorder.records
    .filter(({ route }) => route === 'files/upload_session/append_v2')
    .reduce((sum, { requestBytes }) => sum + requestBytes, 0)
}

test('F61: killed with -9 at ten points of 1 GiB it goes on each time, sends at most one chunk again, and leaves one object', async () => {
  const bench = await aCloudBench()
  const { recorder, provider } = bench.rig.emulator
  bench.login()
  const { hash } = await filled(join(bench.inbox, 'large'), gibibyte)

  for (let kill = 1; kill <= kills; kill++) {
    const daemon = await startDaemon(bench)
    const before = arrivedBytes(bench.rig)
    const wanted = Math.max(0, gibibyte - before) / (kills + 2 - kill)
    await daemon.until(() => arrivedBytes(bench.rig) - before >= wanted, 60_000)
    await daemon.end('SIGKILL')
  }
  const last = await startDaemon(bench)
  await last.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 60_000)

  expect(recorder.count('files/upload_session/start')).toBe(1)
  expect(arrivedBytes(bench.rig)).toBeLessThanOrEqual(gibibyte + kills * (chunkBytes + mebibyte))
  expect(provider.owner.list().filter(isCopy)).toEqual([
    expect.objectContaining({ path: '/Archive/large', size: gibibyte, hash }),
  ])
}, 400_000)

test(`${largeBytes / gibibyte} GiB go up and come back in flat memory, and the loop stays free meanwhile`, async () => {
  const bench = await aCloudBench()
  bench.login()
  // A first one, so that what the program itself takes is there.
  await filled(join(bench.inbox, 'first'), 64 * mebibyte)
  const turnsFile = join(bench.folder, 'turns.json')
  const look = fileURLToPath(new URL('loop-look.cjs', import.meta.url))
  const daemon = await startDaemon(bench, { NODE_OPTIONS: `--require ${look}`, FANFOLD_LOOP_LOOK: turnsFile })
  await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1)
  const fromMs = Date.now()
  const restBytes = rssBytes(daemon.pid)
  let mostBytes = 0

  const { sha256 } = await filled(join(bench.inbox, 'large'), largeBytes)
  await daemon.until((status) => {
    mostBytes = Math.max(mostBytes, rssBytes(daemon.pid))
    return isAtRest(status) && targetOf(status, 'cloud').delivered === 2
  }, 300_000)
  const untilMs = Date.now()
  await daemon.end('SIGTERM')
  const down = await downloaded('dropbox', bench.rig.emulator.url, bench.rig.accessToken)
  const { grownBytes } = down

  process.stdout.write(
    `up +${Math.round((mostBytes - restBytes) / mebibyte)} MiB, down +${Math.round(grownBytes / mebibyte)} MiB\n`,
  )
  const turns = JSON.parse(readFileSync(turnsFile, 'utf8')) as { atMs: number; busyMs: number }[]
  const meanwhile = turns.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs).map(({ busyMs }) => busyMs)
  const busiestMs = Math.max(...meanwhile)
  process.stdout.write(`the loop was kept for ${busiestMs.toFixed(1)} ms at most\n`)
  expect(meanwhile.length).toBeGreaterThan(10)
  expect(busiestMs).toBeLessThan(busyMsMax)
  expect(mostBytes - restBytes).toBeLessThan(grownBytesMax)
  expect(down.sha256).toBe(sha256)
  expect(grownBytes).toBeLessThan(grownBytesMax)
}, 600_000)

test('who has no Dropbox target never loads its SDK', async () => {
  const bench = await aCloudBench()
  bench.login()
  writeFileSync(join(bench.inbox, 'x'), 'x')
  const withTarget = await isLoaded(bench, 'dropbox')
  withoutClouds(bench)

  expect([withTarget, await isLoaded(bench, 'dropbox')]).toEqual([true, false])
})
