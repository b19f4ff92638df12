/** rclone, which we did not write, uses the Google Drive emulator through the proxy without noticing; and it and Fanfold read each other's trees. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { fsPath, remotePath } from '../../src/base/path.ts'
import { openJournal } from '../../src/journal/journal.ts'
import { googleDriveTarget } from '../../src/target/google-drive/google-drive.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { hashOf } from '../emulator/core/hashes.ts'
import { proxyFor } from '../emulator/emulators.ts'
import { type GoogleDriveEmulator, googleDriveEmulator } from '../emulator/google-drive/google-drive.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'
import { all, aWork, copyOf, never, sha256Of } from '../target/contract.ts'
import { openPace } from '../target/transport-fixture.ts'

let folder: string
let emulator: GoogleDriveEmulator
let proxy: InterceptingProxy

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-rclone-'))
  emulator = googleDriveEmulator({ folder: join(folder, 'emulator'), checksAnswers: true })
  proxy = proxyFor([emulator])
  await emulator.start()
  await proxy.start()
  await writeFile(join(folder, 'ca.pem'), proxy.authority)
  const { accessToken, refreshToken } = emulator.auth.login()
  const { clientId, clientSecret } = emulator.auth.client
  // Long past, so that each run has to refresh first.
  const expiry = '2020-01-01T00:00:00Z'
  const token = { access_token: accessToken, token_type: 'Bearer', refresh_token: refreshToken, expiry }
  const lines = [
    '[g]',
    'type = drive',
    'scope = drive',
    `client_id = ${clientId}`,
    `client_secret = ${clientSecret}`,
    `token = ${JSON.stringify(token)}`,
    // Its own pace is for the real service: a request in 100 ms.
    'pacer_min_sleep = 1ms',
    '',
  ]
  await writeFile(join(folder, 'rclone.conf'), lines.join('\n'))
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

interface Run {
  readonly code: number | null
  readonly out: string
}

async function rclone(...words: readonly string[]): Promise<Run> {
  const child = spawn('rclone', ['--config', join(folder, 'rclone.conf'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HTTPS_PROXY: proxy.url, SSL_CERT_FILE: join(folder, 'ca.pem') },
  })
  const end = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [code, out, errors] = await Promise.all([end, text(child.stdout), text(child.stderr)])
  return { code, out: out + errors }
}

async function done(...words: readonly string[]): Promise<string> {
  const { code, out } = await rclone(...words)
  expect(code, `rclone ${words.join(' ')}\n${out}`).toBe(0)
  return out
}

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

  await done('copy', source, 'g:tree')

  expect(paths()).toEqual([
    '/tree',
    '/tree/a.txt',
    '/tree/empty',
    '/tree/sub',
    '/tree/sub/deep',
    '/tree/sub/deep/b.txt',
  ])
  expect(await done('check', source, 'g:tree')).toMatch(/0 differences found/)
  expect(await done('lsl', 'g:')).toMatch(/ 5 .* tree\/a\.txt/)
  expect(await done('md5sum', 'g:tree/a.txt')).toContain(hashOf('md5', 'alpha'))
  expect(await done('cat', 'g:tree/a.txt', '--offset', '1', '--count', '3')).toBe('lph')
  const back = join(folder, 'back')
  await done('copy', 'g:tree', back, '--fast-list')
  await done('check', source, back)
}, 60_000)

test('a second copy sends nothing, a changed file is sent alone', async () => {
  await place('a', 'one')
  await place('b', 'one')
  await done('copy', source, 'g:')
  emulator.recorder.clear()

  await done('copy', source, 'g:')
  expect(emulator.recorder.count('upload.create')).toBe(0)
  await place('a', 'longer')
  await done('copy', source, 'g:')

  expect([emulator.recorder.count('upload.create'), emulator.recorder.count('upload.update')]).toEqual([0, 1])
  expect([content('/a'), content('/b')]).toEqual(['longer', 'one'])
}, 60_000)

test('move, rename with another case, copy on the server, touch', async () => {
  emulator.provider.owner.write('/d/file.txt', 'x')

  await done('moveto', 'g:d/file.txt', 'g:e/other.txt')
  expect(paths()).toContain('/e/other.txt')
  await done('moveto', 'g:e/other.txt', 'g:e/OTHER.txt')
  expect(paths()).toContain('/e/OTHER.txt')
  await done('copyto', 'g:e/OTHER.txt', 'g:copy.txt')
  expect(content('/copy.txt')).toBe('x')
  await done('move', 'g:e', 'g:f/g')
  expect(paths()).toEqual(expect.arrayContaining(['/f/g/OTHER.txt', '/copy.txt']))
  await done('touch', '-t', '2001-02-03T04:05:06', 'g:copy.txt')
  expect(await done('lsl', 'g:copy.txt')).toContain('2001-02-03 04:05:06')
}, 60_000)

test('mkdir, rmdir, delete, purge, cleanup, about', async () => {
  emulator.provider.owner.write('/d/a', 'x')
  emulator.provider.owner.write('/d/b', 'x')

  await done('mkdir', 'g:new/dir')
  expect(paths()).toContain('/new/dir')
  await done('rmdir', 'g:new/dir')
  await done('deletefile', 'g:d/a')
  expect(paths()).toEqual(['/d', '/d/b', '/new'])
  expect((await rclone('rmdir', 'g:d')).code).not.toBe(0)
  await done('delete', 'g:d')
  await done('purge', 'g:new')
  expect(paths()).toEqual(['/d'])
  await done('cleanup', 'g:')
  expect(await done('about', 'g:', '--json')).toMatch(/"used": 0/)
}, 60_000)

/** Bytes that differ everywhere; their SHA-256. */
async function fill(path: string, bytes: number): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha256')
  const part = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < bytes; at += part.length) {
    for (let spot = 0; spot < part.length; spot += 4096) part.writeUInt32LE((at + spot) / 4096, spot)
    hash.update(part)
    await file.write(part)
  }
  return hash.digest('hex')
}

