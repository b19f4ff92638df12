/** Everything of logging in that is the same at all providers, to be mounted in front of one: consent, devices' codes, the first tokens. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import type { Auth, Grant } from './auth.ts'
import type { MovableClock } from './clock.ts'
import { ConsentPage } from './consent.ts'
import { DeviceCodes } from './device.ts'
import type { Exchange } from './exchange.ts'
import { loginProfiles, type LoginFault, type LoginKind, type LoginProfile } from './login-profiles.ts'
import { type Answer, json } from './provider.ts'

const deviceGrants = ['urn:ietf:params:oauth:grant-type:device_code', 'device_code']
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** An assertion's times may be so far off. Unit: s. */
const skewS = 300

export class LoginPages {
  readonly consent: ConsentPage
  readonly devices: DeviceCodes
  /** PEM of the key with which assertions are signed; without one there are no services. */
  serviceKey: string | undefined
  readonly #auth: Auth
  readonly #clock: MovableClock
  readonly #profile: LoginProfile
  readonly #usedAssertions = new Set<string>()

  constructor(auth: Auth, clock: MovableClock, kind: LoginKind) {
    this.#auth = auth
    this.#clock = clock
    this.#profile = loginProfiles[kind]
    this.consent = new ConsentPage(auth, clock, this.#profile)
    this.devices = new DeviceCodes(auth, clock, this.#profile)
  }

  /** undefined: the question is not about a first login, and the provider's own. */
  async answer(exchange: Exchange): Promise<Answer | undefined> {
    const answer = await this.#answer(exchange)
    // By the emulator's clock, so that a client can find its own to be wrong.
    const date = new Date(this.#clock.nowMs()).toUTCString()
    return answer === undefined ? undefined : { ...answer, headers: { ...answer.headers, Date: date } }
  }

  async #answer(exchange: Exchange): Promise<Answer | undefined> {
    const { method, url } = exchange
    const { authorize, token, device, verify: verifyPath } = this.#profile
    if (authorize.test(url.pathname)) return this.consent.answer(exchange)
    if (device !== undefined && url.pathname === verifyPath) return this.devices.verify(exchange)
    if (method !== 'POST') return undefined
    if (device?.test(url.pathname) === true) {
      const asked = new URLSearchParams(await exchange.text())
      const isKnown = asked.get('client_id') === this.#auth.client.clientId
      return isKnown
        ? this.devices.begin(asked, `http://${exchange.headers.host ?? ''}`)
        : refused(this.#profile.badClient)
    }
    if (token.test(url.pathname)) return this.#token(exchange)
    return undefined
  }

  async #token(exchange: Exchange): Promise<Answer | undefined> {
    const asked = new URLSearchParams(await exchange.text())
    for (const [name, value] of exchange.url.searchParams) asked.set(name, value)
    const type = asked.get('grant_type') ?? ''
    if (type === 'authorization_code')
      return this.#isClient(asked, exchange) ? this.#code(asked) : refused(this.#profile.badClient)
    if (deviceGrants.includes(type) && this.#profile.device !== undefined) {
      if (!this.#isClient(asked, exchange)) return refused(this.#profile.badClient)
      const polled = this.devices.poll(asked.get('device_code') ?? '')
      return 'error' in polled ? refused(polled) : granted(this.#profile, polled, 'code')
    }
    if (type === jwtBearer && this.serviceKey !== undefined) return this.#assertion(asked.get('assertion') ?? '')
    return undefined
  }

  /** Id and secret come in the form, or as Basic. */
  #isClient(asked: URLSearchParams, { headers }: Exchange): boolean {
    const { clientId, clientSecret } = this.#auth.client
    const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
    const [id = '', basicSecret = ''] = Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
    const secret = basic === '' ? (asked.get('client_secret') ?? '') : basicSecret
    if ((basic === '' ? asked.get('client_id') : id) !== clientId) return false
    return secret === clientSecret || (secret === '' && !this.#profile.needsSecret)
  }

  #code(asked: URLSearchParams): Answer {
    const code = asked.get('code') ?? ''
    const isRight = this.consent.isFor(code, asked.get('redirect_uri'))
    const grant = isRight ? this.#auth.exchange(code, asked.get('code_verifier') ?? undefined) : undefined
    return grant === undefined ? refused(this.#profile.badCode) : granted(this.#profile, grant, 'code')
  }

  #assertion(assertion: string): Answer {
    const fault = this.#assertionFault(assertion)
    if (fault !== undefined) return refused({ status: 400, error: 'invalid_grant', description: fault })
    return granted(this.#profile, this.#auth.login(), 'service')
  }

  #assertionFault(assertion: string): string | undefined {
    const [head = '', body = '', signature = ''] = assertion.split('.')
    const key: KeyObject = createPublicKey(this.serviceKey ?? '')
    if (!verify('RSA-SHA256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
      return 'Invalid JWT Signature.'
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Readonly<Record<string, unknown>>
    const { exp, iat, jti, aud } = claims
    const nowS = this.#clock.nowMs() / 1000
    const isInTime = typeof exp === 'number' && exp > nowS && exp <= nowS + this.#profile.assertionSMax + skewS
    if (!isInTime || (typeof iat === 'number' && iat > nowS + skewS))
      return "Invalid JWT: check the 'exp' and 'iat' claims."
    if (typeof aud !== 'string' || !aud.endsWith('/token')) return "Invalid JWT: check the 'aud' claim."
    if (typeof jti === 'string' && this.#usedAssertions.has(jti)) return "A unique 'jti' value is required."
    if (typeof jti === 'string') this.#usedAssertions.add(jti)
    return undefined
  }
}

export function granted(profile: LoginProfile, grant: Grant, after: 'code' | 'refresh' | 'service'): Answer {
  return json(200, profile.grant(grant, after))
}

export function refused({ status, error, description }: LoginFault): Answer {
  return json(status, { error, error_description: description })
}
