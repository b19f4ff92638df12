/**
 * Dropbox API v2 as far as an archiver uses it: dispatch, arguments, logins, answers. Each answer is held against the Stone description
 * when `checksAnswers` is set; arguments always are, as the service does.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { Auth, ownerName } from '../core/auth.ts'
import { ByteStore } from '../core/bytes.ts'
import { MovableClock } from '../core/clock.ts'
import { Emulator } from '../core/emulator.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json, type OwnersHand, type Provider } from '../core/provider.ts'
import { Stone, StoneFault } from '../spec/stone.ts'
import {
  Account,
  currentAccount,
  type DropboxRules,
  rootInfo,
  rootNamespace,
  rulesByDefault,
  spaceUsage,
} from './account.ts'
import * as filing from './filing.ts'
import { Listings } from './listing.ts'
import { LoginPages } from '../core/login-pages.ts'
import { scopes, token } from './login.ts'
import { OwnersFolder } from './owner.ts'
import {
  BadRequest,
  badRequestAnswer,
  errorBody,
  refusal,
  refusals,
  Refused,
  refusedAnswer,
  unauthorized,
} from './refusal.ts'
import { Sessions } from './sessions.ts'
import { Tree } from './tree.ts'
import * as uploading from './uploading.ts'

type Handler = (account: Account, arg: unknown, exchange: Exchange) => unknown

/** By path below /2/. Download is not among them: its answer is made of two parts. */
const handlers: Readonly<Record<string, Handler>> = {
  'files/get_metadata': filing.getMetadata,
  'files/list_folder': filing.listFolder,
  'files/list_folder/continue': filing.listFolderContinue,
  'files/list_folder/get_latest_cursor': filing.latestCursor,
  'files/list_folder/longpoll': filing.longpoll,
  'files/create_folder_v2': filing.createFolder,
  'files/delete_v2': filing.remove,
  'files/move_v2': filing.move,
  'files/copy_v2': filing.copy,
  'files/list_revisions': filing.listRevisions,
  'files/restore': filing.restore,
  'files/upload': uploading.upload,
  'files/upload_session/start': uploading.start,
  'files/upload_session/start_batch': uploading.startBatch,
  'files/upload_session/append_v2': uploading.append,
  'files/upload_session/append_batch': uploading.appendBatch,
  'files/upload_session/finish': uploading.finish,
  'files/upload_session/finish_batch_v2': uploading.finishBatch,
  'users/get_space_usage': spaceUsage,
}

/** Routes whose answers hang on more than their argument. */
const ownAnswers: ReadonlySet<string> = new Set(['files/download', 'auth/token/revoke', 'users/get_current_account'])

const hostNames: Readonly<Record<string, string>> = {
  api: 'api.dropboxapi.com',
  content: 'content.dropboxapi.com',
  notify: 'notify.dropboxapi.com',
}

/** What `behave` may ask for. Those with a value: stale-listing (paths not seen yet), entries-write-lock (entries), backoff (seconds). */
const behaviours = [
  'wrong-hash',
  'no-hash',
  'hash-mismatch',
  'forget-session',
  'full',
  'write-lock',
  'entries-write-lock',
  'stale-listing',
  'short-page',
  'empty-page',
  'reset-cursor',
  'backoff',
  'not-found',
  'restricted-content',
  'unsupported-file',
  'corrupt',
] as const

const rulesChange = z
  .strictObject({
    refusesAstral: z.boolean(),
    quotaBytes: z.number(),
    filesPerCallMax: z.number(),
    updateOfMissing: z.enum(['conflict', 'write']),
    caseRename: z.enum(['conflict', 'rename']),
    movesRevise: z.boolean(),
    doubleFinish: z.enum(['not_found', 'closed', 'success']),
    resentPart: z.enum(['concurrent_session_invalid_offset', 'concurrent_session_invalid_data_size']),
    requestBytesMax: z.number(),
    fileBytesMax: z.number(),
    pageEntries: z.number(),
    commitMs: z.number(),
    rootMetadata: z.enum(['400', 'malformed_path']),
  })
  .partial()

