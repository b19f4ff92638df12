/** Fanfold and rclone at one Dropbox: what either puts there the other reads, with true names and the same bytes. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { fsPath, remotePath } from '../../src/base/path.ts'
import { dropboxTarget } from '../../src/target/dropbox/dropbox.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { type DropboxEmulator, dropboxEmulator } from '../emulator/dropbox/dropbox.ts'
import { aBench, fanfold } from '../e2e/rig.ts'
import { proxyFor } from '../emulator/emulators.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'
import { all, never } from '../target/contract.ts'
import { openPace } from '../target/transport-fixture.ts'
import { anRclone, hostileNames, type Rclone } from './rclone.ts'

/** Two bytes of Latin-1 in a name: what no UTF-8 can say. */
const bytesName = Buffer.from('caf\xe9 \xff.txt', 'latin1')

let folder: string
let emulator: DropboxEmulator
let proxy: InterceptingProxy
let rclone: Rclone

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fanfold-both-'))
  emulator = dropboxEmulator({ folder: join(folder, 'emulator'), checksAnswers: true })
  proxy = proxyFor([emulator])
  await emulator.start()
  await proxy.start()
  rclone = await anRclone(folder, 'dropbox', emulator, proxy)
})

afterAll(async () => {
  await proxy.stop()
  await emulator.stop()
  rmSync(folder, { recursive: true, force: true })
  expect(emulator.failures).toEqual([])
  expect(proxy.refused).toEqual([])
})

/** Hostile names for files and folders, empty, small, and large enough for a session. */
function fill(root: string): void {
  for (const [index, name] of hostileNames.entries()) {
    mkdirSync(join(root, `${index}`, name), { recursive: true })
    writeFileSync(join(root, `${index}`, name, name), name)
  }
  mkdirSync(join(root, 'plain'))
  writeFileSync(join(root, 'plain/empty'), '')
  writeFileSync(join(root, 'plain/small'), 'small')
  writeFileSync(join(root, 'plain/large'), randomBytes(21 * 2 ** 20))
  writeFileSync(Buffer.concat([Buffer.from(join(root, 'plain/')), bytesName]), 'bytes')
}

test('what Fanfold put, rclone finds equal, byte by byte and by its hashes', async () => {
  const bench = aBench({ unused: '' })
  fill(bench.inbox)
  const accounts = join(bench.folder, 'state', 'accounts')
  mkdirSync(accounts, { recursive: true, mode: 0o700 })
  const login = JSON.stringify({ refreshToken: emulator.auth.login().refreshToken })
  writeFileSync(join(accounts, 'main.json'), login, { mode: 0o600 })
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox }\n` +
      `targets:\n  - { name: cloud, kind: dropbox, account: main, folder: ByFanfold, at: '{path}' }\n` +
      `accounts:\n  - { name: main, kind: dropbox, client-id: emulatedappkey1 }\n` +
      `http: { proxy: '${proxy.url}', ca-file: '${join(folder, 'ca.pem')}' }\n`,
  )

  const ended = await fanfold(bench, 'run', '--until-idle')

  expect(ended.code, ended.stderr).toBe(0)
  for (const words of [['--download'], []])
    expect(await rclone.done('check', bench.inbox, 'box:ByFanfold', '--exclude', '/.fanfold-owner', ...words)).toMatch(
      /0 differences found/,
    )
}, 180_000)

test('what rclone put, Fanfold lists and reads: true names, true hashes', async () => {
  const source = join(folder, 'source')
  mkdirSync(source)
  fill(source)
  await rclone.done('copy', source, 'box:ByRclone')
  const target = aTarget('ByRclone')
  await target.open(undefined, never)

  const entries = await all(target.list(remotePath(''), { hash: true }, never))

  expect(entries.length).toBe(hostileNames.length + 4)
  for (const entry of entries) {
    const content = readFileSync(fsPath(join(source, entry.path)))
    expect(entry.sha256, entry.path).toBe(createHash('sha256').update(content).digest('hex'))
    expect((await buffer(await target.get(entry, { start: 0 }, never))).equals(content), entry.path).toBe(true)
    const looked = await target.look(entry.path, { hash: false }, never)
    expect(looked?.remoteId, entry.path).toBe(entry.remoteId)
  }
}, 180_000)

function aTarget(under: string): Target {
  const { accessToken } = emulator.auth.login()
  const transport = openTransport({
    name: 'cloud',
    settings: { proxy: proxy.url, caFile: join(folder, 'ca.pem') },
    pace: openPace(),
    credentials: { bearer: () => Promise.resolve(accessToken), renew: () => Promise.resolve(accessToken) },
    clock: systemClock,
    log: silentLog,
  })
  onTestFinished(() => transport.close())
  return dropboxTarget({ name: 'cloud', account: 'main', folder: under, transport })
}
