/**
 * Box's API 2.0 as far as an archiver uses it: routes, hosts, logins, the form of answers. Each answer is held against Box's OpenAPI
 * description when `checksAnswers` is set.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { Auth } from '../core/auth.ts'
import { ByteStore } from '../core/bytes.ts'
import { MovableClock } from '../core/clock.ts'
import { Emulator } from '../core/emulator.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json, type Provider } from '../core/provider.ts'
import { OpenApi } from '../spec/openapi.ts'
import { Account, type BoxRules, currentUser, rulesByDefault } from './account.ts'
import * as filing from './filing.ts'
import { LoginPages } from '../core/login-pages.ts'
import { Logins, scopes } from './login.ts'
import type { Outcome } from './outcome.ts'
import { OwnersFolder } from './owner.ts'
import { refusal, refusals, Refused, refusedAnswer, unauthorized } from './refusal.ts'
import { Sessions } from './sessions.ts'
import { Tree } from './tree.ts'
import * as uploading from './uploading.ts'

type Work = (account: Account, exchange: Exchange, id: string) => Outcome | Promise<Outcome>

interface Route {
  readonly name: string
  readonly method: string
  /** With one group for the id, where there is one. */
  readonly path: RegExp
  /** As the description calls it. */
  readonly described: string
  readonly host: 'api' | 'upload'
  readonly work: Work
}

const file = '/files/{file_id}'
const folder = '/folders/{folder_id}'
const session = '/files/upload_sessions/{upload_session_id}'

/** Below /2.0; the first that fits counts. */
const routes: readonly Route[] = [
  route('users/me', 'GET', '/users/me', 'api', (account, exchange) => ({
    status: 200,
    value: currentUser(account, exchange),
  })),
  route('files/preflight', 'OPTIONS', '/files/content', 'api', (account, exchange) =>
    uploading.check(account, exchange, undefined),
  ),
  route('files/upload', 'POST', '/files/content', 'upload', uploading.upload),
  route('sessions/create', 'POST', '/files/upload_sessions', 'upload', (account, exchange) =>
    uploading.createSession(account, exchange, undefined),
  ),
  route('sessions/create_version', 'POST', `${file}/upload_sessions`, 'upload', uploading.createSession),
  route('sessions/parts', 'GET', `${session}/parts`, 'upload', uploading.listParts),
  route('sessions/commit', 'POST', `${session}/commit`, 'upload', uploading.commit),
  route('sessions/status', 'GET', session, 'upload', uploading.sessionStatus),
  route('sessions/part', 'PUT', session, 'upload', uploading.putPart),
  route('sessions/abort', 'DELETE', session, 'upload', uploading.abortSession),
  // The description knows no check before a version; its answers are those of the one before a file.
  { ...route('files/preflight', 'OPTIONS', `${file}/content`, 'api', uploading.check), described: '/files/content' },
  route('files/upload_version', 'POST', `${file}/content`, 'upload', uploading.uploadVersion),
  route('files/copy', 'POST', `${file}/copy`, 'api', filing.copyFile),
  route('files/get_trashed', 'GET', `${file}/trash`, 'api', filing.getTrashed),
  route('files/purge', 'DELETE', `${file}/trash`, 'api', filing.purge),
  route('files/versions', 'GET', `${file}/versions`, 'api', filing.versions),
  route('files/get', 'GET', file, 'api', filing.getFile),
  route('files/restore', 'POST', file, 'api', filing.restore),
  route('files/update', 'PUT', file, 'api', filing.updateFile),
  route('files/delete', 'DELETE', file, 'api', filing.removeFile),
  route('folders/create', 'POST', '/folders', 'api', filing.createFolder),
  route('folders/trash_items', 'GET', '/folders/trash/items', 'api', filing.listTrash),
  route('folders/items', 'GET', `${folder}/items`, 'api', filing.listFolder),
  route('folders/get_trashed', 'GET', `${folder}/trash`, 'api', filing.getTrashed),
  route('folders/purge', 'DELETE', `${folder}/trash`, 'api', filing.purge),
  route('folders/get', 'GET', folder, 'api', filing.getFolder),
  route('folders/restore', 'POST', folder, 'api', filing.restore),
  route('folders/update', 'PUT', folder, 'api', filing.updateFolder),
  route('folders/delete', 'DELETE', folder, 'api', filing.removeFolder),
  route('events', 'GET', '/events', 'api', filing.events),
  route('events/servers', 'OPTIONS', '/events', 'api', filing.realtimeServers),
]

