/** Large files and Google Drive: killed again and again, in flat memory; and what is not needed is not loaded. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aDriveBench, type DriveBench } from '../e2e/google-drive-bench.ts'
import { fanfold, isAtRest, isCopy, startDaemon, targetOf } from '../e2e/rig.ts'

const mebibyte = 2 ** 20
const largeBytes = 512 * mebibyte
const chunkBytes = 16 * mebibyte
const kills = 5
/** What garbage and the allocator may add to what is needed. */
const grownBytesMax = 64 * mebibyte

/** A file of which no two pages are alike; its MD5. */
async function fill(path: string, bytes: number): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('md5')
  const piece = Buffer.alloc(4 * mebibyte)
  for (let at = 0; at < bytes; at += piece.length) {
    for (let place = 0; place < piece.length; place += 4096) piece.writeUInt32LE((at + place) / 4096, place)
    hash.update(piece)
    await file.write(piece)
  }
  return hash.digest('hex')
}

/** Of content, the one under way included. */
function arrivedBytes({ rig }: DriveBench): number {
  return rig.emulator.recorder.records
    .filter(({ route }) => route === 'upload.session')
    .reduce((sum, { requestBytes }) => sum + requestBytes, 0)
}

function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

test('F61: killed with -9 at five points of 512 MiB it goes on each time, sends at most one chunk again, and leaves one file', async () => {
  const bench = await aDriveBench()
  const { recorder, provider } = bench.rig.emulator
  const hash = await fill(join(bench.inbox, 'large'), largeBytes)

  for (let kill = 1; kill <= kills; kill++) {
    const daemon = await startDaemon(bench)
    const before = arrivedBytes(bench)
    const wanted = Math.max(0, largeBytes - before) / (kills + 2 - kill)
    await daemon.until(() => arrivedBytes(bench) - before >= wanted, 60_000)
    await daemon.end('SIGKILL')
  }
  const last = await startDaemon(bench)
  await last.until((status) => isAtRest(status) && targetOf(status, 'drive').delivered === 1, 60_000)

  // One of them is the note that says whose place it is.
  expect(recorder.count('upload.create')).toBe(2)
  expect(arrivedBytes(bench)).toBeLessThanOrEqual(largeBytes + kills * (chunkBytes + mebibyte))
  expect(provider.owner.list().filter(isCopy)).toEqual([
    { path: '/Archive/large', kind: 'file', size: largeBytes, hash },
  ])
}, 300_000)

test('512 MiB go up in flat memory', async () => {
  const bench = await aDriveBench()
  // A first one, so that what the program itself takes is there.
  await fill(join(bench.inbox, 'first'), 64 * mebibyte)
  const daemon = await startDaemon(bench)
  await daemon.until((status) => isAtRest(status) && targetOf(status, 'drive').delivered === 1, 30_000)
  const restBytes = rssBytes(daemon.pid)
  let mostBytes = 0

  await fill(join(bench.inbox, 'large'), largeBytes)
  await daemon.until((status) => {
    mostBytes = Math.max(mostBytes, rssBytes(daemon.pid))
    return isAtRest(status) && targetOf(status, 'drive').delivered === 2
  }, 120_000)

  expect(mostBytes - restBytes).toBeLessThan(grownBytesMax)
}, 200_000)

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
