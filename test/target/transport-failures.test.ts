/** Calls that get no answer: what each failure is called, whether the server may have seen the request, and what is left behind. */
import { getEventListeners } from 'node:events'
import { createServer as createTcp, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Call, FailureKind } from '../../src/target/transport/transport.ts'
import {
  apiUrl,
  bodyOf,
  chunksOf,
  failureOf,
  listening,
  never,
  openPace,
  sendJson,
  serve,
  transportTo,
  until,
} from './transport-fixture.ts'

const call = (over: Partial<Call> = {}): Call => ({
  method: 'POST',
  url: `${apiUrl}/x`,
  expect: 'json',
  body: () => Buffer.from('{}'),
  ...over,
})

/** A server below HTTP. `isWhole` of a request is what `answer` has to see for itself. */
async function serveRaw(answer: (socket: Socket, text: string) => void): Promise<string> {
  const server = createTcp((socket) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      answer(socket, text)
    })
  })
  return (await listening(server)).url
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

describe('an answer that is none', () => {
  const cases: [title: string, kind: FailureKind, sent: string][] = [
    ['nothing, and the connection is closed', 'reset', ''],
    ['half a head', 'reset', 'HTTP/1.1 200 OK\r\ncontent-ty'],
    ['less than it promised', 'cut', `${head}content-length: 100\r\n\r\n{"a":1`],
    ['chunks without an end', 'cut', `${head}transfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n`],
    ['an empty body', 'garbled', `${head}content-length: 0\r\n\r\n`],
    ['half a JSON text', 'garbled', `${head}content-length: 5\r\n\r\n{"a":`],
    ['another protocol', 'garbled', '220 mail.example.test ESMTP\r\n'],
    ['a head without end', 'garbled', `${head}x: ${'y'.repeat(40_000)}`],
  ]
  for (const [title, kind, sent] of cases) {
    test(`${title}: ${kind}`, async () => {
      const url = await serveRaw((socket, text) => {
        if (text.endsWith('{}')) socket.end(sent)
      })
      const transport = transportTo(url)

      const failure = await failureOf(transport.request(call(), never))

      expect(failure).toMatchObject({ kind, afterSent: true, next: { kind: 'retry' } })
      expect(failure.message).toMatch(/^api\.example\.test\/x: .+; it is tried again$/)
      expect(transport.counters.failed).toEqual({ [kind]: 1 })
      expect(transport.counters.underWay).toBe(0)
    })
  }

  test('JSON beyond 32 MiB: too-large', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.alloc(33 * 2 ** 20, 0x20))
    })

    expect(await failureOf(transportTo(server.url).request(call(), never))).toMatchObject({ kind: 'too-large' })
  })

  test('content that breaks off fails its stream: cut', async () => {
    const url = await serveRaw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc'))

    const { content } = await transportTo(url).request(call({ expect: 'bytes', size: 100 }), never)

    if (content.kind !== 'stream') throw new Error('no stream')
    expect(await failureOf(buffer(content.stream))).toMatchObject({ kind: 'cut' })
  })

  test('content of no known length that ends early fails its stream: cut', async () => {
    const server = await serve((_request, response) => response.writeHead(200).end('abc'))

    const { content } = await transportTo(server.url).request(call({ expect: 'bytes', size: 100 }), never)

    if (content.kind !== 'stream') throw new Error('no stream')
    expect(await failureOf(buffer(content.stream))).toMatchObject({ kind: 'cut' })
  })
})

describe('no connection', () => {
  test('F70: a refused one pauses the target, and nothing was sent', async () => {
    const server = createTcp()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))

    const failure = await failureOf(transportTo(`http://127.0.0.1:${port}`).request(call(), never))

    expect(failure).toMatchObject({
      kind: 'unreachable',
      afterSent: false,
      next: { kind: 'pause-target', state: 'unreachable' },
      action: 'wait',
    })
    expect(failure.message).toContain('ECONNREFUSED')
  })

  test('a name that does not exist: unreachable', async () => {
    const failure = await failureOf(transportTo('http://nowhere.invalid').request(call(), never))

    expect(failure).toMatchObject({ kind: 'unreachable', afterSent: false })
    expect(failure.message).toMatch(/ENOTFOUND|EAI_AGAIN/)
  })
})

