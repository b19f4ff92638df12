/** One account's questions to its cloud's doors: with the app's secret, as a service, about who one is. Notes the cloud's clock, keeps no token. */
import type { Clock } from '../base/clock.ts'
import type { AccountConfig } from '../config/config.ts'
import type { Answer } from '../target/transport/transport.ts'
import { appSecret } from './app-secret.ts'
import { cloudLogin, placedUrl } from './cloud-login.ts'
import type { CredentialsFolder } from './credentials-folder.ts'
import { userOf, type User } from './identity.ts'
import type { StoredLogin } from './login-file.ts'
import { clockWords, clockWrongMsMin, isFinal, refusalError } from './refusal.ts'
import { revoked } from './revoking.ts'
import { serviceForm } from './service-grant.ts'
import { askForTokens, formCall, type Caller, type Form, type Refused, type TokenAnswer } from './token-call.ts'

export interface AskerParts {
  readonly config: AccountConfig
  readonly credentials: CredentialsFolder
  readonly call: Caller
  readonly clock: Clock
}

/** Less is no reason to sign an assertion again. Unit: ms. */
const clockStepMsMin = 60_000

export class Asker {
  readonly #parts: AskerParts
  /** The cloud's clock less ours, as its last answer told. */
  #clockAheadMs: number | undefined

  constructor(parts: AskerParts) {
    this.#parts = parts
  }

  /** With the app's secret, as people's logins are asked for and renewed. */
  async tokens(form: Form, signal: AbortSignal): Promise<TokenAnswer['result']> {
    const { config } = this.#parts
    const secret = await this.#secret()
    const app = { client_id: config.clientId, ...(secret === undefined ? {} : { client_secret: secret }) }
    return (await this.#ask({ ...app, ...form }, signal)).result
  }

  /** Assertions carry times: where our clock is wrong the cloud's answer tells, and the second one is right. */
  async serviceTokens(signal: AbortSignal): Promise<TokenAnswer['result']> {
    const believedMs = this.#clockAheadMs ?? 0
    const first = await this.#askAsService(believedMs, signal)
    const seenMs = first.aheadMs ?? believedMs
    if (first.result.kind === 'granted' || !isFinal(first.result.refused)) return first.result
    const isClock = Math.abs(seenMs - believedMs) >= clockStepMsMin
    return isClock ? (await this.#askAsService(seenMs, signal)).result : first.result
  }

  /** A question for something else than tokens. */
  post(url: string, form: Form, signal: AbortSignal): Promise<Answer> {
    const { call, config } = this.#parts
    return call(formCall(url, { client_id: config.clientId, ...form }), signal)
  }

  /** Asks for nothing in particular, which every cloud refuses at once. @returns what is wrong with the clock, in words */
  async reach(signal: AbortSignal): Promise<{ readonly host: string; readonly clock: string | null }> {
    const { config } = this.#parts
    const { aheadMs = 0 } = await this.#ask({ grant_type: 'none' }, signal)
    const { host } = placedUrl(cloudLogin(config).tokenUrl, config.endpoint)
    return { host, clock: Math.abs(aheadMs) < clockWrongMsMin ? null : clockWords(aheadMs) }
  }

  userOf(accessToken: string, signal: AbortSignal): Promise<User | undefined> {
    const { config, call } = this.#parts
    return userOf(config, accessToken, call, signal)
  }

  /** @returns what its owner has to do at the cloud himself, in words */
  async revoke(
    login: Pick<StoredLogin, 'refreshToken' | 'accessToken'>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { config, call } = this.#parts
    return revoked({ config, call, secret: await this.#secret() }, login, signal)
  }

  refusal(refused: Refused, wasCutOff = false): Error {
    return refusalError(this.#parts.config, refused, { aheadMs: this.#clockAheadMs, wasCutOff })
  }

  #secret(): Promise<string | undefined> {
    const { config, credentials } = this.#parts
    return appSecret(config, credentials)
  }

  async #askAsService(cloudAheadMs: number, signal: AbortSignal): Promise<TokenAnswer> {
    const { config, clock } = this.#parts
    const service = config.service ?? { keyFile: undefined, subject: undefined, enterprise: undefined }
    const secret = service.keyFile === undefined ? await this.#secret() : undefined
    const form = await serviceForm({ config, service, secret, cloudMs: clock.wallMs() + cloudAheadMs })
    return this.#ask(form, signal)
  }

  /** The way to the cloud logs a clock that is wrong; here it is what to reckon with. */
  async #ask(form: Form, signal: AbortSignal): Promise<TokenAnswer> {
    const { config, call, clock } = this.#parts
    const answer = await askForTokens({ call, clock }, cloudLogin(config).tokenUrl, form, signal)
    this.#clockAheadMs = answer.aheadMs ?? this.#clockAheadMs
    return answer
  }
}
