/** rclone, which we did not write, uses the Dropbox emulator through the proxy without noticing: judged by its exit codes and by what then lies there. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hashOf } from '../emulator/core/hashes.ts'
import { type DropboxEmulator, dropboxEmulator } from '../emulator/dropbox/dropbox.ts'
import { proxyFor } from '../emulator/emulators.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'
import { anRclone, hostileNames, type Rclone } from './rclone.ts'

let folder: string
let emulator: DropboxEmulator
let proxy: InterceptingProxy
let rclone: Rclone

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfold-rclone-'))
  emulator = dropboxEmulator({ folder: join(folder, 'emulator'), checksAnswers: true })
  proxy = proxyFor([emulator])
  await emulator.start()
  await proxy.start()
  rclone = await anRclone(folder, 'dropbox', emulator, proxy)
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

const done = (...words: readonly string[]): Promise<string> => rclone.done(...words)

function paths(): readonly string[] {
  return emulator.provider.owner
    .list()
    .map(({ path }) => path)
    .sort()
}

function content(path: string): string | undefined {
  return emulator.provider.owner.read(path)?.toString()
}

async function place(name: string, bytes: string): Promise<void> {
  await mkdir(join(source, name, '..'), { recursive: true })
  await writeFile(join(source, name), bytes)
}

test('copy, check by hash, list, and copy back', async () => {
  await place('a.txt', 'alpha')
  await place('sub/deep/b.txt', 'beta')
  await place('empty', '')

  await done('copy', source, 'box:tree')

  expect(paths()).toEqual([
    '/tree',
    '/tree/a.txt',
    '/tree/empty',
    '/tree/sub',
    '/tree/sub/deep',
    '/tree/sub/deep/b.txt',
  ])
  expect(await done('check', source, 'box:tree')).toMatch(/0 differences found/)
  expect(await done('lsl', 'box:')).toMatch(/ 5 .* tree\/a\.txt/)
  expect(await done('hashsum', 'dropbox', 'box:tree/a.txt')).toContain(hashOf('dropbox', 'alpha'))
  expect(await done('cat', 'box:tree/a.txt', '--offset', '1', '--count', '3')).toBe('lph')
  const back = join(folder, 'back')
  await done('copy', 'box:tree', back)
  await done('check', source, back)
}, 120_000)

test('a second copy sends nothing, a changed file is sent alone', async () => {
  await place('a', 'one')
  await place('b', 'one')
  await done('copy', source, 'box:')
  emulator.recorder.clear()

  await done('copy', source, 'box:')
  expect(emulator.recorder.count('files/upload_session/start')).toBe(0)
  await place('a', 'longer')
  await done('copy', source, 'box:')

  expect(emulator.recorder.count('files/upload_session/start')).toBe(1)
  expect([content('/a'), content('/b')]).toEqual(['longer', 'one'])
}, 120_000)

test.each(['sync', 'off', 'async'])(
  'files go in with batch mode %s',
  async (mode) => {
    await place('a', 'one')
    await place('b', 'two')

    await done('copy', source, 'box:', '--dropbox-batch-mode', mode)

    // In async mode rclone 1.60 calls the batch's answer its own; the file is there when it ends.
    expect([content('/a'), content('/b')]).toEqual(['one', 'two'])
  },
  120_000,
)

test('move, rename with another case, copy on the server', async () => {
  emulator.provider.owner.write('/d/file.txt', 'x')

  await done('moveto', 'box:d/file.txt', 'box:e/other.txt')
  expect(paths()).toContain('/e/other.txt')
  await done('moveto', 'box:e/other.txt', 'box:e/OTHER.txt')
  expect(paths()).toContain('/e/OTHER.txt')
  await done('copyto', 'box:e/OTHER.txt', 'box:copy.txt')
  expect(content('/copy.txt')).toBe('x')
  await done('move', 'box:e', 'box:f/g')
  expect(paths()).toEqual(expect.arrayContaining(['/f/g/OTHER.txt', '/copy.txt']))
}, 120_000)

test('mkdir, rmdir, delete, purge; cleanup is not Dropbox to rclone', async () => {
  emulator.provider.owner.write('/d/a', 'x')
  emulator.provider.owner.write('/d/b', 'x')

  await done('mkdir', 'box:new/dir')
  expect(paths()).toContain('/new/dir')
  await done('rmdir', 'box:new/dir')
  await done('deletefile', 'box:d/a')
  expect(paths()).toEqual(['/d', '/d/b', '/new'])
  expect((await rclone.run('rmdir', 'box:d')).code).not.toBe(0)
  await done('delete', 'box:d')
  expect(paths()).toEqual(['/d', '/new'])
  await done('purge', 'box:new')
  expect(paths()).toEqual(['/d'])
  const cleanup = await rclone.run('cleanup', 'box:')
  expect(cleanup.out).toMatch(/doesn't support cleanup/)
}, 120_000)

test('about tells the quota', async () => {
  emulator.provider.owner.write('/a', '12345')

  expect(await done('about', 'box:', '--json')).toMatch(/"used": 5/)
})

test('a root that begins with a slash asks for the account first', async () => {
  emulator.provider.owner.write('/d/a', 'x')

  expect(await done('lsf', 'box:/d')).toBe('a\n')
  expect(emulator.recorder.count('users/get_current_account')).toBe(1)
})

test('300 MB in chunks, whole and flat', async () => {
  const bytes = 300 * 1024 * 1024
  const hash = await fill(join(source, 'large'), bytes)
  const before = process.memoryUsage().rss

  await done('copy', source, 'box:', '--dropbox-chunk-size', '16M')

  const [object] = emulator.provider.owner.list()
  expect(object).toMatchObject({ path: '/large', size: bytes })
  expect(emulator.recorder.count('files/upload_session/append_v2')).toBeGreaterThanOrEqual(18)
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  expect(
    createHash('sha256')
      .update(emulator.provider.owner.read('/large') ?? '')
      .digest('hex'),
  ).toBe(hash)
  expect(await done('check', source, 'box:')).toMatch(/0 differences found/)
}, 300_000)

/** Bytes that differ everywhere; their SHA-256. */
async function fill(path: string, bytes: number): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha256')
  const piece = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < bytes; at += piece.length) {
    for (let place = 0; place < piece.length; place += 4096) piece.writeUInt32LE((at + place) / 4096, place)
    hash.update(piece)
    await file.write(piece)
  }
  return hash.digest('hex')
}