describe('time', () => {
  const stallMs = 150

  test('a server that takes no more bytes: stalled, before all was sent', async () => {
    const server = createTcp((socket) => socket.pause())
    const { url, sockets } = await listening(server)
    const body = chunksOf(1000, 2 ** 20)

    const failure = await failureOf(
      transportTo(url).request(call({ body: () => body.source, times: { stallMs } }), never),
    )

    expect(failure).toMatchObject({ kind: 'stalled', afterSent: false })
    expect(failure.message).toContain('the server took no byte for 150 ms')
    await until(() => body.isClosed())
    // Only who reads learns that the other side left.
    for (const socket of sockets) socket.resume()
    await until(() => sockets.size === 0)
  })

  test('a server that never answers: stalled, after all was sent', async () => {
    const { url, sockets } = await listening(createTcp((socket) => socket.resume()))

    const failure = await failureOf(transportTo(url).request(call({ times: { answerMs: stallMs } }), never))

    expect(failure).toMatchObject({ kind: 'stalled', afterSent: true })
    await until(() => sockets.size === 0)
  })

  test('an answer that stops in its middle: stalled', async () => {
    const server = await serve((_request, response) => response.writeHead(200, { 'content-length': 10 }).write('abc'))

    const failure = await failureOf(transportTo(server.url).request(call({ times: { stallMs } }), never))

    expect(failure.message).toContain('the answer brought no byte for 150 ms')
    await until(() => server.sockets.size === 0)
  })

  test('a trickle does not stall, and ends at the total: timeout', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('x'), 30)
      response.on('close', () => clearInterval(drip))
    })

    const failure = await failureOf(transportTo(server.url).request(call({ times: { stallMs, totalMs: 600 } }), never))

    expect(failure).toMatchObject({ kind: 'timeout', next: { kind: 'retry' } })
    await until(() => server.sockets.size === 0)
  })

  test('waiting for the own pace, the own disk or the own reader is no stall', async () => {
    const server = await serve((request, response) => {
      bodyOf(request).then(
        () => response.end(Buffer.alloc(2 ** 20)),
        () => {},
      )
    })
    const pace = { ...openPace(), bytes: () => sleep(40) }
    const body = chunksOf(2, 10, stallMs * 2)

    const { content } = await transportTo(server.url, { pace }).request(
      call({ body: () => body.source, expect: 'bytes', size: 2 ** 20, times: { stallMs, answerMs: 2000 } }),
      never,
    )
    await sleep(stallMs * 2)

    if (content.kind !== 'stream') throw new Error('no stream')
    let count = 0
    for await (const chunk of content.stream) {
      if (count === 0) await sleep(stallMs * 2)
      count += (chunk as Buffer).length
    }
    expect(count).toBe(2 ** 20)
  })
})

describe('a body that fails', () => {
  test('fails the call with its own error, and the server gets no whole request', async () => {
    let whole = 0
    const server = await serve((request) => {
      bodyOf(request).then(
        () => whole++,
        () => {},
      )
    })
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield await Promise.resolve(Buffer.from('abc'))
      throw new Error('the disk is gone')
    }

    const sent = transportTo(server.url).request(call({ body: broken }), never)

    await expect(sent).rejects.toThrow('the disk is gone')
    await until(() => server.sockets.size === 0)
    expect(whole).toBe(0)
  })

  for (const [title, length] of [
    ['shorter', 10],
    ['longer', 5],
  ] as const) {
    test(`F23: ${title} than its length never becomes a whole request of that length`, async () => {
      const bodies: number[] = []
      const server = await serve((request) => {
        bodyOf(request).then(
          (body) => bodies.push(body.length),
          () => {},
        )
      })

      const sent = transportTo(server.url).request(call({ body: () => chunksOf(3, 3).source, length }), never)

      await expect(sent).rejects.toThrow(`expected a body of ${length} bytes`)
      await until(() => server.sockets.size === 0)
      expect(bodies).toEqual([])
    })
  }

  test('an early refusal comes back although the body was not sent to its end, and lets the body go', async () => {
    const server = await serve((_request, response) => sendJson(response, { error: 'conflict' }, 409))
    const body = chunksOf(1000, 100_000, 1)

    const answer = await transportTo(server.url).request(call({ body: () => body.source }), never)

    expect(answer).toMatchObject({ status: 409, content: { kind: 'json' } })
    await until(() => body.isClosed())
  })
})

