/**
 * One account's login: the refresh token in its file, access tokens had with it, or the credentials of a service. A new token is durable
 * before anybody uses it (F76), and is fetched once for all who wait, in all processes. How a person logs in is handshake.ts.
 */
import { orAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { AccountConfig } from '../config/config.ts'
import { TargetError } from '../target/target.ts'
import type { Credentials } from '../target/transport/transport.ts'
import { Asker } from './asker.ts'
import { cloudLogin } from './cloud-login.ts'
import type { CredentialsFolder } from './credentials-folder.ts'
import type { User } from './identity.ts'
import { LoginFile, type StoredLogin } from './login-file.ts'
import { endOf, type End } from './lifetime.ts'
import { refusePartial } from './permissions.ts'
import { isFinal, isOfApp, loginStep, needsLogin } from './refusal.ts'
import type { Caller, Granted, Refused, TokenAnswer } from './token-call.ts'

export interface AccountParts {
  readonly config: AccountConfig
  /** Where logins are kept. Absolute. */
  readonly folder: string
  readonly credentials: CredentialsFolder
  readonly call: Caller
  readonly clock: Clock
  readonly log: Log
}

/** What is known of the login without asking anybody. */
export interface LoginFacts {
  readonly state: 'unknown' | 'logged-in' | 'needs-login'
  /** Why it is needed, in words. */
  readonly reason: string | undefined
  readonly user: string | undefined
  readonly end: End | undefined
  readonly renewedAtMs: number | undefined
}

/** One that ends sooner may end on its way. Unit: ms. */
const leftMsMin = 60_000
/** From then on a new one is fetched while the old one is still good, so that nobody waits. Unit: ms. */
const aheadMs = 5 * 60_000
/** Whoever ends a daemon waits for half a minute. Unit: ms. */
const closeMsMax = 15_000

export class Account {
  readonly file: LoginFile
  readonly asker: Asker
  readonly #parts: AccountParts
  readonly #tasks: Tasks
  #login: StoredLogin | undefined
  /** The cloud refused it for good; the owner's next login has another. */
  #refusedToken: string | undefined
  /** Why it cannot be used, and which token it is about. */
  #trouble: { readonly why: string; readonly token: string | undefined } | undefined
  #hasLooked = false
  #flight: Promise<string> | undefined
  #triedAheadMs = -Infinity
  /** Renewed and not kept, for want of room: tokens that nobody has yet, and what they came for. */
  #unkept: { readonly login: StoredLogin; readonly sent: string | undefined } | undefined

  constructor(parts: AccountParts) {
    const { config, folder, credentials, log } = parts
    this.#parts = parts
    this.asker = new Asker(parts)
    this.file = new LoginFile({ folder, account: config.name, seal: () => credentials.seal() })
    this.#tasks = new Tasks((task, error) =>
      log.warn(`${task} failed`, { account: config.name, reason: error.message }),
    )
  }

  get config(): AccountConfig {
    return this.#parts.config
  }

  get facts(): LoginFacts {
    const login = this.#login
    const needs =
      this.#trouble?.why ?? (this.#hasLooked && !this.#isUsable(login) ? 'there is no login yet' : undefined)
    return {
      state: needs !== undefined ? 'needs-login' : this.#hasLooked ? 'logged-in' : 'unknown',
      reason: needs,
      user: login?.user?.name,
      end: endOf(login, this.config),
      renewedAtMs: login?.renewedAtMs,
    }
  }

  /** For transports; accounts may have several. */
  credentials(): Credentials {
    return { bearer: (signal) => this.#bearer(signal), renew: (rejected, signal) => this.#replaced(rejected, signal) }
  }

  /** Looks into the file. @throws OwnerError for one that cannot be read */
  async look(): Promise<LoginFacts> {
    try {
      this.#login = await this.#read()
      // What was said of another token, or of a file that can be read now.
      if (this.#trouble?.token !== this.#login?.refreshToken) this.#trouble = undefined
    } catch (thrown) {
      this.#trouble = { why: asError(thrown).message, token: 'of a file that cannot be read' }
      throw thrown
    } finally {
      this.#hasLooked = true
    }
    return this.facts
  }

  /** Renews the login although its token is good still: a login that is used lives on. */
  async renew(signal: AbortSignal): Promise<void> {
    const { accessToken } = await this.#current()
    await this.#renewed(accessToken, signal)
  }

  /** Whose login it is, asked at the cloud. @throws TargetError, OwnerError */
  async user(signal: AbortSignal): Promise<User | undefined> {
    const token = await this.#bearer(signal)
    try {
      return await this.asker.userOf(token, signal)
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown
      const fresh = await this.#replaced(token, signal)
      return await this.asker.userOf(fresh, signal)
    }
  }

  /**
   * Takes tokens that its owner allowed in the place of what is there.
   * @throws OwnerError for another user's, or ones that may too little; nothing is kept then
   */
  async admit(
    granted: Granted,
    options: { readonly acceptsOther: boolean },
    signal: AbortSignal,
  ): Promise<User | undefined> {
    const { clock, config, credentials } = this.#parts
    const { name } = config
    refusePartial(config, granted)
    const user = await this.asker.userOf(granted.accessToken, signal)
    const earlier = await this.#userBefore(signal)
    return this.file.locked(
      async () => {
        const before = (await this.file.read())?.user ?? earlier
        if (before !== undefined && user !== undefined && before.id !== user.id && !options.acceptsOther) {
          await this.asker.revoke({ refreshToken: granted.refreshToken, accessToken: granted.accessToken }, signal)
          throw new OwnerError(
            `account ${name}: this is the login of ${user.name}, the one before was of ${before.name}; log in as that user, or say --other-user if this is meant`,
          )
        }
        const seed = (await credentials.seed(name))?.fingerprint
        await this.#keep({ ...this.#fresh(granted, { user }), madeAtMs: clock.wallMs(), seed })
        return user
      },
      clock,
      signal,
    )
  }

  /** Of a login that came as a credential or by hand, nobody has noted whose it is. */
  async #userBefore(signal: AbortSignal): Promise<User | undefined> {
    const before = await this.#read()
    if (before?.user !== undefined || before?.refreshToken === undefined) return before?.user
    // A login that is none any more was anybody's.
    return this.user(signal).catch(() => undefined)
  }

  /** Takes the login back at the cloud and forgets it. @returns why the cloud's part of it is not done, in words */
  logout(signal: AbortSignal): Promise<string | undefined> {
    const { clock, config, credentials } = this.#parts
    const work = async (): Promise<string | undefined> => {
      const login = await this.#read()
      const left = login === undefined ? undefined : await this.asker.revoke(login, signal)
      await this.file.write({ seed: (await credentials.seed(config.name))?.fingerprint })
      this.#login = undefined
      this.#trouble = undefined
      return left
    }
    return this.file.locked(work, clock, signal)
  }

  /** Waits for a renewal that is under way, but not for ever: its answer may be the only copy of a login. */
  async close(): Promise<void> {
    await this.#tasks.stop()
    const late = new AbortController()
    const timer = this.#parts.clock.after(closeMsMax, () => late.abort(new Error('the renewal takes too long')))
    await orAbort(this.#flight ?? Promise.resolve(''), late.signal).catch(() => undefined)
    timer.clear()
  }

  async #bearer(signal: AbortSignal): Promise<string> {
    const { accessToken, expiresAtMs = 0 } = await this.#current()
    const leftMs = expiresAtMs - this.#parts.clock.wallMs()
    if (accessToken === undefined || leftMs <= leftMsMin) return this.#renewed(accessToken, signal)
    if (leftMs <= aheadMs) this.#renewAhead(accessToken)
    return accessToken
  }

  async #replaced(rejected: string, signal: AbortSignal): Promise<string> {
    const { accessToken } = await this.#current()
    return accessToken !== undefined && accessToken !== rejected ? accessToken : this.#renewed(rejected, signal)
  }

  /** Once a minute: a cloud in trouble is asked again soon enough. */
  #renewAhead(accessToken: string): void {
    const nowMs = this.#parts.clock.monotonicMs()
    if (this.#flight !== undefined || nowMs - this.#triedAheadMs < leftMsMin) return
    this.#triedAheadMs = nowMs
    this.#tasks.run('renewal ahead of the end', async (signal) => {
      await this.#renewed(accessToken, signal)
    })
  }

  /** @throws TargetError `needs-login` where there is none; looks again each time, so that a login needs no restart. */
  async #current(): Promise<StoredLogin> {
    if (!this.#isUsable(this.#login) || this.#isRefused(this.#login)) await this.look()
    return this.#usable(this.#login)
  }

  #usable(login: StoredLogin | undefined): StoredLogin {
    const { config } = this.#parts
    if (login === undefined || !this.#isUsable(login)) {
      if (config.service !== undefined) return {}
      throw needsLogin(config, `there is no login yet; ${loginStep(config)}`)
    }
    if (this.#isRefused(login))
      throw needsLogin(config, this.#trouble?.why ?? `the login was taken back; ${loginStep(config)}`)
    return login
  }

  #isUsable(login: StoredLogin | undefined): boolean {
    return this.config.service !== undefined || login?.refreshToken !== undefined
  }

  #isRefused(login: StoredLogin | undefined): boolean {
    return this.#refusedToken !== undefined && login?.refreshToken === this.#refusedToken
  }

  /** From the file, or where that has none that is good, from the credential that came with the service, once (F104). */
  async #read(): Promise<StoredLogin | undefined> {
    const kept = await this.file.read()
    if (kept?.refreshToken !== undefined && !this.#isRefused(kept)) return kept
    const seed = await this.#parts.credentials.seed(this.config.name)
    if (seed === undefined || seed.fingerprint === kept?.seed || seed.refreshToken === this.#refusedToken) return kept
    return { refreshToken: seed.refreshToken, seed: seed.fingerprint }
  }

  #renewed(rejected: string | undefined, signal: AbortSignal): Promise<string> {
    const { clock } = this.#parts
    // Nobody's abort ends it, since others wait for it too; the transport's end does.
    const endless = new AbortController().signal
    const work = (): Promise<string> => this.#renewLocked(rejected, endless)
    this.#flight ??= this.file.locked(work, clock, endless).finally(() => (this.#flight = undefined))
    return orAbort(this.#flight, signal)
  }

  /** Another process may have renewed it meanwhile, or its owner logged in anew: the file tells. */
  async #renewLocked(rejected: string | undefined, signal: AbortSignal): Promise<string> {
    const login = this.#usable(await this.#read())
    if (this.#unkept !== undefined && this.#unkept.sent === login.refreshToken)
      return this.#keepAgain(this.#unkept.login)
    const { accessToken, expiresAtMs = 0 } = login
    if (accessToken !== undefined && accessToken !== rejected && expiresAtMs - this.#parts.clock.wallMs() > leftMsMin) {
      this.#login = login
      return accessToken
    }
    const granted = await this.#granted(login, signal)
    // Kept by what was sent: the one before has to outlive a new one that does not work.
    const previous = granted.refreshToken === undefined ? undefined : login.refreshToken
    const fresh = { ...login, ...this.#fresh(granted, login), previousRefreshToken: previous }
    this.#unkept = { login: fresh, sent: login.refreshToken }
    await this.#keep(fresh)
    this.#parts.log.debug('login renewed', { account: this.config.name })
    return granted.accessToken
  }

  /** The disk had no room for it: a token that is good once is not asked for a second time. */
  async #keepAgain(login: StoredLogin): Promise<string> {
    await this.#keep(login)
    return login.accessToken ?? ''
  }

  async #granted(login: StoredLogin, signal: AbortSignal): Promise<Granted> {
    if (this.config.service !== undefined) {
      const answer = await this.asker.serviceTokens(signal)
      return answer.kind === 'granted' ? answer.granted : this.#refuse(answer.refused, {})
    }
    const { refreshToken = '', previousRefreshToken, isRenewing } = login
    const isOnce = cloudLogin(this.config).refreshTokens === 'once'
    // Before it is sent: if this process ends now, the next one knows what became of the login.
    if (isOnce && isRenewing !== true) await this.file.write({ ...login, isRenewing: true })
    const answer = await this.#refresh(refreshToken, signal)
    if (answer.kind === 'granted') return answer.granted
    const { refused } = answer
    if (isFinal(refused) && !isOfApp(refused) && previousRefreshToken !== undefined && !isOnce) {
      const other = await this.#refresh(previousRefreshToken, signal)
      if (other.kind === 'granted')
        return { ...other.granted, refreshToken: other.granted.refreshToken ?? previousRefreshToken }
    }
    // A clear answer: nothing is under way any more.
    if (isOnce && refused.word !== undefined) await this.file.write({ ...login, isRenewing: undefined })
    return this.#refuse(refused, login)
  }

  #refresh(refreshToken: string, signal: AbortSignal): Promise<TokenAnswer['result']> {
    return this.asker.tokens({ grant_type: 'refresh_token', refresh_token: refreshToken }, signal)
  }

  #refuse(refused: Refused, login: StoredLogin): never {
    const error = this.asker.refusal(refused, login.isRenewing === true)
    const why = error.message.replace(`account ${this.config.name}: `, '')
    if (isFinal(refused)) this.#trouble = { why, token: login.refreshToken }
    // A wrong secret is put right without another login.
    if (isFinal(refused) && !isOfApp(refused)) this.#refusedToken = login.refreshToken
    throw error
  }

  #fresh(granted: Granted, of: Pick<StoredLogin, 'refreshToken' | 'endsAtMs' | 'scope' | 'user'>): StoredLogin {
    const nowMs = this.#parts.clock.wallMs()
    return {
      refreshToken: granted.refreshToken ?? of.refreshToken,
      accessToken: granted.accessToken,
      expiresAtMs: nowMs + granted.expiresInMs,
      isRenewing: undefined,
      renewedAtMs: nowMs,
      endsAtMs: granted.endsInMs === undefined ? of.endsAtMs : nowMs + granted.endsInMs,
      scope: granted.scope ?? of.scope,
      user: of.user,
    }
  }

  async #keep(login: StoredLogin): Promise<void> {
    await this.file.write(login)
    this.#login = login
    this.#unkept = undefined
    this.#refusedToken = undefined
    this.#trouble = undefined
    this.#hasLooked = true
  }
}

/** The token is to blame, not the way to the cloud. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof TargetError && thrown.next.kind === 'pause-target' && thrown.next.state === 'needs-login'
}
