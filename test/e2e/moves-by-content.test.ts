/** The built program, two sources and two targets, and files that moved where no inode tells. */
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Status } from '../../src/control/control.ts'
import { treeOf } from '../tree.ts'
import { aCloudBench } from './dropbox-bench.ts'
import { fanfold, isAtRest, isCopy, startDaemon, targetOf } from './rig.ts'

const mebibyte = 2 ** 20

test('F30, F34: moved from one source to another, live and while the daemon was off, a file is moved at its targets and not sent again', async () => {
  const bench = await aCloudBench()
  bench.login()
  const yaml = readFileSync(bench.config, 'utf8')
    .replaceAll("at: '{path}'", "at: '{source}/{path}'")
    .replace(
      'targets:\n',
      "  - { name: outbox, path: ./outbox, settle: 200ms }\ntargets:\n  - { name: nas, kind: directory, path: ./copies/nas, at: '{source}/{path}' }\n",
    )
  writeFileSync(bench.config, yaml)
  const at = (place: string): string => join(bench.folder, place)
  for (const folder of ['inbox/z', 'inbox/a', 'outbox']) mkdirSync(at(folder), { recursive: true })
  const files = ['inbox/z/renamed', 'inbox/z/restored', 'inbox/live', 'inbox/Letter', 'inbox/kept']
  for (const place of files) writeFileSync(at(place), randomBytes(2 * mebibyte))
  const first = await startDaemon(bench)
  const full = await first.until(
    (status) => isAtRest(status) && status.targets.every(({ delivered }) => delivered === 5),
  )
  const { provider } = bench.rig.emulator
  const inodes = (...places: string[]) => places.map((place) => statSync(join(bench.copies('nas'), place)).ino)
  const before = inodes('inbox/live', 'inbox/z/renamed', 'inbox/z/restored', 'inbox/Letter')
  const treeBelow = (source: string) =>
    [...treeOf(at(source))].map(([path, file]) => [`${source}/${path}`, file] as const)
  const copies = () => new Map([...treeOf(bench.copies('nas'))].filter(([path]) => !path.startsWith('.fanfold')))
  const held = () => provider.owner.list().filter(isCopy)
  const arrived = (status: Status, ...places: readonly string[]): boolean =>
    isAtRest(status) &&
    places.every((place) => copies().has(place) && held().some(({ path }) => path === `/Archive/${place}`))
  const sent = ({ targets }: Status) => targets.map(({ bytesSent }) => bytesSent)

  // The new place is seen at once, the old one missed when that has settled.
  renameSync(at('inbox/live'), at('outbox/live'))
  const live = await first.until((status) => arrived(status, 'outbox/live'))
  await first.end('SIGTERM')
  renameSync(at('inbox/z/renamed'), at('outbox/renamed'))
  // Before its old place in the order of a scan.
  copyFileSync(at('inbox/z/restored'), at('inbox/a/restored'))
  utimesSync(at('inbox/a/restored'), 1_600_000_000, 1_600_000_000)
  rmSync(at('inbox/z/restored'))
  // One place at the cloud, two at the disk.
  copyFileSync(at('inbox/Letter'), at('inbox/letter'))
  rmSync(at('inbox/Letter'))
  const wanted = new Map([...treeBelow('inbox'), ...treeBelow('outbox')])
  const second = await startDaemon(bench)
  const status = await second.until((seen) => arrived(seen, ...wanted.keys()))

  expect(wanted.size).toBe(files.length)
  expect(copies()).toEqual(wanted)
  expect(
    held()
      .map(({ path }) => path.replace('/Archive/', ''))
      .sort(),
  ).toEqual([...wanted.keys()].sort())
  for (const place of wanted.keys()) expect(bench.held(place)?.equals(readFileSync(at(place))), place).toBe(true)
  expect(inodes('outbox/live', 'outbox/renamed', 'inbox/a/restored', 'inbox/letter')).toEqual(before)
  expect([sent(live), sent(status)]).toEqual([sent(full), [0, 0]])
  expect(targetOf(status, 'nas')).toMatchObject({ delivered: 5, parked: 0 })
  expect((await fanfold(bench, 'verify')).code).toBe(0)
})
