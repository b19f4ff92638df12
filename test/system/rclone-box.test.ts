/** rclone, which we did not write, uses the Box emulator through the proxy without noticing; and it and Fanfold read each other's trees. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { fsPath, remotePath } from '../../src/base/path.ts'
import { boxTarget } from '../../src/target/box/box.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { aBench, fanfold } from '../e2e/rig.ts'
import { type BoxEmulator, boxEmulator } from '../emulator/box/box.ts'
import { proxyFor } from '../emulator/emulators.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'
import { aFolderMemory } from '../target/box-fixture.ts'
import { all, never } from '../target/contract.ts'
import { openPace } from '../target/transport-fixture.ts'
import { anRclone, hostileNames, type Rclone } from './rclone.ts'

let folder: string
let emulator: BoxEmulator
let proxy: InterceptingProxy
let rclone: Rclone

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-rclone-'))
  emulator = boxEmulator({ folder: join(folder, 'emulator'), checksAnswers: true })
  proxy = proxyFor([emulator])
  await emulator.start()
  await proxy.start()
  rclone = await anRclone(folder, 'box', emulator, proxy)
})

afterAll(async () => {
  await proxy.stop()
  await emulator.stop()
  await rm(folder, { recursive: true, force: true })
  expect(emulator.failures).toEqual([])
  expect(proxy.refused).toEqual([])
})

let source: string
beforeEach(async () => {
  for (const { path } of emulator.provider.owner.list().filter((object) => !object.path.includes('/', 1))) {
    emulator.provider.owner.remove(path)
  }
  emulator.recorder.clear()
  emulator.faults.disarmAll()
  source = await mkdtemp(join(folder, 'source-'))
})

const paths = (): readonly string[] =>
  emulator.provider.owner
    .list()
    .map(({ path }) => path)
    .sort()

const content = (path: string): string | undefined => emulator.provider.owner.read(path)?.toString()

async function place(name: string, bytes: string): Promise<void> {
  await mkdir(join(source, name, '..'), { recursive: true })
  await writeFile(join(source, name), bytes)
}

test('copy, check by hash, list, read a part, and copy back', async () => {
  await place('a.txt', 'alpha')
  await place('sub/deep/b.txt', 'beta')
  await place('empty', '')

  await rclone.done('copy', source, 'box:tree')

  expect(paths()).toEqual([
    '/tree',
    '/tree/a.txt',
    '/tree/empty',
    '/tree/sub',
    '/tree/sub/deep',
    '/tree/sub/deep/b.txt',
  ])
  expect(await rclone.done('check', source, 'box:tree')).toMatch(/0 differences found/)
  expect(await rclone.done('lsl', 'box:')).toMatch(/ 5 .* tree\/a\.txt/)
  expect(await rclone.done('sha1sum', 'box:tree/a.txt')).toContain(createHash('sha1').update('alpha').digest('hex'))
  expect(await rclone.done('cat', 'box:tree/a.txt', '--offset', '1', '--count', '3')).toBe('lph')
  const back = join(folder, 'back')
  await rclone.done('copy', 'box:tree', back)
  await rclone.done('check', source, back)
}, 60_000)

test('a second copy sends nothing, a changed file is one more version, a changed time no version', async () => {
  await place('a', 'one')
  await place('b', 'one')
  await rclone.done('copy', source, 'box:')
  emulator.recorder.clear()

  await rclone.done('copy', source, 'box:')
  expect(emulator.recorder.count('files/upload')).toBe(0)
  await place('a', 'longer')
  await rclone.done('copy', source, 'box:')
  await rclone.done('touch', 'box:b', '-t', '2001-02-03T04:05:06')

  expect([emulator.recorder.count('files/upload'), emulator.recorder.count('files/upload_version')]).toEqual([0, 1])
  expect(emulator.recorder.count('files/update')).toBe(1)
  expect([content('a'), content('b')]).toEqual(['longer', 'one'])
  expect(await rclone.done('lsl', 'box:')).toContain('2001-02-03 04:05:06')
}, 60_000)

test('move, rename with another case, copy on the server, delete, mkdir, rmdir, purge, cleanup, about', async () => {
  emulator.provider.owner.write('/d/file.txt', 'x')

  await rclone.done('moveto', 'box:d/file.txt', 'box:e/other.txt')
  expect(paths()).toContain('/e/other.txt')
  await rclone.done('moveto', 'box:e/other.txt', 'box:e/OTHER.txt')
  expect(paths()).toContain('/e/OTHER.txt')
  await rclone.done('copyto', 'box:e/OTHER.txt', 'box:copy.txt')
  expect(content('copy.txt')).toBe('x')
  await rclone.done('move', 'box:e', 'box:f/g')
  expect(paths()).toEqual(expect.arrayContaining(['/f/g/OTHER.txt', '/copy.txt']))
  await rclone.done('mkdir', 'box:new/dir')
  await rclone.done('rmdir', 'box:new/dir')
  expect((await rclone.run('rmdir', 'box:f')).code).not.toBe(0)
  await rclone.done('deletefile', 'box:copy.txt')
  await rclone.done('purge', 'box:f')
  expect(paths().filter((path) => path !== '/d' && path !== '/e')).toEqual(['/new'])
  await rclone.done('cleanup', 'box:')
  expect(emulator.provider.account.tree.trash.size).toBe(0)
  expect(await rclone.done('about', 'box:', '--json')).toMatch(/"used": 0/)
}, 120_000)

test('300 MB in parts, whole and flat, and found in place', async () => {
  const hash = await fill(join(source, 'large'), 300 * 2 ** 20)
  const before = process.memoryUsage().rss

  await rclone.done('copy', source, 'box:')

  expect(emulator.recorder.count('sessions/part')).toBe(38)
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  expect(emulator.provider.owner.list()).toMatchObject([{ path: '/large', hash }])
  expect(await rclone.done('check', source, 'box:')).toMatch(/0 differences found/)
}, 120_000)

/** Bytes that differ everywhere; their SHA-1. */
async function fill(path: string, bytes: number): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha1')
  const piece = Buffer.alloc(2 ** 20)
  for (let at = 0; at < bytes; at += piece.length) {
    for (let spot = 0; spot < piece.length; spot += 4096) piece.writeUInt32LE((at + spot) / 4096, spot)
    hash.update(piece)
    await file.write(piece)
  }
  return hash.digest('hex')
}

