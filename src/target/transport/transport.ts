/**
 * The one door through which all bytes of all clouds go: an account's calls at its pace, with its login, through its connections.
 * It repeats a call once after a renewed login and never otherwise; it knows no provider, and what an answer means is theirs to say.
 * An abort rejects at once; the server may have done what was asked for, as `afterSent` of the error tells.
 */
import type { Clock } from '../../base/clock.ts'
import { asError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { Tasks } from '../../base/tasks.ts'
import { Addresses, type Address, type Endpoints } from './address.ts'
import { usualTimes, type Answer, type Call } from './call.ts'
import { ClockCheck } from './clock-check.ts'
import { Counters, isLimit, type TransportCounters } from './counters.ts'
import { exchange, type Arrived, type Reading, type Sent } from './exchange.ts'
import { TransportError } from './failure.ts'
import { fetchOver, type Fetch, type FetchManner } from './fetch.ts'
import { JoinedSignal } from './joined-signal.ts'
import { Login, type Credentials } from './login.ts'
import type { CallPace, Verdict } from './pace.ts'
import { plain, read, retryAfterMs } from './reading.ts'
import { Sockets, type SocketSettings } from './sockets.ts'

export type { Answer, Call } from './call.ts'
export type { TransportCounters } from './counters.ts'
export { PortalAnswer, TransportError, type FailureKind } from './failure.ts'
export type { Fetch, FetchManner } from './fetch.ts'
export type { Credentials } from './login.ts'
export type { CallPace, Verdict } from './pace.ts'

export interface TransportSettings extends SocketSettings {
  /** Hosts that are somewhere else: tests, gateways. */
  readonly endpoints?: Endpoints
}

export interface TransportParts {
  /** The target's, for log lines. */
  readonly name: string
  readonly settings: TransportSettings
  readonly pace: CallPace
  /** undefined: calls carry what their callers put into their headers, nothing else. */
  readonly credentials: Credentials | undefined
  readonly clock: Clock
  readonly log: Log
}

export interface Transport {
  /** One call. An answer of any status is an answer. @throws TransportError where there is none; whatever credentials and body throw. */
  request(call: Call, signal: AbortSignal): Promise<Answer>
  /** A fetch for an SDK, with the account's login, to which every answer but a web page is good. */
  readonly fetch: Fetch
  /** The same with another manner: without login, with what is expected. */
  fetchAs(manner: FetchManner): Fetch
  /** A rate answer that only its provider can read (a 403, a 409, a number in a body). */
  penalise(verdict: Verdict): void
  readonly counters: TransportCounters
  /** After a sleep of the machine: idle connections are dead and do not know it. Calls under way go on, and are ended by their deadlines. */
  refresh(): void
  /** Ends what is under way, and all connections. */
  close(): Promise<void>
}

export function openTransport(parts: TransportParts): Transport {
  return new HttpTransport(parts)
}

class HttpTransport implements Transport {
  readonly fetch: Fetch
  readonly #parts: TransportParts
  readonly #addresses: Addresses
  readonly #sockets: Sockets
  readonly #counters = new Counters()
  readonly #login: Login | undefined
  readonly #tasks: Tasks
  readonly #clockCheck: ClockCheck

  constructor(parts: TransportParts) {
    const { credentials, settings, log, name } = parts
    this.#parts = parts
    this.#clockCheck = new ClockCheck(parts)
    this.#addresses = new Addresses(settings.endpoints ?? {})
    this.#tasks = new Tasks((task, error) => log.warn(`${task} failed`, { target: name, reason: error.message }))
    this.#sockets = new Sockets(settings, this.#tasks)
    if (credentials !== undefined)
      this.#login = new Login(credentials, () => this.#counters.renewals++, this.#tasks.signal)
    this.fetch = this.fetchAs({})
  }

  get counters(): TransportCounters {
    return this.#counters.snapshot()
  }

  request(call: Call, signal: AbortSignal): Promise<Answer> {
    return this.#call(call, (arrived, shown) => read(arrived, { ...call, shown }, this.#parts.clock), signal)
  }

  fetchAs(manner: FetchManner): Fetch {
    return fetchOver(manner, (call, reading, signal) => this.#call(call, reading, signal))
  }

  penalise(verdict: Verdict): void {
    this.#parts.pace.penalise(verdict)
  }

  refresh(): void {
    this.#sockets.renew()
  }

  async close(): Promise<void> {
    const stopped = this.#tasks.stop(new Error(`${this.#parts.name} is closed`))
    await this.#sockets.close()
    await stopped
  }

  /** A call with the account's login, once more with a renewed one where the server wants that and the body can be made again. */
  async #call<T extends { readonly status: number }>(call: Call, reading: Reading<T>, outer: AbortSignal): Promise<T> {
    const address = this.#addresses.of(call.url, call.bearer === false)
    const joined = new JoinedSignal([outer, this.#tasks.signal])
    const letGo = joined.hold()
    const { signal } = joined
    const tried = (token: string | undefined): Promise<T> => this.#paced(call, { address, token, joined }, reading)
    try {
      signal.throwIfAborted()
      const login = call.bearer === false ? undefined : this.#login
      // Outside of the pace: a renewal makes calls of its own, for which there might be no room beside the ones that wait for it.
      const token = await login?.bearer(signal)
      const first = await tried(token)
      if (first.status !== 401 || login === undefined || token === undefined || call.isOneShot === true) return first
      return await tried(await login.renewed(token, signal))
    } catch (thrown) {
      throw signal.aborted ? aborted(address, signal, thrown) : thrown
    } finally {
      letGo()
    }
  }

  #paced<T>(call: Call, to: Destination, reading: Reading<T>): Promise<T> {
    const { pace } = this.#parts
    const { signal } = to.joined
    signal.throwIfAborted()
    const once = (): Promise<T> => this.#try(call, to, reading)
    // An upload is a request as well, and counts as one.
    return call.isUpload === true ? pace.upload(signal, once) : pace.request(signal, once)
  }

  async #try<T>(call: Call, to: Destination, reading: Reading<T>): Promise<T> {
    const { clock, pace } = this.#parts
    await this.#sockets.ready(to.joined.signal)
    const end: Ending = { startMs: clock.monotonicMs(), status: undefined, failure: undefined }
    const asked = sentOf(call, to)
    const letGo = to.joined.hold()
    const sent = {
      ...asked,
      onDone: (failure: Error | undefined) => {
        letGo()
        this.#done(call, to, end, failure)
      },
    }
    const parts = { dispatcher: () => this.#sockets.current, pace, counters: this.#counters, clock }
    const arrived = await exchange(sent, parts, to.joined.signal)
    end.status = arrived.status
    this.#counters.countAnswer(arrived.status)
    this.#clockCheck.look(arrived.headers['date'])
    if (isLimit(arrived.status)) this.#limited(arrived, to.address)
    try {
      return await reading(arrived, to.address.shown)
    } catch (thrown) {
      if (thrown instanceof TransportError && thrown !== end.failure) this.#counters.countFailure(thrown.kind)
      throw thrown
    }
  }

  #limited(arrived: Arrived, address: Address): void {
    const waitMs = retryAfterMs(plain(arrived.headers), this.#parts.clock.wallMs())
    this.penalise({ retryAfterMs: waitMs, reason: `${address.shown} answered ${arrived.status}` })
  }

  #done(call: Call, { address }: Destination, end: Ending, failure: Error | undefined): void {
    const { log, name, clock } = this.#parts
    end.failure = failure
    if (failure instanceof TransportError) this.#counters.countFailure(failure.kind)
    // The owner may have given other certificates meanwhile.
    if (failure instanceof TransportError && failure.kind === 'tls') this.refresh()
    if (!log.hasDebug) return
    log.debug('call', {
      target: name,
      call: `${call.method} ${address.shown}`,
      status: end.status,
      ms: Math.round(clock.monotonicMs() - end.startMs),
      error: failure instanceof TransportError ? failure.kind : failure?.name,
    })
  }
}

interface Destination {
  readonly address: Address
  readonly token: string | undefined
  /** The caller's signal and the transport's own. */
  readonly joined: JoinedSignal
}

/** How a try went, for counters and log. */
interface Ending {
  readonly startMs: number
  status: number | undefined
  failure: Error | undefined
}

function sentOf(call: Call, { address, token }: Destination): Omit<Sent, 'onDone'> {
  const body = call.body?.()
  const length = body instanceof Uint8Array ? body.length : call.length
  return {
    method: call.method,
    address,
    headers: headersOf(call, body === undefined ? undefined : length, token),
    body: length === 0 ? undefined : body,
    length,
    times: { ...usualTimes, ...call.times },
    progress: call.progress,
  }
}

/** The transport's and the connection's to set, whatever an SDK says. */
const ownHeaders = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'host',
  'expect',
  'upgrade',
  'accept-encoding',
  'proxy-authorization',
])

function headersOf(call: Call, length: number | undefined, token: string | undefined): Record<string, string> {
  // Said, since saying nothing allows every encoding, and a compressed answer has no length worth checking.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  for (const [name, value] of Object.entries(call.headers ?? {})) {
    if (!ownHeaders.has(name.toLowerCase())) headers[name.toLowerCase()] = value
  }
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  if (length !== undefined && length > 0) headers['content-length'] = String(length)
  return headers
}

/** Whatever broke when the caller had enough, it broke because of that. */
function aborted(address: Address, signal: AbortSignal, thrown: unknown): Error {
  if (thrown instanceof TransportError && thrown.kind === 'aborted') return thrown
  const afterSent = thrown instanceof TransportError && thrown.afterSent
  const cause: unknown = signal.reason
  return new TransportError('aborted', `${address.shown}: aborted (${asError(cause).message})`, { afterSent, cause })
}
