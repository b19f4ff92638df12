/** The daemon's side of its control socket: HTTP questions in, the Desk's answers out. What is true is the Desk's concern. */
import { createServer, type Server } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono, type Context as AnyContext } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { AskError, type Desk, type PageAccess } from './desk.ts'
import { StatusFeed } from './feed.ts'
import { listenAt } from './socket.ts'
import { AnswerStreams } from './streams.ts'
import { verifyBody } from './verify.ts'
import {
  accountBody,
  approveBody,
  apiHeader,
  apiVersion,
  bodyBytesMax,
  copyBody,
  decodeQuery,
  historyLinesMax,
  loginAnswerBody,
  loginBody,
  restorableJson,
  parkedLinesMax,
  resyncBody,
  targetsBody,
  wishBody,
} from './wire.ts'

/** People and scripts of one machine; more connections are a loop gone wild. */
const connectionsMax = 64
/** A question is small and comes from this machine. Unit: ms. */
const questionMsMax = 10_000
const linesDefault = 100

export interface Bindings {
  readonly Bindings: HttpBindings
}
type Context = AnyContext<Bindings>

export interface ServeParts {
  readonly clock: Clock
  readonly log: Log
  /** Where the status page is; undefined where nobody serves one. */
  readonly page?: () => PageAccess
}

export interface DeskServer {
  /** Ends streams and connections and takes the socket file away. */
  close(): Promise<void>
}

/**
 * Answers at `socketPath` (mode 0660) until closed. A socket that a crash left is replaced.
 * @throws OwnerError when another daemon answers there, or something that is no socket stands there.
 */
export async function serveDesk(desk: Desk, socketPath: string, parts: ServeParts): Promise<DeskServer> {
  const feed = new StatusFeed(() => desk.status(), parts.clock, parts.log)
  const streams = new AnswerStreams(parts)
  const server = httpServer(routes(desk, { feed, streams }, parts))
  const place = await listenAt(server, socketPath)
  // After the first listening, an error belongs to one connection; the others go on.
  server.on('error', (error) => parts.log.error('control server', { error: error.message }))
  return {
    async close() {
      feed.close()
      streams.close()
      await place.close()
    },
  }
}

function httpServer(app: Hono<Bindings>): Server {
  // The program's own globals stay Node's.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false })
  const server = createServer({ requestTimeout: questionMsMax, headersTimeout: questionMsMax }, (question, reply) => {
    answer(question, reply).catch(() => reply.destroy())
  })
  server.maxConnections = connectionsMax
  return server
}

interface Flows {
  readonly feed: StatusFeed
  readonly streams: AnswerStreams
}

function routes(desk: Desk, { feed, streams }: Flows, { log, page }: ServeParts): Hono<Bindings> {
  const app = deskRoutes(desk, log)
  app.get('/', (context) => context.json({ api: apiVersion }))
  if (page !== undefined) app.get('/page', (context) => context.json(page()))
  app.get('/status/stream', (context) => streamAnswer(context, feed))
  restoreRoutes(app, desk, streams)
  verifyRoute(app, desk, streams)
  return app
}

/** The Desk's verbs as questions over HTTP, wherever they are asked. Who may ask is the concern of whoever serves them. */
export function deskRoutes(desk: Desk, log: Log): Hono<Bindings> {
  const app = new Hono<Bindings>()
  app.use(async (context, next) => {
    await next()
    context.header(apiHeader, apiVersion)
    context.header('cache-control', 'no-store')
  })
  app.use(
    bodyLimit({
      maxSize: bodyBytesMax,
      onError: (context) => context.json({ error: `a question has at most ${bodyBytesMax} bytes` }, 413),
    }),
  )
  app.get('/status', (context) => context.json(desk.status()))
  app.get('/why', (context) => context.json(desk.why(pathAsked(context))))
  app.get('/parked', (context) => context.json(parkedAnswer(desk, queryOf(context))))
  app.get('/history', (context) => context.json(historyAnswer(desk, queryOf(context))))
  app.post('/resync', async (context) => context.json(desk.resync(await bodyOf(context, resyncBody))))
  app.post('/retry', async (context) => context.json(desk.retry((await bodyOf(context, targetsBody)).targets)))
  app.post('/hold', async (context) => context.json(desk.hold((await bodyOf(context, targetsBody)).targets)))
  app.post('/resume', async (context) => context.json(desk.resume((await bodyOf(context, targetsBody)).targets)))
  app.post('/take-over', async (context) => context.json(desk.takeOver((await bodyOf(context, targetsBody)).targets)))
  app.post('/approve', async (context) => context.json(desk.approve((await bodyOf(context, approveBody)).source)))
  app.post('/reload', async (context) => context.json(await desk.reload()))
  app.get('/plan', async (context) => context.json(await desk.plan(context.req.raw.signal)))
  loginRoutes(app, desk)
  app.notFound((context) => context.json({ error: `no such question: ${context.req.method} ${context.req.path}` }, 404))
  app.onError((thrown, context) => {
    // What its owner can put right is an answer, not a failure; a wrong question is told from a right one that cannot be fulfilled.
    if (thrown instanceof AskError) return context.json({ error: thrown.message }, 400)
    if (thrown instanceof OwnerError) return context.json({ error: thrown.message }, 409)
    log.error('question failed', { path: context.req.path, error: asError(thrown).stack ?? thrown.message })
    return context.json({ error: thrown.message }, 500)
  })
  return app
}

