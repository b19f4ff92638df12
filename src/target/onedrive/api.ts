/**
 * Calls of Microsoft Graph: what has JSON through its SDK, whose last middleware is our transport; content past it, since the SDK has no way
 * for bytes that come piece by piece and hides answers it does not know. What an answer means stands in the table of errors.
 */
import type { Middleware } from '@microsoft/microsoft-graph-client/lib/src/middleware/IMiddleware.js'
import { asError } from '../../base/errors.ts'
import type { Answer, Call, Transport } from '../transport/transport.ts'
import { type Refused, refused } from './errors.ts'

export interface ApiParts {
  readonly transport: Transport
  /** The target's, for messages. */
  readonly name: string
  /** The login's, for messages. */
  readonly account: string
}

/** One call without content. */
export interface GraphCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the version (`/me/drive`), or a whole address that an answer gave. */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly times?: Call['times']
  /** Counts as a file begun at the account's pace. */
  readonly isUpload?: boolean
}

/** What is sent to, or asked of, an address that carries its own right. */
export type UrlCall = Pick<Call, 'method' | 'url' | 'headers' | 'body' | 'length' | 'progress' | 'times' | 'isUpload'>

const graphUrl = 'https://graph.microsoft.com/v1.0'
/** Microsoft treats programs better that say who they are. Source: "Avoid getting throttled", decorate your traffic. */
const userAgent = 'NONISV|Fanfold|Fanfold/0.1'

export class GraphApi {
  readonly #parts: ApiParts

  constructor(parts: ApiParts) {
    this.#parts = parts
  }

  /** `upload of a/b` with the target's name before it. */
  what(verb: string): string {
    return `${this.#parts.name}: ${verb}`
  }

  /** undefined for an answer without a body. @throws Refused, TransportError. */
  async json(verb: string, call: GraphCall, signal: AbortSignal): Promise<unknown> {
    const response = await this.#throughSdk(call, signal)
    const text = await response.text()
    const body = parsed(text)
    if (response.ok) return body
    const seconds = response.headers.get('retry-after')
    throw this.#refused(verb, response.status, body ?? text, retryAfterMs(seconds, response.headers.get('date')))
  }

  /** Bytes of no length, which the SDK would send as JSON. @throws Refused, TransportError. */
  async putNothing(verb: string, path: string, signal: AbortSignal): Promise<unknown> {
    const headers = { 'content-type': 'application/octet-stream', 'user-agent': userAgent }
    const body = (): Uint8Array => new Uint8Array()
    const call = { method: 'PUT', url: graphUrl + path, headers, body, isUpload: true, expect: 'json' } as const
    return this.#valueOf(verb, await this.#parts.transport.request(call, signal), false)
  }

  /** To an address that carries its own right: no login goes there. @throws Refused, TransportError. */
  async atUrl(
    verb: string,
    call: UrlCall,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly value: unknown }> {
    const headers = { 'user-agent': userAgent, ...call.headers }
    const answer = await this.#parts.transport.request({ ...call, headers, bearer: false, expect: 'json' }, signal)
    return { status: answer.status, value: this.#valueOf(verb, answer, true) }
  }

  /** Bytes from such an address, from `start` on. The server may give all of them all the same. @throws Refused, TransportError. */
  async download(verb: string, url: string, start: number, signal: AbortSignal): Promise<Answer> {
    const headers = { 'user-agent': userAgent, ...(start === 0 ? {} : { range: `bytes=${start}-` }) }
    const call = { method: 'GET', url, headers, bearer: false, expect: 'any' } as const
    const answer = await this.#parts.transport.request(call, signal)
    if (answer.content.kind !== 'stream') this.#valueOf(verb, answer, true)
    return answer
  }

  /** Where the bytes of an item are, for one whose metadata does not tell. */
  async downloadUrl(verb: string, path: string, signal: AbortSignal): Promise<string | undefined> {
    const headers = { 'user-agent': userAgent }
    const call = { method: 'GET', url: graphUrl + path, headers, expect: 'json', redirect: 'answer' } as const
    const answer = await this.#parts.transport.request(call, signal)
    if (answer.status >= 400) this.#valueOf(verb, answer, false)
    return answer.headers['location']
  }

  #valueOf(verb: string, { status, content, retryAfterMs: waitMs }: Answer, isUrl: boolean): unknown {
    const body = content.kind === 'json' ? content.value : content.kind === 'text' ? content.text : undefined
    if (status >= 200 && status < 300) return body
    throw this.#refused(verb, status, body, waitMs, isUrl)
  }

  #refused(verb: string, status: number, body: unknown, waitMs: number | undefined, isUrl = false): Refused {
    return refused({ what: this.what(verb), account: this.#parts.account, status, body, retryAfterMs: waitMs, isUrl })
  }

  /** Its own chain retries, follows and logs in by itself; ours is one link, which is also how each call has its own signal. */
  async #throughSdk(
    { method, path, body, headers = {}, times = {}, isUpload = false }: GraphCall,
    signal: AbortSignal,
  ): Promise<Response> {
    // Loaded with the first call: who has no OneDrive target never pays for it.
    const { Client } = await import('@microsoft/microsoft-graph-client/lib/src/Client.js')
    const { ResponseType } = await import('@microsoft/microsoft-graph-client/lib/src/ResponseType.js')
    const fetch = this.#parts.transport.fetchAs({ times, isUpload })
    let failure: Error | undefined
    const last: Middleware = {
      execute: async (context) => {
        const options = context.options as RequestInit | undefined
        try {
          context.response = await fetch(context.request as string, { ...options, signal })
        } catch (thrown) {
          failure = asError(thrown)
          throw thrown
        }
      },
    }
    const fetchOptions = { headers: { 'User-Agent': userAgent } }
    const request = Client.initWithMiddleware({ middleware: last, fetchOptions })
      .api(path)
      .headers({ ...headers })
      .responseType(ResponseType.RAW)
    const send = { GET: 'get', POST: 'post', PUT: 'put', PATCH: 'patch', DELETE: 'delete' } as const
    const verb = send[method]
    try {
      return (await (verb === 'get' || verb === 'delete' ? request[verb]() : request[verb](body ?? {}))) as Response
    } catch (thrown) {
      // It makes an error of its own of ours, without what the lane has to know.
      throw failure ?? thrown
    }
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}

/** RFC 9110, 10.2.3: seconds, or a date by the server's own clock. */
function retryAfterMs(text: string | null, date: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const waitMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.parse(date ?? '')
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs)
}
