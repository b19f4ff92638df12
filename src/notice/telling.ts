/** Tells one recipient one thing: a URL by HTTP, or a program by its standard input. Bounded in time and output; no URL reaches any message. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { basename } from 'node:path'
import { asError, errnoOf, OwnerError } from '../base/errors.ts'
import type { HttpConfig, Recipient, WebAddress } from '../config/config.ts'

/** Whoever takes longer is not there. Unit: ms. */
const tellMsMax = 30_000
/** Of what a program says, the end of a history line holds no more. Unit: characters. */
const outputShown = 300
/** Of an answer nobody reads more. Unit: bytes. */
const answerBytesMax = 64 * 1024

export interface Message {
  readonly event: 'red' | 'green' | 'digest'
  /** For people: all of it in words. */
  readonly text: string
  readonly [fact: string]: unknown
}

/** Who it is, for logs and history: nothing that is a secret. */
export function nameOf(recipient: Recipient): string {
  return recipient.kind === 'web' ? 'its URL' : basename(recipient.words[0])
}

/** @throws OwnerError in words, without the URL. */
export async function tell(
  recipient: Recipient,
  message: Message,
  http: HttpConfig,
  signal: AbortSignal,
): Promise<void> {
  if (recipient.kind === 'command') return run(recipient.words, message, signal)
  await call(recipient.to, { method: 'POST', body: JSON.stringify(message) }, http, signal)
}

/** Calls a dead-man's switch. @throws OwnerError in words, without the URL. */
export function ping(to: WebAddress, http: HttpConfig, signal: AbortSignal): Promise<void> {
  return call(to, { method: 'GET' }, http, signal)
}

interface Sent {
  readonly method: 'GET' | 'POST'
  readonly body?: string
}

async function call(to: WebAddress, sent: Sent, http: HttpConfig, signal: AbortSignal): Promise<void> {
  const url = await urlOf(to)
  const { request } = await import('undici')
  const dispatcher = await dispatcherFor(url, http)
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(tellMsMax)])
  try {
    const headers = { 'content-type': 'application/json', 'user-agent': 'fanfold' }
    const { statusCode, body } = await request(url, { ...sent, headers, dispatcher, signal: bounded })
    await body.dump({ limit: answerBytesMax })
    if (statusCode < 200 || statusCode >= 300) throw new OwnerError(`the answer was ${statusCode}`)
  } catch (thrown) {
    if (thrown instanceof OwnerError) throw thrown
    // An error of the client may repeat the address.
    const why = bounded.aborted
      ? `no answer within ${tellMsMax / 1000} s`
      : (errnoOf(thrown) ?? 'the connection failed')
    throw new OwnerError(why)
  } finally {
    await dispatcher.destroy()
  }
}

async function urlOf(to: WebAddress): Promise<URL> {
  const text =
    to.kind === 'url' ? to.url : await readFile(to.path, 'utf8').catch((thrown: unknown) => unreadable(to.path, thrown))
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new OwnerError(`${to.kind === 'file' ? to.path : 'the URL'} holds no URL with https: or http:`)
}

function unreadable(path: string, thrown: unknown): never {
  throw new OwnerError(`${path} cannot be read (${errnoOf(thrown) ?? asError(thrown).message})`)
}

/** A receiver on this machine is asked directly. */
async function dispatcherFor(url: URL, { proxy, caFile }: HttpConfig) {
  const { Agent, ProxyAgent } = await import('undici')
  const ca = caFile === undefined ? {} : { ca: [...rootCertificates, await readFile(caFile, 'utf8')] }
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (proxy === undefined || isHere) return new Agent({ connect: { timeout: tellMsMax, ...ca } })
  const { origin, username, password } = new URL(proxy)
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const token = login === ':' ? {} : { token: `Basic ${Buffer.from(login).toString('base64')}` }
  return new ProxyAgent({ uri: origin, ...token, requestTls: ca, proxyTls: ca })
}

/** Gives the message to a program of the owner's, which is ended with all it started when its time is over. */
async function run(
  [program, ...words]: readonly [string, ...string[]],
  message: Message,
  signal: AbortSignal,
): Promise<void> {
  const { PATH, HOME, LANG } = process.env
  const env = { PATH, HOME, LANG, FANFOLD_EVENT: message.event, FANFOLD_TEXT: message.text }
  const child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(tellMsMax)])
  const end = (): void => {
    if (child.pid !== undefined) endGroup(child.pid)
  }
  let said = ''
  const hear = (part: Buffer): void => {
    if (said.length < outputShown) said += part.toString('utf8').slice(0, outputShown)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  // One that reads nothing closes its input.
  child.stdin.on('error', () => {})
  child.stdin.end(JSON.stringify(message))
  bounded.addEventListener('abort', end, { once: true })
  try {
    await once(child, 'close')
  } catch (thrown) {
    throw new OwnerError(`${program} cannot be started (${errnoOf(thrown) ?? asError(thrown).message})`, {
      cause: thrown,
    })
  } finally {
    bounded.removeEventListener('abort', end)
  }
  if (bounded.aborted)
    throw new OwnerError(`${basename(program)} did not end within ${tellMsMax / 1000} s and was ended`)
  const last = said.trim() === '' ? '' : `: ${said.trim().slice(0, outputShown)}`
  if (child.exitCode !== 0)
    throw new OwnerError(`${basename(program)} ended with ${child.exitCode ?? child.signalCode ?? '?'}${last}`)
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself a moment ago.
  }
}