function route(name: string, method: string, described: string, host: Route['host'], work: Work): Route {
  return { name, method, described, host, work, path: new RegExp(`^${described.replace(/\{\w+\}/g, '([^/]+)')}/?$`) }
}

const apiHost = 'api.box.com'
const uploadHost = 'upload.box.com'
const hosts = [apiHost, uploadHost, 'app.box.com', 'account.box.com', 'dl.boxcloud.com']

/** What `behave` may ask for. With a value: commit-202, commit-later, not-ready (seconds). */
const behaviours = [
  'wrong-hash',
  'no-hash',
  'bad-digest',
  'full',
  'short-page',
  'web-link',
  'unknown-type',
  'forget-session',
  'session-conflict',
  'commit-202',
  'commit-later',
  'not-ready',
  'corrupt',
  'duplicate-events',
  'reordered-events',
] as const

const rulesChange = z
  .strictObject({
    quotaBytes: z.number(),
    fileBytesMax: z.number(),
    normalisesIncoming: z.boolean(),
    keepsVersions: z.boolean(),
    sessionBytesMin: z.number(),
    directBytesMax: z.number(),
    partBytes: z.number(),
    commitWaits: z.number(),
    sessionConflict: z.enum(['never', 'same-name']),
    finishedSession: z.enum(['gone', 'answers']),
    floatSizes: z.boolean(),
    headerCase: z.enum(['lower', 'proper', 'upper']),
    lastMarker: z.enum(['null', 'absent', 'empty']),
    fileConflicts: z.enum(['object', 'array']),
    versionStatus: z.union([z.literal(200), z.literal(201)]),
    uploadsPerMinute: z.number(),
    streamPosition: z.enum(['number', 'string']),
  })
  .partial()

class Box implements Provider {
  readonly hosts = hosts
  readonly refusals = refusals
  readonly behaviours = behaviours
  readonly account: Account
  readonly pages: LoginPages
  readonly owner: OwnersFolder
  readonly #auth: Auth
  readonly #logins: Logins
  readonly #downloads = new filing.Downloads()
  readonly #description: OpenApi | undefined

  constructor(account: Account, auth: Auth, checksAnswers: boolean) {
    this.account = account
    this.owner = new OwnersFolder(account)
    this.pages = new LoginPages(auth, account.clock, 'box')
    this.#auth = auth
    this.#logins = new Logins(auth, account.clock)
    // The list of codes is too short, and conflicts of files are described as arrays.
    const gaps = ['code', 'context_info']
    if (checksAnswers) this.#description = new OpenApi(new URL('../spec/box.openapi.json', import.meta.url), gaps)
  }

  set(settings: unknown): void {
    const given = Object.entries(rulesChange.parse(settings)).filter(([, value]) => value !== undefined)
    this.account.obey({ ...this.account.rules, ...Object.fromEntries(given) })
  }

  routeOf(method: string, path: string): string {
    if (path.startsWith('/d/1/')) return 'download'
    const below = belowVersion(path)
    if (below === undefined) return path.replace(/^(\/api)?\//, '')
    if (method === 'GET' && /^\/files\/[^/]+\/content$/.test(below)) return 'files/content'
    return routes.find((each) => each.method === method && each.path.test(below))?.name ?? below.slice(1)
  }

  refusal(name: string, retryAfterS: number | undefined): Answer {
    return this.#cased(refusal(name, retryAfterS))
  }

  async answer(exchange: Exchange): Promise<Answer> {
    try {
      return this.#cased(await this.#dispatch(exchange))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return this.#cased(refusedAnswer(error))
    }
  }

  async #dispatch(exchange: Exchange): Promise<Answer> {
    const { method, url } = exchange
    const { pathname } = url
    const page = await this.pages.answer(exchange)
    if (page !== undefined) return page
    if (method === 'POST' && /^(\/api)?\/oauth2\/token$/.test(pathname)) return this.#logins.token(exchange)
    if (method === 'POST' && /^(\/api)?\/oauth2\/revoke$/.test(pathname)) return this.#logins.revoke(exchange)
    const link = /^\/d\/1\/([^/]+)\/download$/.exec(pathname)?.[1]
    if (link !== undefined) return answerOf(this.#downloads.give(this.account, exchange, link), false)
    this.account.calls += 1
    const refused = this.#checkLogin(exchange)
    return refused ?? this.#call(exchange, belowVersion(pathname) ?? '')
  }

  #checkLogin({ headers }: Exchange): Answer | undefined {
    const bearer = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1] ?? ''
    const state = this.#auth.stateOf(bearer)
    if (state.kind === 'good') return undefined
    return unauthorized(state.kind === 'expired' ? 'expired_token' : 'invalid_token')
  }

  async #call(exchange: Exchange, path: string): Promise<Answer> {
    const { method } = exchange
    const content = method === 'GET' ? /^\/files\/([^/]+)\/content$/.exec(path)?.[1] : undefined
    if (content !== undefined) return answerOf(this.#downloads.start(this.account, exchange, content), false)
    const found = routes.find((each) => each.method === method && each.path.test(path))
    if (found === undefined || !isAtHome(exchange, found)) throw new Refused(404, 'not_found')
    try {
      const outcome = await found.work(this.account, exchange, found.path.exec(path)?.[1] ?? '')
      if (exchange.behaves('unknown-type') === undefined)
        this.#description?.checkAnswer(method, found.described, outcome.status, outcome.value)
      return answerOf(outcome, this.account.rules.floatSizes)
    } catch (error) {
      if (error instanceof Refused) this.#checkRefusal(method, found, error)
      throw error
    }
  }

  #checkRefusal(method: string, { described }: Route, refused: Refused): void {
    const { body } = refusedAnswer(refused)
    const value: unknown = typeof body === 'string' ? JSON.parse(body) : undefined
    this.#description?.checkAnswer(method, described, refused.status, value)
  }

  #cased(answer: Answer): Answer {
    const { headerCase } = this.account.rules
    if (headerCase === 'lower') return answer
    const named = Object.entries(answer.headers).map(([name, value]) => [spelled(name, headerCase), value] as const)
    return { ...answer, headers: Object.fromEntries(named) }
  }
}

