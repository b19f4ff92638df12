/**
 * Calls of Dropbox's API v2: what has no bytes through its SDK, content past it, since the SDK holds whole files in memory. All of it over
 * one transport. What an answer means stands in the table of errors; which calls make up a copy is not said here.
 */
import type { Readable } from 'node:stream'
import type { Dropbox } from 'dropbox'
import type { Answer, Call, Transport } from '../transport/transport.ts'
import { type Refused, refused } from './errors.ts'

const contentUrl = 'https://content.dropboxapi.com/2/'

export interface ApiParts {
  readonly transport: Transport
  /** The target's, for messages. */
  readonly name: string
  /** The login's, for messages. */
  readonly account: string
}

type Times = NonNullable<Call['times']>

/** What is sent with a content call. */
export type Sending = Pick<Call, 'body' | 'length' | 'isUpload' | 'progress' | 'times'>

export class DropboxApi {
  readonly #parts: ApiParts

  constructor(parts: ApiParts) {
    this.#parts = parts
  }

  get account(): string {
    return this.#parts.account
  }

  /** `upload of a/b` with the target's name before it. */
  what(verb: string): string {
    return `${this.#parts.name}: ${verb}`
  }

  /** One call without content. @throws Refused, TransportError. */
  async rpc(
    verb: string,
    ask: (sdk: Dropbox) => Promise<{ readonly result: unknown }>,
    signal: AbortSignal,
    times: Times = {},
  ): Promise<unknown> {
    // Loaded with the first call: who has no Dropbox target never pays for it.
    const { Dropbox: Sdk, DropboxResponseError } = await import('dropbox')
    const { transport } = this.#parts
    // It has no parameter for a signal, so each call has its own.
    const fetch = transport.fetchAs({ times })
    const sdk = new Sdk({ fetch: (url: string, init: RequestInit) => fetch(url, { ...init, signal }) })
    try {
      return (await ask(sdk)).result
    } catch (thrown) {
      if (!(thrown instanceof DropboxResponseError)) throw thrown
      const { status, headers, error } = thrown as { status: number; headers: unknown; error: unknown }
      const seconds = headers instanceof Headers ? Number(headers.get('retry-after') ?? NaN) : NaN
      throw this.#refused(verb, status, error, Number.isNaN(seconds) ? undefined : seconds * 1000)
    }
  }

  /** One call with bytes in its body. @throws Refused, TransportError. */
  async send(verb: string, route: string, arg: unknown, sending: Sending, signal: AbortSignal): Promise<unknown> {
    const headers = { 'content-type': 'application/octet-stream', 'dropbox-api-arg': headerJson(arg) }
    const url = contentUrl + route
    const call = { method: 'POST', url, headers, expect: 'json', ...sending } as const
    const answer = await this.#parts.transport.request(call, signal)
    if (answer.status !== 200) throw this.#refusedAnswer(verb, answer)
    return answer.content.kind === 'json' ? answer.content.value : undefined
  }

  /** Bytes from `start` on, and what they are of. @param size of the whole. */
  async download(
    verb: string,
    path: string,
    range: { readonly start: number; readonly size: number },
    signal: AbortSignal,
  ): Promise<{ readonly metadata: unknown; readonly stream: Readable }> {
    const { start, size } = range
    const headers = {
      'dropbox-api-arg': headerJson({ path }),
      ...(start === 0 ? {} : { range: `bytes=${start}-` }),
    }
    const url = `${contentUrl}files/download`
    const call = { method: 'POST', url, headers, expect: 'bytes', size: size - start } as const
    const answer = await this.#parts.transport.request(call, signal)
    if (answer.content.kind !== 'stream') throw this.#refusedAnswer(verb, answer)
    return { metadata: headerValue(answer.headers['dropbox-api-result']), stream: answer.content.stream }
  }

  /** Of one entry of a batch, which was refused by itself. */
  refusedEntry(verb: string, failure: unknown): Refused {
    return this.#refused(verb, 409, { error: failure }, undefined)
  }

  #refusedAnswer(verb: string, { status, content, retryAfterMs }: Answer): Refused {
    const body = content.kind === 'json' ? content.value : content.kind === 'text' ? content.text : undefined
    return this.#refused(verb, status, body, retryAfterMs)
  }

  #refused(verb: string, status: number, body: unknown, retryAfterMs: number | undefined): Refused {
    const { transport, account } = this.#parts
    const refusal = refused({ what: this.what(verb), account, status, body, retryAfterMs })
    // Others are known to the transport by their status.
    if (status === 409 && refusal.says('too_many_write_operations'))
      transport.penalise({ retryAfterMs, reason: `${this.what(verb)}: too many writes at once` })
    return refusal
  }
}

/** JSON in a header has to be ASCII. Source: Dropbox, "JSON encoding". */
function headerJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function headerValue(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown)
  } catch {
    // Whoever parses it says what was expected.
    return undefined
  }
}
