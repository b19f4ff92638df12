/** The connections of one transport: how many, how trusted, through which proxy. From settings only; the environment is never asked. */
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici'
import { asError, OwnerError } from '../../base/errors.ts'
import type { HttpConfig } from '../../config/config.ts'

/** The proxy is asked for a tunnel (CONNECT); the certificates are trusted besides the usual ones. */
export type SocketSettings = Partial<HttpConfig>

/** Deliveries under way at one target are at most 256, but clouds slow down whoever opens more than some tens. */
const connectionsMax = 64
const connectMs = 10_000
/** Providers keep an idle connection for a minute or more; one that they closed first costs a failed call. Unit: ms. */
const idleMs = 20_000
const idleMsMax = 60_000

/** Connections that may be thrown away and had anew. */
export class Sockets {
  readonly #open: () => Dispatcher
  #current: Dispatcher

  /** @throws OwnerError when the file of certificates cannot be read. */
  constructor(settings: SocketSettings) {
    const trust = { timeout: connectMs, rejectUnauthorized: true, ...trustOf(settings.caFile) }
    const pool = {
      connections: connectionsMax,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMsMax,
      // The exchange watches time itself: it knows what is waited for.
      headersTimeout: 0,
      bodyTimeout: 0,
    }
    const { proxy } = settings
    this.#open = () =>
      proxy === undefined ? new Agent({ ...pool, connect: trust }) : tunnels(new URL(proxy), pool, trust)
    this.#current = this.#open()
  }

  get current(): Dispatcher {
    return this.#current
  }

  /** New calls get new connections; idle ones close, those in use when their call is done. */
  async renew(): Promise<void> {
    const old = this.#current
    this.#current = this.#open()
    await old.close()
  }

  async close(): Promise<void> {
    await this.#current.destroy()
  }
}

function tunnels(
  proxy: URL,
  pool: Agent.Options,
  trust: { readonly timeout: number; readonly ca?: string[] },
): Dispatcher {
  const { username, password } = proxy
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return new ProxyAgent({
    ...pool,
    uri: proxy.origin,
    ...(login === ':' ? {} : { token: `Basic ${Buffer.from(login).toString('base64')}` }),
    proxyTls: trust,
    requestTls: trust,
    // The proxy's own answer to CONNECT is part of connecting, and without this it may take five minutes.
    clientFactory: (origin, options) =>
      new Pool(origin, { ...options, connections: connectionsMax, headersTimeout: connectMs }),
  })
}

function trustOf(caFile: string | undefined): { readonly ca?: string[] } {
  if (caFile === undefined) return {}
  try {
    const text = readFileSync(caFile, 'utf8')
    if (text.includes('-----BEGIN CERTIFICATE-----')) return { ca: [...rootCertificates, text] }
  } catch (cause) {
    throw new OwnerError(`http.ca-file ${caFile} cannot be read: ${asError(cause).message}`, { cause })
  }
  throw new OwnerError(`http.ca-file ${caFile}: expected certificates in PEM form, got none; convert it with openssl`)
}
