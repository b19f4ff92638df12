/** Total loss, as an owner meets it: source and state are gone, and only a target has the files. */
import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { aBoxBench } from './box-bench.ts'
import { aCloudBench as aDropboxBench } from './dropbox-bench.ts'
import { aDriveBench } from './google-drive-bench.ts'
import { dropHostileFiles, treeBytesOf } from './hostile-tree.ts'
import { aCloudBench as aOneDriveBench } from './onedrive-bench.ts'
import type { Recorder } from '../emulator/core/recorder.ts'
import { aBench, fanfold, isAtRest, startDaemon, type Bench } from './rig.ts'

const nanosecond = 1n
const millisecond = 1_000_000n
const second = 1_000_000_000n

interface Lossy extends Bench {
  /** That its cloud was asked so far; 0 of a directory. */
  requests(): number
}

interface Kind {
  readonly make: () => Promise<Lossy>
  /** To what a target of this kind keeps times. Unit: ns. */
  readonly grain: bigint
}

/** To open a target, and to list its folders, which are some tens, in pages: never one for a file. */
function adoptionRequestsMax(files: number): number {
  return 60 + files / 100
}

function counted(bench: Bench & { readonly rig: { readonly emulator: { readonly recorder: Recorder } } }): Lossy {
  return { ...bench, requests: () => bench.rig.emulator.recorder.total }
}

export const kinds: Readonly<Record<string, Kind>> = {
  directory: { make: () => Promise.resolve({ ...aBench({ nas: '' }), requests: () => 0 }), grain: nanosecond },
  dropbox: {
    make: async () => {
      const bench = await aDropboxBench()
      bench.login()
      return counted(bench)
    },
    grain: second,
  },
  'google-drive': { make: async () => counted(await aDriveBench()), grain: millisecond },
  box: {
    make: async () => {
      const bench = await aBoxBench()
      bench.login()
      return counted(bench)
    },
    grain: second,
  },
  onedrive: { make: async () => counted(await aOneDriveBench()), grain: second },
}

/** As `fanfold login` would: the cloud gives a login, whatever this machine has lost. */
function loseAllBut(bench: Bench, logins: string): void {
  const accounts = join(bench.folder, 'state', 'accounts')
  cpSync(accounts, logins, { recursive: true, force: true })
  rmSync(join(bench.folder, 'state'), { recursive: true })
  rmSync(bench.inbox, { recursive: true })
  cpSync(logins, accounts, { recursive: true })
}

/** Archives so many files with hostile names and times, loses all but the target, has them back, and archives them again. */
export async function backAfterTotalLoss({ make, grain }: Kind, files: number, patienceMs: number): Promise<void> {
  const bench = await make()
  mkdirSync(join(bench.folder, 'state', 'accounts'), { recursive: true, mode: 0o700 })
  dropHostileFiles(bench.inbox, files)
  const first = await fanfold(bench, 'run', '--until-idle')
  expect(first.code, first.stderr).toBe(0)
  const before = treeBytesOf(bench.inbox, grain)
  loseAllBut(bench, join(bench.folder, 'logins'))

  const back = join(bench.folder, 'back')
  const restored = await fanfold(bench, 'restore', 'best', '--to', back, '--json')

  expect(restored.code, restored.stdout + restored.stderr).toBe(0)
  expect(treeBytesOf(back, grain)).toEqual(before)
  expect(JSON.parse(restored.stdout)).toMatchObject({ restored: files, failed: 0, skipped: 0, withoutJournal: true })

  renameSync(back, bench.inbox)
  const askedBefore = bench.requests()
  const daemon = await startDaemon(bench)
  const done = await daemon.until((status) => {
    return isAtRest(status) && status.targets.every(({ delivered }) => delivered === files)
  }, patienceMs)
  const asked = bench.requests() - askedBefore
  process.stdout.write(`adoption of ${files} files: ${asked} requests\n`)
  const again = join(bench.folder, 'again')
  const beside = await fanfold(bench, 'restore', 'best', '--to', again, '--json')
  await daemon.end('SIGTERM')

  expect(asked).toBeLessThanOrEqual(adoptionRequestsMax(files))
  for (const target of done.targets) expect(target).toMatchObject({ bytesSent: 0, parked: 0 })
  expect(beside.code, beside.stdout + beside.stderr).toBe(0)
  expect(JSON.parse(beside.stdout)).toMatchObject({ restored: files, withoutJournal: false })
  expect(treeBytesOf(again, nanosecond)).toEqual(treeBytesOf(bench.inbox, nanosecond))
}
