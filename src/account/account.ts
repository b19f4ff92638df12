/**
 * One account's login: the refresh token in its file, access tokens had with it. A new one is durable before anybody uses it (F76), and is
 * fetched once for all who wait. How a login comes to be is not said here: where there is none, the owner is told the command.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { orAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { errnoOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { AccountConfig, CloudKind } from '../config/config.ts'
import { TargetError } from '../target/target.ts'
import type { Answer, Call, Credentials } from '../target/transport/transport.ts'
import { LoginFile, type StoredLogin } from './login-file.ts'

/** Makes the calls for tokens: a transport's own door, without login. */
export type Caller = (call: Call, signal: AbortSignal) => Promise<Answer>

export interface AccountParts {
  readonly config: AccountConfig
  /** Where logins are kept. Absolute. */
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
}

/** Source: the clouds' OAuth guides. */
const tokenUrls: Readonly<Record<CloudKind, string>> = {
  box: 'https://api.box.com/oauth2/token',
  dropbox: 'https://api.dropboxapi.com/oauth2/token',
  'google-drive': 'https://oauth2.googleapis.com/token',
  onedrive: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
}
/** One that ends sooner may end on its way. Unit: ms. */
const leftMsMin = 60_000
/** No secret is longer. Unit: bytes. */
const secretBytesMax = 4096

const grant = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().min(0),
  /** Only where the cloud replaces it with each use. */
  refresh_token: z.string().min(1).optional(),
})
const oauthFault = z.object({ error: z.string() })

export class Account {
  readonly #parts: AccountParts
  readonly #file: LoginFile
  #login: StoredLogin | undefined
  /** The cloud refused it for good; the owner's next login has another. */
  #refusedToken: string | undefined
  #flight: Promise<string> | undefined

  constructor(parts: AccountParts) {
    this.#parts = parts
    this.#file = new LoginFile(parts.folder, parts.config.name)
  }

  /** For one transport, whose calls it uses. Accounts may have several. */
  credentials(call: Caller): Credentials {
    return {
      bearer: async (signal) => {
        const { accessToken, expiresAtMs } = await this.#current()
        const isGood = accessToken !== undefined && (expiresAtMs ?? 0) - leftMsMin > this.#parts.clock.wallMs()
        return isGood ? accessToken : this.#renewed(call, signal)
      },
      renew: async (rejected, signal) => {
        const { accessToken } = await this.#current()
        return accessToken !== undefined && accessToken !== rejected ? accessToken : this.#renewed(call, signal)
      },
    }
  }

  /** @throws TargetError `needs-login` where there is none; looks again each time, so that a login needs no restart. */
  async #current(): Promise<StoredLogin> {
    if (this.#login === undefined || this.#login.refreshToken === this.#refusedToken)
      this.#login = await this.#file.read()
    if (this.#login === undefined) throw this.#needsLogin('there is no login yet')
    if (this.#login.refreshToken === this.#refusedToken) throw this.#needsLogin('the login was taken back')
    return this.#login
  }

  #renewed(call: Caller, signal: AbortSignal): Promise<string> {
    // Nobody's abort ends it, since others wait for it too; the transport's end does.
    const endless = new AbortController().signal
    this.#flight ??= this.#renew(call, endless).finally(() => (this.#flight = undefined))
    return orAbort(this.#flight, signal)
  }

  async #renew(call: Caller, signal: AbortSignal): Promise<string> {
    const { clock, log, config } = this.#parts
    const login = await this.#current()
    const answer = await call(await this.#request(login), signal)
    const granted = answer.content.kind === 'json' ? grant.safeParse(answer.content.value).data : undefined
    if (answer.status !== 200 || granted === undefined) throw this.#refused(answer, login)
    const fresh: StoredLogin = {
      ...login,
      refreshToken: granted.refresh_token ?? login.refreshToken,
      accessToken: granted.access_token,
      expiresAtMs: clock.wallMs() + granted.expires_in * 1000,
    }
    await this.#file.write(fresh)
    this.#login = fresh
    log.debug('login renewed', { account: config.name })
    return granted.access_token
  }

  /** Everything in the body: addresses end in logs. */
  async #request({ refreshToken }: StoredLogin): Promise<Call> {
    const { kind, clientId } = this.#parts.config
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId })
    const secret = await this.#secret()
    if (secret !== undefined) form.set('client_secret', secret)
    const body = Buffer.from(form.toString())
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return { method: 'POST', url: tokenUrls[kind], headers, body: () => body, expect: 'json', bearer: false }
  }

  async #secret(): Promise<string | undefined> {
    const { clientSecretFile } = this.#parts.config
    if (clientSecretFile === undefined) return undefined
    const bytes = await readFile(clientSecretFile).catch((cause: unknown) => {
      const text = `client-secret-file ${clientSecretFile} cannot be read (${errnoOf(cause) ?? 'unknown'})`
      throw this.#error({ kind: 'pause-target', state: 'paused' }, `${text}; allow the daemon’s user to read it`)
    })
    return bytes.subarray(0, secretBytesMax).toString('utf8').trim()
  }

  #refused({ status, content, retryAfterMs }: Answer, login: StoredLogin): TargetError {
    const word = content.kind === 'json' ? oauthFault.safeParse(content.value).data?.error : undefined
    if (word === 'invalid_grant') {
      this.#refusedToken = login.refreshToken
      return this.#needsLogin('the login was taken back')
    }
    const said = `the cloud renews no login (${status}${word === undefined ? '' : ` ${word}`})`
    if (status === 400 || status === 401) {
      const step = 'check client-id and client-secret-file'
      return this.#error({ kind: 'pause-target', state: 'needs-login' }, `${said}; ${step}`)
    }
    const waits = retryAfterMs === undefined ? {} : { againInMs: retryAfterMs }
    return this.#error({ kind: 'pause-target', state: 'paused', ...waits }, `${said}; it is tried again`)
  }

  #needsLogin(why: string): TargetError {
    const command = `fanfold login ${this.#parts.config.name}`
    return this.#error({ kind: 'pause-target', state: 'needs-login' }, `${why}; run "${command}"`)
  }

  #error(next: TargetError['next'], what: string): TargetError {
    return new TargetError(next, `account ${this.#parts.config.name}: ${what}`)
  }
}
