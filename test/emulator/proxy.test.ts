/** The proxy and the program: programs we did not write reach the emulators by the providers' real names, and nothing else. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect as tlsConnect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { aDropbox } from './dropbox-rig.ts'
import { proxyFor } from './emulators.ts'

/** The socket of a tunnel to host:443, or the status that refused it. */
function tunnel(proxyUrl: string, target: string): Promise<Socket | number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(proxyUrl)
    const asked = httpRequest({ hostname, port, method: 'CONNECT', path: target })
    asked.on('error', reject)
    asked.on('connect', (response, socket) =>
      resolve(response.statusCode === 200 ? socket : (response.statusCode ?? 0)),
    )
    asked.end()
  })
}

async function postThrough(socket: Socket, ca: string, host: string, path: string, token: string): Promise<string> {
  const secure = tlsConnect({ socket, servername: host, ca })
  secure.write(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`)
  const answer = await text(secure)
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

describe('the proxy', () => {
  test('leads a real name to its emulator, under a certificate its authority signed', async () => {
    const { emulator, accessToken } = await aDropbox()
    await using proxy = proxyFor([emulator])
    await proxy.start()
    const host = 'api.dropboxapi.com'

    const socket = await tunnel(proxy.url, `${host}:443`)
    if (typeof socket === 'number') throw new Error(`the tunnel was refused: ${socket}`)
    const answer = await postThrough(socket, proxy.authority, host, '/2/users/get_space_usage', accessToken)

    expect(JSON.parse(answer)).toMatchObject({ used: 0 })
    expect(emulator.recorder.records.at(-1)?.host).toBe(host)
  })

  test('a route of another host is unknown there', async () => {
    const { emulator, accessToken } = await aDropbox()
    await using proxy = proxyFor([emulator])
    await proxy.start()
    const host = 'content.dropboxapi.com'

    const socket = await tunnel(proxy.url, `${host}:443`)
    if (typeof socket === 'number') throw new Error(`the tunnel was refused: ${socket}`)
    const answer = await postThrough(socket, proxy.authority, host, '/2/users/get_space_usage', accessToken)

    expect(answer).toMatch(/Unknown API function/)
  })

  test.each(['example.com:443', 'api.dropboxapi.com:80', '127.0.0.1:22'])('%s leads nowhere', async (target) => {
    const { emulator } = await aDropbox()
    await using proxy = proxyFor([emulator])
    await proxy.start()

    expect(await tunnel(proxy.url, target)).toBe(403)
    expect(proxy.refused).toEqual([target])
  })

  test('plain requests lead nowhere', async () => {
    const { emulator } = await aDropbox()
    await using proxy = proxyFor([emulator])
    await proxy.start()

    expect((await fetch(proxy.url)).status).toBe(403)
  })
})

describe('the program', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  let folder: string
  beforeAll(() => {
    execFileSync(process.execPath, [join(root, 'config/dev/setup.mjs'), 'emulator'], { stdio: 'pipe' })
  }, 120_000)
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fanfold-emulators-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  type Program = ChildProcessByStdio<null, Readable, Readable>
  const start = (...words: string[]): Program =>
    spawn(process.execPath, [join(root, 'test/emulator/dist/main.js'), ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = (program: Program): Promise<number | null> =>
    new Promise((resolve) => program.once('exit', (code) => resolve(code)))
  const firstLine = (program: Program): Promise<string> =>
    new Promise((resolve) => program.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())))

  test('prints one line with all a client needs, and ends cleanly on TERM', async () => {
    const program = start('dropbox', '--dir', folder)
    const end = ended(program)

    const card = JSON.parse(await firstLine(program)) as Readonly<Record<'dropbox' | 'tokens', Record<string, unknown>>>
    const health = await fetch(`${String(card.dropbox['url'])}/_emulator/requests`)
    program.kill('SIGTERM')

    expect(card).toMatchObject({
      dropbox: { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string },
      proxy: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      ca: join(folder, 'ca.pem'),
    })
    expect(Object.keys(card.tokens['dropbox'] as object)).toEqual([
      'accessToken',
      'refreshToken',
      'clientId',
      'clientSecret',
    ])
    expect(health.status).toBe(200)
    expect(await end).toBe(0)
  })

  test('ends when the parent that held its standard input is gone', async () => {
    const words = [join(root, 'test/emulator/dist/main.js'), 'all', '--dir', folder]
    const program = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'] })
    await new Promise((resolve) => program.stdout.once('data', resolve))
    const end = new Promise((resolve) => program.once('exit', resolve))

    program.stdin.end()

    expect(await end).toBe(0)
  })

  test.each([
    [['nonsense', '--dir', '/tmp/x'], /no emulator of "nonsense"; there are: /],
    [['dropbox'], /--dir is missing/],
    [['dropbox', '--dir', '/tmp/x', '--drive-type', 'x'], /expected personal or business/],
  ])('%j is refused with 2', async (words, message) => {
    const program = start(...words)
    const [code, errors] = await Promise.all([ended(program), text(program.stderr)])

    expect(code).toBe(2)
    expect(errors).toMatch(message)
  })
})
