/** An HTTPS proxy that opens what passes: each known host leads to an emulator, every other one is refused. It looks into nothing it carries. */
import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { CertificateAuthority } from './certificates.ts'

/** Hosts remembered that somebody wanted and did not get. */
const refusedMax = 1000

export class InterceptingProxy {
  /** Hosts that were asked for and lead nowhere: a test that finds one here knows of a request that would have left the machine. */
  readonly refused: string[] = []
  readonly #authority = new CertificateAuthority()
  readonly #ports: ReadonlyMap<string, () => number>
  readonly #contexts = new Map<string, SecureContext>()
  readonly #open = new Set<Duplex>()
  readonly #server: Server
  #port = 0

  /** @param ports host name -> the emulator's port at that time */
  constructor(ports: ReadonlyMap<string, () => number>) {
    this.#ports = ports
    this.#server = createServer((request, response) => {
      this.#refuse(request.headers.host ?? request.url ?? '')
      response.writeHead(403).end('only CONNECT to the emulated hosts\n')
    })
    this.#server.on('connect', (request, socket) => this.#connect(request.url ?? '', socket))
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** PEM. */
  get authority(): string {
    return this.#authority.certificate
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', () => {
        const address = this.#server.address()
        if (address !== null && typeof address === 'object') this.#port = address.port
        resolve()
      })
    })
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
      for (const socket of this.#open) socket.destroy()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #connect(asked: string, socket: Duplex): void {
    const [host = '', port] = asked.split(':')
    const target = port === '443' ? this.#ports.get(host) : undefined
    socket.on('error', () => socket.destroy())
    if (target === undefined) {
      this.#refuse(asked)
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
      return
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    const plain = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#contextFor(host),
      ALPNProtocols: ['http/1.1'],
    })
    this.#join(plain, connect(target(), '127.0.0.1'))
  }

  /** Carries bytes both ways; when one end is gone, so is the other: a cut connection is a cut connection. */
  #join(client: Duplex, emulator: Socket): void {
    emulator.setNoDelay(true)
    for (const [one, other] of [
      [client, emulator],
      [emulator, client],
    ] as const) {
      this.#open.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#open.delete(one)
        other.destroy()
      })
    }
  }

  #contextFor(host: string): SecureContext {
    const made = this.#authority.for(host)
    const context = this.#contexts.get(host) ?? createSecureContext({ cert: made.certificate, key: made.key })
    this.#contexts.set(host, context)
    return context
  }

  #refuse(host: string): void {
    if (this.refused.length < refusedMax) this.refused.push(host)
  }
}
