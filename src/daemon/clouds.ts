/** The ways to the clouds: per target a transport, with its account's login. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { CloudConfig, Config } from '../config/config.ts'
import type { Logins } from './logins.ts'
import { type CallPace, type Credentials, openTransport, type Transport } from '../target/transport/transport.ts'

export interface CloudsParts {
  readonly config: Pick<Config, 'http'>
  readonly logins: Logins
  readonly clock: Clock
  readonly log: (room: string) => Log
}

export class Clouds {
  readonly #parts: CloudsParts

  constructor(parts: CloudsParts) {
    this.#parts = parts
  }

  /** @param hosts the cloud's own, in whose place an endpoint comes. Closed by whoever got it. */
  open({ name, account, endpoint }: CloudConfig, hosts: readonly string[], pace: CallPace): Transport {
    const { config, clock, log } = this.#parts
    const endpoints = endpoint === undefined ? {} : Object.fromEntries(hosts.map((host) => [host, endpoint]))
    // Looked up each time: a reload may give the account other settings.
    const login = (): Credentials => this.#parts.logins.account(account).credentials()
    const credentials: Credentials = {
      bearer: (signal) => login().bearer(signal),
      renew: (rejected, signal) => login().renew(rejected, signal),
    }
    const settings = { ...config.http, endpoints }
    const transport = openTransport({ name, settings, pace, credentials, clock, log: log('target') })
    return transport
  }
}