test('300 MB in chunks, whole and flat', async () => {
  const bytes = 300 * 1024 * 1024
  const hash = await fill(join(source, 'large'), bytes)
  const before = process.memoryUsage().rss

  await done('copy', source, 'g:', '--drive-chunk-size', '16M')

  expect(emulator.recorder.count('upload.session')).toBeGreaterThanOrEqual(18)
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  const [item] = emulator.provider.owner.itemsAt('/large')
  expect(item?.revisions[0]?.bytes.hashes.sha256).toBe(hash)
  expect(await done('check', source, 'g:')).toMatch(/0 differences found/)
}, 120_000)

const names = [
  'é composed',
  'e\u0301 decomposed',
  'emoji \u{1f4f7}.jpg',
  'new\nline',
  'tab\tand bell\u0007',
  'quotes " \' < > & | ? *',
  ' leading and trailing ',
  'trailing dot.',
  'back\\slash',
  'percent %41 +',
  'x'.repeat(200),
]

test('names that are hard to carry arrive and compare equal', async () => {
  for (const name of names) await place(name, name)

  await done('copy', source, 'g:names')

  expect(await done('check', source, 'g:names')).toMatch(/0 differences found/)
  expect(paths().slice(1)).toEqual(names.map((name) => `/names/${name}`).sort())
}, 60_000)

/** A target as a daemon builds it, on the same emulator. */
async function withTarget<Answer>(root: string, work: (target: Target) => Promise<Answer>): Promise<Answer> {
  const { accessToken } = emulator.auth.login()
  const transport = openTransport({
    name: 'cloud',
    settings: { endpoints: { 'www.googleapis.com': emulator.url } },
    pace: openPace(),
    credentials: { bearer: () => Promise.resolve(accessToken), renew: () => Promise.resolve(accessToken) },
    clock: systemClock,
    log: silentLog,
  })
  const { journal } = openJournal(join(source, '../', `${root}.sqlite`), systemClock)
  journal.declareTarget('cloud', { kind: 'google-drive', selector: '', place: root })
  const parts = { transport, folders: journal.foldersAt('cloud'), clock: systemClock, log: silentLog }
  const target = googleDriveTarget({ name: 'cloud', account: 'main', folder: root, drive: undefined, ...parts })
  try {
    await target.open(undefined, never)
    return await work(target)
  } finally {
    await target.close()
    journal.close()
  }
}

/** All of the above, and one whose bytes are no UTF-8. */
async function placeAll(): Promise<readonly string[]> {
  for (const [index, name] of names.entries()) await place(`${index % 3}/${name}`, name)
  await writeFile(Buffer.concat([Buffer.from(`${source}/0/caf`), Buffer.of(0xe9), Buffer.from('.txt')]), 'latin')
  return [...names.map((name, index) => `${index % 3}/${name}`), '0/caf\udce9.txt']
}

test('what Fanfold put, rclone finds equal, hard names and all', async () => {
  const placed = await placeAll()
  await fill(join(source, 'large'), 20 * 1024 * 1024)

  await withTarget('ours', async (target) => {
    for (const path of [...placed, 'large']) {
      const bytes = await readFile(fsPath(`${source}/${path}`))
      const copy = await copyOf(fsPath(`${source}/${path}`), bytes, path === 'large')
      await target.put(copy, remotePath(path), aWork(), never)
    }
  })

  expect(await done('check', '--download', source, 'g:ours')).toMatch(/0 differences found/)
  expect(await done('check', source, 'g:ours')).toMatch(/0 differences found/)
}, 60_000)

test('what rclone put, Fanfold lists and reads with its true names and hashes', async () => {
  const placed = await placeAll()
  await done('copy', source, 'g:theirs')

  await withTarget('theirs', async (target) => {
    const entries = await all(target.list(remotePath(''), { hash: true }, never))

    expect(entries.map(({ path }) => path).sort()).toEqual([...placed].sort())
    for (const entry of entries) {
      const bytes = await readFile(fsPath(`${source}/${entry.path}`))
      expect(entry.sha256).toBe(sha256Of(bytes))
      expect(await text(await target.get(entry, { start: 0 }, never))).toBe(bytes.toString())
    }
  })
}, 60_000)

test('300 small files', async () => {
  for (let index = 0; index < 300; index++) await place(`${index % 10}/${index}.txt`, `content ${index}`)

  await done('copy', source, 'g:many', '--transfers', '8')

  expect(content('/many/7/217.txt')).toBe('content 217')
  expect(await done('check', source, 'g:many')).toMatch(/0 differences found/)
}, 120_000)

test('rclone goes on after a throttled call and after a connection that broke', async () => {
  await place('a', 'x'.repeat(100_000))
  emulator.fault({ route: 'files.list', fault: { do: 'refuse', name: 'throttle' } })
  emulator.fault({ route: 'upload.create', fault: { do: 'refuse', name: 'backend-error', when: 'after' } })

  await done('copy', source, 'g:')

  expect(emulator.provider.owner.itemsAt('/a').length).toBe(1)
}, 60_000)
