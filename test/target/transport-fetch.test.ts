/** The fetch that SDKs are given: what it takes, what it answers, what it refuses. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PortalAnswer, type Credentials } from '../../src/target/transport/transport.ts'
import { apiUrl, bodyOf, openPace, sendJson, serve, transportTo, until, type Loopback } from './transport-fixture.ts'

async function echo(): Promise<Loopback> {
  return serve((request, response) => {
    bodyOf(request).then(
      (body) =>
        sendJson(response, {
          headers: request.headers,
          text: body.length > 1000 ? body.length : body.toString('utf8'),
        }),
      () => {},
    )
  })
}

type Sent = NonNullable<RequestInit['body']>

interface Echoed {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string | number
}

const login: Credentials = { bearer: () => Promise.resolve('ours'), renew: () => Promise.resolve('renewed') }

describe('bodies', () => {
  const form = new FormData()
  form.set('field', 'value')
  const cases: [title: string, body: () => Sent | Readable, text: string, type: string | undefined][] = [
    ['text', () => 'é', 'é', 'text/plain;charset=UTF-8'],
    ['bytes that are part of a buffer', () => new TextEncoder().encode('xabcx').subarray(1, 4), 'abc', undefined],
    [
      'a form of names',
      () => new URLSearchParams({ a: '1 2' }),
      'a=1+2',
      'application/x-www-form-urlencoded;charset=UTF-8',
    ],
    ['a blob', () => new Blob(['abc'], { type: 'a/b' }), 'abc', 'a/b'],
    ['a stream of Node', () => Readable.from([Buffer.from('ab'), 'c']), 'abc', undefined],
    ['a stream of the web', () => new Blob(['abc']).stream(), 'abc', undefined],
  ]
  for (const [title, body, text, type] of cases) {
    test(`${title} arrives as it is`, async () => {
      const server = await echo()

      const response = await transportTo(server.url).fetch(`${apiUrl}/x`, {
        method: 'POST',
        body: body() as Sent,
      })

      const got = (await response.json()) as Echoed
      expect(got.text).toBe(text)
      expect(got.headers['content-type']).toBe(type)
    })
  }

  test('a form with its boundary', async () => {
    const server = await echo()

    const response = await transportTo(server.url).fetch(`${apiUrl}/x`, { method: 'POST', body: form })

    const got = (await response.json()) as Echoed
    expect(got.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(got.text).toContain('name="field"\r\n\r\nvalue')
  })

  test('a Request with everything in it', async () => {
    const server = await echo()
    const request = new Request(`${apiUrl}/x`, { method: 'PUT', body: 'abc', headers: { 'x-a': 'b' } })

    const response = await transportTo(server.url).fetch(request)

    expect(await response.json()).toMatchObject({ text: 'abc', headers: { 'x-a': 'b' } })
  })

  test('a stream with the length that its SDK set goes with that length', async () => {
    const server = await echo()

    const response = await transportTo(server.url).fetch(`${apiUrl}/x`, {
      method: 'PUT',
      headers: { 'content-length': '3', 'accept-encoding': 'gzip', connection: 'close' },
      body: Readable.from([Buffer.from('abc')]) as unknown as Sent,
    })

    const { headers } = (await response.json()) as Echoed
    expect(headers).toMatchObject({ 'content-length': '3', connection: 'keep-alive' })
    expect(headers['transfer-encoding']).toBeUndefined()
    expect(headers['accept-encoding']).toBe('identity')
  })

  test('a stream of a file is closed when the call ends early', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fanfold-fetch-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'big'), Buffer.alloc(20_000_000))
    const server = await serve((_request, response) => sendJson(response, {}, 409))
    const body = createReadStream(join(folder, 'big'))

    const response = await transportTo(server.url).fetch(`${apiUrl}/x`, {
      method: 'PUT',
      body: body as unknown as Sent,
    })

    expect(response.status).toBe(409)
    await until(() => body.closed)
  })

  test('an object that is no body is refused and not sent as its name', async () => {
    const server = await echo()
    const body = { a: 1 } as unknown as Sent

    await expect(transportTo(server.url).fetch(`${apiUrl}/x`, { method: 'POST', body })).rejects.toThrow(
      'nothing was sent',
    )
    expect(server.seen).toEqual([])
  })
})

describe('answers', () => {
  test('have status, text, headers and URL', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(201, 'Made', { 'x-a': 'b', 'set-cookie': ['c=1', 'd=2'] }).end('{}')
    })

    const response = await transportTo(server.url).fetch(new URL(`${apiUrl}/x`))

    expect([response.status, response.statusText, response.url]).toEqual([201, 'Made', `${apiUrl}/x`])
    expect(response.headers.get('x-a')).toBe('b')
    expect(response.headers.getSetCookie()).toEqual(['c=1', 'd=2'])
  })

  test('without content are possible', async () => {
    const server = await serve((_request, response) => response.writeHead(204).end())

    expect((await transportTo(server.url).fetch(`${apiUrl}/x`)).body).toBeNull()
  })

  test('of any size stream', async () => {
    const bytes = randomBytes(5_000_000)
    const server = await serve((_request, response) => response.end(bytes))
    const pace = openPace()

    const response = await transportTo(server.url, { pace }).fetch(`${apiUrl}/x`)

    const sha = createHash('sha256').update(Buffer.from(await response.arrayBuffer()))
    expect(sha.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(pace.bytesAsked()).toBe(5_000_000)
  })

  test('that their reader leaves close their connection', async () => {
    const server = await serve((_request, response) => response.writeHead(200, { 'content-length': 1e9 }).write('abc'))
    const response = await transportTo(server.url).fetch(`${apiUrl}/x`)

    await response.body?.cancel()

    await until(() => server.sockets.size === 0)
  })

  test('that are errors are answers, and slow the account down where they say so', async () => {
    const server = await serve((_request, response) => sendJson(response, { error: 1 }, 429, { 'retry-after': '2' }))
    const pace = openPace()

    const response = await transportTo(server.url, { pace }).fetch(`${apiUrl}/x`)

    expect([response.status, await response.json()]).toEqual([429, { error: 1 }])
    expect(pace.verdicts).toMatchObject([{ retryAfterMs: 2000 }])
  })

  test('F119: a web page is none, unless a page may come', async () => {
    const server = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    )
    const transport = transportTo(server.url)

    await expect(transport.fetch(`${apiUrl}/x`)).rejects.toBeInstanceOf(PortalAnswer)
    expect(await (await transport.fetchAs({ expect: 'any' })(`${apiUrl}/x`)).text()).toBe('<p>')
  })

  test('that point elsewhere are errors, or answers to who handles them', async () => {
    const server = await serve((_request, response) => response.writeHead(302, { location: '/y' }).end())
    const transport = transportTo(server.url)

    await expect(transport.fetch(`${apiUrl}/x`, { redirect: 'follow' })).rejects.toBeInstanceOf(PortalAnswer)
    expect((await transport.fetch(`${apiUrl}/x`, { redirect: 'manual' })).status).toBe(302)
    expect(server.seen).toEqual(['GET /x', 'GET /x'])
  })
})

describe('login', () => {
  test('the account’s token takes the place of the SDK’s', async () => {
    const server = await echo()
    const transport = transportTo(server.url, { credentials: login })
    const init = { headers: { Authorization: 'Bearer theirs' } }

    const ours = (await (await transport.fetch(`${apiUrl}/x`, init)).json()) as Echoed
    const theirs = (await (await transport.fetchAs({ bearer: false })(`${apiUrl}/x`, init)).json()) as Echoed

    expect([ours.headers['authorization'], theirs.headers['authorization']]).toEqual(['Bearer ours', 'Bearer theirs'])
  })

  test('F75: a 401 renews it and repeats what can be repeated', async () => {
    const server = await serve((request, response) => {
      request.resume()
      sendJson(response, {}, request.headers.authorization === 'Bearer renewed' ? 200 : 401)
    })
    const { fetch } = transportTo(server.url, { credentials: login })

    const text = await fetch(`${apiUrl}/x`, { method: 'POST', body: '{}' })
    const stream = await fetch(`${apiUrl}/x`, { method: 'POST', body: new Blob(['x']).stream() })

    expect([text.status, stream.status]).toEqual([200, 401])
  })
})

test('an abort rejects with its reason, as SDKs expect', async () => {
  const server = await serve(() => {})
  const abort = new AbortController()
  const sent = transportTo(server.url).fetch(`${apiUrl}/x`, { signal: abort.signal })
  await until(() => server.seen.length === 1)

  abort.abort()

  await expect(sent).rejects.toMatchObject({ name: 'AbortError' })
  await until(() => server.sockets.size === 0)
})
