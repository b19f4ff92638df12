/** Logins: clients, codes of the consent page, refresh and access tokens with their lives. How tokens travel is the provider's concern. */
import { createHash, randomBytes } from 'node:crypto'
import type { MovableClock } from './clock.ts'

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
}

export interface AuthOptions {
  readonly clock: MovableClock
  readonly client: Client
  readonly accessLifeMs: number
  /** What a refresh token is good for: it is the only one (Dropbox, Google), once (Box), or each use brings a new one beside it (Microsoft). */
  readonly refreshTokens: 'stay' | 'rotate' | 'renew'
  /** Of those that rotate: how long the one before is still taken. Default 0. Unit: ms. */
  readonly graceMs?: number
  /** Of those that rotate: whether the access tokens of before end at once. Default false. */
  readonly rotationEndsAccess?: boolean
  /** How long a refresh token lives unused, and a code of the consent page. Default for ever. Unit: ms. */
  readonly refreshLifeMs?: number
  readonly codeLifeMs?: number
  /** How the provider spells its access tokens. */
  readonly accessPrefix: string
  readonly scopes: readonly string[]
}

/** Who logs in where nobody says. */
export const ownerName = 'owner'

export interface Login {
  readonly refreshToken: string
  /** Whose it is: the owner's, or somebody else's. */
  readonly user: string
  readonly endMs: number
  readonly scopes: readonly string[]
}

export interface Grant {
  readonly user: string
  readonly accessToken: string
  readonly expiresInS: number
  readonly refreshToken: string
  readonly scopes: readonly string[]
}

export type TokenState =
  { readonly kind: 'good'; readonly login: Login } | { readonly kind: 'unknown' } | { readonly kind: 'expired' }

interface Consent {
  readonly user: string
  readonly scopes: readonly string[]
  readonly endMs: number
  /** Of PKCE: the verifier's SHA-256, base64url. */
  readonly challenge: string | undefined
}

export class Auth {
  readonly client: Client
  readonly #options: AuthOptions
  readonly #codes = new Map<string, Consent>()
  readonly #logins = new Map<string, Login>()
  /** Refresh tokens that were used, until their grace ends. */
  readonly #graced = new Map<string, { readonly login: Login; readonly endMs: number }>()
  readonly #access = new Map<string, { readonly login: Login; expiresMs: number }>()

  constructor(options: AuthOptions) {
    this.client = options.client
    this.#options = options
  }

  /** A login as after consent, for those who do not test consent. */
  login(scopes = this.#options.scopes, user = ownerName): Grant {
    const endMs = this.#options.clock.nowMs() + (this.#options.refreshLifeMs ?? Infinity)
    const login = { refreshToken: secret('refresh-'), scopes, user, endMs }
    this.#logins.set(login.refreshToken, login)
    return this.#grant(login)
  }

  /** The owner said yes: the code to exchange. */
  consent(scopes: readonly string[], challenge: string | undefined, user = ownerName): string {
    const code = secret('code-')
    const endMs = this.#options.clock.nowMs() + (this.#options.codeLifeMs ?? Infinity)
    this.#codes.set(code, { scopes: scopes.length === 0 ? this.#options.scopes : scopes, challenge, user, endMs })
    return code
  }

  /** A code is good once, and only for who has the verifier. */
  exchange(code: string, verifier: string | undefined): Grant | undefined {
    const consent = this.#codes.get(code)
    this.#codes.delete(code)
    if (consent === undefined || consent.endMs <= this.#options.clock.nowMs()) return undefined
    const given = verifier === undefined ? undefined : createHash('sha256').update(verifier).digest('base64url')
    return consent.challenge === given ? this.login(consent.scopes, consent.user) : undefined
  }

  refresh(refreshToken: string): Grant | undefined {
    const { clock, refreshTokens, graceMs = 0, rotationEndsAccess = false } = this.#options
    const nowMs = clock.nowMs()
    const graced = this.#graced.get(refreshToken)
    const login =
      this.#logins.get(refreshToken) ?? (graced !== undefined && graced.endMs > nowMs ? graced.login : undefined)
    if (login === undefined || login.endMs <= nowMs) return undefined
    if (refreshTokens === 'stay') return this.#grant(login)
    const isUsedUp = refreshTokens === 'rotate' && this.#logins.delete(refreshToken)
    if (isUsedUp && graceMs > 0) this.#graced.set(refreshToken, { login, endMs: nowMs + graceMs })
    if (rotationEndsAccess)
      for (const [token, access] of this.#access) if (access.login === login) this.#access.delete(token)
    return this.login(login.scopes, login.user)
  }

  stateOf(accessToken: string): TokenState {
    const access = this.#access.get(accessToken)
    if (access === undefined) return { kind: 'unknown' }
    if (access.expiresMs <= this.#options.clock.nowMs()) return { kind: 'expired' }
    return { kind: 'good', login: access.login }
  }

  /** All access tokens of now are past their time. */
  expireAccess(): void {
    for (const access of this.#access.values()) access.expiresMs = 0
  }

  /** The owner took the permission away: no token of before is good for anything. */
  revokeAll(): void {
    this.#access.clear()
    this.#logins.clear()
    this.#graced.clear()
  }

  /** One login ends, by its access token or its refresh token. */
  revoke(token: string): void {
    const ended = this.#access.get(token)?.login ?? this.#logins.get(token)
    if (ended !== undefined) this.#logins.delete(ended.refreshToken)
    for (const [each, { login }] of this.#access) if (login === ended) this.#access.delete(each)
  }

  #grant(login: Login): Grant {
    const { clock, accessLifeMs, accessPrefix } = this.#options
    const accessToken = secret(accessPrefix)
    this.#access.set(accessToken, { login, expiresMs: clock.nowMs() + accessLifeMs })
    const { refreshToken, scopes, user } = login
    return { refreshToken, scopes, user, accessToken, expiresInS: Math.floor(accessLifeMs / 1000) }
  }
}

function secret(prefix: string): string {
  return prefix + randomBytes(24).toString('base64url')
}
