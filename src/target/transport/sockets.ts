/**
 * The connections of one transport: how many, how trusted, through which proxy. From settings only; the environment is never asked.
 * Certificates are read with the first call, so that a file that is missing keeps nothing but the target from working; the client is loaded
 * with it, too, which takes a third of a start that has no cloud.
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import type * as Client from 'undici'
import type { Agent, Dispatcher } from 'undici'
import { orAbort } from '../../base/abort.ts'
import { asError, assert, errnoOf } from '../../base/errors.ts'
import type { Tasks } from '../../base/tasks.ts'
import type { HttpConfig } from '../../config/config.ts'
import { TargetError } from '../target.ts'

/** The proxy is asked for a tunnel (CONNECT); the certificates are trusted besides the usual ones. */
export type SocketSettings = Partial<HttpConfig>

/** Deliveries under way at one target are at most 256, but clouds slow down whoever opens more than some tens. */
const connectionsMax = 64
const connectMs = 10_000
/** Providers keep an idle connection for a minute or more; one that they closed first costs a failed call. Unit: ms. */
const idleMs = 20_000
const idleMsMax = 60_000
const pool: Agent.Options = {
  connections: connectionsMax,
  keepAliveTimeout: idleMs,
  keepAliveMaxTimeout: idleMsMax,
  // The exchange watches time itself: it knows what is waited for.
  headersTimeout: 0,
  bodyTimeout: 0,
}

/** Whom to believe, for undici. */
interface Trust {
  readonly timeout: number
  readonly rejectUnauthorized: boolean
  /** Made once: from a list, each connection would read all certificates anew, for longer than its handshake takes. */
  readonly secureContext?: SecureContext
}

/** Connections that may be thrown away and had anew. */
export class Sockets {
  readonly #settings: SocketSettings
  readonly #tasks: Tasks
  #current: Dispatcher | undefined
  #isStale = false
  /** What all who wait for the certificates wait for. */
  #opening: Promise<void> | undefined

  /** @param tasks end what is closed behind the back of everybody. */
  constructor(settings: SocketSettings, tasks: Tasks) {
    this.#settings = settings
    this.#tasks = tasks
  }

  /** To be awaited before `current`. @throws TargetError `pause-target` where the file of certificates cannot be used; each call reads it again then. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#current !== undefined && !this.#isStale) return
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
    await orAbort(this.#opening, signal)
  }

  /** To be used in the same turn. */
  get current(): Dispatcher {
    assert(this.#current !== undefined, 'a call was made before there were connections')
    return this.#current
  }

  async #open(): Promise<void> {
    const { caFile, proxy } = this.#settings
    const ca = caFile === undefined ? undefined : [...rootCertificates, await certificates(caFile)]
    const believed = ca === undefined ? {} : { secureContext: createSecureContext({ ca }) }
    const trust = { timeout: connectMs, rejectUnauthorized: true, ...believed }
    const client = await import('undici')
    const old = this.#current
    this.#current =
      proxy === undefined ? new client.Agent({ ...pool, connect: trust }) : tunnels(client, new URL(proxy), trust)
    this.#isStale = false
    if (old !== undefined) this.#tasks.run('closing old connections', () => old.close())
  }

  /** The next call gets new connections, and the certificates as they are then; idle ones close, those in use when their call is done. */
  renew(): void {
    this.#isStale = true
  }

  async close(): Promise<void> {
    await this.#current?.destroy()
  }
}

function tunnels({ Pool, ProxyAgent }: typeof Client, proxy: URL, trust: Trust): Dispatcher {
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

async function certificates(caFile: string): Promise<string> {
  const text = await readFile(caFile, 'utf8').catch((cause: unknown) => {
    const errno = errnoOf(cause) ?? asError(cause).message
    throw untrusting(`${caFile} cannot be read (${errno}); put it there and allow the daemon’s user to read it`, cause)
  })
  try {
    // Only the first of several, but whoever gives a key or another format is told.
    new X509Certificate(text)
    return text
  } catch (cause) {
    throw untrusting(`${caFile}: expected certificates in PEM form, got none; convert it with openssl`, cause)
  }
}

/** No call can be made, and none is to blame. */
function untrusting(what: string, cause: unknown): TargetError {
  const next = { kind: 'pause-target', state: 'unreachable' } as const
  return new TargetError(next, `http.ca-file ${what}; it goes on by itself then`, { cause })
}
