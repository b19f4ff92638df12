/**
 * Calls of Box's API 2.0: what the SDK can say goes through its managers, the rest (content, times, listings) past them. All of it over
 * one transport. What an answer means stands in the table of errors; which calls make up a copy is not said here.
 */
import type { Readable } from 'node:stream'
import type { ChunkedUploadsManager } from 'box-node-sdk/managers/chunkedUploads'
import type { FilesManager } from 'box-node-sdk/managers/files'
import type { FoldersManager } from 'box-node-sdk/managers/folders'
import type { UploadsManager } from 'box-node-sdk/managers/uploads'
import type { UsersManager } from 'box-node-sdk/managers/users'
import type { FetchOptionsInput } from 'box-node-sdk/networking/fetchOptions'
import type { FetchResponse } from 'box-node-sdk/networking/fetchResponse'
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import { asError } from '../../base/errors.ts'
import { TargetError } from '../target.ts'
import type { Answer, Call, Transport } from '../transport/transport.ts'
import { type Refused, refused } from './errors.ts'

const apiUrl = 'https://api.box.com/2.0'
const uploadUrl = 'https://upload.box.com/api/2.0'

export interface ApiParts {
  readonly transport: Transport
  readonly clock: Clock
  /** The target's, for messages. */
  readonly name: string
  /** The login's, for messages. */
  readonly account: string
  /** What Box did not say how long to wait for. Unit: ms. */
  readonly patienceMs: number
}

/** What of the SDK is used. */
export interface Sdk {
  readonly files: FilesManager
  readonly folders: FoldersManager
  readonly uploads: UploadsManager
  readonly sessions: ChunkedUploadsManager
  readonly users: UsersManager
}

/** One call that the SDK does not know, or not well enough. */
export interface Request extends Pick<Call, 'body' | 'length' | 'isUpload' | 'progress' | 'times'> {
  readonly method: Call['method']
  readonly host: 'api' | 'upload'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Takes the place of a body. */
  readonly json?: unknown
}

/** How often a download is asked for that is not ready yet. */
const readyTriesMax = 10

export class BoxApi {
  readonly #parts: ApiParts
  #loaded: Promise<(client: NetworkClient) => Sdk> | undefined

  constructor(parts: ApiParts) {
    this.#parts = parts
  }

  get clock(): Clock {
    return this.#parts.clock
  }

  get patienceMs(): number {
    return this.#parts.patienceMs
  }

  /** `upload of a/b` with the target's name before it. */
  what(verb: string): string {
    return `${this.#parts.name}: ${verb}`
  }

  /** One call through the SDK. Answers its JSON as it came. @param isUpload it counts as a file begun. @throws Refused, TransportError. */
  async ask(
    verb: string,
    ask: (sdk: Sdk) => Promise<unknown>,
    signal: AbortSignal,
    isUpload = false,
  ): Promise<unknown> {
    // Loaded with the first call: who has no Box target never pays for it.
    this.#loaded ??= loadSdk()
    const made = await this.#loaded
    const came: { value: unknown } = { value: undefined }
    let failure: Error | undefined
    const fetch = async (options: FetchOptionsInput): Promise<FetchResponse> => {
      try {
        const answer = await this.#parts.transport.request({ ...callOf(options), isUpload }, signal)
        came.value = this.#read(verb, answer)
        return { status: answer.status, data: z.json().optional().parse(came.value), headers: {} }
      } catch (thrown) {
        throw (failure = asError(thrown))
      }
    }
    await ask(made({ fetch })).catch((thrown: unknown) => {
      // Its reading is stricter than Box's writing; ours looks only at what is used.
      if (failure !== undefined) throw failure
      if (came.value === undefined) throw thrown
    })
    return came.value
  }

  /** @throws Refused, TransportError. */
  async request(verb: string, request: Request, signal: AbortSignal): Promise<unknown> {
    return this.#read(verb, await this.answer(request, signal))
  }