/** Access tokens live four hours. Unit: ms. */
const accessLifeMs = 4 * 3600 * 1000

class Dropbox implements Provider {
  readonly hosts = [...Object.values(hostNames), 'www.dropbox.com', 'dropbox.com']
  readonly refusals = refusals
  readonly behaviours = behaviours
  readonly account: Account
  readonly pages: LoginPages
  readonly owner: OwnersHand
  readonly #auth: Auth
  readonly #stone: Stone
  readonly #checksAnswers: boolean

  constructor(account: Account, auth: Auth, checksAnswers: boolean) {
    this.pages = new LoginPages(auth, account.clock, 'dropbox')
    this.account = account
    this.owner = new OwnersFolder(account)
    this.#auth = auth
    this.#stone = new Stone()
    this.#checksAnswers = checksAnswers
  }

  set(settings: unknown): void {
    const given = Object.entries(rulesChange.parse(settings)).filter(([, value]) => value !== undefined)
    this.account.obey({ ...this.account.rules, ...Object.fromEntries(given) })
  }

  routeOf(_method: string, path: string): string {
    return path.replace(/^\/2?\/?/, '')
  }

  refusal(name: string, retryAfterS: number | undefined): Answer {
    return refusal(name, retryAfterS)
  }

  async answer(exchange: Exchange): Promise<Answer> {
    const answer = await this.#dispatch(exchange)
    return { ...answer, headers: { ...answer.headers, 'X-Dropbox-Request-Id': randomUUID().replaceAll('-', '') } }
  }

  async #dispatch(exchange: Exchange): Promise<Answer> {
    const { pathname } = exchange.url
    const page = await this.pages.answer(exchange)
    if (page !== undefined) return page
    if (/^\/[12]?\/?oauth2\/token$/.test(pathname)) return token(this.#auth, exchange)
    const name = this.routeOf(exchange.method, pathname)
    const isKnown = handlers[name] !== undefined || ownAnswers.has(name)
    if (!pathname.startsWith('/2/') || !isKnown || !this.#isAtHome(exchange, pathname)) {
      return badRequestAnswer(name, `Unknown API function: "${name}"`)
    }
    const refusedLogin = this.#checkLogin(exchange, name) ?? this.#checkRoot(exchange)
    return refusedLogin ?? this.#call(name, exchange)
  }

  /** Whoever comes by the emulator's own address may ask for everything there; through the proxy each host has its own routes. */
  #isAtHome({ host }: Exchange, path: string): boolean {
    return !host.endsWith('.dropboxapi.com') || host === hostNames[this.#stone.route(path).attrs.host ?? 'api']
  }