test('300 small files, and names that are hard to carry', async () => {
  for (let n = 0; n < 300; n++) await place(`${n % 10}/${n}.txt`, `content ${n}`)
  for (const [n, name] of hostileNames.entries()) await place(`names/${n}/${name}`, name)

  await rclone.done('copy', source, 'box:many', '--transfers', '8')

  expect(emulator.provider.owner.list().filter(({ kind }) => kind === 'file').length).toBe(300 + hostileNames.length)
  expect(content('/many/7/217.txt')).toBe('content 217')
  expect(await rclone.done('check', source, 'box:many')).toMatch(/0 differences found/)
}, 120_000)

describe('trouble', () => {
  test.each([
    ['a limit', 'files/upload', { do: 'refuse', name: 'throttle', retryAfterS: 1 }],
    ['a page in the place of an answer', 'files/upload', { do: 'refuse', name: 'bad-gateway' }],
    ['a name that is reserved', 'files/upload', { do: 'refuse', name: 'blocked' }],
  ] as const)(
    'rclone goes on after %s',
    async (_title, route, fault) => {
      await place('a', 'x')
      emulator.fault({ route, fault })

      await rclone.done('copy', source, 'box:')

      expect(content('a')).toBe('x')
    },
    60_000,
  )

  test('rclone waits for a commit that is not ready, and for parts that are not seen', async () => {
    await fill(join(source, 'large'), 51 * 2 ** 20)
    emulator.fault({ route: 'sessions/commit', fault: { do: 'behave', name: 'commit-202', value: 0 }, count: 3 })

    await rclone.done('copy', source, 'box:')

    expect(emulator.recorder.count('sessions/commit')).toBe(4)
    expect(paths()).toEqual(['/large'])
  }, 60_000)
})

/** Two bytes of Latin-1 in a name: what no UTF-8 can say. */
const bytesName = Buffer.from('caf\xe9 \xff.txt', 'latin1')

/** Hostile names for files and folders, empty, small, and large enough for a session. */
function plant(root: string): void {
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
  plant(bench.inbox)
  const accounts = join(bench.folder, 'state', 'accounts')
  mkdirSync(accounts, { recursive: true, mode: 0o700 })
  const { refreshToken } = emulator.auth.login()
  writeFileSync(join(accounts, 'main.json'), JSON.stringify({ refreshToken }), { mode: 0o600 })
  writeFileSync(join(bench.folder, 'secret'), emulator.auth.client.clientSecret, { mode: 0o600 })
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox }\n` +
      `targets:\n  - { name: cloud, kind: box, account: main, folder: ByFanfold, at: '{path}' }\n` +
      `accounts:\n  - { name: main, kind: box, client-id: ${emulator.auth.client.clientId}, client-secret-file: ./secret }\n` +
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
  const tree = mkdtempSync(join(folder, 'tree-'))
  plant(tree)
  await rclone.done('copy', tree, 'box:ByRclone')
  const target = aTarget('ByRclone')
  await target.open(undefined, never)

  const entries = await all(target.list(remotePath(''), { hash: true }, never))

  expect(entries.length).toBe(hostileNames.length + 4)
  for (const entry of entries) {
    const bytes = readFileSync(fsPath(join(tree, entry.path)))
    expect(entry.sha256, entry.path).toBe(createHash('sha256').update(bytes).digest('hex'))
    const looked = await target.look(entry.path, { hash: false }, never)
    expect(looked?.remoteId, entry.path).toBe(entry.remoteId)
  }
  rmSync(tree, { recursive: true })
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
  const folders = aFolderMemory()
  return boxTarget({ name: 'cloud', account: 'main', folder: under, transport, folders, clock: systemClock })
}
