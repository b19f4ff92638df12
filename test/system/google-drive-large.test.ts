/**
 * Large files and Google Drive: killed again and again, in flat memory; and what is not needed is not loaded. `FANFOLD_LARGE_GIB` says how large the
 * files are; 300 MiB where it is not set.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aDriveBench, type DriveBench } from '../e2e/google-drive-bench.ts'
import { fanfold, isAtRest, isCopy, startDaemon, targetOf } from '../e2e/rig.ts'
import { downloaded, fill, rssBytes } from './large-files.ts'

const mebibyte = 2 ** 20
const largeBytes = Number(process.env['FANFOLD_LARGE_GIB'] ?? 300 / 1024) * 2 ** 30
const chunkBytes = 16 * mebibyte
const kills = 10
/** What garbage and the allocator may add to what is needed. */
const grownBytesMax = 64 * mebibyte

/** Of content, the one under way included. */
function arrivedBytes({ rig }: DriveBench): number {
  return rig.emulator.recorder.records
    .filter(({ route }) => route === 'upload.session')
    .reduce((sum, { requestBytes }) => sum + requestBytes, 0)
}

test(`F61: killed with -9 at ten points of ${largeBytes / mebibyte} MiB it goes on each time, sends at most one chunk again, and leaves one file`, async () => {
  const bench = await aDriveBench()
  const { recorder, provider } = bench.rig.emulator
  const hash = createHash('md5')
  await fill(join(bench.inbox, 'large'), largeBytes, hash)

  for (let kill = 1; kill <= kills; kill++) {
    const daemon = await startDaemon(bench)
    const before = arrivedBytes(bench)
    const wanted = Math.max(0, largeBytes - before) / (kills + 2 - kill)
    await daemon.until(() => arrivedBytes(bench) - before >= wanted, 120_000)
    await daemon.end('SIGKILL')
  }
  const last = await startDaemon(bench)
  await last.until((status) => isAtRest(status) && targetOf(status, 'drive').delivered === 1, 120_000)

  const again = arrivedBytes(bench) - largeBytes
  process.stdout.write(`sent again: ${(again / mebibyte / kills).toFixed(1)} MiB per kill\n`)
  // One of them is the note that says whose place it is.
  expect(recorder.count('upload.create')).toBe(2)
  expect(again).toBeLessThanOrEqual(kills * (chunkBytes + mebibyte))
  expect(provider.owner.list().filter(isCopy)).toEqual([
    { path: '/Archive/large', kind: 'file', size: largeBytes, hash: hash.digest('hex') },
  ])
}, 600_000)

test(`${largeBytes / mebibyte} MiB go up and come back in flat memory`, async () => {
  const bench = await aDriveBench()
  // A first one, so that what the program itself takes is there.
  await fill(join(bench.inbox, 'first'), 64 * mebibyte, createHash('md5'))
  const daemon = await startDaemon(bench)
  await daemon.until((status) => isAtRest(status) && targetOf(status, 'drive').delivered === 1, 30_000)
  const restBytes = rssBytes(daemon.pid)
  let mostBytes = 0

  const sha256 = await fill(join(bench.inbox, 'large'), largeBytes, createHash('md5'))
  await daemon.until((status) => {
    mostBytes = Math.max(mostBytes, rssBytes(daemon.pid))
    return isAtRest(status) && targetOf(status, 'drive').delivered === 2
  }, 300_000)
  await daemon.end('SIGTERM')
  const down = await downloaded('google-drive', bench.rig.emulator.url, bench.rig.accessToken)

  const grown = [mostBytes - restBytes, down.grownBytes]
  process.stdout.write(`up and down: ${grown.map((bytes) => `+${Math.round(bytes / mebibyte)} MiB`).join(', ')}\n`)
  expect(down.sha256).toBe(sha256)
  expect(Math.max(...grown)).toBeLessThan(grownBytesMax)
}, 600_000)

test('who has no Google Drive target never loads its SDK, who has one loads one of its 300 APIs', async () => {
  const bench = await aDriveBench()
  writeFileSync(join(bench.inbox, 'x'), 'x')
  const look = join(bench.folder, 'look.cjs')
  const told = join(bench.folder, 'loaded.json')
  // What is CommonJS is in this list however it was imported.
  const line = `require('fs').writeFileSync(${JSON.stringify(told)}, JSON.stringify(Object.keys(require('module')._cache)))`
  writeFileSync(look, `process.on('exit', () => { ${line} })\n`)
  const loaded = async (): Promise<readonly string[]> => {
    process.env['NODE_OPTIONS'] = `--require ${look}`
    try {
      expect((await fanfold(bench, 'run', '--until-idle')).code).toBe(0)
    } finally {
      delete process.env['NODE_OPTIONS']
    }
    const files = JSON.parse(readFileSync(told, 'utf8')) as string[]
    return [...new Set(files.flatMap((file) => /googleapis\/build\/src\/apis\/([^/]+)/.exec(file)?.[1] ?? []))]
  }

  const withTarget = await loaded()
  mkdirSync(join(bench.folder, 'copies'))
  const head = readFileSync(bench.config, 'utf8').split('targets:')[0] ?? ''
  writeFileSync(bench.config, `${head}targets:\n  - { name: disk, kind: directory, path: ./copies }\n`)

  expect([withTarget, await loaded()]).toEqual([['drive'], []])
}, 60_000)