  #checkLogin(exchange: Exchange, name: string): Answer | undefined {
    if (name === 'files/list_folder/longpoll') return undefined
    const bearer = /^Bearer (.*)$/.exec(exchange.headers.authorization ?? '')?.[1]
    if (bearer === undefined) {
      const wanted = 'Must provide HTTP header "Authorization" or URL parameter "authorization".'
      return badRequestAnswer(name, wanted)
    }
    const state = this.#auth.stateOf(bearer)
    if (state.kind === 'unknown') return unauthorized('invalid_access_token')
    if (state.kind === 'expired') return unauthorized('expired_access_token')
    const scope = this.#stone.route(exchange.url.pathname).attrs.scope
    if (scope === undefined || state.login.scopes.includes(scope)) return undefined
    return unauthorized('missing_scope', { required_scope: scope })
  }

  #checkRoot(exchange: Exchange): Answer | undefined {
    const header = exchange.header('dropbox-api-path-root')
    if (header === undefined || header.includes(`"${rootNamespace}"`) || header.includes('"home"')) return undefined
    return json(422, errorBody(['invalid_root'], { '.tag': 'invalid_root', invalid_root: rootInfo }))
  }

  async #call(name: string, exchange: Exchange): Promise<Answer> {
    const path = exchange.url.pathname
    try {
      const arg = await this.#argument(name, exchange)
      if (name === 'auth/token/revoke') this.#auth.revoke(exchange.headers.authorization?.slice('Bearer '.length) ?? '')
      if (name === 'files/download') {
        return filing.download(this.account, arg, exchange, (file) => asciiJson(this.#checked(path, file)))
      }
      if (name === 'users/get_current_account')
        return json(200, this.#checked(path, currentAccount(this.#userOf(exchange))))
      const result = await handlers[name]?.(this.account, arg, exchange)
      return json(200, this.#checked(path, result ?? null))
    } catch (error) {
      if (error instanceof BadRequest) return badRequestAnswer(name, error.message)
      if (!(error instanceof Refused)) throw error
      if (this.#checksAnswers) this.#stone.checkError(path, error.tree)
      return refusedAnswer(error)
    }
  }

  #userOf(exchange: Exchange): string {
    const state = this.#auth.stateOf(exchange.headers.authorization?.slice('Bearer '.length) ?? '')
    return state.kind === 'good' ? state.login.user : ownerName
  }

  #checked(path: string, result: unknown): unknown {
    if (this.#checksAnswers) this.#stone.checkResult(path, result)
    return result
  }

  /** From the body of an RPC route, from header or query of the others. @throws BadRequest, Refused */
  async #argument(name: string, exchange: Exchange): Promise<unknown> {
    const path = exchange.url.pathname
    const isRpc = (this.#stone.route(path).attrs.style ?? 'rpc') === 'rpc'
    const where = isRpc ? 'request body' : 'HTTP header "Dropbox-API-Arg"'
    const head = exchange.url.searchParams.get('arg') ?? exchange.header('dropbox-api-arg')
    const text = isRpc ? await exchange.text() : head
    if (text === undefined) throw new BadRequest('Must provide HTTP header "Dropbox-API-Arg" or URL parameter "arg".')
    exchange.record.words = text.slice(0, wordsMax)
    try {
      const value: unknown = text === '' ? null : JSON.parse(text)
      if (name === 'files/get_metadata' && this.account.rules.rootMetadata === 'malformed_path' && isRootPath(value)) {
        throw new Refused(['path', 'malformed_path'])
      }
      return this.#stone.argument(path, value)
    } catch (error) {
      if (error instanceof StoneFault) throw new BadRequest(`${where}: ${error.message}`)
      if (error instanceof SyntaxError) throw new BadRequest(`${where}: could not decode input as JSON`)
      throw error
    }
  }
}

/** Of an argument, for the record. Unit: characters. */
const wordsMax = 2000

function isRootPath(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'path' in value && value.path === ''
}

/** JSON for a header: everything beyond ASCII escaped. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export interface DropboxOptions {
  /** Emptied first. */
  readonly folder: string
  readonly checksAnswers?: boolean
  readonly rules?: Partial<DropboxRules>
  readonly clock?: MovableClock
}

export type DropboxEmulator = Emulator<Dropbox>

/** Not listening yet: `start` does. */
export function dropboxEmulator({
  folder,
  checksAnswers = false,
  rules: given,
  clock = new MovableClock(),
}: DropboxOptions): DropboxEmulator {
  const rules = { ...rulesByDefault, ...given }
  const store = new ByteStore(join(folder, 'bytes'), ['dropbox'])
  const tree = new Tree(clock, rules)
  const listings = new Listings(tree, rules.pageEntries)
  const sessions = new Sessions(store, clock, rules)
  const client = { clientId: 'emulatedappkey1', clientSecret: 'emulatedsecret1' }
  const auth = new Auth({ clock, client, accessLifeMs, refreshTokens: 'stay', accessPrefix: 'sl.', scopes })
  const account = new Account({ rules, store, tree, listings, sessions, clock })
  return new Emulator({ provider: new Dropbox(account, auth, checksAnswers), auth, clock })
}
