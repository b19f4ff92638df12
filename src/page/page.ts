/**
 * The door of the page room: a server on this machine for the status page, the health, the metrics (F117). It is a guest of the daemon: an
 * address that cannot be had is told and tried again, and nothing else waits for it.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Clock } from '../base/clock.ts'
import { asError, errnoOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { PageAddress, StatusConfig } from '../config/config.ts'
import { listenAt, StatusFeed, type Desk, type PageAccess, type Status } from '../control/control.ts'
import type { AttemptFacts, Facts } from './facts.ts'
import type { Metrics } from './metrics.ts'
import { pageRoutes } from './routes.ts'
import { tokenIn } from './token.ts'
import { Trend } from './trend.ts'

export type { AttemptFacts, Facts } from './facts.ts'

/** Browsers of one machine, a scraper, a balancer; more are a loop gone wild. */
const connectionsMax = 64
/** A question is small and comes from near by. Unit: ms. */
const questionMsMax = 10_000
/** An address that is taken may be free later: a page is nothing to end a daemon for. Unit: ms. */
const againMs = 10_000

export interface PageParts {
  readonly desk: Desk
  /** Where the token is kept. */
  readonly tokenFile: string
  readonly facts: () => Facts
  /** Somebody looks at the page now. */
  readonly onLook: () => void
  readonly clock: Clock
  readonly log: Log
}

interface Place {
  readonly address: string
  readonly port: number | undefined
  close(): Promise<void>
}

export class Page {
  readonly #parts: PageParts
  readonly #feed: StatusFeed
  readonly #trend = new Trend()
  #config: StatusConfig = { listen: undefined, hosts: [] }
  #token: string | undefined
  #place: Place | undefined
  #problem: string | null = null
  #tasks: Tasks | undefined
  #metrics: Metrics | undefined

  constructor(parts: PageParts) {
    this.#parts = parts
    this.#feed = new StatusFeed(() => this.#look(), parts.clock, parts.log)
  }

  /** Where the page is, and what lets it act. */
  access(): PageAccess {
    const nowhere = 'no address is configured; give one, such as "status: { listen: 127.0.0.1:8384 }"'
    const address = this.#place?.address ?? null
    return { address, reason: address === null ? (this.#problem ?? nowhere) : null, token: this.#ownToken() }
  }

  /** Serves as `config` says. Resolves when that is so, or when it is clear that it cannot be now. */
  async change(config: StatusConfig): Promise<void> {
    const isSamePlace = JSON.stringify(config.listen) === JSON.stringify(this.#config.listen)
    this.#config = config
    // Names are asked for with each question.
    if (isSamePlace) return
    await this.close()
    const { listen } = config
    if (listen === undefined) return
    // Made at the first start, so that whoever may read it finds it.
    this.#ownToken()
    // Loaded where somebody may ask for them only.
    const { Metrics } = await import('./metrics.ts')
    this.#metrics ??= new Metrics(this.#parts.facts)
    await this.#listen(listen)
    if (this.#place === undefined) this.#tasks = this.#tryAgain(listen)
  }

  /** Counts an attempt that is over. */
  attempted(attempt: AttemptFacts): void {
    this.#metrics?.attempted(attempt)
  }

  async close(): Promise<void> {
    await this.#tasks?.stop()
    this.#tasks = undefined
    this.#feed.close()
    await this.#place?.close()
    this.#place = undefined
    this.#problem = null
  }

  #tryAgain(listen: PageAddress): Tasks {
    const { clock, log } = this.#parts
    const tasks = new Tasks((_, error) => log.error('page failed', { error: error.message }))
    tasks.run('listen', async (signal) => {
      while (this.#place === undefined) {
        await clock.sleep(againMs, signal)
        await this.#listen(listen)
      }
    })
    return tasks
  }

  async #listen(listen: PageAddress): Promise<void> {
    const { log } = this.#parts
    const server = this.#server()
    try {
      this.#place = listen.kind === 'tcp' ? await listenOn(server, listen) : await socketAt(server, listen.path)
      // After the first listening, an error belongs to one connection; the others go on.
      server.on('error', (error) => log.error('page server', { error: error.message }))
      log.info('page served', { address: this.#place.address })
      this.#problem = null
    } catch (thrown) {
      const reason = reasonOf(thrown, listen)
      if (reason !== this.#problem) log.warn('page not served', { reason })
      this.#problem = reason
    }
  }

  #server(): Server {
    const app = pageRoutes({
      ...this.#parts,
      metrics: async () => (await this.#metrics?.text()) ?? '',
      feed: this.#feed,
      trend: this.#trend,
      config: () => this.#config,
      port: () => this.#place?.port,
      token: () => this.#ownToken(),
    })
    // The program's own globals stay Node's.
    const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false })
    const server = createServer({ requestTimeout: questionMsMax, headersTimeout: questionMsMax }, (question, reply) => {
      answer(question, reply).catch(() => reply.destroy())
    })
    server.maxConnections = connectionsMax
    return server
  }

  #look(): Status {
    const { desk, clock, onLook } = this.#parts
    onLook()
    const status = desk.status()
    this.#trend.add(status, clock.wallMs())
    return status
  }

  #ownToken(): string {
    const { tokenFile, log } = this.#parts
    this.#token ??= tokenIn(tokenFile, (reason) => log.warn('page token not kept', { reason }))
    return this.#token
  }
}

async function listenOn(server: Server, { host, port }: Extract<PageAddress, { kind: 'tcp' }>): Promise<Place> {
  server.listen({ host, port })
  await once(server, 'listening')
  const bound = server.address()
  const own = typeof bound === 'object' && bound !== null ? bound.port : port
  const shown = host.includes(':') ? `[${host}]` : host
  return { address: `http://${shown}:${own}/`, port: own, close: () => closed(server) }
}

async function socketAt(server: Server, path: string): Promise<Place> {
  const made = await listenAt(server, path)
  return { address: `unix:${path}`, port: undefined, close: () => made.close() }
}

async function closed(server: Server): Promise<void> {
  const end = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await end
}

function reasonOf(thrown: unknown, listen: PageAddress): string {
  const where = listen.kind === 'tcp' ? `${listen.host}:${listen.port}` : listen.path
  const code = errnoOf(thrown)
  if (code === 'EADDRINUSE') return `${where} is in use by another program; give another "status: listen:", or end that`
  if (code === 'EACCES') return `${where} is not allowed to this user; give a port above 1023, or another folder`
  return `${where} cannot be listened at: ${asError(thrown).message}`
}
