/** The ways to the clouds: per target a transport, with its account's login. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { CloudConfig, Config } from '../config/config.ts'
import type { Logins } from './logins.ts'
import {
  openTransport,
  type CallPace,
  type Credentials,
  type Transport,
  type TransportCounters,
} from '../target/transport/transport.ts'

export interface CloudsParts {
  readonly config: Pick<Config, 'http'>
  readonly logins: Logins
  readonly clock: Clock
  readonly log: (room: string) => Log
}

export class Clouds {
  readonly #parts: CloudsParts
  readonly #opened = new Map<string, Transport>()

  constructor(parts: CloudsParts) {
    this.#parts = parts
  }

  /** Calls so far of each target's present way. */
  requests(): ReadonlyMap<string, TransportCounters> {
    return new Map([...this.#opened].map(([name, { counters }]) => [name, counters]))
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
    this.#opened.set(name, transport)
    return transport
  }
}
