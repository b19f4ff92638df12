/** Box's token addresses: refreshing with rotation, logins of applications, revoking. Tokens live in core/auth.ts, consent and first logins in core/login-pages.ts. */
import type { Auth, Grant } from '../core/auth.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json } from '../core/provider.ts'
import { badGrant } from './refusal.ts'

export const scopes = ['root_readwrite'] as const

/** An assertion lives this long at most, and its id is good once. Unit: s. */
const assertionSMax = 60
const subjects = new Set(['enterprise', 'user'])

export class Logins {
  readonly #auth: Auth
  readonly #clock: MovableClock
  readonly #usedAssertions = new Set<string>()

  constructor(auth: Auth, clock: MovableClock) {
    this.#auth = auth
    this.#clock = clock
  }

  /** The client's secret comes in the form or as Basic. It is checked before anything is consumed: some clients try both ways. */
  async token(exchange: Exchange): Promise<Answer> {
    const asked = await this.#asked(exchange)
    if (asked === undefined) return badGrant('The client credentials are invalid', 'invalid_client')
    switch (asked.get('grant_type')) {
      case 'refresh_token': {
        const grant = this.#auth.refresh(asked.get('refresh_token') ?? '')
        return grant === undefined ? badGrant('Invalid refresh token') : granted(grant, true)
      }
      case 'client_credentials': {
        const isRight = subjects.has(asked.get('box_subject_type') ?? '') && asked.get('box_subject_id') !== null
        return isRight ? granted(this.#auth.login(), false) : badGrant('Grant credentials are invalid')
      }
      case 'urn:ietf:params:oauth:grant-type:jwt-bearer': {
        const fault = this.#assertionFault(asked.get('assertion') ?? '')
        return fault === undefined ? granted(this.#auth.login(), false) : badGrant(fault)
      }
      case null:
      default:
        return badGrant('Invalid grant_type parameter or parameter missing', 'unsupported_grant_type')
    }
  }

  /** Ends both tokens of the login, whichever of them is named. */
  async revoke(exchange: Exchange): Promise<Answer> {
    const asked = await this.#asked(exchange)
    if (asked === undefined) return badGrant('The client credentials are invalid', 'invalid_client')
    this.#auth.revoke(asked.get('token') ?? '')
    return { status: 200, headers: {}, body: '' }
  }

  /** The form, if the client is who it says. */
  async #asked(exchange: Exchange): Promise<URLSearchParams | undefined> {
    const asked = new URLSearchParams(await exchange.text())
    const basic = /^Basic (.+)$/.exec(exchange.headers.authorization ?? '')?.[1]
    const [basicId, basicSecret] = Buffer.from(basic ?? '', 'base64')
      .toString()
      .split(':')
      .map(decodeURIComponent)
    const clientId = basic === undefined ? asked.get('client_id') : basicId
    const secret = basic === undefined ? asked.get('client_secret') : basicSecret
    const { client } = this.#auth
    return clientId === client.clientId && secret === client.clientSecret ? asked : undefined
  }

  /** The signature is not looked at: there is no key to look with. */
  #assertionFault(assertion: string): string | undefined {
    const claims = claimsOf(assertion)
    const nowS = this.#clock.nowMs() / 1000
    const { exp, jti } = claims
    if (typeof exp !== 'number' || exp <= nowS || exp > nowS + assertionSMax)
      return "Please check the 'exp' claim. Current date is ahead of or behind it."
    if (typeof jti !== 'string' || jti.length < 16 || jti.length > 128) return "Please check the 'jti' claim."
    if (this.#usedAssertions.has(jti)) return "A unique 'jti' value is required."
    this.#usedAssertions.add(jti)
    return undefined
  }
}

function claimsOf(assertion: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString())
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function granted(grant: Grant, hasRefresh: boolean): Answer {
  return json(200, {
    access_token: grant.accessToken,
    expires_in: grant.expiresInS,
    restricted_to: [],
    token_type: 'bearer',
    ...(hasRefresh ? { refresh_token: grant.refreshToken } : {}),
  })
}
