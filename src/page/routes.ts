/** What the page's server answers: the page, the health, the live status, the metrics, and of the Desk's questions those that a page may ask. */
import { Hono, type Context as AnyContext } from 'hono'
import type { Log } from '../base/log.ts'
import { deskRoutes, type Bindings, type Desk, type StatusFeed } from '../control/control.ts'
import { assetAt } from './assets.ts'
import { guard, isRead, type GuardParts } from './guard.ts'
import type { Trend } from './trend.ts'

type Context = AnyContext<Bindings>

export interface RouteParts extends GuardParts {
  readonly desk: Desk
  readonly feed: StatusFeed
  readonly trend: Trend
  /** In Prometheus's text form. */
  readonly metrics: () => Promise<string>
  readonly log: Log
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

export function pageRoutes(parts: RouteParts): Hono<Bindings> {
  const { desk, feed, trend, metrics, log } = parts
  const app = new Hono<Bindings>()
  app.use(guard(parts))
  app.get('/health', (context) => healthAnswer(context, desk))
  app.get('/events', (context) => eventsAnswer(context, feed))
  app.get('/trend', (context) => context.json(trend.samples, 200, { 'cache-control': 'no-store' }))
  app.get('/metrics', async (context) => context.body(await metrics(), 200, { 'content-type': metricsType }))
  app.get('*', async (context, next) => assetAnswer(context) ?? (await next()))
  const questions = deskRoutes(desk, log)
  // What is read is a matter of this list; what acts was let through by the guard.
  app.get('*', (context, next) => (isRead(context.req.path) ? next() : Promise.resolve(absent(context))))
  app.route('/', questions)
  app.notFound(absent)
  return app
}

function absent(context: AnyContext): Response {
  return context.json({ error: `there is nothing at ${context.req.path}` }, 404)
}

/** For load balancers and whoever watches from outside: the verdict of `status`, with its reasons. */
function healthAnswer(context: Context, desk: Desk): Response {
  const { healthy, reasons } = desk.status()
  return context.json({ healthy, reasons }, healthy ? 200 : 503, { 'cache-control': 'no-store' })
}

function eventsAnswer(context: Context, feed: StatusFeed): Response {
  const stream = feed.open(() => context.env.outgoing.destroy())
  if (stream === undefined) return context.json({ error: 'too many look at the page already' }, 503)
  return context.body(stream, 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
}

function assetAnswer(context: Context): Response | undefined {
  const asset = assetAt(context.req.path)
  if (asset === undefined) return undefined
  const headers = { 'content-type': asset.type, 'cache-control': 'no-cache', etag: asset.tag }
  if (context.req.header('if-none-match') === asset.tag) return context.body(null, 304, headers)
  return context.body(asset.body, 200, headers)
}