  /** As `request`, for answers that are more than their JSON. Any status is one. */
  answer(request: Request, signal: AbortSignal): Promise<Answer> {
    const { host, path, headers, json, method, ...rest } = request
    const text = json === undefined ? undefined : Buffer.from(JSON.stringify(json))
    const url = `${host === 'api' ? apiUrl : uploadUrl}${path}`
    const typed = text === undefined ? headers : { 'content-type': 'application/json', ...headers }
    return this.#parts.transport.request(
      {
        ...rest,
        method,
        url,
        ...(typed === undefined ? {} : { headers: typed }),
        expect: 'json',
        ...(text === undefined ? {} : { body: () => text }),
      },
      signal,
    )
  }

  /** Bytes from `start` on. Box points to another host for them, which needs no login, or asks for patience. @param size of the whole. */
  async download(
    verb: string,
    id: string,
    range: { readonly start: number; readonly size: number },
    signal: AbortSignal,
  ): Promise<Readable> {
    const url = await this.#contentUrl(verb, id, signal)
    const { start, size } = range
    const headers = start === 0 ? {} : { range: `bytes=${start}-` }
    const call = { method: 'GET', url, headers, expect: 'bytes', size: size - start, bearer: false } as const
    const answer = await this.#parts.transport.request(call, signal)
    if (answer.content.kind !== 'stream') throw this.refused(verb, answer)
    return answer.content.stream
  }

  refused(verb: string, { status, content, retryAfterMs }: Answer): Refused {
    const body = content.kind === 'json' ? content.value : content.kind === 'text' ? content.text : undefined
    return refused({ what: this.what(verb), account: this.#parts.account, status, body, retryAfterMs })
  }

  async #contentUrl(verb: string, id: string, signal: AbortSignal): Promise<string> {
    const url = `${apiUrl}/files/${encodeURIComponent(id)}/content`
    for (let tries = 0; tries < readyTriesMax; tries++) {
      const call = { method: 'GET', url, expect: 'json', redirect: 'answer' } as const
      const answer = await this.#parts.transport.request(call, signal)
      const { location } = answer.headers
      if (answer.status === 302 && location !== undefined) return location
      if (answer.status !== 202) throw this.refused(verb, answer)
      await this.clock.sleep(answer.retryAfterMs ?? this.patienceMs, signal)
    }
    throw new TargetError({ kind: 'retry' }, `${this.what(verb)}: Box is not ready to give it; it is tried again`)
  }

  #read(verb: string, answer: Answer): unknown {
    if (answer.status < 200 || answer.status > 299) throw this.refused(verb, answer)
    return answer.content.kind === 'json' ? answer.content.value : undefined
  }
}

interface NetworkClient {
  fetch(options: FetchOptionsInput): Promise<FetchResponse>
}

/** Its own client would buffer bodies, repeat calls by itself, and close each connection. */
async function loadSdk(): Promise<(client: NetworkClient) => Sdk> {
  const [
    { FilesManager },
    { FoldersManager },
    { UploadsManager },
    { ChunkedUploadsManager },
    { UsersManager },
    network,
  ] = await Promise.all([
    import('box-node-sdk/managers/files'),
    import('box-node-sdk/managers/folders'),
    import('box-node-sdk/managers/uploads'),
    import('box-node-sdk/managers/chunkedUploads'),
    import('box-node-sdk/managers/users'),
    import('box-node-sdk/networking/network'),
  ])
  return (networkClient) => {
    const networkSession = new network.NetworkSession({ networkClient })
    return {
      files: new FilesManager({ networkSession }),
      folders: new FoldersManager({ networkSession }),
      uploads: new UploadsManager({ networkSession }),
      sessions: new ChunkedUploadsManager({ networkSession }),
      users: new UsersManager({ networkSession }),
    }
  }
}

function callOf({ url, method, params, headers, data }: FetchOptionsInput): Call {
  const query = new URLSearchParams({ ...params }).toString()
  const text = data === undefined || data === null ? undefined : Buffer.from(JSON.stringify(data))
  return {
    method: methodOf(method),
    url: query === '' ? url : `${url}?${query}`,
    headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    expect: 'json',
    ...(text === undefined ? {} : { body: () => text }),
  }
}

const methods: readonly Call['method'][] = ['GET', 'OPTIONS', 'POST', 'PUT', 'DELETE']

function methodOf(text: string): Call['method'] {
  const method = methods.find((known) => known === text)
  if (method === undefined) throw new Error(`the SDK calls by ${text}, which was never seen`)
  return method
}
