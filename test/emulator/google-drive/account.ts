/** What the emulator holds for its one account: items, bytes, sessions, issued ids, switches; and who may see what. */
import type { ByteStore } from '../core/bytes.ts'
import type { MovableClock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Item, type ItemRules, type Items, newId, rootOf } from './items.ts'
import { fullScope } from './login.ts'
import { invalid, notFound } from './refusal.ts'

/** Switches: where the real answer is not known, and where a test wants a small world. */
export interface DriveRules extends ItemRules {
  /** How long the index of names is behind; that of parents is prompt. Default 0. Unit: ms. */
  readonly nameLagMs: number
  /** Not known: whether a folder may have an id that was generated before. Default 'taken'. */
  readonly idsOfFolders: 'taken' | 'refused'
  /** Not known: when an upload to an id in use is refused. Default 'open'. */
  readonly idConflict: 'open' | 'commit'
  /** Under the scope drive.file: whether the id of My Drive's root is told. Default 'notFound'. */
  readonly rootOfOwnScope: 'notFound' | 'told'
  /** Not known: what the DELETE of a session answers. Default 499. */
  readonly cancelStatus: 499 | 204
  /** Entries of a page when the client asks for more or for none. */
  readonly pageEntriesMax: number
}

export const rulesByDefault: DriveRules = {
  quotaBytes: 15 * 1024 ** 3,
  childrenMax: 500_000,
  depthMax: 100,
  belowTrashed: 'succeeds',
  nameLagMs: 0,
  idsOfFolders: 'taken',
  idConflict: 'open',
  rootOfOwnScope: 'notFound',
  cancelStatus: 499,
  pageEntriesMax: 1000,
}

export const owner = {
  kind: 'drive#user',
  displayName: 'Fan Fold',
  me: true,
  permissionId: '05076510312345678901',
  emailAddress: 'owner@example.com',
} as const

/** Generated ids remembered. */
const idsMax = 200_000

export class Account {
  rules: DriveRules
  readonly items: Items
  readonly store: ByteStore
  readonly clock: MovableClock
  readonly #issued = new Set<string>()

  constructor(parts: Pick<Account, 'rules' | 'items' | 'store' | 'clock'>) {
    this.rules = parts.rules
    this.items = parts.items
    this.store = parts.store
    this.clock = parts.clock
  }

  obey(rules: DriveRules): void {
    this.rules = rules
    this.items.rules = rules
  }

  issueId(): string {
    if (this.#issued.size >= idsMax) this.#issued.clear()
    const id = newId()
    this.#issued.add(id)
    return id
  }

  /** The id of a new item. @throws Refused for one that nobody issued */
  idFor(wanted: string | undefined): string {
    if (wanted === undefined) return newId()
    if (!this.#issued.has(wanted)) throw invalid(`The provided file ID is not usable.`)
    return wanted
  }
}

/** One request's view: what its login sees, what its parameters let it see. */
export class View {
  readonly account: Account
  readonly exchange: Exchange
  readonly #scopes: readonly string[]

  constructor(account: Account, exchange: Exchange, scopes: readonly string[]) {
    this.account = account
    this.exchange = exchange
    this.#scopes = scopes
  }

  param(name: string): string | undefined {
    const value = this.exchange.url.searchParams.get(name)
    return value === null || value === '' ? undefined : value
  }

  /** @throws Refused notFound for what is not there or not to be seen */
  find(id: string): Item {
    const item = this.account.items.find(id)
    if (!this.sees(item) || (this.isShared(item) && this.param('supportsAllDrives') !== 'true')) throw notFound(id)
    return item
  }

  /** A folder to make something in: the root is taken for granted. */
  folder(id: string): Item {
    return id === 'root' ? this.account.items.root : this.find(id)
  }

  sees(item: Item): boolean {
    if (this.#scopes.includes(fullScope) || item.isOurs) return true
    return item.parent === undefined && this.account.rules.rootOfOwnScope === 'told'
  }

  isShared(item: Item): boolean {
    return rootOf(item) === this.account.items.sharedRoot
  }
}