/** The path below /2.0 of the API's hosts, undefined for others. */
function belowVersion(path: string): string | undefined {
  return /^(?:\/api)?\/2\.0(\/.*)$/.exec(path)?.[1]
}

/** Whoever comes by the emulator's own address may ask for everything there; through the proxy each host has its own routes. */
function isAtHome({ host }: Exchange, { host: home }: Route): boolean {
  return !hosts.includes(host) || host === (home === 'api' ? apiHost : uploadHost)
}

function spelled(name: string, headerCase: 'proper' | 'upper'): string {
  if (headerCase === 'upper') return name.toUpperCase()
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

function answerOf({ status, value, headers = {}, stream }: Outcome, hasFloats: boolean): Answer {
  if (stream !== undefined) return { status, headers, body: stream }
  if (value === undefined) return { status, headers, body: '' }
  const answer = json(status, value, headers)
  if (!hasFloats || typeof answer.body !== 'string') return answer
  const floats = answer.body.replace(
    /"(size|space_amount|space_used|max_upload_size)":(\d+)/g,
    (_all, name: string, digits: string) => `"${name}":${Number(digits).toExponential()}`,
  )
  return { ...answer, body: floats }
}

export interface BoxOptions {
  /** Emptied first. */
  readonly folder: string
  readonly checksAnswers?: boolean
  readonly rules?: Partial<BoxRules>
  readonly clock?: MovableClock
  /** How long a refresh token that was used is still taken; whether there is such a time is not known. Default 0. Unit: ms. */
  readonly graceMs?: number
  /** Whether a rotation ends the access tokens of before, as one report says. Default true. */
  readonly rotationEndsAccess?: boolean
}

export type BoxEmulator = Emulator<Box>

const accessLifeMs = 3600 * 1000
const refreshLifeMs = 60 * 24 * 3600 * 1000
const codeLifeMs = 30_000

/** Not listening yet: `start` does. */
export function boxEmulator(options: BoxOptions): BoxEmulator {
  const { folder: place, checksAnswers = false, clock = new MovableClock() } = options
  const rules = { ...rulesByDefault, ...options.rules }
  const store = new ByteStore(join(place, 'bytes'), ['sha1'])
  const client = { clientId: 'emulatedclientid1', clientSecret: 'emulatedsecret1' }
  const auth = new Auth({
    clock,
    client,
    accessLifeMs,
    refreshTokens: 'rotate',
    graceMs: options.graceMs ?? 0,
    rotationEndsAccess: options.rotationEndsAccess ?? true,
    refreshLifeMs,
    codeLifeMs,
    accessPrefix: '',
    scopes,
  })
  const tree = new Tree(clock, rules)
  const sessions = new Sessions(store, clock, rules)
  const account = new Account({ rules, store, tree, sessions, clock })
  return new Emulator({ provider: new Box(account, auth, checksAnswers), auth, clock })
}
