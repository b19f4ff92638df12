/**
 * Google Drive's API v3 as far as an archiver uses it: dispatch, logins, answers. Each answer is held against the discovery document when
 * `checksAnswers` is set, and cut to the `fields` that were asked for, always.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { Auth } from '../core/auth.ts'
import { ByteStore } from '../core/bytes.ts'
import { MovableClock } from '../core/clock.ts'
import { Emulator } from '../core/emulator.ts'
import type { Exchange } from '../core/exchange.ts'
import { LoginPages } from '../core/login-pages.ts'
import { type Answer, json, type Provider } from '../core/provider.ts'
import { Discovery } from '../spec/discovery.ts'
import { Account, type DriveRules, rulesByDefault, View } from './account.ts'
import * as files from './files.ts'
import { type Item, Items } from './items.ts'
import { Listings } from './listings.ts'
import { fullScope, revoke, token } from './login.ts'
import { OwnersDrive } from './owner.ts'
import { projected } from './projection.ts'
import { invalid, jsonType, notFound, refusal, refusals, Refused, refusedAnswer, unauthorized } from './refusal.ts'
import { fileFieldsByDefault } from './resources.ts'
import { Uploads } from './uploads.ts'

/** What `behave` may ask for. Those with a value: partial-accept (bytes), forget-session (status). */
const behaviours = [
  'wrong-hash',
  'no-sha256',
  'forget-session',
  'partial-accept',
  'store-nothing',
  'id-in-use',
  'full',
  'stale-names',
  'incomplete-search',
  'reject-page-token',
  'drop-parent',
  'abusive',
  'corrupt',
] as const

const rulesChange = z
  .strictObject({
    quotaBytes: z.number(),
    childrenMax: z.number(),
    depthMax: z.number(),
    belowTrashed: z.enum(['succeeds', 'notFound']),
    nameLagMs: z.number(),
    idsOfFolders: z.enum(['taken', 'refused']),
    idConflict: z.enum(['open', 'commit']),
    rootOfOwnScope: z.enum(['notFound', 'told']),
    cancelStatus: z.union([z.literal(499), z.literal(204)]),
    pageEntriesMax: z.number(),
  })
  .partial()

/** Unit: ms. */
const accessLifeMs = 3599 * 1000

/** A method, and the ids of its address. */
interface Route {
  readonly name: string
  readonly ids: readonly string[]
}

const routes: readonly (readonly [method: string, form: RegExp, name: string])[] = [
  ['POST', /^\/token$/, 'token'],
  ['POST', /^\/revoke$/, 'revoke'],
  ['GET', /^\/drive\/v3\/about$/, 'about.get'],
  ['GET', /^\/drive\/v3\/changes\/startPageToken$/, 'changes.getStartPageToken'],
  ['GET', /^\/drive\/v3\/changes$/, 'changes.list'],
  ['GET', /^\/drive\/v3\/drives$/, 'drives.list'],
  ['GET', /^\/drive\/v3\/drives\/([^/]+)$/, 'drives.get'],
  ['GET', /^\/drive\/v3\/files$/, 'files.list'],
  ['POST', /^\/drive\/v3\/files$/, 'files.create'],
  ['GET', /^\/drive\/v3\/files\/generateIds$/, 'files.generateIds'],
  ['DELETE', /^\/drive\/v3\/files\/trash$/, 'files.emptyTrash'],
  ['GET', /^\/drive\/v3\/files\/([^/]+)$/, 'files.get'],
  ['PATCH', /^\/drive\/v3\/files\/([^/]+)$/, 'files.update'],
  ['DELETE', /^\/drive\/v3\/files\/([^/]+)$/, 'files.delete'],
  ['POST', /^\/drive\/v3\/files\/([^/]+)\/copy$/, 'files.copy'],
  ['GET', /^\/drive\/v3\/files\/([^/]+)\/revisions$/, 'revisions.list'],
  ['GET', /^\/drive\/v3\/files\/([^/]+)\/revisions\/([^/]+)$/, 'revisions.get'],
  ['POST', /^\/upload\/drive\/v3\/files$/, 'upload.create'],
  ['PATCH', /^\/upload\/drive\/v3\/files\/([^/]+)$/, 'upload.update'],
  ['PUT', /^\/upload\/drive\/v3\/files(?:\/[^/]+)?$/, 'upload.session'],
  ['DELETE', /^\/upload\/drive\/v3\/files(?:\/[^/]+)?$/, 'upload.session'],
]

