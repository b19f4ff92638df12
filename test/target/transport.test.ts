/** The transport's calls: what goes out, what comes back, at whose pace and with whose login. */
import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { expect, test, describe } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { openLog, silentLog } from '../../src/base/log.ts'
import type { Call, Credentials } from '../../src/target/transport/transport.ts'
import {
  apiUrl,
  bodyOf,
  chunksOf,
  failureOf,
  never,
  openPace,
  sendJson,
  serve,
  transportTo,
  type Loopback,
  until,
} from './transport-fixture.ts'

const get = (path: string, over: Partial<Call> = {}): Call => ({
  method: 'GET',
  url: `${apiUrl}${path}`,
  expect: 'json',
  ...over,
})

async function echo(): Promise<Loopback> {
  return serve((request, response) => {
    bodyOf(request).then(
      (body) =>
        sendJson(response, {
          path: request.url,
          headers: request.headers,
          bytes: body.length,
          sha: createHash('sha256').update(body).digest('hex'),
        }),
      () => {},
    )
  })
}

test('a JSON answer comes parsed, with status and headers', async () => {
  const server = await echo()

  const answer = await transportTo(`${server.url}/base/`).request(get('/2/x?a=1'), never)

  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('application/json')
  expect(answer.content).toMatchObject({ kind: 'json', value: { path: '/base/2/x?a=1' } })
})

test('a body of bytes and a streamed one arrive whole, with their length', async () => {
  const server = await echo()
  const transport = transportTo(server.url)
  const bytes = randomBytes(300_000)
  const sha = createHash('sha256').update(bytes).digest('hex')
  async function* slices(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; at += 100_000) yield await Promise.resolve(bytes.subarray(at, at + 100_000))
  }
  const bodies: Partial<Call>[] = [
    { body: () => bytes.subarray(0, bytes.length) },
    { body: slices, length: bytes.length },
    { body: slices },
  ]

  for (const body of bodies) {
    const { content } = await transport.request({ ...get('/up'), method: 'POST', ...body }, never)
    expect(content).toMatchObject({ value: { bytes: 300_000, sha } })
    const { headers } = (content as { value: { headers: Record<string, string> } }).value
    expect(headers['content-length']).toBe(body.body === slices && body.length === undefined ? undefined : '300000')
  }
})

test('a part of a larger buffer is sent as that part only', async () => {
  const server = await echo()

  const { content } = await transportTo(server.url).request(
    { ...get('/'), method: 'PUT', body: () => new Uint8Array(1000).subarray(10, 17) },
    never,
  )

  expect(content).toMatchObject({ value: { bytes: 7 } })
})

test('F56: an empty body is a body of 0 bytes', async () => {
  const server = await echo()
  const transport = transportTo(server.url)

  for (const body of [new Uint8Array(0), chunksOf(0, 0).source]) {
    const call: Call = { ...get('/'), method: 'POST', body: () => body, length: 0 }
    const { content } = await transport.request(call, never)
    expect(content).toMatchObject({ value: { bytes: 0, headers: { 'content-length': '0' } } })
  }
})

test('a download streams from any status that is good', async () => {
  const bytes = randomBytes(3_000_000)
  const server = await serve((_request, response) => response.writeHead(206).end(bytes))

  const answer = await transportTo(server.url).request(get('/x', { expect: 'bytes', size: bytes.length }), never)

  expect(answer.status).toBe(206)
  if (answer.content.kind !== 'stream') throw new Error('no stream')
  expect((await buffer(answer.content.stream)).equals(bytes)).toBe(true)
})

test('an error is an answer, with its body parsed where it is JSON and cut at its bound', async () => {
  const server = await serve((request, response) => {
    if (request.url === '/json') sendJson(response, { error: { '.tag': 'path' } }, 409)
    else if (request.url === '/html') response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad</h1>')
    else if (request.url === '/empty') response.writeHead(401).end()
    else response.writeHead(500).end('x'.repeat(1_000_000))
  })
  const transport = transportTo(server.url)

  const contents = []
  for (const path of ['/json', '/html', '/empty']) contents.push((await transport.request(get(path), never)).content)
  const { content: long } = await transport.request(get('/long'), never)

  expect(contents).toEqual([
    { kind: 'json', value: { error: { '.tag': 'path' } } },
    { kind: 'text', text: '<h1>Bad</h1>' },
    { kind: 'none' },
  ])
  expect(long.kind === 'text' && long.text.length).toBe(64 * 1024)
})

test('an answer without content is none, where the status says so', async () => {
  const server = await serve((_request, response) => response.writeHead(204).end())

  expect((await transportTo(server.url).request(get('/'), never)).content).toEqual({ kind: 'none' })
})

