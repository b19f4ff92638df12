/** Codes for devices without a browser (RFC 8628): given out, typed by a person elsewhere, asked for until then. */
import { randomBytes, randomInt } from 'node:crypto'
import { type Auth, type Grant, ownerName } from './auth.ts'
import type { MovableClock } from './clock.ts'
import { page } from './consent.ts'
import type { Exchange } from './exchange.ts'
import type { LoginProfile } from './login-profiles.ts'
import { type Answer, json } from './provider.ts'

interface DeviceCode {
  readonly userCode: string
  readonly scopes: readonly string[]
  readonly endMs: number
  said: 'nothing' | 'allow' | 'deny'
}

/** Source: Microsoft and Google give a quarter and half of an hour. */
const lifeMs = 15 * 60_000
const letters = 'BCDFGHJKLMNPQRSTVWXZ'

export class DeviceCodes {
  readonly #auth: Auth
  readonly #clock: MovableClock
  readonly #profile: LoginProfile
  readonly #codes = new Map<string, DeviceCode>()
  /** What devices are told to wait between two questions. Unit: s. */
  intervalS = 5

  constructor(auth: Auth, clock: MovableClock, profile: LoginProfile) {
    this.#auth = auth
    this.#clock = clock
    this.#profile = profile
  }

  begin(asked: URLSearchParams, origin: string): Answer {
    const deviceCode = randomBytes(24).toString('base64url')
    const letter = (): string => letters[randomInt(letters.length)] ?? 'B'
    const userCode = `${Array.from({ length: 4 }, letter).join('')}-${Array.from({ length: 4 }, letter).join('')}`
    const scopes = (asked.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
    this.#codes.set(deviceCode, { userCode, scopes, endMs: this.#clock.nowMs() + lifeMs, said: 'nothing' })
    return json(200, {
      device_code: deviceCode,
      user_code: userCode,
      expires_in: lifeMs / 1000,
      interval: this.intervalS,
      ...this.#profile.deviceFields(`${origin}${this.#profile.verify}`),
    })
  }

  /** Where the code is typed. */
  async verify(exchange: Exchange): Promise<Answer> {
    const buttons =
      '<button id="allow" name="decision" value="allow">Allow</button><button id="deny" name="decision" value="deny">Cancel</button>'
    if (exchange.method === 'GET') return page(200, `<form method="post"><input name="code">${buttons}</form>`)
    const given = new URLSearchParams(await exchange.text())
    const typed = [...this.#codes.values()].find(({ userCode }) => userCode === given.get('code'))
    if (typed === undefined || typed.endMs <= this.#clock.nowMs()) return page(400, '<p>There is no such code.</p>')
    typed.said = given.get('decision') === 'allow' ? 'allow' : 'deny'
    return page(200, '<p>You may close this page.</p>')
  }

  /** @returns tokens, or the fault to answer with */
  poll(deviceCode: string): Grant | LoginProfile['pending'] {
    const { pending, declined, expired, badCode } = this.#profile
    const code = this.#codes.get(deviceCode)
    if (code === undefined) return badCode
    if (code.endMs <= this.#clock.nowMs()) return expired
    if (code.said === 'nothing') return pending
    this.#codes.delete(deviceCode)
    return code.said === 'deny' ? declined : this.#auth.login(code.scopes, ownerName)
  }
}
