/**
 * Large files, and Box and OneDrive: killed again and again, in flat memory, and what is not needed is not loaded. `FANFOLD_LARGE_GIB` says how
 * large the files are; without it they are 192 and 300 MiB.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { QuickXor } from '../../src/target/onedrive/quickxor.ts'
import { aBoxBench } from '../e2e/box-bench.ts'
import { aCloudBench } from '../e2e/onedrive-bench.ts'
import { type Bench, isAtRest, isCopy, startDaemon, targetOf } from '../e2e/rig.ts'
import type { OwnersHand } from '../emulator/core/provider.ts'
import type { Recorder } from '../emulator/core/recorder.ts'
import { downloaded, fill, isLoaded, rssBytes, withoutClouds } from './large-files.ts'

const mebibyte = 2 ** 20
const kills = 10
/** What garbage and the allocator may add to what is needed. */
const grownBytesMax = 64 * mebibyte

interface Hasher {
  update(piece: Buffer): unknown
  text(): string
}

interface CloudBench extends Bench {
  readonly rig: {
    readonly accessToken: string
    readonly emulator: {
      readonly url: string
      readonly recorder: Recorder
      readonly provider: { readonly owner: OwnersHand & { versions(path: string): number } }
    }
  }
}

interface Cloud {
  readonly kind: string
  readonly largeBytes: number
  /** What is sent at once. */
  readonly part: string
  readonly partBytes: number
  readonly partRoute: string
  readonly sessionRoute: string
  readonly sessions: number
  /** Its SDK, or what only that loads. */
  readonly module: string
  readonly hash: () => Hasher
  readonly make: (isBusiness: boolean) => Promise<CloudBench>
}

const largeGib = process.env['FANFOLD_LARGE_GIB']
const bytesOr = (mebibytes: number): number =>
  largeGib === undefined ? mebibytes * mebibyte : Number(largeGib) * 2 ** 30

const box: Cloud = {
  kind: 'box',
  largeBytes: bytesOr(192),
  part: 'part',
  // As Box says here.
  partBytes: 8 * mebibyte,
  partRoute: 'sessions/part',
  sessionRoute: 'sessions/create',
  sessions: 1,
  // The SDK itself is no CommonJS; of what it loads this is, and nobody else wants it.
  module: 'whatwg-url',
  hash: () => {
    const hash = createHash('sha1')
    return { update: (piece) => hash.update(piece), text: () => hash.digest('hex') }
  },
  make: async () => {
    const bench = await aBoxBench()
    bench.login()
    return bench
  },
}

const onedrive: Cloud = {
  kind: 'onedrive',
  largeBytes: bytesOr(300),
  part: 'fragment',
  partBytes: 10 * mebibyte,
  partRoute: 'fragment',
  sessionRoute: 'create-session',
  // One of them is for the note that says whose place it is.
  sessions: 2,
  module: '@microsoft/microsoft-graph-client',
  hash: () => {
    const hash = new QuickXor()
    return { update: (piece) => hash.update(piece), text: () => hash.base64() }
  },
  make: (isBusiness) => aCloudBench(isBusiness ? { driveType: 'business' } : {}),
}

describe.each([box, onedrive])('$kind', (cloud) => {
  const { kind, largeBytes, part, partBytes } = cloud

  test(`F61: killed with -9 at ten points of ${largeBytes / mebibyte} MiB it goes on each time, sends at most one ${part} again, and leaves one object`, async () => {
    const bench = await cloud.make(true)
    const { recorder, provider } = bench.rig.emulator
    const arrived = (): number =>
      recorder.records
        .filter(({ route }) => route === cloud.partRoute)
        .reduce((sum, { requestBytes }) => sum + requestBytes, 0)
    const hash = cloud.hash()
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
    expect(recorder.count(cloud.sessionRoute)).toBe(cloud.sessions)
    expect(again).toBeLessThanOrEqual(kills * (partBytes + mebibyte))
    expect(provider.owner.list().filter(isCopy)).toEqual([
      expect.objectContaining({ path: '/Archive/large', size: largeBytes, hash: hash.text() }),
    ])
    expect(provider.owner.versions('/Archive/large')).toBe(1)
  }, 600_000)

  test(`${largeBytes / mebibyte} MiB go up and come back in flat memory`, async () => {
    const bench = await cloud.make(false)
    // A first one, so that what the program itself takes is there.
    await fill(join(bench.inbox, 'first'), 64 * mebibyte, cloud.hash())
    const daemon = await startDaemon(bench)
    await daemon.until((status) => isAtRest(status) && targetOf(status, 'cloud').delivered === 1, 60_000)
    const restBytes = rssBytes(daemon.pid)
    let mostBytes = 0

    const sha256 = await fill(join(bench.inbox, 'large'), largeBytes, cloud.hash())
    await daemon.until((status) => {
      mostBytes = Math.max(mostBytes, rssBytes(daemon.pid))
      return isAtRest(status) && targetOf(status, 'cloud').delivered === 2
    }, 300_000)
    await daemon.end('SIGTERM')
    const down = await downloaded(kind, bench.rig.emulator.url, bench.rig.accessToken)

    const grown = [mostBytes - restBytes, down.grownBytes]
    process.stdout.write(`up and down: ${grown.map((bytes) => `+${Math.round(bytes / mebibyte)} MiB`).join(', ')}\n`)
    expect(down.sha256).toBe(sha256)
    expect(Math.max(...grown)).toBeLessThan(grownBytesMax)
  }, 600_000)

  test('who has no target of this kind never loads its SDK', async () => {
    const bench = await cloud.make(false)
    writeFileSync(join(bench.inbox, 'x'), 'x')

    const withTarget = await isLoaded(bench, cloud.module)
    withoutClouds(bench)

    expect([withTarget, await isLoaded(bench, cloud.module)]).toEqual([true, false])
  }, 60_000)
})
