/** What the emulator holds for its one account, its switches, and the routes below /2/users. */
import type { ByteStore } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { dropboxId } from '../core/login-profiles.ts'
import type { Listings } from './listing.ts'
import type { Sessions, SessionRules } from './sessions.ts'
import type { Tree, TreeRules } from './tree.ts'
import { Refused } from './refusal.ts'

/** Switches: where the real answer is not known, and where a test wants a small world. */
export interface DropboxRules extends TreeRules, SessionRules {
  /** Entries of a page when the client names no limit. */
  readonly pageEntries: number
  /** How long a commit holds the account's write lock; one that comes meanwhile is refused. 0: no contention. Unit: ms. */
  readonly commitMs: number
  /** What get_metadata says of the root, which it does not support; not known. Default '400'. */
  readonly rootMetadata: '400' | 'malformed_path'
}

export const rulesByDefault: DropboxRules = {
  refusesAstral: false,
  quotaBytes: 2 * 1024 ** 4,
  filesPerCallMax: 10_000,
  updateOfMissing: 'conflict',
  caseRename: 'conflict',
  movesRevise: true,
  doubleFinish: 'not_found',
  resentPart: 'concurrent_session_invalid_offset',
  requestBytesMax: 150 * 1024 * 1024,
  fileBytesMax: 2 ** 41 - 2 ** 22,
  pageEntries: 1000,
  commitMs: 0,
  rootMetadata: '400',
}

export class Account {
  rules: DropboxRules
  readonly store: ByteStore
  readonly tree: Tree
  readonly listings: Listings
  readonly sessions: Sessions
  readonly clock: MovableClock
  #isLocked = false

  constructor(parts: Pick<Account, 'rules' | 'store' | 'tree' | 'listings' | 'sessions' | 'clock'>) {
    this.rules = parts.rules
    this.store = parts.store
    this.tree = parts.tree
    this.listings = parts.listings
    this.sessions = parts.sessions
    this.clock = parts.clock
  }

  obey(rules: DropboxRules): void {
    this.rules = rules
    this.tree.rules = rules
    this.sessions.rules = rules
    this.listings.pageEntries = rules.pageEntries
  }

  /** Runs `work` under the write lock of the account. @throws Refused too_many_write_operations */
  async commit<Result>(exchange: Exchange, work: () => Result): Promise<Result> {
    if (this.#isLocked || exchange.behaves('write-lock') !== undefined) throw new Refused(['too_many_write_operations'])
    if (exchange.behaves('full') !== undefined) throw new Refused(['insufficient_space'])
    if (this.rules.commitMs === 0) return work()
    this.#isLocked = true
    try {
      await this.clock.sleep(this.rules.commitMs, new AbortController().signal)
      return work()
    } finally {
      this.#isLocked = false
    }
  }
}

export const rootNamespace = '3235641'

export const rootInfo = {
  '.tag': 'user',
  root_namespace_id: rootNamespace,
  home_namespace_id: rootNamespace,
} as const

/** The one that has the login. */
export function currentAccount(user: string): unknown {
  return {
    account_id: dropboxId(user),
    name: {
      given_name: 'Fan',
      surname: 'Fold',
      familiar_name: 'Fan',
      display_name: 'Fan Fold',
      abbreviated_name: 'FF',
    },
    email: `${user}@example.com`,
    email_verified: true,
    disabled: false,
    country: 'CH',
    locale: 'en',
    referral_link: 'https://www.dropbox.com/referrals/AAAA',
    is_paired: false,
    account_type: { '.tag': 'basic' },
    root_info: rootInfo,
  }
}

export function spaceUsage({ tree, rules }: Account): unknown {
  return { used: tree.usedBytes, allocation: { '.tag': 'individual', allocated: rules.quotaBytes } }
}
