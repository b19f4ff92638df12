/** The ways to the clouds: per target a transport, per account one login for all its transports. */
import { join } from 'node:path'
import { Account } from '../account/account.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { AccountConfig, CloudConfig, Config } from '../config/config.ts'
import { type CallPace, openTransport, type Transport } from '../target/transport/transport.ts'

export interface CloudsParts {
  readonly config: Pick<Config, 'state' | 'http'>
  readonly clock: Clock
  readonly log: (room: string) => Log
}

export class Clouds {
  readonly #parts: CloudsParts
  /** By all of their settings: an account that was changed is another one. */
  readonly #accounts = new Map<string, Account>()

  constructor(parts: CloudsParts) {
    this.#parts = parts
  }

  /** @param hosts the cloud's own, in whose place an endpoint comes. Closed by whoever got it. */
  open({ name, account, endpoint }: CloudConfig, hosts: readonly string[], pace: CallPace): Transport {
    const { config, clock, log } = this.#parts
    const endpoints = endpoint === undefined ? {} : Object.fromEntries(hosts.map((host) => [host, endpoint]))
    // The login makes its calls on the way it is for.
    const credentials = this.#account(account).credentials((call, signal) => transport.request(call, signal))
    const settings = { ...config.http, endpoints }
    const transport = openTransport({ name, settings, pace, credentials, clock, log: log('target') })
    return transport
  }

  #account(config: AccountConfig): Account {
    const key = JSON.stringify(config)
    const { clock, log } = this.#parts
    const known = this.#accounts.get(key)
    if (known !== undefined) return known
    const account = new Account({
      config,
      folder: join(this.#parts.config.state, 'accounts'),
      clock,
      log: log('account'),
    })
    this.#accounts.set(key, account)
    return account
  }
}
