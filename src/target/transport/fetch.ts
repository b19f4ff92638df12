/** A fetch as SDKs expect one, over the same calls as everything else. It follows no redirect, keeps no body, and reads small answers at once. */
import { asError, OwnerError } from '../../base/errors.ts'
import { errorBytesMax, type Body, type Call, type Times } from './call.ts'
import type { Arrived, Reading } from './exchange.ts'
import type { Incoming } from './incoming.ts'
import { plain, refusePage, refuseRedirect } from './reading.ts'

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** What an SDK cannot say for itself. */
export interface FetchManner {
  /** False leaves the SDK's own Authorization as it is; otherwise the account's token takes its place. */
  readonly bearer?: boolean
  /** `any` also takes a web page, for content that may be one. */
  readonly expect?: 'json' | 'any'
  readonly isUpload?: boolean
  readonly times?: Times
  readonly progress?: (bytesSent: number) => void
}

type Caller = (call: Call, reading: Reading<Response>, signal: AbortSignal) => Promise<Response>

const never = new AbortController().signal

/** Answers up to this are read before the SDK sees them, so that a broken one fails the call and not a later read. Unit: bytes. */
const smallBytesMax = 2 ** 20

export function fetchOver(manner: FetchManner, caller: Caller): Fetch {
  return async (input, init = {}) => {
    const call = callOf(input, init, manner)
    const signal = init.signal ?? (input instanceof Request ? input.signal : never)
    const reading: Reading<Response> = async (arrived, shown) => {
      const wanted = { ...call, shown }
      const headers = plain(arrived.headers)
      refuseRedirect(arrived, headers, wanted)
      refusePage(arrived, headers, wanted)
      return responseOf(arrived, call.url)
    }
    try {
      return await caller(call, reading, signal)
    } catch (thrown) {
      // SDKs know an abort by its reason.
      throw signal.aborted ? asError(signal.reason) : thrown
    }
  }
}

function callOf(input: string | URL | Request, init: RequestInit, manner: FetchManner): Call {
  const request = input instanceof Request ? input : undefined
  const headers = new Headers(init.headers ?? request?.headers)
  const { body, isOneShot, length, type } = bodyOf(init.body ?? request?.body ?? undefined)
  if (type !== undefined && !headers.has('content-type')) headers.set('content-type', type)
  return {
    ...manner,
    method: methodOf(init.method ?? request?.method ?? 'GET'),
    url: input instanceof Request ? input.url : input.toString(),
    headers: Object.fromEntries(headers),
    expect: manner.expect ?? 'json',
    redirect: init.redirect === 'manual' ? 'answer' : 'refuse',
    ...(body === undefined ? {} : { body }),
    isOneShot,
    ...lengthOf(length, headers.get('content-length')),
  }
}

const methods: readonly Call['method'][] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

function methodOf(text: string): Call['method'] {
  const method = methods.find((name) => name === text.toUpperCase())
  if (method === undefined) throw new OwnerError(`expected one of ${methods.join(', ')}, got another method`)
  return method
}

/** Only a stream needs to be told its length, by the header that its SDK set for it. */
function lengthOf(known: number | undefined, header: string | null): { readonly length?: number } {
  if (known !== undefined) return { length: known }
  return header !== null && /^\d+$/.test(header) ? { length: Number(header) } : {}
}

interface SdkBody {
  readonly body: (() => Body) | undefined
  readonly isOneShot: boolean
  readonly length: number | undefined
  /** The content type that goes with such a body unless the SDK names another. */
  readonly type: string | undefined
}

function bodyOf(given: unknown): SdkBody {
  if (given === undefined || given === null)
    return { body: undefined, isOneShot: false, length: undefined, type: undefined }
  if (typeof given === 'string') return wholeBody(Buffer.from(given), 'text/plain;charset=UTF-8')
  if (given instanceof URLSearchParams)
    return wholeBody(Buffer.from(given.toString()), 'application/x-www-form-urlencoded;charset=UTF-8')
  if (given instanceof Uint8Array) return wholeBody(given, undefined)
  if (ArrayBuffer.isView(given))
    return wholeBody(new Uint8Array(given.buffer, given.byteOffset, given.byteLength), undefined)
  if (given instanceof ArrayBuffer) return wholeBody(new Uint8Array(given), undefined)
  if (given instanceof Blob) {
    const type = given.type === '' ? undefined : given.type
    return { body: () => bytesOf(given.stream()), isOneShot: false, length: given.size, type }
  }
  if (given instanceof FormData) return formBody(given)
  if (isAsyncIterable(given)) return { body: () => bytesOf(given), isOneShot: true, length: undefined, type: undefined }
  throw new OwnerError('expected a body of text, bytes, a form or a stream, got something else; nothing was sent')
}

function wholeBody(bytes: Uint8Array, type: string | undefined): SdkBody {
  return { body: () => bytes, isOneShot: false, length: bytes.length, type }
}

/** The platform writes forms; each writing has a boundary of its own, so it is written once. */
function formBody(form: FormData): SdkBody {
  const written = new Response(form)
  const stream = written.body
  const type = written.headers.get('content-type') ?? undefined
  return { body: () => (stream === null ? undefined : bytesOf(stream)), isOneShot: true, length: undefined, type }
}

function isAsyncIterable(given: unknown): given is AsyncIterable<unknown> {
  return typeof given === 'object' && given !== null && Symbol.asyncIterator in given
}

async function* bytesOf(source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    if (chunk instanceof Uint8Array) yield chunk
    else if (typeof chunk === 'string') yield Buffer.from(chunk)
    else throw new OwnerError(`expected a body that streams bytes, got a piece of type ${typeof chunk}`)
  }
}

/** Statuses that Response refuses to have a body with. */
const bodiless = new Set([204, 205, 304])

async function responseOf(arrived: Arrived, url: string): Promise<Response> {
  const { status, body } = arrived
  const headers = new Headers()
  for (const [name, value] of Object.entries(arrived.headers)) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) headers.append(name, one)
  }
  const statusText = /^[\t\x20-\x7e]*$/.test(arrived.statusText) ? arrived.statusText : ''
  const response = new Response(await contentOf(status, headers, body), { status, statusText, headers })
  // A made Response has no URL, and some SDKs look at it.
  Object.defineProperty(response, 'url', { value: url })
  return response
}

async function contentOf(
  status: number,
  headers: Headers,
  body: Incoming,
): Promise<Uint8Array | ReadableStream | null> {
  const length = Number(headers.get('content-length') ?? Infinity)
  if (status >= 400 || length <= smallBytesMax || bodiless.has(status)) {
    const { bytes } = await body.collect(status >= 400 ? errorBytesMax : smallBytesMax)
    return bytes.length === 0 || bodiless.has(status) ? null : bytes
  }
  return streamOf(body)
}

/** One chunk at a time, when it is asked for: the platform's own bridge from Node's streams reads ahead. */
function streamOf(body: Incoming): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await body.next()
        if (chunk === undefined) controller.close()
        else controller.enqueue(chunk)
      },
      cancel: (reason) => body.cancel(asError(reason ?? 'the reader left')),
    },
    { highWaterMark: 0 },
  )
}