const names = ['e\u0301 decomposed elsewhere', ...hostileNames]

test('names that are hard to carry arrive and compare equal', async () => {
  for (const [index, name] of names.entries()) await place(`${index}/${name}`, name)

  await done('copy', source, 'box:names')
  expect(await done('check', source, 'box:names')).toMatch(/0 differences found/)

  const files = emulator.provider.owner.list().filter(({ kind }) => kind === 'file')
  expect(files.length).toBe(names.length)
  expect(content('/names/2/emoji \u{1f4f7}.jpg')).toBe('emoji \u{1f4f7}.jpg')
  expect(content(`/names/${names.indexOf('back\\slash')}/back＼slash`)).toBe('back\\slash')
  const back = join(folder, 'names-back')
  await done('copy', 'box:names', back)
  await done('check', source, back)
}, 120_000)

// rclone rests 10 ms before each call: alone a file is one call, in a batch three and its part of the commit.
test.each([
  ['a thousand small files', 1000, ['--transfers', '16', '--dropbox-batch-mode', 'off']],
  ['small files in batches', 100, ['--transfers', '20', '--dropbox-batch-size', '20']],
])(
  '%s',
  async (_title, count, words) => {
    for (let index = 0; index < count; index++) await place(`${index % 10}/${index}.txt`, `content ${index}`)

    await done('copy', source, 'box:many', ...words)

    const files = emulator.provider.owner.list().filter(({ kind }) => kind === 'file')
    expect(files.length).toBe(count)
    expect(content('/many/7/77.txt')).toBe('content 77')
    expect(await done('check', source, 'box:many')).toMatch(/0 differences found/)
  },
  120_000,
)

describe('trouble', () => {
  test('rclone waits where it is throttled, and goes on', async () => {
    await place('a', 'x')
    emulator.fault({
      route: 'files/upload_session/*',
      count: 2,
      fault: { do: 'refuse', name: 'throttle', retryAfterS: 1 },
    })

    await done('copy', source, 'box:')

    expect(content('/a')).toBe('x')
  }, 60_000)

  test('rclone goes on after a connection that broke in an append', async () => {
    await place('a', 'x'.repeat(100_000))
    emulator.fault({ route: 'files/upload_session/append_v2', fault: { do: 'cut', when: 'before' } })

    await done('copy', source, 'box:')

    expect(content('/a')?.length).toBe(100_000)
  }, 60_000)

  test('rclone notices a download that is not what was stored', async () => {
    emulator.provider.owner.write('/a', 'content')
    emulator.fault({ route: 'files/download', count: 'all', fault: { do: 'behave', name: 'corrupt' } })

    const run = await rclone.run('copy', 'box:', source, '--retries', '1', '--low-level-retries', '1')

    expect(run.code).not.toBe(0)
    expect(run.out).toMatch(/hash differ/)
  }, 60_000)
})
