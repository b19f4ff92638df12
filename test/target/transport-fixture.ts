/** A real server on loopback and a transport that takes it for `api.example.test`. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import {
  openTransport,
  TransportError,
  type CallPace,
  type Transport,
  type TransportParts,
  type Verdict,
} from '../../src/target/transport/transport.ts'

export const never = new AbortController().signal
export const apiUrl = 'https://api.example.test'

export interface Loopback {
  readonly url: string
  readonly port: number
  /** Requests that arrived, each as `POST /path`. */
  readonly seen: string[]
  readonly sockets: ReadonlySet<Socket>
  /** Connections there ever were. */
  connectionCount(): number
}

export async function listening(server: Server): Promise<Omit<Loopback, 'seen'>> {
  const sockets = new Set<Socket>()
  let count = 0
  server.on('connection', (socket: Socket) => {
    count++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, sockets, connectionCount: () => count }
}

export async function serve(answer: RequestListener): Promise<Loopback> {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''}`)
    request.on('error', () => {})
    answer(request, response)
  })
  return { ...(await listening(server)), seen }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A pace that lets everything pass and writes down what it was asked. */
export function openPace(): CallPace & {
  readonly verdicts: Verdict[]
  readonly asked: string[]
  bytesAsked(): number
} {
  const verdicts: Verdict[] = []
  const asked: string[] = []
  let bytes = 0
  return {
    verdicts,
    asked,
    bytesAsked: () => bytes,
    request: (_signal, work) => (asked.push('request'), work()),
    upload: (_signal, work) => (asked.push('upload'), work()),
    bytes: (count) => ((bytes += count), Promise.resolve()),
    penalise: (verdict) => verdicts.push(verdict),
  }
}

export function transportTo(url: string, over: Partial<TransportParts> = {}): Transport {
  const transport = openTransport({
    name: 'cloud',
    settings: { endpoints: { 'api.example.test': url } },
    pace: openPace(),
    credentials: undefined,
    clock: systemClock,
    log: silentLog,
    ...over,
  })
  onTestFinished(() => transport.close())
  return transport
}

export async function failureOf(work: Promise<unknown>): Promise<TransportError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof TransportError) return thrown
  throw new Error(`expected a TransportError, got ${String(thrown)}`, { cause: thrown })
}

/** Waits until something is true, for what the other side of a socket notices a little later. */
export async function until(isTrue: () => boolean): Promise<void> {
  for (let waitedMs = 0; !isTrue(); waitedMs += 5) {
    if (waitedMs > 20_000) throw new Error('it did not become true in 20 s')
    await sleep(5)
  }
}

/** `count` chunks, and whether the reader let go of it. */
export function chunksOf(
  count: number,
  bytes: number,
  gapMs = 0,
): { readonly source: AsyncGenerator<Uint8Array, void, undefined>; isClosed(): boolean } {
  let isClosed = false
  async function* generate(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let n = 0; n < count; n++) {
        await sleep(gapMs)
        yield new Uint8Array(bytes).fill(n)
      }
    } finally {
      isClosed = true
    }
  }
  return { source: generate(), isClosed: () => isClosed }
}