describe('an abort', () => {
  const enough = new Error('enough')

  test('before the call sends nothing', async () => {
    const server = await serve((_request, response) => sendJson(response, 1))

    const failure = await failureOf(transportTo(server.url).request(call(), AbortSignal.abort(enough)))

    expect(failure).toMatchObject({ kind: 'aborted', afterSent: false, cause: enough })
    expect(failure.message).toContain('enough')
    expect(server.seen).toEqual([])
  })

  test('while it waits for the pace sends nothing', async () => {
    const server = await serve((_request, response) => sendJson(response, 1))
    const abort = new AbortController()
    const pace = {
      ...openPace(),
      request: <T>(signal: AbortSignal): Promise<T> =>
        new Promise<T>((_resolve, reject) => signal.addEventListener('abort', () => reject(enough))),
    }
    const sent = transportTo(server.url, { pace }).request(call(), abort.signal)
    await sleep(20)

    abort.abort(enough)

    expect(await failureOf(sent)).toMatchObject({ kind: 'aborted', afterSent: false })
    expect(server.seen).toEqual([])
  })

  test('while it connects leaves nothing under way', async () => {
    const server = await serve((_request, response) => sendJson(response, 1))
    const transport = transportTo(server.url)
    const abort = new AbortController()
    const sent = transport.request(call(), abort.signal)
    while (transport.counters.underWay === 0) await Promise.resolve()

    abort.abort(enough)

    expect(await failureOf(sent)).toMatchObject({ kind: 'aborted', afterSent: false })
    expect(transport.counters.underWay).toBe(0)
    await until(() => server.connectionCount() === 1 && server.sockets.size === 0)
    expect(server.seen).toEqual([])
  })

  test('while it sends closes the connection and the body', async () => {
    const server = await serve((request) => request.resume())
    const body = chunksOf(100_000, 1000, 1)
    const abort = new AbortController()
    const sent = transportTo(server.url).request(
      call({ body: () => body.source, progress: (bytes) => bytes > 5000 && abort.abort(enough) }),
      abort.signal,
    )

    expect(await failureOf(sent)).toMatchObject({ kind: 'aborted', afterSent: false })
    await until(() => server.sockets.size === 0 && body.isClosed())
  })

  test('while a body waits for its bandwidth closes both, too', async () => {
    const server = await serve((request) => request.resume())
    const body = chunksOf(10, 1000)
    const abort = new AbortController()
    let asked = 0
    const pace = {
      ...openPace(),
      bytes: (_count: number, signal: AbortSignal): Promise<void> =>
        ++asked > 2 ? sleep(1e6, undefined, { signal }) : Promise.resolve(),
    }
    const sent = transportTo(server.url, { pace }).request(call({ body: () => body.source }), abort.signal)
    await until(() => asked > 2)

    abort.abort(enough)

    expect(await failureOf(sent)).toMatchObject({ kind: 'aborted', afterSent: false })
    await until(() => server.sockets.size === 0 && body.isClosed())
  })

  test('while it waits for the answer says that the server may have done it', async () => {
    const server = await serve(() => {})
    const abort = new AbortController()
    const sent = transportTo(server.url).request(call(), abort.signal)
    await until(() => server.seen.length === 1)

    abort.abort(enough)

    expect(await failureOf(sent)).toMatchObject({ kind: 'aborted', afterSent: true })
    await until(() => server.sockets.size === 0)
  })

  test('while the answer is read ends its stream', async () => {
    const server = await serve((_request, response) => response.writeHead(200, { 'content-length': 1e9 }).write('abc'))
    const abort = new AbortController()
    const { content } = await transportTo(server.url).request(call({ expect: 'bytes', size: 1e9 }), abort.signal)
    if (content.kind !== 'stream') throw new Error('no stream')
    const reading = buffer(content.stream)

    abort.abort(enough)

    expect(await failureOf(reading)).toMatchObject({ kind: 'aborted' })
    await until(() => server.sockets.size === 0)
  })

  test('a reader that leaves an answer closes its connection', async () => {
    const server = await serve((_request, response) => response.writeHead(200, { 'content-length': 1e9 }).write('abc'))
    const transport = transportTo(server.url)
    const { content } = await transport.request(call({ expect: 'bytes', size: 1e9 }), never)
    if (content.kind !== 'stream') throw new Error('no stream')

    content.stream.destroy()

    await until(() => server.sockets.size === 0)
    expect(transport.counters.underWay).toBe(0)
  })

  test('that never comes leaves no listener behind: one signal serves a lane for years', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/reset') request.socket.destroy()
      else sendJson(response, 1)
    })
    const { signal } = new AbortController()
    const transport = transportTo(server.url)

    for (const path of ['/x', '/reset'])
      await transport.request(call({ url: `${apiUrl}${path}` }), signal).catch(() => undefined)
    const { content } = await transport.request(call({ expect: 'bytes' }), signal)
    if (content.kind === 'stream') await buffer(content.stream)

    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('closing the transport ends calls under way and leaves no connection', async () => {
    const server = await serve((request, response) => {
      if (request.url === '/idle') sendJson(response, 1)
    })
    const transport = transportTo(server.url)
    await transport.request(call({ url: `${apiUrl}/idle` }), never)
    const sent = failureOf(transport.request(call(), never))
    await until(() => server.seen.length === 2)

    await transport.close()

    expect(await sent).toMatchObject({ kind: 'aborted', afterSent: true })
    await until(() => server.sockets.size === 0)
  })
})
