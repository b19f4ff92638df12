/**
 * One request and its answer on one connection. Knows no account and no repeat.
 *   waiting    for a connection                        -> sending
 *   sending    the body goes, or the answer is awaited -> receiving
 *   receiving  the answer's head is there              -> done when its body came whole
 *   done       by its end, by a failure, by an abort: the first of them counts, and no timer or listener is left
 * An abort rejects at once and destroys the connection, except while it is being made: then as soon as it is.
 */
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { onAbort } from '../../base/abort.ts'
import type { Clock } from '../../base/clock.ts'
import { asError } from '../../base/errors.ts'
import type { Address } from './address.ts'
import { pieceBytesMax, type Body, type Call, type Times } from './call.ts'
import type { Counters } from './counters.ts'
import { failureOf, TransportError } from './failure.ts'
import { Incoming } from './incoming.ts'
import { Outgoing } from './outgoing.ts'
import type { CallPace } from './pace.ts'
import { Watch } from './watch.ts'

export interface ExchangeParts {
  /** The connections to use now. */
  readonly dispatcher: () => Dispatcher
  readonly pace: CallPace
  readonly counters: Counters
  readonly clock: Clock
}

export interface Sent {
  readonly method: Call['method']
  readonly address: Address
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  readonly length: number | undefined
  readonly times: Required<Times>
  readonly progress: ((bytesSent: number) => void) | undefined
  /** Told once, when all is over. */
  readonly onDone: (failure: Error | undefined) => void
}

/** An answer whose body is still to come. */
export interface Arrived {
  readonly status: number
  readonly statusText: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Incoming
}

/** One try's way from what arrived to a result. `shown`: the call in words. */
export type Reading<T> = (arrived: Arrived, shown: string) => Promise<T>

/** @throws TransportError, or whatever the body's source throws. */
export async function exchange(sent: Sent, parts: ExchangeParts, signal: AbortSignal): Promise<Arrived> {
  const { body } = sent
  // A small body goes in one write with the head, so it is paid for before the connection is taken.
  try {
    if (body instanceof Uint8Array && body.length <= pieceBytesMax) await parts.pace.bytes(body.length, signal)
    signal.throwIfAborted()
  } catch (thrown) {
    sent.onDone(asError(thrown))
    throw thrown
  }
  return new Exchange(sent, parts, signal).arrived
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly arrived: Promise<Arrived>
  readonly #sent: Sent
  readonly #parts: ExchangeParts
  readonly #watch: Watch
  readonly #outgoing: Outgoing
  /** Aborted when all is over: frees what waits for the pace. */
  readonly #over = new AbortController()
  readonly #stopListening: () => void
  readonly #signal: AbortSignal
  #resolve: (arrived: Arrived) => void = () => {}
  #reject: (error: Error) => void = () => {}
  #controller: Dispatcher.DispatchController | undefined
  #pieces: AsyncGenerator<Uint8Array, void, undefined> | undefined
  #incoming: Incoming | undefined
  #failure: Error | undefined
  #isDone = false

  constructor(sent: Sent, parts: ExchangeParts, signal: AbortSignal) {
    this.#sent = sent
    this.#parts = parts
    this.#signal = signal
    this.arrived = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const { stallMs, answerMs, totalMs } = sent.times
    this.#watch = new Watch(parts.clock, totalMs, (what, isTotal) => this.#late(what, isTotal))
    this.#outgoing = new Outgoing(sent.length, {
      ...parts,
      stallMs,
      answerMs,
      watch: this.#watch,
      progress: sent.progress,
      signal: this.#over.signal,
      onFailure: (error) => this.#fail(error),
    })
    parts.counters.underWay++
    this.#stopListening = onAbort(signal, (reason) => {
      const text = `${sent.address.shown}: aborted (${reason.message})`
      this.#fail(new TransportError('aborted', text, { afterSent: this.#outgoing.isWhole, cause: reason }))
    })
    this.#dispatch()
  }

  #dispatch(): void {
    const { method, address, headers } = this.#sent
    const { origin, path } = address
    try {
      this.#parts.dispatcher().dispatch({ origin, path, method, headers: { ...headers }, body: this.#fed() }, this)
    } catch (thrown) {
      this.#broke(asError(thrown))
    }
  }

  /** The body as undici takes it; its types do not name async iterables, which a Readable is one of. */
  #fed(): Uint8Array | Readable | null {
    const { body } = this.#sent
    if (body === undefined || (body instanceof Uint8Array && body.length === 0)) return null
    if (this.#isOneWrite()) return body as Uint8Array
    this.#pieces = this.#outgoing.pieces(body instanceof Uint8Array ? oneChunk(body) : body)
    return this.#pieces as unknown as Readable
  }

  #isOneWrite(): boolean {
    const { body } = this.#sent
    return body === undefined || (body instanceof Uint8Array && body.length <= pieceBytesMax)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#failure !== undefined) return controller.abort(this.#failure)
    this.#controller = controller
    const { body } = this.#sent
    // Head and body are written in the same turn as this call.
    if (this.#isOneWrite()) this.#outgoing.wentWhole(body instanceof Uint8Array ? body.length : 0)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Arrived['headers'],
    statusText = '',
  ): void {
    if (status < 200) return
    this.#incoming = new Incoming({
      ...this.#parts,
      controller,
      watch: this.#watch,
      stallMs: this.#sent.times.stallMs,
      signal: this.#signal,
      onUnwanted: (error) => this.#fail(error),
    })
    this.#resolve({ status, statusText, headers, body: this.#incoming })
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#incoming?.push(chunk)
  }

  onResponseEnd(): void {
    this.#incoming?.end()
    this.#done()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#broke(error)
  }

  #late(what: string, isTotal: boolean): void {
    const text = `${this.#sent.address.shown}: ${what}`
    const options = { afterSent: this.#outgoing.isWhole }
    this.#fail(new TransportError(isTotal ? 'timeout' : 'stalled', text, options))
  }

  /** What undici says of the connection. */
  #broke(error: Error): void {
    const reached = {
      shown: this.#sent.address.shown,
      hasStarted: this.#controller !== undefined,
      hasAnswer: this.#incoming !== undefined,
      afterSent: this.#outgoing.isWhole,
    }
    this.#fail(failureOf(error, reached))
  }

  #fail(failure: Error): void {
    if (this.#isDone) return
    this.#failure = failure
    this.#done()
    this.#incoming?.fail(failure)
    this.#reject(failure)
    this.#controller?.abort(failure)
  }

  #done(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#watch.end()
    this.#stopListening()
    this.#over.abort(this.#failure ?? new Error('the exchange is over'))
    this.#leaveSource()
    this.#parts.counters.underWay--
    this.#sent.onDone(this.#failure)
  }

  /** A file that was not read to its end is closed now: undici may wait for a socket that is gone already, and never come back for more. */
  #leaveSource(): void {
    const { body } = this.#sent
    if (body instanceof Readable) body.destroy()
    // Its failure has been told by now.
    this.#pieces?.return().catch(() => {})
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(bytes)
}
