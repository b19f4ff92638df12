/**
 * OneDrive through Microsoft Graph v1.0 as far as an archiver uses it: dispatch, logins, answers. Each answer is held against the vendor's
 * CSDL when `checksAnswers` is set.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { Auth } from '../core/auth.ts'
import { ByteStore } from '../core/bytes.ts'
import { MovableClock } from '../core/clock.ts'
import { Emulator } from '../core/emulator.ts'
import type { Exchange } from '../core/exchange.ts'
import { LoginPages } from '../core/login-pages.ts'
import { type Answer, json, plainText, type Provider } from '../core/provider.ts'
import { Csdl } from '../spec/csdl.ts'
import { type Address, addressOf, type ItemAddress } from './address.ts'
import { Drive, type OneDriveRules, rulesOf } from './drive.ts'
import * as filing from './filing.ts'
import { contentHosts, driveJson, itemJson } from './items.ts'
import { children, delta } from './listing.ts'
import { scopes, token } from './login.ts'
import type { DriveKind } from './names.ts'
import { OwnersDrive } from './owner.ts'
import { badRequest, notFound, refusal, refusals, Refused, refusedAnswer, unauthorized } from './refusal.ts'
import { Sessions } from './sessions.ts'
import { businessIds, isWithin, type Item, personalIds, Tree } from './tree.ts'
import * as uploading from './uploading.ts'

const graphHost = 'graph.microsoft.com'
const loginHost = 'login.microsoftonline.com'
const tokenPath = /^\/[\w.-]+\/oauth2\/v2\.0\/token$/

/** What `behave` may ask for. */
const behaviours = [
  'wrong-hash',
  'no-hash',
  'rewrite',
  'full',
  'forget-session',
  'session-not-yet',
  'stale-url',
  'bad-range',
  'rewind',
  'exists',
  'not-found',
  'short-page',
  'empty-page',
  'repeat-entry',
  'children-first',
  'bad-page-token',
  'resync',
  'drive-id-flip',
  'ignore-range',
  'corrupt',
  'malware',
] as const

const rulesChange = z
  .strictObject({
    foldsUnicode: z.boolean(),
    quotaBytes: z.number(),
    patchMakesVersion: z.boolean(),
    pageEntries: z.number(),
    pageEntriesMax: z.number(),
    simpleBytesMax: z.number(),
    missingParents: z.enum(['refuse', 'create']),
    hasSha1: z.boolean(),
    rewritesDocuments: z.boolean(),
    deletesForEver: z.boolean(),
    appSeesDrive: z.boolean(),
    deltaOfFolders: z.boolean(),
    wholeSeconds: z.boolean(),
    reservesNames: z.boolean(),
    sessionMs: z.number(),
    urlMs: z.number(),
    refusesBearer: z.boolean(),
    alignsFragments: z.boolean(),
    fragmentBytesMax: z.number(),
    fileBytesMax: z.number(),
    commits: z.enum(['put', 'either']),
  })
  .partial()

/** A route's name, by the method and the address's last word. */
const routes: Readonly<Record<string, string>> = {
  'GET item': 'item',
  'PATCH item': 'update',
  'DELETE item': 'delete',
  'PUT item': 'commit',
  'GET children': 'children',
  'POST children': 'create-folder',
  'GET content': 'content',
  'PUT content': 'upload',
  'POST createUploadSession': 'create-session',
  'POST copy': 'copy',
  'GET versions': 'versions',
  'DELETE versions': 'delete-version',
  'POST permanentDelete': 'delete-for-ever',
  'GET delta': 'delta',
}
const sessionRoutes: Readonly<Record<string, string>> = {
  PUT: 'fragment',
  GET: 'session',
  DELETE: 'cancel-session',
  POST: 'commit-session',
}

/** Tokens live 60 to 90 minutes. Unit: ms. */
const accessLifeMs = 75 * 60_000

class OneDrive implements Provider {
  readonly hosts = [graphHost, loginHost, ...contentHosts]
  readonly refusals = refusals
  readonly behaviours = behaviours
  readonly drive: Drive
  /** Consent, devices' codes, first tokens. */
  readonly pages: LoginPages
  readonly owner: OwnersDrive
  readonly facts: Readonly<Record<string, string>>
  readonly #auth: Auth
  readonly #csdl = new Csdl()
  readonly #checksAnswers: boolean

