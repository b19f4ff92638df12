/** What an answer means before any provider looks at it: its content bounded and parsed, somebody else's page refused. */
import type { Clock } from '../../base/clock.ts'
import type { Readable } from 'node:stream'
import { errorBytesMax, jsonBytesMax, type Answer, type Call, type Content } from './call.ts'
import type { Arrived } from './exchange.ts'
import { PortalAnswer, TransportError } from './failure.ts'

/** How a call is read: what it expects, and how it is called in words. */
export interface Wanted extends Pick<Call, 'method' | 'expect' | 'size' | 'redirect'> {
  readonly shown: string
}

export async function read(arrived: Arrived, wanted: Wanted, clock: Clock): Promise<Answer> {
  const headers = plain(arrived.headers)
  refuseRedirect(arrived, headers, wanted)
  const content = await contentOf(arrived, headers, wanted)
  return { status: arrived.status, headers, retryAfterMs: retryAfterMs(headers, clock.wallMs()), content }
}

/** Answers cannot point elsewhere unnoticed: a caller that did not ask for it is told who wanted to send it where. */
export function refuseRedirect(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): void {
  const to = headers['location']
  // A 308 of Google Drive's upload sessions has no location and is an answer like any other.
  if (arrived.status < 300 || arrived.status > 399 || to === undefined || wanted.redirect === 'answer') return
  const host = URL.canParse(to) ? new URL(to).host : 'another path'
  refuse(
    arrived,
    new PortalAnswer(`${wanted.shown}: expected an answer, got ${arrived.status} pointing to ${host}`, true),
  )
}

/** Nobody but a portal answers an API with a page, least of all with a good status. */
export function refusePage(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): void {
  const isPortal = arrived.status === 511 || (isGood(arrived.status) && isHtml(headers) && wanted.expect !== 'any')
  if (!isPortal) return
  refuse(
    arrived,
    new PortalAnswer(`${wanted.shown}: expected ${wanted.expect}, got a web page (${arrived.status})`, true),
  )
}

async function contentOf(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): Promise<Content> {
  if (!isGood(arrived.status) && wanted.expect !== 'any') return failedContent(arrived, headers, wanted)
  if (wanted.expect === 'json') {
    refusePage(arrived, headers, wanted)
    return jsonContent(arrived, headers, wanted)
  }
  if (arrived.status >= 400) return failedContent(arrived, headers, wanted)
  if (wanted.expect === 'bytes') refuseBytes(arrived, headers, wanted)
  return { kind: 'stream', stream: checkedStream(arrived, headers, wanted) }
}

/** The body of a refusal, or of an answer that has none worth streaming: parsed where it is JSON, text where it is not. */
async function failedContent(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): Promise<Content> {
  refusePage(arrived, headers, wanted)
  const { bytes } = await arrived.body.collect(errorBytesMax)
  if (bytes.length === 0) return { kind: 'none' }
  const value = parsed(bytes)
  return value === notJson ? { kind: 'text', text: bytes.toString('utf8') } : { kind: 'json', value }
}

async function jsonContent(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): Promise<Content> {
  const { bytes, isCut } = await arrived.body.collect(jsonBytesMax)
  const options = { afterSent: true }
  if (isCut) {
    const text = `${wanted.shown}: expected at most ${jsonBytesMax} bytes of JSON, got more`
    throw new TransportError('too-large', text, options)
  }
  if (bytes.length === 0 && (mayBeEmpty(arrived.status) || wanted.method === 'HEAD')) return { kind: 'none' }
  const value = parsed(bytes)
  if (value !== notJson) return { kind: 'json', value }
  const type = headers['content-type'] ?? 'no type'
  const text = `${wanted.shown}: expected JSON, got ${bytes.length} bytes of ${type} that are none (${arrived.status})`
  // A page without its type, or a text from nobody we know.
  if (/^\s*</.test(bytes.toString('latin1', 0, 256))) throw new PortalAnswer(text, true)
  throw new TransportError('garbled', text, options)
}

function refuseBytes(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): void {
  const length = headers['content-length']
  // A copy may well be an HTML file, but then it has the size it should have.
  if (wanted.size === undefined) return refusePage(arrived, headers, wanted)
  if (length === undefined || Number(length) === wanted.size) return
  const text = `${wanted.shown}: expected ${wanted.size} bytes, got an answer of ${length}`
  refuse(arrived, wrongSize(text, headers))
}

function wrongSize(text: string, headers: Answer['headers']): TransportError {
  return isHtml(headers) ? new PortalAnswer(text, true) : new TransportError('cut', text, { afterSent: true })
}

/** Nothing more of it is wanted. */
function refuse(arrived: Arrived, refusal: TransportError): never {
  arrived.body.cancel(refusal)
  throw refusal
}

function checkedStream(arrived: Arrived, headers: Answer['headers'], wanted: Wanted): Readable {
  let count = 0
  return arrived.body.stream((bytes) => {
    const { size } = wanted
    if (bytes !== 'end') count += bytes
    if (size === undefined || (bytes === 'end' ? count === size : count <= size)) return
    const text = `${wanted.shown}: expected ${size} bytes, got ${bytes === 'end' ? 'only' : 'at least'} ${count}`
    throw wrongSize(text, headers)
  })
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300
}

function mayBeEmpty(status: number): boolean {
  return status === 202 || status === 204 || status === 205
}

function isHtml(headers: Answer['headers']): boolean {
  return /^\s*(text\/html|application\/xhtml)/i.test(headers['content-type'] ?? '')
}

const notJson = Symbol('not JSON')

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch {
    // The parser's own words would repeat the text, which may hold secrets.
    return notJson
  }
}

export function plain(headers: Arrived['headers']): Answer['headers'] {
  const list: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') list[name] = value
    else if (value !== undefined) list[name] = value.join(', ')
  }
  return list
}

/** Nobody means more; a wrong clock or a wrong unit does. Unit: ms. */
const retryAfterMsMax = 24 * 3_600_000

/** RFC 9110, 10.2.3: seconds or a date; a date is taken against the server's own clock, since ours may be wrong. */
export function retryAfterMs(headers: Answer['headers'], wallMs: number): number | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined || text === '') return undefined
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined
  const waitMs = seconds === undefined ? Date.parse(text) - serverMs(headers, wallMs) : seconds * 1000
  return Number.isNaN(waitMs) ? undefined : Math.round(Math.min(Math.max(waitMs, 0), retryAfterMsMax))
}

function serverMs(headers: Answer['headers'], wallMs: number): number {
  const said = Date.parse(headers['date'] ?? '')
  return Number.isNaN(said) ? wallMs : said
}
