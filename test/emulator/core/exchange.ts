/** One request on its way through the emulator: its body as faults let it pass, and what was asked to go wrong with it. */
import type { IncomingMessage } from 'node:http'
import { type Fault, faultOf } from './faults.ts'
import { type Pace, rest } from './pace.ts'
import type { RequestRecord } from './recorder.ts'

/** The connection is gone, by the client or by a fault: there is nobody to answer. */
export class ConnectionGone extends Error {}

/** A body that is read as text: arguments, forms, control scripts. Unit: bytes. */
const textBytesMax = 8 * 1024 * 1024

export class Exchange {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly record: RequestRecord
  /** Aborted when the client has left. */
  readonly signal: AbortSignal
  readonly #request: IncomingMessage
  readonly #pace: Pace
  #faults: readonly Fault[] = []
  #text: Promise<string> | undefined

  constructor(request: IncomingMessage, url: URL, record: RequestRecord, pace: Pace, signal: AbortSignal) {
    this.#request = request
    this.method = request.method ?? 'GET'
    this.url = url
    this.headers = request.headers
    this.record = record
    this.#pace = pace
    this.signal = signal
  }

  get host(): string {
    return this.record.host
  }

  get faults(): readonly Fault[] {
    return this.#faults
  }

  /** Once, before the body is read. */
  befall(faults: readonly Fault[]): void {
    this.#faults = faults
    this.record.faults.push(...faults.map((fault) => (fault.do === 'behave' ? fault.name : fault.do)))
  }

  /** A header's bytes as UTF-8: some clients send it raw, and Node hands out one character for each byte. */
  header(name: string): string | undefined {
    const value = this.headers[name]
    return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8') : undefined
  }

  /** Whether a fault asks the provider for this behaviour, and the value that came with it. */
  behaves(name: string): { readonly value: string | number | undefined } | undefined {
    const fault = faultOf(this.#faults, 'behave', (found) => found.name === name)
    return fault === undefined ? undefined : { value: fault.value }
  }

  /** Whether bytes of a body that was cut short shall be kept. */
  get keepsPart(): boolean {
    return faultOf(this.#faults, 'cut-request')?.keep === true
  }

  /** The body, once. @throws ConnectionGone when it ends before its end */
  async *body(): AsyncGenerator<Buffer, void, undefined> {
    if (this.#text !== undefined) {
      yield Buffer.from(await this.#text)
      return
    }
    const cut = faultOf(this.#faults, 'cut-request')
    const stall = faultOf(this.#faults, 'stall', ({ of }) => of === 'request')
    const drip = faultOf(this.#faults, 'drip', ({ of }) => of === 'request')
    const stopAt = Math.min(cut?.bytes ?? Infinity, stall?.bytes ?? Infinity)
    let passed = 0
    if (stopAt === 0) await this.#stop(stall !== undefined)
    for await (const chunk of this.#chunks()) {
      this.record.requestBytes += chunk.length
      await this.#pace.carry('request', chunk.length, this.signal)
      if (drip !== undefined) await rest((chunk.length / drip.bytesPerSecond) * 1000, this.signal)
      yield passed + chunk.length < stopAt ? chunk : chunk.subarray(0, stopAt - passed)
      passed += chunk.length
      if (passed >= stopAt) await this.#stop(stall !== undefined)
    }
  }

  /** The body as text. May be asked more than once. @throws Error above 8 MiB */
  text(): Promise<string> {
    this.#text ??= this.#readText()
    return this.#text
  }

  /** Lets the rest of the body pass, so that the client has sent all before it is answered. */
  async drain(): Promise<void> {
    if (this.#request.readableEnded || this.#text !== undefined) return
    if (this.#request.complete && this.#request.readableLength === 0) return
    for await (const chunk of this.#chunks()) this.record.requestBytes += chunk.length
  }

  /** Takes in about so many bytes and leaves the rest unread. */
  async sip(bytes: number): Promise<void> {
    if (bytes === 0) return
    for await (const chunk of this.#chunks()) {
      this.record.requestBytes += chunk.length
      if (this.record.requestBytes >= bytes) return
    }
  }

  async #readText(): Promise<string> {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of this.body()) {
      bytes += chunk.length
      if (bytes > textBytesMax) throw new Error(`the body of ${this.record.route} is longer than ${textBytesMax} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  }

  async *#chunks(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of this.#request.iterator({ destroyOnReturn: false })) yield chunk as Buffer
    } catch (cause) {
      throw new ConnectionGone('the client left in the middle of the body', { cause })
    }
  }

  async #stop(isStalled: boolean): Promise<void> {
    if (isStalled) await gone(this.signal)
    throw new ConnectionGone('the body was cut by a fault')
  }
}

/** Resolves when the client has left. */
export function gone(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
