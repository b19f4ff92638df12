/**
 * One pace for all targets of one account: what its cloud takes, it takes from all of them together. Requests, uploads, bandwidth, the day
 * and pauses are theirs in common, and the strictest of their settings counts; a target's hours stay its own.
 */
import type { Hours } from '../base/local-time.ts'
import type { Rate } from '../base/units.ts'
import { openPace, type Pace, type PaceParts, type PaceRecord, type PaceSettings, type PaceSnapshot } from './pace.ts'
import type { Verdict as Penalty } from './transport/transport.ts'
import { longest, outsideHours, refuseClosed, type Verdict } from './verdict.ts'

export interface AccountPacesParts extends Omit<PaceParts, 'name' | 'store'> {
  /** Each target keeps what its account has to know after a restart, since any of them may be the first of the next start. */
  readonly store: {
    load(target: string): PaceRecord | undefined
    save(target: string, record: PaceRecord): Promise<void>
  }
}

export interface Member {
  readonly target: string
  readonly settings: PaceSettings
  /** In words; the same for all that share a pace. */
  readonly account: string
  /** Targets of the account that may join later. */
  readonly others: readonly string[]
}

export class AccountPaces {
  readonly #parts: AccountPacesParts
  readonly #open = new Map<string, CommonPace>()

  constructor(parts: AccountPacesParts) {
    this.#parts = parts
  }

  /** The pace as one target sees it. The account's ends with the last that is closed. */
  join(member: Member): Pace {
    const { account } = member
    const common = this.#open.get(account) ?? new CommonPace(member, this.#parts)
    this.#open.set(account, common)
    const leave = async (pace: SharedPace): Promise<void> => {
      common.settings.delete(pace)
      if (common.settings.size === 0) {
        this.#open.delete(account)
        await common.pace.close()
      } else common.change()
    }
    return new SharedPace(member, common, { leave, wallMs: () => this.#parts.clock.wallMs() })
  }
}

/** What the targets of one account have in common. */
class CommonPace {
  readonly pace: Pace
  readonly settings = new Map<SharedPace, PaceSettings>()
  readonly targets: Set<string>

  constructor({ account, target, others, settings }: Member, parts: AccountPacesParts) {
    const { store } = parts
    this.targets = new Set([target, ...others])
    this.pace = openPace(strictest([settings]), {
      ...parts,
      name: account,
      store: {
        load: () => newest([...this.targets].map((name) => store.load(name))),
        save: async (record) => {
          await Promise.all([...this.targets].map((name) => store.save(name, record)))
        },
      },
    })
  }

  /** The settings of one of them are others now. */
  change(): void {
    this.pace.change(strictest([...this.settings.values()]))
  }
}

interface SharedParts {
  readonly leave: (pace: SharedPace) => Promise<void>
  readonly wallMs: () => number
}

class SharedPace implements Pace {
  readonly #common: CommonPace
  readonly #parts: SharedParts
  #hours: Hours | undefined

  constructor({ target, settings }: Member, common: CommonPace, parts: SharedParts) {
    this.#common = common
    this.#parts = parts
    common.targets.add(target)
    this.change(settings)
  }

  request<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#common.pace.request(signal, work)
  }

  async upload<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    refuseClosed(this.#hoursVerdict())
    return this.#common.pace.upload(signal, async () => {
      // They may have ended while it waited behind others.
      refuseClosed(this.#hoursVerdict())
      return work()
    })
  }

  bytes(count: number, signal: AbortSignal): Promise<void> {
    return this.#common.pace.bytes(count, signal)
  }

  penalise(penalty: Penalty): void {
    this.#common.pace.penalise(penalty)
  }

  change(settings: PaceSettings): void {
    this.#hours = settings.hours
    this.#common.settings.set(this, settings)
    this.#common.change()
  }

  verdict(): Verdict {
    return longest([this.#hoursVerdict(), this.#common.pace.verdict()])
  }

  #hoursVerdict(): Verdict {
    return outsideHours(this.#hours, this.#parts.wallMs())
  }

  snapshot(): PaceSnapshot {
    return { ...this.#common.pace.snapshot(), verdict: this.verdict() }
  }

  close(): Promise<void> {
    return this.#parts.leave(this)
  }
}

function strictest(all: readonly PaceSettings[]): PaceSettings {
  return {
    requests: slowest(all.map(({ requests }) => requests)),
    uploads: slowest(all.map(({ uploads }) => uploads)),
    bytesPerSecond: least(all.map(({ bytesPerSecond }) => bytesPerSecond)),
    dailyBytes: least(all.map(({ dailyBytes }) => dailyBytes)),
    monthlyRequests: least(all.map(({ monthlyRequests }) => monthlyRequests)),
    hours: undefined,
  }
}

function slowest(rates: readonly (Rate | undefined)[]): Rate | undefined {
  const perMs = ({ count, intervalMs }: Rate): number => count / intervalMs
  const known = rates.filter((rate) => rate !== undefined)
  // Of equal ones the one that bunches least.
  return known.sort((one, other) => perMs(one) - perMs(other) || one.intervalMs - other.intervalMs)[0]
}

function least(amounts: readonly (number | undefined)[]): number | undefined {
  const known = amounts.filter((amount) => amount !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** Of a day and of a month the highest count, of pauses the one that ends last. */
function newest(records: readonly (PaceRecord | undefined)[]): PaceRecord | undefined {
  const known = records.filter((record) => record !== undefined)
  const latest = [...known].sort((one, other) => other.day.localeCompare(one.day) || other.bytes - one.bytes)[0]
  const month = [...known].sort(
    (one, other) => other.month.localeCompare(one.month) || other.requests - one.requests,
  )[0]
  const pauses = known.flatMap(({ pause }) => (pause === undefined ? [] : [pause]))
  if (latest === undefined || month === undefined) return undefined
  const counts = { ...latest, month: month.month, requests: month.requests }
  return { ...counts, pause: pauses.sort((one, other) => other.untilMs - one.untilMs)[0] }
}
