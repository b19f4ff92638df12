/**
 * rclone, which we did not write, uses the OneDrive emulator through the proxy without noticing: judged by its exit codes and by what then lies
 * there. What either it or Fanfold puts there, the other reads.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { fsPath, remotePath } from '../../src/base/path.ts'
import { oneDriveTarget } from '../../src/target/onedrive/onedrive.ts'
import type { Target } from '../../src/target/target.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { aBench, fanfold } from '../e2e/rig.ts'
import { proxyFor } from '../emulator/emulators.ts'
import { type OneDriveEmulator, oneDriveEmulator } from '../emulator/onedrive/onedrive.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'
import { all, never } from '../target/contract.ts'
import { openPace } from '../target/transport-fixture.ts'
import { anRclone, hostileNames, type Rclone } from './rclone.ts'

describe.each(['personal', 'business', 'documentLibrary'] as const)('a %s drive', (driveType) => {
  let folder: string
  let emulator: OneDriveEmulator
  let proxy: InterceptingProxy
  let rclone: Rclone
  let source: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fanfold-rclone-'))
    // rclone 1.60 checks personal drives by the sha1 that they had then.
    const rules = { hasSha1: true }
    emulator = oneDriveEmulator({ folder: join(folder, 'emulator'), checksAnswers: true, driveType, rules })
    proxy = proxyFor([emulator])
    await emulator.start()
    await proxy.start()
    const drive = `drive_id = ${emulator.provider.drive.id}\ndrive_type = ${driveType}\n`
    rclone = await anRclone(folder, 'onedrive', emulator, proxy, drive)
  })

  afterAll(async () => {
    await proxy.stop()
    await emulator.stop()
    rmSync(folder, { recursive: true, force: true })
    expect(emulator.failures).toEqual([])
    expect(proxy.refused).toEqual([])
  })

  beforeEach(() => {
    for (const { path } of emulator.provider.owner.list().filter((object) => !object.path.includes('/', 1))) {
      emulator.provider.owner.remove(path)
    }
    emulator.recorder.clear()
    emulator.faults.disarmAll()
    source = mkdtempSync(join(folder, 'source-'))
  })

  const done = (...words: readonly string[]): Promise<string> => rclone.done(...words)
  const content = (path: string): string | undefined => emulator.provider.owner.read(path)?.toString()
  const paths = (): readonly string[] =>
    emulator.provider.owner
      .list()
      .map(({ path }) => path)
      .sort()

  function place(name: string, bytes: string | Buffer): void {
    mkdirSync(join(source, name, '..'), { recursive: true })
    writeFileSync(join(source, name), bytes)
  }

  test('copy, check by hash, list, and copy back', async () => {
    place('a.txt', 'alpha')
    place('sub/deep/b.txt', 'beta')
    place('empty', '')

    await done('copy', source, 'box:tree')

    const made = ['/tree', '/tree/a.txt', '/tree/empty', '/tree/sub', '/tree/sub/deep', '/tree/sub/deep/b.txt']
    expect(paths()).toEqual(made)
    expect(await done('check', source, 'box:tree')).toMatch(/0 differences found/)
    expect(await done('lsl', 'box:')).toMatch(/ 5 .* tree\/a\.txt/)
    expect(await done('cat', 'box:tree/a.txt', '--offset', '1', '--count', '3')).toBe('lph')
    const back = join(folder, 'back')
    await done('copy', 'box:tree', back)
    await done('check', source, back)
    emulator.recorder.clear()
    await done('copy', source, 'box:tree')
    expect(emulator.recorder.count('create-session')).toBe(0)
  }, 120_000)

  test('move, rename with another case, copy on the server, mkdir, rmdir, delete, cleanup, about', async () => {
    emulator.provider.owner.write('/d/file.txt', 'x')

    await done('moveto', 'box:d/file.txt', 'box:e/other.txt')
    expect(paths()).toContain('/e/other.txt')
    await done('moveto', 'box:e/other.txt', 'box:e/OTHER.txt')
    expect(paths()).toContain('/e/OTHER.txt')
    await done('copyto', 'box:e/OTHER.txt', 'box:copy.txt')
    expect(content('/copy.txt')).toBe('x')
    await done('move', 'box:e', 'box:f/g')
    expect(paths()).toEqual(expect.arrayContaining(['/f/g/OTHER.txt', '/copy.txt']))
    await done('mkdir', 'box:new/dir')
    await done('rmdir', 'box:new/dir')
    await done('deletefile', 'box:copy.txt')
    // It takes old versions away, which a personal drive does not allow.
    if (driveType !== 'personal') await done('cleanup', 'box:')
    await done('purge', 'box:f')
    expect(paths()).not.toContain('/f')
    expect(await done('about', 'box:', '--json')).toMatch(/"total": /)
  }, 120_000)

  // What does not differ between drives is tried at one.
  if (driveType !== 'business') return

  test('300 MB in chunks, whole and flat', async () => {
    const bytes = 300 * 1024 * 1024
    const hash = await fill(join(source, 'large'), bytes)
    const before = process.memoryUsage().rss

    await done('copy', source, 'box:')

    const [object] = emulator.provider.owner.list()
    expect(object).toMatchObject({ path: '/large', size: bytes })
    expect(emulator.recorder.count('fragment')).toBe(30)
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
    const held = emulator.provider.owner.read('/large') ?? ''
    expect(createHash('sha256').update(held).digest('hex')).toBe(hash)
    expect(await done('check', source, 'box:')).toMatch(/0 differences found/)
  }, 120_000)

  test('300 small files', async () => {
    for (let index = 0; index < 300; index++) place(`${index % 10}/${index}.txt`, `content ${index}`)

    await done('copy', source, 'box:many', '--transfers', '16', '--checkers', '16')

    expect(content('/many/7/217.txt')).toBe('content 217')
    expect(await done('check', source, 'box:many')).toMatch(/0 differences found/)
  }, 120_000)

  test('rclone goes on after a throttled call and after a connection that broke', async () => {
    place('a', 'x'.repeat(100_000))
    emulator.fault({ route: 'create-session', fault: { do: 'refuse', name: 'throttle', retryAfterS: 1 } })
    emulator.fault({ route: 'fragment', fault: { do: 'cut', when: 'before' } })

    await done('copy', source, 'box:')

    expect(content('/a')?.length).toBe(100_000)
  }, 60_000)

  /** Hostile names for files and folders, empty, small, and large enough for several fragments. */
  function fillHostile(root: string): void {
    for (const [index, name] of hostileNames.entries()) {
      mkdirSync(join(root, `${index}`, name), { recursive: true })
      writeFileSync(join(root, `${index}`, name, name), name)
    }
    mkdirSync(join(root, 'plain'))
    writeFileSync(join(root, 'plain/empty'), '')
    writeFileSync(join(root, 'plain/small'), 'small')
    writeFileSync(join(root, 'plain/large'), randomBytes(21 * 2 ** 20))
    writeFileSync(
      Buffer.concat([Buffer.from(join(root, 'plain/')), Buffer.from('caf\xe9 \xff.txt', 'latin1')]),
      'bytes',
    )
  }

  test('what Fanfold put, rclone finds equal, byte by byte and by its hashes', async () => {
    const bench = aBench({ unused: '' })
    fillHostile(bench.inbox)
    const accounts = join(bench.folder, 'state', 'accounts')
    mkdirSync(accounts, { recursive: true, mode: 0o700 })
    const login = JSON.stringify({ refreshToken: emulator.auth.login().refreshToken })
    writeFileSync(join(accounts, 'main.json'), login, { mode: 0o600 })
    writeFileSync(
      bench.config,
      `state: ./state\nsources:\n  - { name: inbox, path: ./inbox }\n` +
        `targets:\n  - { name: cloud, kind: onedrive, account: main, folder: ByFanfold, at: '{path}' }\n` +
        `accounts:\n  - { name: main, kind: onedrive, client-id: emulated-app-1, access: files }\n` +
        `http: { proxy: '${proxy.url}', ca-file: '${join(folder, 'ca.pem')}' }\n`,
    )

    const ended = await fanfold(bench, 'run', '--until-idle')

    expect(ended.code, ended.stderr).toBe(0)
    for (const words of [['--download'], []])
      expect(await done('check', bench.inbox, 'box:ByFanfold', '--exclude', '/.fanfold-owner', ...words)).toMatch(
        /0 differences found/,
      )
  }, 120_000)

  test('what rclone put, Fanfold lists and reads: true names, true hashes', async () => {
    fillHostile(source)
    await done('copy', source, 'box:ByRclone')
    const target = aTarget('ByRclone')
    await target.open(undefined, never)

    const entries = await all(target.list(remotePath(''), { hash: true }, never))

    expect(entries.length).toBe(hostileNames.length + 4)
    for (const entry of entries) {
      const bytes = readFileSync(fsPath(join(source, entry.path)))
      expect(entry.sha256, entry.path).toBe(createHash('sha256').update(bytes).digest('hex'))
      const looked = await target.look(entry.path, { hash: false }, never)
      expect(looked?.remoteId, entry.path).toBe(entry.remoteId)
    }
  }, 120_000)

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
    return oneDriveTarget({ name: 'cloud', account: 'main', drive: 'own', folder: under, transport, log: silentLog })
  }
})

/** Bytes that differ everywhere; their SHA-256. */
async function fill(path: string, bytes: number): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha256')
  const piece = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < bytes; at += piece.length) {
    for (let spot = 0; spot < piece.length; spot += 4096) piece.writeUInt32LE((at + spot) / 4096, spot)
    hash.update(piece)
    await file.write(piece)
  }
  return hash.digest('hex')
}