function routeTo(method: string, path: string, query: URLSearchParams): Route | undefined {
  // rclone sends its pieces by POST.
  if (query.has('upload_id') && path.startsWith('/upload/')) return { name: 'upload.session', ids: [] }
  for (const [wanted, form, name] of routes) {
    const found = wanted === method ? form.exec(path) : null
    if (found === null) continue
    const isMedia = query.get('alt') === 'media' && (name === 'files.get' || name === 'revisions.get')
    return { name: isMedia ? 'files.download' : name, ids: found.slice(1).map(decodeURIComponent) }
  }
  return undefined
}

class GoogleDrive implements Provider {
  readonly hosts = ['www.googleapis.com', 'oauth2.googleapis.com', 'accounts.google.com']
  readonly refusals = refusals
  readonly behaviours = behaviours
  readonly account: Account
  readonly pages: LoginPages
  readonly owner: OwnersDrive
  readonly #auth: Auth
  readonly #discovery = new Discovery()
  readonly #listings = new Listings()
  readonly #uploads: Uploads
  readonly #checksAnswers: boolean

  constructor(account: Account, auth: Auth, checksAnswers: boolean) {
    this.account = account
    this.pages = new LoginPages(auth, account.clock, 'google-drive')
    this.owner = new OwnersDrive(account)
    this.#uploads = new Uploads(account)
    this.#auth = auth
    this.#checksAnswers = checksAnswers
  }

  set(settings: unknown): void {
    const given = Object.entries(rulesChange.parse(settings)).filter(([, value]) => value !== undefined)
    this.account.obey({ ...this.account.rules, ...Object.fromEntries(given) })
  }

  routeOf(method: string, path: string, query: URLSearchParams): string {
    return routeTo(method, path, query)?.name ?? `${method} ${path}`
  }

  refusal(name: string, retryAfterS: number | undefined): Answer {
    return refusal(name, retryAfterS)
  }

