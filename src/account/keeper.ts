/** Looks after all logins while the daemon runs: uses the idle ones before they end, and says in time which will (F78). */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { idleMsMax, noticeOf, noticeWords, type Notice } from './lifetime.ts'
import type { Account } from './login.ts'

export interface KeeperParts {
  /** Those of the configuration in force. */
  readonly accounts: () => readonly Account[]
  readonly clock: Clock
  readonly log: Log
}

/** Lanes that start up use most logins by themselves. Unit: ms. */
const firstMs = 60_000
/** Often enough to speak of a day in time. Unit: ms. */
const everyMs = 3_600_000

export class LoginKeeper {
  readonly #parts: KeeperParts
  /** What was said of each account last, so that it is said once. */
  readonly #said = new Map<string, Notice>()

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** Until it is aborted. */
  async keep(signal: AbortSignal): Promise<void> {
    for (let waitMs = firstMs; ; waitMs = everyMs) {
      await this.#parts.clock.sleep(waitMs, signal)
      for (const account of this.#parts.accounts()) await this.#care(account, signal)
    }
  }

  async #care(account: Account, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    const { name } = account.config
    try {
      await account.look()
      if (this.#isIdle(account)) await account.renew(signal)
    } catch (thrown) {
      if (signal.aborted) return
      log.debug('login not renewed', { account: name, reason: asError(thrown).message })
    }
    const { end } = account.facts
    const notice = noticeOf(end, clock.wallMs())
    if (end !== undefined && notice !== 'none' && notice !== this.#said.get(name))
      log.warn('a login ends', { account: name, reason: noticeWords(end, account.config, clock.wallMs()) })
    this.#said.set(name, notice)
  }

  #isIdle(account: Account): boolean {
    const { state, renewedAtMs = 0 } = account.facts
    return state === 'logged-in' && this.#parts.clock.wallMs() - renewedAtMs >= idleMsMax
  }
}