  constructor(drive: Drive, auth: Auth, checksAnswers: boolean) {
    this.drive = drive
    this.pages = new LoginPages(auth, drive.clock, 'onedrive')
    this.owner = new OwnersDrive(drive)
    this.facts = { driveId: drive.id, driveType: drive.rules.driveType }
    this.#auth = auth
    this.#checksAnswers = checksAnswers
  }

  set(settings: unknown): void {
    const given = Object.entries(rulesChange.parse(settings)).filter(([, value]) => value !== undefined)
    this.drive.obey({ ...this.drive.rules, ...Object.fromEntries(given) })
  }

  routeOf(method: string, path: string): string {
    if (tokenPath.test(path)) return 'token'
    if (path.endsWith('/uploadSession')) return sessionRoutes[method] ?? 'unknown'
    if (path === '/_download') return 'download'
    if (path === '/_monitor') return 'monitor'
    const address = addressOf(path)
    if (address === undefined) return 'unknown'
    if (address.kind !== 'item') return address.kind
    if (address.start.kind === 'approot' && address.names.length === 0 && address.tail === 'item') return 'approot'
    return routes[`${method} ${address.tail}`] ?? 'unknown'
  }

  refusal(name: string, retryAfterS: number | undefined): Answer {
    return refusal(name, retryAfterS)
  }

  async answer(exchange: Exchange): Promise<Answer> {
    const told = {
      'request-id': randomUUID(),
      'client-request-id': exchange.header('client-request-id') ?? randomUUID(),
    }
    const answer = await this.#answered(exchange)
    return { ...answer, headers: { ...told, ...answer.headers } }
  }

  async #answered(exchange: Exchange): Promise<Answer> {
    try {
      const route = this.routeOf(exchange.method, exchange.url.pathname)
      const page = await this.pages.answer(exchange)
      if (page !== undefined) return page
      if (route === 'token') return await token(this.#auth, exchange)
      const answer = (await this.#byUrl(route, exchange)) ?? (await this.#byLogin(route, exchange))
      this.#check(route, answer)
      return answer
    } catch (error) {
      if (error instanceof Refused) return refusedAnswer(error)
      throw error
    }
  }

  /** What needs no login: the address is the right. */
  async #byUrl(route: string, exchange: Exchange): Promise<Answer | undefined> {
    const { drive } = this
    switch (route) {
      case 'fragment':
        return uploading.fragment(drive, exchange)
      case 'session':
        return uploading.sessionStatus(drive, exchange)
      case 'cancel-session':
        return uploading.cancel(drive, exchange)
      case 'commit-session':
        return uploading.commitAtUrl(drive, exchange)
      case 'download':
        return filing.download(drive, exchange)
      case 'monitor':
        return filing.monitor(exchange)
      default:
        return undefined
    }
  }