function loginRoutes(app: Hono<Bindings>, desk: Desk): void {
  const signalOf = (context: Context): AbortSignal => context.req.raw.signal
  app.post('/login', async (context) => {
    return context.json(await desk.login(await bodyOf(context, loginBody), signalOf(context)))
  })
  app.post('/login/answer', async (context) => {
    const { ticket, text } = await bodyOf(context, loginAnswerBody)
    return context.json(await desk.answerLogin(ticket, text, signalOf(context)))
  })
  app.post('/login/check', async (context) => {
    return context.json(await desk.checkLogin((await bodyOf(context, accountBody)).account, signalOf(context)))
  })
  app.post('/logout', async (context) => {
    return context.json(await desk.logout((await bodyOf(context, accountBody)).account, signalOf(context)))
  })
}

function verifyRoute(app: Hono<Bindings>, desk: Desk, streams: AnswerStreams): void {
  app.post('/verify', async (context) => {
    const asked = await bodyOf(context, verifyBody)
    const asIs = (event: unknown): unknown => event
    const stream = streams.lines((signal) => desk.verify(asked, signal), asIs, cutterOf(context))
    return longAnswer(context, stream, 'application/x-ndjson')
  })
}

function restoreRoutes(app: Hono<Bindings>, desk: Desk, streams: AnswerStreams): void {
  app.post('/restorable', async (context) => {
    const wish = await bodyOf(context, wishBody)
    const stream = streams.lines((signal) => desk.restorable(wish, signal), restorableJson, cutterOf(context))
    return longAnswer(context, stream, 'application/x-ndjson')
  })
  app.post('/copy', async (context) => {
    const { copy, start } = await bodyOf(context, copyBody)
    const stream = streams.bytes((signal) => desk.readCopy(copy, start, signal), cutterOf(context))
    return longAnswer(context, stream, 'application/octet-stream')
  })
}

function longAnswer(context: Context, stream: ReadableStream<Uint8Array> | undefined, type: string): Response {
  if (stream === undefined) return context.json({ error: 'too many long answers are under way already' }, 503)
  return context.body(stream, 200, { 'content-type': type })
}

function cutterOf(context: Context): () => void {
  return () => context.env.outgoing.destroy()
}

function streamAnswer(context: Context, feed: StatusFeed): Response {
  const stream = feed.open(cutterOf(context))
  if (stream === undefined) return context.json({ error: 'too many listen to the status already' }, 503)
  return context.body(stream, 200, { 'content-type': 'text/event-stream' })
}

/** The raw query, since decoding it as UTF-8 would lose names that are none. */
function queryOf(context: Context): Map<string, string> {
  const url = context.req.url
  const mark = url.indexOf('?')
  return decodeQuery(mark < 0 ? '' : url.slice(mark + 1))
}

function pathAsked(context: Context): string {
  const path = queryOf(context).get('path')
  if (path === undefined || path === '') throw new AskError('expected a path: /why?path=…')
  return path
}

function historyAnswer(desk: Desk, query: ReadonlyMap<string, string>): unknown {
  const path = query.get('path')
  return desk.history(path === undefined || path === '' ? null : path, limitIn(query, historyLinesMax))
}

function parkedAnswer(desk: Desk, query: ReadonlyMap<string, string>): unknown {
  const target = query.get('target')
  if (target === undefined || target === '') throw new AskError('expected a target: /parked?target=…')
  return desk.parked(target, limitIn(query, parkedLinesMax))
}

/** @throws AskError where it is none. */
function limitIn(query: ReadonlyMap<string, string>, most: number): number {
  const limit = query.get('limit') ?? String(linesDefault)
  if (/^[1-9]\d{0,5}$/.test(limit) && Number(limit) <= most) return Number(limit)
  throw new AskError(`limit: expected a whole number from 1 to ${most}, got ${limit}`)
}

async function bodyOf<T>(context: Context, shape: z.ZodType<T>): Promise<T> {
  const parsed = shape.safeParse(parseJson(await context.req.text()))
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`)
  throw new AskError(issues.join('; '))
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw new AskError('expected a body of JSON', { cause })
  }
}
