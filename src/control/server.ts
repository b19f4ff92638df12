/** The daemon's side of its control socket: HTTP questions in, the Desk's answers out. What is true is the Desk's concern. */
import { createServer, type Server } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono, type Context as AnyContext } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { AskError, type Desk } from './desk.ts'
import { StatusFeed } from './feed.ts'
import { listenAt } from './socket.ts'
import {
  accountBody,
  approveBody,
  apiHeader,
  apiVersion,
  bodyBytesMax,
  decodeQuery,
  historyLinesMax,
  loginAnswerBody,
  loginBody,
  resyncBody,
  targetsBody,
} from './wire.ts'

/** People and scripts of one machine; more connections are a loop gone wild. */
const connectionsMax = 64
/** A question is small and comes from this machine. Unit: ms. */
const questionMsMax = 10_000
const historyLinesDefault = 100

interface Bindings {
  readonly Bindings: HttpBindings
}
type Context = AnyContext<Bindings>

export interface DeskServer {
  /** Ends streams and connections and takes the socket file away. */
  close(): Promise<void>
}

/**
 * Answers at `socketPath` (mode 0660) until closed. A socket that a crash left is replaced.
 * @throws OwnerError when another daemon answers there, or something that is no socket stands there.
 */
export async function serveDesk(desk: Desk, socketPath: string, deps: { clock: Clock; log: Log }): Promise<DeskServer> {
  const feed = new StatusFeed(() => desk.status(), deps.clock, deps.log)
  const server = httpServer(routes(desk, feed, deps.log))
  const place = await listenAt(server, socketPath)
  // After the first listening, an error belongs to one connection; the others go on.
  server.on('error', (error) => deps.log.error('control server', { error: error.message }))
  return {
    async close() {
      feed.close()
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

function routes(desk: Desk, feed: StatusFeed, log: Log): Hono<Bindings> {
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
  app.get('/', (context) => context.json({ api: apiVersion }))
  app.get('/status', (context) => context.json(desk.status()))
  app.get('/status/stream', (context) => streamAnswer(context, feed))
  app.get('/why', (context) => context.json(desk.why(pathAsked(context))))
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

function streamAnswer(context: Context, feed: StatusFeed): Response {
  const stream = feed.open(() => context.env.outgoing.destroy())
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
  const limit = query.get('limit') ?? String(historyLinesDefault)
  if (!/^[1-9]\d{0,5}$/.test(limit) || Number(limit) > historyLinesMax)
    throw new AskError(`limit: expected a whole number from 1 to ${historyLinesMax}, got ${limit}`)
  return desk.history(path === undefined || path === '' ? null : path, Number(limit))
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
