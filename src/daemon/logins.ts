/** All accounts' logins of one process, each with its way to its cloud: for lanes, and for who logs in, checks and logs out. */
import { join } from 'node:path'
import {
  Account,
  Handshakes,
  CredentialsFolder,
  loginEndpoints,
  LoginKeeper,
  noticeOf,
  noticeWords,
  pasteAddress,
  type LoginFacts,
  type Manner,
} from '../account/account.ts'
import { asError, FanfoldError, OwnerError } from '../base/errors.ts'
import { Tasks } from '../base/tasks.ts'
import type { AccountConfig, Config } from '../config/config.ts'
import {
  AskError,
  type AccountStatus,
  type LoggedOut,
  type LoginAsked,
  type LoginBegun,
  type LoginChecked,
  type LoginDesk,
  type LoginProgress,
} from '../control/control.ts'
import { openTransport, type CallPace, type Transport } from '../target/transport/transport.ts'
import type { DaemonOptions } from './options.ts'
import type { ConfigStep } from './reload.ts'

export { listenForAnswer } from '../account/account.ts'

/** Logging in is a few calls a day: no limit of an account is touched by them. */
const unpaced: CallPace = {
  request: (_signal, work) => work(),
  upload: (_signal, work) => work(),
  bytes: () => Promise.resolve(),
  penalise: () => {},
}

interface Held {
  readonly account: Account
  readonly transport: Transport
}

export interface LoginsOptions extends Pick<DaemonOptions, 'clock' | 'log' | 'environment'> {
  /** An account can be used again. */
  readonly onLogin?: (account: string) => void
}

export class Logins implements LoginDesk {
  readonly #config: Pick<Config, 'state' | 'http'>
  readonly #options: LoginsOptions
  readonly #held = new Map<string, Held>()
  readonly #handshakes: Handshakes
  readonly #credentials: CredentialsFolder
  readonly #tasks: Tasks

  constructor(config: Pick<Config, 'state' | 'http' | 'accounts'>, options: LoginsOptions) {
    const { clock, log, environment = {} } = options
    this.#config = config
    this.#options = options
    this.#handshakes = new Handshakes(clock)
    this.#credentials = new CredentialsFolder(environment['CREDENTIALS_DIRECTORY'])
    this.#tasks = new Tasks((task, error) => log('account').error('task failed', { task, error: error.message }))
    for (const account of config.accounts) this.#open(account)
  }