test('connections are kept and used again', async () => {
  const server = await echo()
  const transport = transportTo(server.url)

  for (let n = 0; n < 10; n++)
    await transport.request({ ...get('/'), method: 'POST', body: () => Buffer.from('x') }, never)
  for (let n = 0; n < 10; n++)
    await transport.request(
      { ...get('/'), method: 'POST', body: () => chunksOf(3, 100_000).source, length: 300_000 },
      never,
    )

  // A call that follows in the same turn may find the connection not yet put back.
  expect(server.connectionCount()).toBeLessThanOrEqual(2)
})

test('F46: after a refresh no idle connection is left, and the next call has a new one', async () => {
  const server = await echo()
  const transport = transportTo(server.url)
  await transport.request(get('/'), never)

  transport.refresh()
  await transport.request(get('/'), never)

  expect(server.connectionCount()).toBe(2)
  await until(() => server.sockets.size === 1)
})

test('F47: a clock that is not the server’s is told once, until they agree again', async () => {
  const server = await echo()
  const told: unknown[] = []
  const offsetsMs = [0, 400_000, 400_000, 0, -400_000]
  let offsetMs = 0
  const clock = { ...systemClock, wallMs: () => Date.now() + offsetMs }
  const log = { ...silentLog, warn: (event: string, fields?: object) => told.push([event, fields]) }
  const transport = transportTo(server.url, { clock, log })

  for (const next of offsetsMs) {
    offsetMs = next
    await transport.request(get('/'), never)
  }

  expect(told.length).toBe(2)
  expect(JSON.stringify(told[0])).toMatch(/clock differs.*6m (39|40)s ahead of the server.*set it/)
})

test('nothing goes in the clear to a host that configuration does not name', async () => {
  const server = await echo()
  const transport = transportTo(server.url)

  const call = transport.request(get('', { url: 'http://elsewhere.test/secret' }), never)

  await expect(call).rejects.toThrow('expected an https URL, got one of elsewhere.test')
  await expect(transport.request(get('', { url: 'secret' }), never)).rejects.not.toThrow('secret')
  expect(await transport.request(get('', { url: `${server.url}/session` }), never)).toMatchObject({ status: 200 })
})

describe('F71: pace', () => {
  test('every call asks for itself once, an upload as one, bodies for all their bytes in both directions', async () => {
    const server = await serve((request, response) => {
      bodyOf(request).then(
        () => response.end(randomBytes(500_000)),
        () => {},
      )
    })
    const pace = openPace()
    const transport = transportTo(server.url, { pace })

    const { content } = await transport.request(
      {
        ...get('/', { expect: 'bytes', size: 500_000 }),
        method: 'POST',
        body: () => chunksOf(10, 30_000).source,
        isUpload: true,
      },
      never,
    )
    if (content.kind === 'stream') await buffer(content.stream)

    expect(pace.asked).toEqual(['upload'])
    expect(pace.bytesAsked()).toBe(800_000)
    expect(transport.counters).toMatchObject({ answered: 1, bytesUp: 300_000, bytesDown: 500_000, underWay: 0 })
  })

  test('a body goes in pieces of at most 64 KiB, none before it was allowed', async () => {
    const server = await echo()
    const asked: number[] = []
    const sent: number[] = []
    const pace = {
      ...openPace(),
      bytes: (count: number) => {
        if (sent.length < 16) expect(sent.at(-1) ?? 0).toBe(asked.reduce((sum, one) => sum + one, 0))
        asked.push(count)
        return Promise.resolve()
      },
    }

    await transportTo(server.url, { pace }).request(
      { ...get('/'), method: 'POST', body: () => new Uint8Array(2 ** 20), progress: (bytes) => sent.push(bytes) },
      never,
    )

    expect(Math.max(...asked)).toBe(64 * 1024)
    expect(sent).toEqual(Array.from({ length: 16 }, (_, n) => (n + 1) * 64 * 1024))
  })
})

describe('F67: 429 and 503', () => {
  const dates = { date: 'Fri, 20 Nov 2026 10:00:00 GMT', 'retry-after': 'Fri, 20 Nov 2026 10:00:07 GMT' }
  const cases: [title: string, status: number, headers: Record<string, string>, afterMs: number | undefined][] = [
    ['seconds', 429, { 'retry-after': '3' }, 3000],
    ['a date, by the server’s own clock', 429, dates, 7000],
    ['a date that is over', 503, { ...dates, 'retry-after': 'Fri, 20 Nov 2026 09:00:00 GMT' }, 0],
    ['nothing', 503, {}, undefined],
    ['nonsense', 429, { 'retry-after': 'soon' }, undefined],
    ['too many seconds', 429, { 'retry-after': '99999999999' }, 24 * 3_600_000],
  ]
  for (const [title, status, headers, afterMs] of cases) {
    test(`with ${title} slow the account down and are an answer`, async () => {
      const server = await serve((_request, response) => response.writeHead(status, headers).end('slow down'))
      const pace = openPace()
      const transport = transportTo(server.url, { pace })

      const answer = await transport.request(get('/path?secret'), never)

      expect(answer).toMatchObject({ status, retryAfterMs: afterMs })
      expect(pace.verdicts).toEqual([{ retryAfterMs: afterMs, reason: `api.example.test/path answered ${status}` }])
      expect(transport.counters.limited).toBe(1)
    })
  }
})

