/** Asks a running daemon through its control socket. One connection per question; an abort closes it, and what was asked may be done or not. */
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { z } from 'zod'
import { systemClock } from '../base/clock.ts'
import { asError, errnoOf, FanfoldError, OwnerError } from '../base/errors.ts'
import {
  AskError,
  type Approved,
  type Held,
  type HistoryLine,
  type LoginDesk,
  type PageAccess,
  type ParkedLine,
  type PathVerdict,
  type Plan,
  type Reloaded,
  type RestoreDesk,
  type Resynced,
  type ResyncRequest,
  type Retried,
  type Status,
} from './desk.ts'
import { incomingBytes, incomingLines } from './incoming.ts'
import { openAddress } from './socket.ts'
import { verifyEvent, type VerifyDesk } from './verify.ts'
import { DeskFailed } from './stream-end.ts'
export { AskError } from './desk.ts'
export { DeskFailed } from './stream-end.ts'
import {
  apiHeader,
  apiVersion,
  encodeQueryPath,
  approveAnswer,
  copyJson,
  errorAnswer,
  heldAnswer,
  helloAnswer,
  historyAnswer,
  loggedOutAnswer,
  loginBegunAnswer,
  loginCheckedAnswer,
  loginProgressAnswer,
  pageAnswer,
  parkedAnswer,
  planAnswer,
  reloadAnswer,
  restorableItem,
  resyncAnswer,
  retryAnswer,
  statusAnswer,
  whyAnswer,
} from './wire.ts'

/** A resync of millions of rows takes seconds; nothing takes this long. Unit: ms. */
const answerMsMax = 60_000
/** The largest answer is a full history, some 3 MB; more is no daemon of ours. Unit: bytes. */
const answerBytesMax = 64 * 2 ** 20

/** The Desk's verbs, with an answer that takes its time. */
export interface DeskClient extends LoginDesk, RestoreDesk, VerifyDesk {
  status(signal: AbortSignal): Promise<Status>
  /** A status every 500 ms until the signal is aborted or the daemon ends. Ends without error in both cases. */
  watch(signal: AbortSignal): AsyncIterable<Status>
  resync(request: ResyncRequest, signal: AbortSignal): Promise<Resynced>
  retry(targets: readonly string[], signal: AbortSignal): Promise<Retried>
  why(path: string, signal: AbortSignal): Promise<readonly PathVerdict[]>
  history(path: string | null, limit: number, signal: AbortSignal): Promise<readonly HistoryLine[]>
  parked(target: string, limit: number, signal: AbortSignal): Promise<readonly ParkedLine[]>
  /** Where its page is, and what lets a page act. */
  page(signal: AbortSignal): Promise<PageAccess>
  hold(targets: readonly string[], signal: AbortSignal): Promise<Held>
  resume(targets: readonly string[], signal: AbortSignal): Promise<Held>
  takeOver(targets: readonly string[], signal: AbortSignal): Promise<Held>
  approve(source: string, signal: AbortSignal): Promise<Approved>
  reload(signal: AbortSignal): Promise<Reloaded>
  plan(signal: AbortSignal): Promise<Plan>
}

/** No daemon answers at the socket. */
export class NotRunning extends OwnerError {}

/**
 * A client of the daemon at `socketPath`, once that has answered.
 * @throws NotRunning, OwnerError (no permission, other version).
 */