  /** Looks at what is there, and after it from then on. */
  start(): void {
    const { clock, log } = this.#options
    const accounts = (): readonly Account[] => [...this.#held.values()].map(({ account }) => account)
    this.#tasks.run('logins', async (signal) => {
      // What cannot be read is told by the status and by the lanes.
      for (const account of accounts()) await account.look().catch(() => undefined)
      await new LoginKeeper({ accounts, clock, log: log('account') }).keep(signal)
    })
  }

  /** One for all its targets. */
  account(config: AccountConfig): Account {
    return (this.#held.get(config.name) ?? this.#open(config)).account
  }

  async change({ verb, entry }: Extract<ConfigStep, { role: 'account' }>): Promise<void> {
    const before = this.#held.get(entry.name)
    // The new one first: closing may wait for a renewal, and a lane that asks meanwhile would open the old one once more.
    if (verb === 'removed') this.#held.delete(entry.name)
    else this.#open(entry)
    await closed(before)
    // What cannot be read is told by its status.
    const now = this.#held.get(entry.name)
    await now?.account.look().catch(() => undefined)
  }

  statuses(): readonly AccountStatus[] {
    const nowMs = this.#options.clock.wallMs()
    return [...this.#held.values()].map(({ account }) => statusOf(account, nowMs))
  }

  login(asked: LoginAsked, signal: AbortSignal): Promise<LoginBegun> {
    return said(async () => {
      const account = this.#named(asked.account)
      const manner: Manner = account.config.service === undefined ? asked.manner : 'service'
      const redirectUri = manner === 'paste' ? pasteAddress(account.config, asked.port ?? undefined) : asked.redirectUri
      const ask = { manner, redirectUri: redirectUri ?? undefined, acceptsOther: asked.acceptsOther }
      const begun = await this.#handshakes.begin(account, ask, signal)
      return {
        ticket: begun.ticket,
        manner,
        address: begun.address ?? null,
        userCode: begun.userCode ?? null,
        againInMs: begun.againInMs ?? null,
        endsInMs: begun.endsInMs,
        reason: begun.reason ?? null,
      }
    })
  }

  answerLogin(ticket: string, text: string, signal: AbortSignal): Promise<LoginProgress> {
    return said(async () => {
      const progress = await this.#handshakes.finish(ticket, text, signal)
      if (progress.kind !== 'done') return progress
      this.#options.log('account').info('logged in', { account: progress.account })
      this.#options.onLogin?.(progress.account)
      return { ...progress, user: progress.user ?? null }
    })
  }

  checkLogin(name: string, signal: AbortSignal): Promise<LoginChecked> {
    return said(async () => {
      const account = this.#named(name)
      const found = await account.look()
      const user = await account.user(signal)
      const { endsAt, reason } = statusOf(account, this.#options.clock.wallMs())
      // It may have been the very thing that a lane waits for.
      if (found.state === 'needs-login') this.#options.onLogin?.(name)
      const isSealed = (await account.file.isSealed()) ?? null
      return { account: name, user: user?.name ?? null, endsAt, notice: reason, isSealed }
    })
  }

  /** Whether the cloud answers at all, without a login. @throws OwnerError in words where it does not */
  reach(name: string, signal: AbortSignal): Promise<{ readonly host: string; readonly clock: string | null }> {
    return said(() => this.#named(name).asker.reach(signal))
  }

  logout(name: string, signal: AbortSignal): Promise<LoggedOut> {
    return said(async () => {
      const left = await this.#named(name).logout(signal)
      this.#options.log('account').info('logged out', { account: name })
      return { account: name, left: left ?? null }
    })
  }

  async close(): Promise<void> {
    await this.#tasks.stop()
    const all = [...this.#held.values()]
    this.#held.clear()
    for (const held of all) await closed(held)
  }

  #open(config: AccountConfig): Held {
    const { clock, log } = this.#options
    const { state, http } = this.#config
    const settings = { ...http, endpoints: loginEndpoints(config) }
    const name = `login ${config.name}`
    const parts = { name, settings, pace: unpaced, credentials: undefined, clock, log: log('account') }
    const transport = openTransport(parts)
    const account = new Account({
      config,
      folder: join(state, 'accounts'),
      credentials: this.#credentials,
      call: (call, signal) => transport.request(call, signal),
      clock,
      log: log('account'),
    })
    const held = { account, transport }
    this.#held.set(config.name, held)
    return held
  }

  /** @throws AskError for a name that the configuration does not have. */
  #named(name: string): Account {
    const held = this.#held.get(name)
    if (held !== undefined) return held.account
    const known = [...this.#held.keys()]
    throw new AskError(
      `no account is named "${name}"; ${known.length === 0 ? 'the configuration has none' : `there are: ${known.join(', ')}`}`,
    )
  }
}

async function closed(held: Held | undefined): Promise<void> {
  // Before its way is closed: a renewal that is under way ends well.
  await held?.account.close()
  await held?.transport.close()
}

/** What a lane would wait for or try again is, for somebody who asks, an answer in words. */
async function said<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof OwnerError || !(thrown instanceof FanfoldError)) throw thrown
    throw new OwnerError(asError(thrown).message, { cause: thrown })
  }
}

function statusOf({ config, facts }: Account, nowMs: number): AccountStatus {
  const { end, user } = facts
  const notice = facts.state === 'logged-in' ? noticeOf(end, nowMs) : 'none'
  return {
    name: config.name,
    kind: config.kind,
    state: notice === 'none' ? facts.state : notice === 'late' ? 'ends-today' : 'ends-soon',
    user: user ?? null,
    endsAt: end === undefined ? null : new Date(end.atMs).toISOString(),
    reason: notice === 'none' || end === undefined ? reasonOf(facts, config) : noticeWords(end, config, nowMs),
  }
}

function reasonOf({ reason }: LoginFacts, { name }: AccountConfig): string | null {
  if (reason === undefined) return null
  return reason.includes('fanfold login') ? reason : `${reason}; run "fanfold login ${name}"`
}