  async answer(exchange: Exchange): Promise<Answer> {
    const page = await this.pages.answer(exchange)
    if (page !== undefined) return page
    const route = routeTo(exchange.method, exchange.url.pathname, exchange.url.searchParams)
    if (route === undefined) return refusedAnswer(new Refused(404, 'notFound', 'Not Found'))
    if (route.name === 'token') return token(this.#auth, exchange)
    if (route.name === 'revoke') return revoke(this.#auth, exchange)
    const bearer = /^Bearer (.*)$/.exec(exchange.headers.authorization ?? '')?.[1]
    const state = this.#auth.stateOf(bearer ?? '')
    if (state.kind !== 'good') return unauthorized()
    exchange.record.words = exchange.url.search.slice(0, wordsMax)
    try {
      return await this.#call(route, new View(this.account, exchange, state.login.scopes))
    } catch (error) {
      if (error instanceof Refused) return refusedAnswer(error)
      throw error
    }
  }

  async #call({ name, ids }: Route, view: View): Promise<Answer> {
    const [id = '', second] = ids
    const { exchange } = view
    switch (name) {
      case 'files.download':
        return files.download(view, id, second)
      case 'files.list':
        return this.#told(
          view,
          name,
          this.#listings.files(view),
          'kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)',
        )
      case 'files.get':
        return this.#told(view, name, files.get(view, id))
      case 'files.create':
        return this.#file(view, files.create(view, await exchange.text()))
      case 'files.update':
        return this.#file(view, files.update(view, id, await exchange.text()))
      case 'files.copy':
        return this.#file(view, files.copy(view, id, await exchange.text()))
      case 'files.delete':
        files.remove(view, id)
        return nothing
      case 'files.emptyTrash':
        files.emptyTrash(view)
        return nothing
      case 'files.generateIds':
        return this.#told(view, name, files.generateIds(view, Number(view.param('count') ?? 10)), '*')
      case 'about.get':
        if (view.param('fields') === undefined)
          throw new Refused(400, 'required', "The 'fields' parameter is required for this method.")
        return this.#told(view, name, files.about(view))
      case 'changes.getStartPageToken':
        return this.#told(
          view,
          name,
          { kind: 'drive#startPageToken', startPageToken: String(this.account.items.lastSeq) },
          '*',
        )
      case 'changes.list':
        return this.#told(view, name, this.#listings.changes(view), '*')
      case 'drives.get':
        return this.#told(view, name, files.drive(id), '*')
      case 'drives.list':
        return this.#told(
          view,
          name,
          { kind: 'drive#driveList', drives: [files.drive(this.account.items.sharedRoot.id)] },
          '*',
        )
      case 'revisions.list':
        return this.#told(view, name, files.revisions(view, id), '*')
      default:
        return this.#upload(name, id, view)
    }
  }

  async #upload(name: string, id: string, view: View): Promise<Answer> {
    const { exchange } = view
    if (name === 'upload.session') {
      const session = exchange.url.searchParams.get('upload_id') ?? ''
      if (exchange.method === 'DELETE') return this.#uploads.cancel(session)
      const uploaded = await this.#uploads.send(view, session)
      return uploaded.kind === 'answer' ? uploaded.answer : this.#file(uploaded.view, uploaded.item, exchange)
    }
    const of = name === 'upload.update' ? view.find(id) : undefined
    switch (view.param('uploadType')) {
      case 'resumable':
        return this.#uploads.open(view, of)
      case 'multipart':
      case 'media':
        return this.#file(view, await this.#uploads.whole(view, of))
      case undefined:
      default:
        throw invalid('Invalid upload request.')
    }
  }

  #file(view: View, item: Item, exchange = view.exchange): Answer {
    if (this.account.items.get(item.id) === undefined) throw notFound(item.id)
    const shown = files.shown(new View(this.account, exchange, [fullScope]), item)
    return this.#told(view, 'files.get', shown)
  }

  #told(view: View, method: string, value: Readonly<Record<string, unknown>>, byDefault = fileFieldsByDefault): Answer {
    const answer = projected(value, view.param('fields') ?? byDefault)
    if (this.#checksAnswers) this.#discovery.checkResponse(method, answer)
    return json(200, answer, { 'Content-Type': jsonType })
  }
}

/** Of an address, for the record. Unit: characters. */
const wordsMax = 2000
const nothing: Answer = { status: 204, headers: {}, body: '' }

export interface GoogleDriveOptions {
  /** Emptied first. */
  readonly folder: string
  readonly checksAnswers?: boolean
  readonly rules?: Partial<DriveRules>
  readonly clock?: MovableClock
}

export type GoogleDriveEmulator = Emulator<GoogleDrive>

/** Not listening yet: `start` does. */
export function googleDriveEmulator({
  folder,
  checksAnswers = false,
  rules: given,
  clock = new MovableClock(),
}: GoogleDriveOptions): GoogleDriveEmulator {
  const rules = { ...rulesByDefault, ...given }
  const store = new ByteStore(join(folder, 'bytes'), ['md5', 'sha256'])
  const client = { clientId: 'emulated.apps.googleusercontent.com', clientSecret: 'GOCSPX-emulated' }
  const scopes = [fullScope]
  const auth = new Auth({ clock, client, accessLifeMs, refreshTokens: 'stay', accessPrefix: 'ya29.', scopes })
  const account = new Account({ rules, store, items: new Items(clock, rules), clock })
  return new Emulator({ provider: new GoogleDrive(account, auth, checksAnswers), auth, clock })
}