export async function connect(socketPath: string, signal: AbortSignal): Promise<DeskClient> {
  const get = <T>(path: string, shape: z.ZodType<T>, given: AbortSignal): Promise<T> =>
    ask(socketPath, { method: 'GET', path }, shape, given)
  const post = <T>(path: string, body: unknown, shape: z.ZodType<T>, given: AbortSignal): Promise<T> =>
    ask(socketPath, { method: 'POST', path, body: JSON.stringify(body) }, shape, given)
  const lines = <T>(path: string, body: unknown, shape: z.ZodType<T>, given: AbortSignal): AsyncIterable<T> =>
    askLines(socketPath, { method: 'POST', path, body: JSON.stringify(body) }, shape, given)
  const bytes = (path: string, body: unknown, given: AbortSignal): Promise<Readable> =>
    askBytes(socketPath, { method: 'POST', path, body: JSON.stringify(body) }, given)
  await get('/', helloAnswer, signal)
  return {
    status: (given) => get('/status', statusAnswer, given),
    watch: (given) => watch(socketPath, given),
    resync: (asked, given) => post('/resync', asked, resyncAnswer, given),
    retry: (targets, given) => post('/retry', { targets }, retryAnswer, given),
    hold: (targets, given) => post('/hold', { targets }, heldAnswer, given),
    resume: (targets, given) => post('/resume', { targets }, heldAnswer, given),
    takeOver: (targets, given) => post('/take-over', { targets }, heldAnswer, given),
    approve: (source, given) => post('/approve', { source }, approveAnswer, given),
    reload: (given) => post('/reload', {}, reloadAnswer, given),
    plan: (given) => get('/plan', planAnswer, given),
    verify: (asked, given) =>
      askLines(socketPath, { method: 'POST', path: '/verify', body: JSON.stringify(asked) }, verifyEvent, given),
    login: (asked, given) => post('/login', asked, loginBegunAnswer, given),
    answerLogin: (ticket, text, given) => post('/login/answer', { ticket, text }, loginProgressAnswer, given),
    checkLogin: (account, given) => post('/login/check', { account }, loginCheckedAnswer, given),
    restorable: (wish, given) => lines('/restorable', wish, restorableItem, given),
    readCopy: (copy, start, given) => bytes('/copy', { copy: copyJson(copy), start }, given),
    logout: (account, given) => post('/logout', { account }, loggedOutAnswer, given),
    parked: (target, limit, given) =>
      get(`/parked?target=${encodeQueryPath(target)}&limit=${limit}`, parkedAnswer, given),
    page: (given) => get('/page', pageAnswer, given),
    why: (path, given) => get(`/why?path=${encodeQueryPath(path)}`, whyAnswer, given),
    history: (path, limit, given) =>
      get(`/history?limit=${limit}${path === null ? '' : `&path=${encodeQueryPath(path)}`}`, historyAnswer, given),
  }
}

export interface Question {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
}

async function ask<T>(socketPath: string, question: Question, shape: z.ZodType<T>, signal: AbortSignal): Promise<T> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)])
  const answer = await send(socketPath, question, bounded)
  let text: string
  try {
    text = await textOf(answer)
  } catch (thrown) {
    throw transportError(socketPath, thrown, bounded)
  }
  refuseFailure(answer, text)
  return parseAnswer(text, shape)
}

/** Sends one question; answers when the head of the answer is there. */
async function send(socketPath: string, question: Question, signal: AbortSignal): Promise<IncomingMessage> {
  const address = await openAddress(socketPath).catch((thrown: unknown) => {
    throw transportError(socketPath, thrown, signal)
  })
  try {
    const asking = request({
      socketPath: address.address,
      method: question.method,
      path: question.path,
      headers: { host: 'fanfold', 'content-type': 'application/json' },
      agent: false,
      signal,
    })
    asking.end(question.body)
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    // A connection cut later shows as an error of the answer; without a listener it would end the process.
    asking.on('error', () => {})
    refuseOtherVersion(answer)
    return answer
  } catch (thrown) {
    throw transportError(socketPath, thrown, signal)
  } finally {
    await address.close()
  }
}

function refuseOtherVersion(answer: IncomingMessage): void {
  const theirs = answer.headers[apiHeader]
  if (theirs === apiVersion) return
  answer.destroy()
  const version = typeof theirs === 'string' ? `version ${theirs}` : 'no version of it'
  throw new OwnerError(
    `the running daemon speaks ${version} of the control protocol, this command version ${apiVersion}; restart the daemon after an upgrade`,
  )
}