/** Credentials whose token is good when the server's `valid` says so. */
function credentials(): Credentials & { current: string; renewals: string[] } {
  return {
    current: 'token-1',
    renewals: [],
    bearer() {
      return Promise.resolve(this.current)
    },
    async renew(rejected) {
      this.renewals.push(rejected)
      await new Promise((resolve) => setTimeout(resolve, 20))
      this.current = 'token-2'
      return this.current
    },
  }
}

describe('F75: login', () => {
  const guarded = (): Promise<Loopback> =>
    serve((request, response) => {
      bodyOf(request).then(
        (body) => {
          if (request.headers.authorization === 'Bearer token-2') sendJson(response, { bytes: body.length })
          else response.writeHead(401).end()
        },
        () => {},
      )
    })

  test('20 calls refused at once make one renewal, and all succeed', async () => {
    const server = await guarded()
    const login = credentials()
    const transport = transportTo(server.url, { credentials: login })

    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        transport.request({ ...get(`/${n}`), method: 'POST', body: () => chunksOf(2, 10).source }, never),
      ),
    )

    expect(answers.map(({ content }) => content)).toEqual(
      Array.from({ length: 20 }, () => ({ kind: 'json', value: { bytes: 20 } })),
    )
    expect(login.renewals).toEqual(['token-1'])
    expect(transport.counters).toMatchObject({ renewals: 1, refused: 20, answered: 20 })
    expect(server.seen).toHaveLength(40)
  })

  test('a refusal that comes in after the renewal needs no other', async () => {
    let isLate: () => void = () => {}
    const late = new Promise<void>((resolve) => (isLate = resolve))
    const server = await serve((request, response) => {
      const isGood = request.headers.authorization === 'Bearer token-2'
      const answer = (): unknown => (isGood ? sendJson(response, 1) : response.writeHead(401).end())
      if (request.url === '/late') late.then(answer, () => {})
      else answer()
    })
    const login = credentials()
    const transport = transportTo(server.url, { credentials: login })

    const slow = transport.request(get('/late'), never)
    await transport.request(get('/quick'), never)
    isLate()

    expect((await slow).status).toBe(200)
    expect(login.renewals).toEqual(['token-1'])
  })

  test('a second refusal is an answer', async () => {
    const server = await serve((_request, response) => response.writeHead(401).end())
    const login = credentials()

    const answer = await transportTo(server.url, { credentials: login }).request(get('/'), never)

    expect(answer.status).toBe(401)
    expect(server.seen).toHaveLength(2)
    expect(login.renewals).toHaveLength(1)
  })

  test('a body that cannot be made again is not sent again', async () => {
    const server = await guarded()
    const login = credentials()
    const call: Call = { ...get('/'), method: 'PUT', body: () => chunksOf(2, 10).source, isOneShot: true }

    const answer = await transportTo(server.url, { credentials: login }).request(call, never)

    expect(answer.status).toBe(401)
    expect(server.seen).toHaveLength(1)
  })

  test('a failed renewal is every caller’s failure, and the next call may try again', async () => {
    const server = await guarded()
    const login = credentials()
    let isRevoked = true
    const broken: Credentials = {
      bearer: (signal) => login.bearer(signal),
      renew: (rejected, signal) =>
        isRevoked ? Promise.reject(new Error('run "fanfold login"')) : login.renew(rejected, signal),
    }
    const transport = transportTo(server.url, { credentials: broken })

    const calls = await Promise.allSettled([1, 2, 3].map(() => transport.request(get('/'), never)))
    isRevoked = false

    for (const call of calls) expect(call).toMatchObject({ reason: { message: 'run "fanfold login"' } })
    expect((await transport.request(get('/'), never)).status).toBe(200)
  })

  test('a call that opts out carries no token', async () => {
    const server = await echo()
    const transport = transportTo(server.url, { credentials: credentials() })

    const { content } = await transport.request(get('/', { bearer: false }), never)

    const { headers } = (content as { value: { headers: Record<string, string> } }).value
    expect(headers['authorization']).toBeUndefined()
  })

  test('one caller’s abort leaves the renewal to the others', async () => {
    const server = await guarded()
    const login = credentials()
    const transport = transportTo(server.url, { credentials: login })
    const impatient = new AbortController()
    const first = transport.request(get('/1'), impatient.signal)
    const second = transport.request(get('/2'), never)
    while (login.renewals.length === 0) await new Promise((resolve) => setImmediate(resolve))

    impatient.abort(new Error('enough'))

    expect((await failureOf(first)).kind).toBe('aborted')
    expect((await second).status).toBe(200)
  })
})