  async #byLogin(route: string, exchange: Exchange): Promise<Answer> {
    if (exchange.host !== graphHost && !/^[\d.]+$/.test(exchange.host)) return plainText(404, 'no such host')
    const isApp = this.#expectLogin(exchange)
    const address = addressOf(exchange.url.pathname)
    if (address === undefined || route === 'unknown') throw badRequest('Resource not found for the segment')
    this.#expectDrive(address)
    const { drive } = this
    if (address.kind !== 'item') {
      if (isApp && !drive.rules.appSeesDrive) throw new Refused(403, 'accessDenied')
      return json(200, address.kind === 'drives' ? { value: [driveJson(drive)] } : driveJson(drive))
    }
    const start = this.#startOf(address)
    if (isApp && !isWithin(start, drive.appFolder())) throw new Refused(403, 'accessDenied')
    // A folder called so breaks addresses without their last colon.
    if (address.isOpen && address.names.at(-1)?.toLowerCase() === 'photo') throw badRequest('Invalid resource')
    return this.#ofItem(route, address, start, exchange)
  }

  async #ofItem(route: string, address: ItemAddress, start: Item, exchange: Exchange): Promise<Answer> {
    const { drive } = this
    if (route === 'upload') return uploading.putContent(drive, start, address, exchange)
    if (route === 'create-session') return uploading.createSession(drive, start, address, exchange)
    if (route === 'commit') return uploading.commitItem(drive, exchange)
    if (exchange.behaves('not-found') !== undefined) throw notFound()
    const item = drive.tree.find(start, address.names)
    switch (route) {
      case 'children':
        return json(200, children(drive, item, exchange))
      case 'create-folder':
        return filing.makeFolder(drive, item, exchange)
      case 'update':
        return filing.change(drive, item, exchange)
      case 'delete':
        return filing.remove(drive, item, exchange)
      case 'delete-for-ever':
        return filing.removeForEver(drive, item)
      case 'content':
        return filing.content(drive, item, exchange)
      case 'versions':
        return json(200, filing.versions(drive, item))
      case 'delete-version':
        return filing.removeVersion(drive, item, address.rest ?? '')
      case 'copy':
        return filing.copy(drive, item, exchange)
      case 'delta':
        return json(200, delta(drive, item, exchange))
      default:
        return json(200, itemJson(item, drive, exchange))
    }
  }

  /** True where the login sees the app's folder only. @throws Refused */
  #expectLogin(exchange: Exchange): boolean {
    const bearer = /^Bearer (.*)$/i.exec(exchange.headers.authorization ?? '')?.[1]
    const state = this.#auth.stateOf(bearer ?? '')
    if (state.kind !== 'good') throw unauthorized(state.kind === 'expired')
    const given = state.login.scopes
    return (
      given.includes('Files.ReadWrite.AppFolder') && !given.some((scope) => /^Files\.ReadWrite(\.All)?$/.test(scope))
    )
  }

  #expectDrive(address: Address): void {
    const asked = address.kind === 'drives' ? undefined : address.drive
    if (asked !== undefined && !this.drive.isCalled(asked)) throw new Refused(404, 'itemNotFound')
  }

  #startOf({ start }: ItemAddress): Item {
    if (start.kind === 'approot') return this.drive.appFolder()
    const { tree } = this.drive
    const item = start.kind === 'root' || start.id === 'root' ? tree.root : tree.byId(start.id)
    if (item === undefined) throw notFound()
    return item
  }

  #check(route: string, { status, body }: Answer): void {
    if (!this.#checksAnswers || typeof body !== 'string' || body === '' || status >= 300) return
    this.#csdl.checkAnswer(route, JSON.parse(body))
  }
}

export interface OneDriveOptions {
  /** Emptied first. */
  readonly folder: string
  readonly driveType?: DriveKind
  readonly checksAnswers?: boolean
  readonly rules?: Partial<OneDriveRules>
  readonly clock?: MovableClock
}

export type OneDriveEmulator = Emulator<OneDrive>

const driveIds = {
  personal: '0A1B2C3D4E5F6071',
  business: 'b!fanfoldAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  documentLibrary: 'b!libraryAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
}

/** Not listening yet: `start` does. */
export function oneDriveEmulator({
  folder,
  driveType = 'personal',
  checksAnswers = false,
  rules: given,
  clock = new MovableClock(),
}: OneDriveOptions): OneDriveEmulator {
  const rules = { ...rulesOf(driveType), ...given }
  const store = new ByteStore(join(folder, 'bytes'), rules.hasSha1 ? ['quickxor', 'sha1'] : ['quickxor'])
  const id = driveIds[driveType]
  const tree = new Tree(clock, rules, driveType === 'personal' ? personalIds(id) : businessIds())
  const sessions = new Sessions(store, clock, rules)
  const client = { clientId: 'emulated-app-1', clientSecret: 'emulatedsecret1' }
  const auth = new Auth({ clock, client, accessLifeMs, refreshTokens: 'renew', accessPrefix: 'EwB', scopes })
  const drive = new Drive({ rules, id, store, tree, sessions, clock })
  return new Emulator({ provider: new OneDrive(drive, auth, checksAnswers), auth, clock })
}
