/** Trust and tunnels: who is believed, through whom the transport goes, and that nobody but configuration says so. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, createServer as createTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Call } from '../../src/target/transport/transport.ts'
import { failureOf, listening, never, sendJson, serve, transportTo } from './transport-fixture.ts'

let folder: string
const inFolder = (name: string): string => join(folder, name)

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** An authority of our own, and a server's certificate from it. */
function makeCertificates(): void {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Test authority',
  )
  for (const [name, days] of [
    ['good', '2'],
    ['stranger', '2'],
  ] as const) {
    const host = name === 'good' ? 'localhost' : 'elsewhere.test'
    writeFileSync(inFolder(`${name}.ext`), `subjectAltName=DNS:${host}\n`)
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${host}`,
    )
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      `${name}.pem`,
      '-days',
      days,
      '-extfile',
      `${name}.ext`,
    )
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fanfold-tls-'))
  makeCertificates()
})
afterAll(() => rmSync(folder, { recursive: true }))

const call: Call = { method: 'GET', url: 'https://api.example.test/x', expect: 'json' }

async function serveTls(name: 'good' | 'stranger'): Promise<{ readonly url: string; readonly port: number }> {
  const identity = { key: readFileSync(inFolder(`${name}.key`)), cert: readFileSync(inFolder(`${name}.pem`)) }
  const { port } = await listening(createHttps(identity, (_request, response) => sendJson(response, 'safe')))
  return { port, url: `https://localhost:${port}` }
}

interface Proxy {
  readonly url: string
  readonly asked: IncomingMessage[]
}

/** A proxy that tunnels, to those who log in where a login is asked for. */
async function serveProxy(login?: string): Promise<Proxy> {
  const asked: IncomingMessage[] = []
  const server = createHttp()
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(request)
    socket.on('error', () => {})
    const isWelcome = login === undefined || request.headers['proxy-authorization'] === `Basic ${btoa(login)}`
    if (!isWelcome) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
      return
    }
    const onward = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('close', () => onward.destroy())
  })
  return { url: (await listening(server)).url, asked }
}

const endpoints = (url: string): Record<string, string> => ({ 'api.example.test': url })

describe('trust', () => {
  test('F119: a certificate of an authority from configuration is believed', async () => {
    const { url } = await serveTls('good')
    const settings = { endpoints: endpoints(url), caFile: inFolder('ca.pem') }

    expect((await transportTo('', { settings }).request(call, never)).content).toEqual({ kind: 'json', value: 'safe' })
  })

  test('one of an unknown authority is not: tls, before anything was sent', async () => {
    const { url } = await serveTls('good')

    const failure = await failureOf(transportTo(url).request(call, never))

    expect(failure).toMatchObject({
      kind: 'tls',
      afterSent: false,
      next: { kind: 'pause-target', state: 'unreachable' },
    })
    expect(failure.message).toMatch(/no trust \(UNABLE_TO_.+\).*http\.ca-file/)
  })

  test('one for another host is not: tls', async () => {
    const { url } = await serveTls('stranger')
    const settings = { endpoints: endpoints(url), caFile: inFolder('ca.pem') }

    const failure = await failureOf(transportTo('', { settings }).request(call, never))

    expect(failure.kind).toBe('tls')
    expect(failure.message).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  test('a server that speaks no TLS: tls', async () => {
    const { port } = await listening(createTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))

    const failure = await failureOf(transportTo(`https://localhost:${port}`).request(call, never))

    expect(failure.kind).toBe('tls')
  })

  test('F119: the environment is not asked: no proxy from it, and no blind trust', async () => {
    onTestFinished(() => void vi.unstubAllEnvs())
    vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:1')
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    const { url } = await serveTls('good')
    const settings = { endpoints: endpoints(url), caFile: inFolder('ca.pem') }

    expect((await transportTo('', { settings }).request(call, never)).status).toBe(200)
    expect(await failureOf(transportTo(url).request(call, never))).toMatchObject({ kind: 'tls' })
  })

  test.each([
    ['that is missing', undefined, /http\.ca-file .*late\.pem cannot be read \(ENOENT\); put it there/],
    ['that has none', 'nothing', /http\.ca-file .*late\.pem: expected certificates in PEM form, got none/],
  ])('a file of certificates %s pauses the target until it is there', async (_what, text, told) => {
    const { url } = await serveTls('good')
    const caFile = inFolder('late.pem')
    onTestFinished(() => rmSync(caFile))
    if (text !== undefined) writeFileSync(caFile, text)
    const transport = transportTo('', { settings: { endpoints: endpoints(url), caFile } })

    const failure: unknown = await transport.request(call, never).catch((thrown: unknown) => thrown)
    copyFileSync(inFolder('ca.pem'), caFile)
    const answer = await transport.request(call, never)

    expect(failure).toMatchObject({ next: { kind: 'pause-target', state: 'unreachable' } })
    expect(String(failure)).toMatch(told)
    expect(answer.status).toBe(200)
  })

  test('a file of certificates is read again after nobody was believed', async () => {
    const { url } = await serveTls('good')
    const caFile = inFolder('other.pem')
    onTestFinished(() => rmSync(caFile))
    copyFileSync(inFolder('stranger.pem'), caFile)
    const transport = transportTo('', { settings: { endpoints: endpoints(url), caFile } })

    const failure = await failureOf(transport.request(call, never))
    copyFileSync(inFolder('ca.pem'), caFile)
    const answer = await transport.request(call, never)

    expect([failure.kind, answer.status]).toEqual(['tls', 200])
  })
})

describe('a proxy', () => {
  test('F119: tunnels TLS, which stays between us and the server', async () => {
    const { url, port } = await serveTls('good')
    const proxy = await serveProxy()
    const settings = { endpoints: endpoints(url), caFile: inFolder('ca.pem'), proxy: proxy.url }
    const transport = transportTo('', { settings })

    const answers = [await transport.request(call, never), await transport.request(call, never)]

    expect(answers.map(({ content }) => content)).toEqual([
      { kind: 'json', value: 'safe' },
      { kind: 'json', value: 'safe' },
    ])
    expect(new Set(proxy.asked.map((request) => request.url))).toEqual(new Set([`localhost:${port}`]))
  })

  test('is given its login from the URL, which no error and no call shows', async () => {
    const server = await serve((request, response) => sendJson(response, request.headers))
    const proxy = await serveProxy('me:p%w')
    const settingsOf = (login: string): object => ({
      endpoints: endpoints(server.url),
      proxy: proxy.url.replace('//', `//${login}@`),
    })

    const answer = await transportTo('', { settings: settingsOf('me:p%25w') }).request(call, never)
    const failure = await failureOf(transportTo('', { settings: settingsOf('me:wrong') }).request(call, never))

    expect(JSON.stringify(answer.content)).not.toMatch(/proxy-authorization/i)
    expect(failure).toMatchObject({ kind: 'proxy', afterSent: false })
    expect(failure.message).toContain('the proxy answered 407')
    expect(failure.stack).not.toContain('wrong')
  })

  test('that is not there: unreachable', async () => {
    const settings = { endpoints: endpoints('https://localhost:1'), proxy: 'http://127.0.0.1:1' }

    const failure = await failureOf(transportTo('', { settings }).request(call, never))

    expect(failure).toMatchObject({ kind: 'unreachable', afterSent: false })
  })
})
