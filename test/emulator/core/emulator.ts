/** A provider on a loopback port: takes requests in, lets scripted faults befall them, and answers. What to answer is the provider's work. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Auth } from './auth.ts'
import type { MovableClock } from './clock.ts'
import { control, isControl } from './control.ts'
import { ConnectionGone, Exchange } from './exchange.ts'
import { type Armed, faultOf, Faults, type FaultScript } from './faults.ts'
import { Pace, rest } from './pace.ts'
import { type Answer, plainText, type Provider } from './provider.ts'
import { Recorder } from './recorder.ts'
import { send } from './sender.ts'

export interface EmulatorParts<P extends Provider> {
  readonly provider: P
  readonly auth: Auth
  readonly clock: MovableClock
}

/** Faults of the emulator itself that are remembered for a test to find. */
const failuresMax = 100
/** A client may think between two requests of one connection. Unit: ms. */
const keepAliveMs = 60_000

export class Emulator<P extends Provider = Provider> {
  readonly provider: P
  readonly auth: Auth
  readonly clock: MovableClock
  readonly faults = new Faults()
  readonly recorder = new Recorder()
  readonly pace = new Pace()
  /** Errors that are ours: a request the emulator had no idea of what to do with, an answer that breaks the provider's description. */
  readonly failures: Error[] = []
  #server: Server
  #port = 0

  constructor({ provider, auth, clock }: EmulatorParts<P>) {
    this.provider = provider
    this.auth = auth
    this.clock = clock
    this.#server = this.#makeServer()
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get port(): number {
    return this.#port
  }

  /** Opens the port, the same one again after `stop`: an outage is a stop and a start. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server = this.#makeServer()
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', () => {
        const address = this.#server.address()
        if (address !== null && typeof address === 'object') this.#port = address.port
        resolve()
      })
    })
  }

  /** Ends the connections and closes the port. What is stored stays. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Arms a fault. @throws Error when the provider has no such refusal or behaviour */
  fault(script: FaultScript): Armed {
    const { fault } = script
    const { refusals, behaviours } = this.provider
    if (fault.do === 'refuse' || fault.do === 'early') known(refusals, fault.name, 'refusal')
    if (fault.do === 'behave') known(behaviours, fault.name, 'behaviour')
    return this.faults.arm(script)
  }

  #makeServer(): Server {
    const server = createServer({ requestTimeout: 0, keepAliveTimeout: keepAliveMs }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => this.#fail(error))
    })
    server.on('clientError', (_error, socket) => socket.destroy())
    return server
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://emulator')
    const left = new AbortController()
    // A reason of its own spares the making of an error with its stack for each request.
    response.once('close', () => left.abort('the client has left'))
    const method = request.method ?? 'GET'
    const host = (request.headers.host ?? '').replace(/:\d+$/, '')
    const route = isControl(url) ? '_emulator' : this.provider.routeOf(method, url.pathname, url.searchParams)
    const seen = { atMs: this.clock.nowMs(), method, host, route }
    const record = isControl(url) ? new Recorder().begin(seen) : this.recorder.begin(seen)
    const exchange = new Exchange(request, url, record, this.pace, left.signal)
    try {
      await send(exchange, response, await this.#answer(exchange), this.pace)
      if (faultOf(exchange.faults, 'early')?.close === true) request.socket.destroySoon()
    } catch (error) {
      if (!(error instanceof ConnectionGone)) this.#fail(error)
      request.socket.destroy()
    } finally {
      if (!isControl(url)) this.recorder.end(record, this.clock.nowMs())
    }
  }

  async #answer(exchange: Exchange): Promise<Answer> {
    if (isControl(exchange.url)) return control(this, exchange)
    exchange.befall(
      await this.faults.of({
        route: exchange.record.route,
        method: exchange.method,
        words: () => wordsOf(exchange),
      }),
    )
    await this.pace.latency(exchange.signal)
    const instead = (await this.#befallBefore(exchange)) ?? this.#throttled()
    if (instead !== undefined) {
      if (faultOf(exchange.faults, 'early') === undefined) await exchange.drain()
      return instead
    }
    const answer = await this.#provide(exchange)
    // A client that has sent all sees the answer in any case; one that is still sending may see a broken pipe instead.
    await exchange.drain()
    return (await this.#strike(exchange, 'after')) ?? answer
  }

  async #provide(exchange: Exchange): Promise<Answer> {
    try {
      return await this.provider.answer(exchange)
    } catch (error) {
      if (error instanceof ConnectionGone) throw error
      this.#fail(error)
      return plainText(500, `the emulator failed: ${String(error)}`)
    }
  }

  async #befallBefore(exchange: Exchange): Promise<Answer | undefined> {
    const { faults } = exchange
    const early = faultOf(faults, 'early')
    if (faultOf(faults, 'expire-token') !== undefined) this.auth.expireAccess()
    if (faultOf(faults, 'revoke-login') !== undefined) this.auth.revokeAll()
    if (early !== undefined) {
      await exchange.sip(early.bytes)
      const { headers, ...rest } = this.provider.refusal(early.name, undefined)
      return { ...rest, headers: early.close ? { ...headers, Connection: 'close' } : headers }
    }
    return this.#strike(exchange, 'before')
  }

  /** Faults that have a before and an after. An answer in place of the provider's, or none. */
  async #strike({ faults, signal }: Exchange, when: 'before' | 'after'): Promise<Answer | undefined> {
    const isNow = (fault: { readonly when: 'before' | 'after' }): boolean => fault.when === when
    await faultOf(faults, 'call', isNow)?.work()
    const delay = faultOf(faults, 'delay', isNow)
    if (delay !== undefined) await rest(delay.ms, signal)
    if (signal.aborted) throw new ConnectionGone('the client did not wait for the answer')
    if (faultOf(faults, 'cut', isNow) !== undefined) throw new ConnectionGone('cut by a fault')
    const refuse = faultOf(faults, 'refuse', isNow)
    return refuse === undefined
      ? faultOf(faults, 'answer', isNow)
      : this.provider.refusal(refuse.name, refuse.retryAfterS)
  }

  #throttled(): Answer | undefined {
    const retryAfterS = this.pace.admit()
    return retryAfterS === undefined ? undefined : this.provider.refusal('throttle', retryAfterS)
  }

  #fail(error: unknown): void {
    if (this.failures.length < failuresMax)
      this.failures.push(error instanceof Error ? error : new Error(String(error)))
  }
}

function known(names: readonly string[], name: string, what: string): void {
  if (!names.includes(name)) throw new Error(`no ${what} "${name}"; there are: ${names.join(', ')}`)
}

/** All that a script's `contains` may look at. Tokens are left out: a script shall not hang on one by chance. */
async function wordsOf(exchange: Exchange): Promise<string> {
  const names = Object.keys(exchange.headers).filter((name) => name !== 'authorization')
  const head = [exchange.url.href, ...names.map((name) => `${name}: ${exchange.header(name) ?? ''}`)].join('\n')
  const isText = /json|form-urlencoded/.test(exchange.headers['content-type'] ?? '')
  return isText ? `${head}\n${await exchange.text()}` : head
}
