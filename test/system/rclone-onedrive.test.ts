/** rclone, which we did not write, uses the OneDrive emulator through the proxy without noticing: judged by its exit codes and by what then lies there. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { proxyFor } from '../emulator/emulators.ts'
import { type OneDriveEmulator, oneDriveEmulator } from '../emulator/onedrive/onedrive.ts'
import type { InterceptingProxy } from '../emulator/proxy/proxy.ts'

interface Run {
  readonly code: number | null
  readonly out: string
}

describe.each(['personal', 'business', 'documentLibrary'] as const)('a %s drive', (driveType) => {
  let folder: string
  let emulator: OneDriveEmulator
  let proxy: InterceptingProxy
  let source: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fanfold-rclone-'))
    // rclone 1.60 checks personal drives by the sha1 that they had then.
    const rules = { hasSha1: true }
    emulator = oneDriveEmulator({ folder: join(folder, 'emulator'), checksAnswers: true, driveType, rules })
    proxy = proxyFor([emulator])
    await emulator.start()
    await proxy.start()
    await writeFile(join(folder, 'ca.pem'), proxy.authority)
    const { accessToken, refreshToken } = emulator.auth.login()
    const { clientId, clientSecret } = emulator.auth.client
    const token = JSON.stringify({
      access_token: accessToken,
      token_type: 'Bearer',
      refresh_token: refreshToken,
      // Long past, so that each run has to refresh first.
      expiry: '2020-01-01T00:00:00Z',
    })
    const login = `client_id = ${clientId}\nclient_secret = ${clientSecret}\ntoken = ${token}\n`
    const drive = `drive_id = ${emulator.provider.drive.id}\ndrive_type = ${driveType}\n`
    await writeFile(join(folder, 'rclone.conf'), `[one]\ntype = onedrive\n${login}${drive}`)
  })

  afterAll(async () => {
    await proxy.stop()
    await emulator.stop()
    await rm(folder, { recursive: true, force: true })
    expect(emulator.failures).toEqual([])
    expect(proxy.refused).toEqual([])
  })

  beforeEach(async () => {
    for (const { path } of emulator.provider.owner.list().filter((object) => !object.path.includes('/', 1))) {
      emulator.provider.owner.remove(path)
    }
    emulator.recorder.clear()
    emulator.faults.disarmAll()
    source = await mkdtemp(join(folder, 'source-'))
  })

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

  test('copy, check by hash, list, and copy back', async () => {
    await place('a.txt', 'alpha')
    await place('sub/deep/b.txt', 'beta')
    await place('empty', '')

    await done('copy', source, 'one:tree')

    expect(paths()).toEqual([
      '/tree',
      '/tree/a.txt',
      '/tree/empty',
      '/tree/sub',
      '/tree/sub/deep',
      '/tree/sub/deep/b.txt',
    ])
    expect(await done('check', source, 'one:tree')).toMatch(/0 differences found/)
    expect(await done('lsl', 'one:')).toMatch(/ 5 .* tree\/a\.txt/)
    expect(await done('cat', 'one:tree/a.txt', '--offset', '1', '--count', '3')).toBe('lph')
    const back = join(folder, 'back')
    await done('copy', 'one:tree', back)
    await done('check', source, back)
    emulator.recorder.clear()
    await done('copy', source, 'one:tree')
    expect(emulator.recorder.count('create-session')).toBe(0)
  }, 120_000)

  test('move, rename with another case, copy on the server, delete, mkdir, rmdir, about', async () => {
    emulator.provider.owner.write('/d/file.txt', 'x')

    await done('moveto', 'one:d/file.txt', 'one:e/other.txt')
    expect(paths()).toContain('/e/other.txt')
    await done('moveto', 'one:e/other.txt', 'one:e/OTHER.txt')
    expect(paths()).toContain('/e/OTHER.txt')
    await done('copyto', 'one:e/OTHER.txt', 'one:copy.txt')
    expect(content('/copy.txt')).toBe('x')
    await done('move', 'one:e', 'one:f/g')
    expect(paths()).toEqual(expect.arrayContaining(['/f/g/OTHER.txt', '/copy.txt']))
    await done('mkdir', 'one:new/dir')
    await done('rmdir', 'one:new/dir')
    await done('deletefile', 'one:copy.txt')
    await done('purge', 'one:f')
    expect(paths()).not.toContain('/f')
    expect(await done('about', 'one:', '--json')).toMatch(/"total": /)
  }, 120_000)
})
