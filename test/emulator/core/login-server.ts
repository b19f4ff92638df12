/** A provider of which only the doors stand: consent, tokens, revoking, and the question who one is. For tests of logging in alone. */
import { Auth, type Login } from './auth.ts'
import { MovableClock } from './clock.ts'
import { Emulator } from './emulator.ts'
import type { Exchange } from './exchange.ts'
import { granted, LoginPages, refused } from './login-pages.ts'
import { dropboxId, type LoginKind, loginProfiles } from './login-profiles.ts'
import { type Answer, json, type OwnersHand, plainText, type Provider } from './provider.ts'

const noObjects: OwnersHand = { list: () => [], read: () => undefined, write() {}, remove() {}, rename() {} }

/** Who a token is, by path. */
const identities: Readonly<Record<string, (user: string) => unknown>> = {
  '/2/users/get_current_account': (user) => ({ account_id: dropboxId(user), email: `${user}@example.com` }),
  '/drive/v3/about': (user) => ({ user: { permissionId: `p-${user}`, emailAddress: `${user}@example.com` } }),
  '/2.0/users/me': (user) => ({ type: 'user', id: `1${user.length}`, login: `${user}@example.com`, name: user }),
  '/v1.0/me/drive': (user) => ({ id: `D-${user}`, owner: { user: { displayName: user } } }),
  '/v1.0/me/drive/special/approot': (user) => ({
    id: 'root',
    parentReference: { driveId: `D-${user}` },
    createdBy: { user: { displayName: user } },
  }),
}

const revokePath = /^\/(oauth2\/revoke|revoke|2\/auth\/token\/revoke)$/

class LoginProvider implements Provider {
  readonly hosts = []
  readonly refusals = ['throttle']
  readonly behaviours = []
  readonly owner = noObjects
  readonly pages: LoginPages
  readonly #auth: Auth
  readonly #kind: LoginKind

  constructor(kind: LoginKind, auth: Auth, clock: MovableClock) {
    this.pages = new LoginPages(auth, clock, kind)
    this.#auth = auth
    this.#kind = kind
  }

  set(): void {
    throw new Error('there is nothing to set')
  }

  routeOf(_method: string, path: string): string {
    return loginProfiles[this.#kind].token.test(path) ? 'token' : path
  }

  refusal(_name: string, retryAfterS: number | undefined): Answer {
    return plainText(429, 'slow down', retryAfterS === undefined ? {} : { 'Retry-After': String(retryAfterS) })
  }

  async answer(exchange: Exchange): Promise<Answer> {
    const { pathname } = exchange.url
    const page = await this.pages.answer(exchange)
    if (page !== undefined) return page
    if (loginProfiles[this.#kind].token.test(pathname)) return this.#token(exchange)
    const bearer = /^Bearer (.*)$/.exec(exchange.headers.authorization ?? '')?.[1] ?? ''
    if (revokePath.test(pathname)) return this.#revoke(exchange, bearer)
    const state = this.#auth.stateOf(bearer)
    if (state.kind !== 'good') return json(401, { error: state.kind })
    return this.#identity(pathname, state.login)
  }

  async #token(exchange: Exchange): Promise<Answer> {
    const profile = loginProfiles[this.#kind]
    const asked = new URLSearchParams(await exchange.text())
    const { clientId, clientSecret } = this.#auth.client
    const secret = asked.get('client_secret') ?? ''
    const isSecret = secret === clientSecret || (secret === '' && !profile.needsSecret)
    if (asked.get('client_id') !== clientId || !isSecret) return refused(profile.badClient)
    if (asked.get('grant_type') === 'client_credentials') return granted(profile, this.#auth.login(), 'service')
    const grant = this.#auth.refresh(asked.get('refresh_token') ?? '')
    if (grant !== undefined) return granted(profile, grant, 'refresh')
    return refused({
      status: 400,
      error: 'invalid_grant',
      description: 'the refresh token is spent, expired or revoked',
    })
  }

  async #revoke(exchange: Exchange, bearer: string): Promise<Answer> {
    this.#auth.revoke(new URLSearchParams(await exchange.text()).get('token') ?? bearer)
    return json(200, {})
  }

  #identity(path: string, { user }: Login): Answer {
    const identity = identities[path]
    return identity === undefined ? plainText(404, '') : json(200, identity(user))
  }
}

export type LoginEmulator = Emulator<LoginProvider>

const scopes: Readonly<Record<LoginKind, readonly string[]>> = {
  dropbox: [
    'account_info.read',
    'files.metadata.read',
    'files.metadata.write',
    'files.content.read',
    'files.content.write',
  ],
  'google-drive': ['https://www.googleapis.com/auth/drive.file'],
  box: ['root_readwrite'],
  onedrive: ['Files.ReadWrite.AppFolder', 'offline_access'],
}

const refreshTokens = { dropbox: 'stay', 'google-drive': 'stay', box: 'rotate', onedrive: 'renew' } as const

/** Not listening yet: `start` does. */
export function loginEmulator(kind: LoginKind, accessLifeMs = 3_600_000): LoginEmulator {
  const clock = new MovableClock()
  const client = { clientId: 'emulatedapp', clientSecret: 'emulatedappsecret' }
  const auth = new Auth({
    clock,
    client,
    accessLifeMs,
    refreshTokens: refreshTokens[kind],
    accessPrefix: 'access-',
    scopes: scopes[kind],
  })
  return new Emulator({ provider: new LoginProvider(kind, auth, clock), auth, clock })
}