describe('F119: what no server of ours said is never success', () => {
  const html = { 'content-type': 'text/html; charset=utf-8' }
  const cases: [title: string, call: Partial<Call>, status: number, headers: Record<string, string>, body: string][] = [
    ['a page in place of JSON', {}, 200, html, '<html>Please log in</html>'],
    ['a page without its type', {}, 200, {}, '\n<!DOCTYPE html><p>Please log in'],
    ['a page in place of content', { expect: 'bytes' }, 200, html, '<html>'],
    ['a page of another size than the content', { expect: 'bytes', size: 3 }, 200, html, '<html>'],
    ['a redirect to a page', {}, 302, { location: 'http://portal.test/login?token=secret' }, ''],
    ['a network’s demand for a login', {}, 511, html, '<html>'],
  ]
  for (const [title, call, status, headers, body] of cases) {
    test(`${title} is a portal's answer`, async () => {
      const server = await serve((_request, response) =>
        response.writeHead(status, { ...headers, 'content-length': body.length }).end(body),
      )
      const transport = transportTo(server.url)

      const failure = await failureOf(transport.request(get('/x', call), never))

      expect(failure.name).toBe('PortalAnswer')
      expect(failure).toMatchObject({ kind: 'portal', next: { kind: 'pause-target', state: 'unreachable' } })
      expect(failure.message).toContain('log in to the network')
      expect(failure.message).not.toContain('secret')
      expect(transport.counters.failed).toEqual({ portal: 1 })
    })
  }

  test('a copy that is a web page of the right size is content', async () => {
    const server = await serve((_request, response) => response.writeHead(200, html).end('<html>'))

    const answer = await transportTo(server.url).request(get('/x', { expect: 'bytes', size: 6 }), never)

    expect(answer.content.kind).toBe('stream')
    if (answer.content.kind === 'stream') answer.content.stream.destroy()
  })

  test('a redirect is an answer to who asked for it, and is not followed', async () => {
    const server = await serve((_request, response) => response.writeHead(302, { location: '/other' }).end())

    const answer = await transportTo(server.url).request(get('/x', { redirect: 'answer' }), never)

    expect(answer).toMatchObject({ status: 302, headers: { location: '/other' } })
    expect(server.seen).toEqual(['GET /x'])
  })

  test('308 without a location is an answer: an upload session goes on', async () => {
    const server = await serve((_request, response) => response.writeHead(308, { range: 'bytes=0-9' }).end())

    expect(await transportTo(server.url).request(get('/x'), never)).toMatchObject({
      status: 308,
      content: { kind: 'none' },
    })
  })
})

test('no secret is in the log, in errors, or in what errors carry', async () => {
  const lines: string[] = []
  const log = openLog('target', { write: (line: string) => lines.push(line) }, 'target')
  const server = await serve((request, response) => {
    if (request.url?.startsWith('/reset') === true) request.socket.destroy()
    else if (request.url?.startsWith('/none') === true) response.end('s3cret is no JSON')
    else sendJson(response, { token: 's3cret' })
  })
  const transport = transportTo(server.url, {
    log,
    credentials: { bearer: () => Promise.resolve('s3cret'), renew: () => Promise.resolve('s3cret') },
  })
  const call = (path: string, over: Partial<Call> = {}): Call => ({
    ...get(`${path}?key=s3cret`, over),
    method: 'POST',
    headers: { 'x-key': 's3cret' },
    body: () => Buffer.from('s3cret'),
  })

  await transport.request(call('/open'), never)
  await transport.request(call('/up/s3cret', { bearer: false }), never)
  const failures = [
    await failureOf(transport.request(call('/reset'), never)),
    await failureOf(transport.request(call('/none'), never)),
    await failureOf(transport.request(call('/up/s3cret', { bearer: false }), AbortSignal.abort(new Error('no')))),
  ]

  const told = [...lines, ...failures.map((failure) => `${failure.stack ?? ''} ${JSON.stringify(failure)}`)].join('\n')
  expect(lines).toHaveLength(4)
  expect(told).toContain('POST api.example.test/open')
  expect(told).not.toContain('s3cret')
})