function refuseFailure(answer: IncomingMessage, text: string): void {
  const status = answer.statusCode ?? 0
  if (status < 300) return
  const { error } = parseAnswer(text, errorAnswer)
  if (status === 409) throw new OwnerError(error)
  throw status < 500 ? new AskError(error) : new DeskFailed(`the daemon could not answer: ${error}`)
}

function parseAnswer<T>(text: string, shape: z.ZodType<T>): T {
  try {
    return shape.parse(JSON.parse(text))
  } catch (cause) {
    throw new OwnerError(
      'the running daemon gave an answer that this version does not know; restart it after an upgrade',
      {
        cause,
      },
    )
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > answerBytesMax) throw new DeskFailed(`the answer is longer than ${answerBytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** An answer of lines, item by item. It takes as long as it takes, as long as the daemon is heard. */
export async function* askLines<T>(
  socketPath: string,
  question: Question,
  shape: z.ZodType<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const answer = await begun(socketPath, question, signal)
  try {
    yield* incomingLines(answer, shape, systemClock)
  } catch (thrown) {
    // A connection that our own abort cut looks like a daemon that ended.
    throw signal.aborted ? asError(signal.reason) : thrown
  } finally {
    answer.destroy()
  }
}

/** An answer of bytes. Destroying it ends the work behind it. */
export async function askBytes(socketPath: string, question: Question, signal: AbortSignal): Promise<Readable> {
  return incomingBytes(await begun(socketPath, question, signal), systemClock)
}

async function begun(socketPath: string, question: Question, signal: AbortSignal): Promise<IncomingMessage> {
  const answer = await send(socketPath, question, signal)
  if (answer.statusCode !== 200) refuseFailure(answer, await textOf(answer))
  return answer
}

/** A failed connection, in words with the next step. */
function transportError(socketPath: string, thrown: unknown, signal: AbortSignal): Error {
  if (thrown instanceof FanfoldError) return thrown
  if (signal.aborted) return asError(signal.reason)
  const code = errnoOf(thrown)
  const options = { cause: thrown }
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new NotRunning(`no daemon runs at ${socketPath}; start it with "fanfold run"`, options)
  if (code === 'EACCES' || code === 'EPERM')
    return new OwnerError(`no permission to ask the daemon at ${socketPath}; join its group or use sudo`, options)
  return new DeskFailed(`the daemon at ${socketPath} did not answer: ${asError(thrown).message}`, options)
}

async function* watch(socketPath: string, signal: AbortSignal): AsyncGenerator<Status> {
  let answer: IncomingMessage
  try {
    answer = await send(socketPath, { method: 'GET', path: '/status/stream' }, signal)
  } catch (thrown) {
    if (signal.aborted) return
    throw thrown
  }
  if (answer.statusCode !== 200) {
    refuseFailure(answer, await textOf(answer))
    return
  }
  try {
    for await (const frame of framesOf(answer)) yield parseAnswer(frame, statusAnswer)
  } catch (thrown) {
    // The daemon's end and our own abort both cut the stream; only what is none of them is an error.
    if (!signal.aborted && errnoOf(thrown) !== 'ECONNRESET') throw thrown
  } finally {
    answer.destroy()
  }
}

/** The `data:` of each server-sent event. */
async function* framesOf(answer: IncomingMessage): AsyncGenerator<string> {
  answer.setEncoding('utf8')
  let rest = ''
  for await (const part of answer as AsyncIterable<string>) {
    rest += part
    if (rest.length > answerBytesMax) throw new DeskFailed(`one status is longer than ${answerBytesMax} bytes`)
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const data = rest
        .slice(0, end)
        .split('\n')
        .filter((line) => line.startsWith('data: '))
      rest = rest.slice(end + 2)
      if (data.length > 0) yield data.map((line) => line.slice(6)).join('\n')
    }
  }
}
