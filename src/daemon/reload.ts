/**
 * Takes over a changed configuration while the daemon runs: reads the file, finds what is different by name, and has only that changed.
 * A file that cannot be used changes nothing, and stays in the status until one that can takes its place (F95).
 */
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { readConfig, type AccountConfig, type Config, type SourceConfig, type TargetConfig } from '../config/config.ts'
import type { Reloaded } from '../control/control.ts'

/** One difference between two configurations, by name. */
export type ConfigStep = { readonly verb: Verb } & (
  | { readonly role: 'target'; readonly entry: TargetConfig }
  | { readonly role: 'source'; readonly entry: SourceConfig }
  | { readonly role: 'account'; readonly entry: AccountConfig }
)
type Verb = 'removed' | 'changed' | 'added'

export interface ReloaderParts {
  readonly log: Log
  /** Makes it so. One call at a time. One that failed is asked for again by the next reload. */
  readonly apply: (step: ConfigStep) => Promise<void>
  /** Has page and notices follow what the configuration says of them. */
  readonly follow: (config: Config) => Promise<void>
  readonly note: (event: string, detail: string) => void
  /** A reload begins, and is over, whatever came of it. */
  readonly announce: { reloading(): void; reloaded(): void }
}

export class Reloader {
  readonly #parts: ReloaderParts
  #config: Config
  #problem: string | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(config: Config, parts: ReloaderParts) {
    this.#config = config
    this.#parts = parts
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config
  }

  /** Why the file is not in force as it stands now; null when it is. */
  get problem(): string | null {
    return this.#problem
  }

  /** @throws OwnerError with every problem of the file; the old configuration stays in force then. */
  reload(): Promise<Reloaded> {
    const next = this.#last.then(() => this.#reloadOnce())
    this.#last = next.catch(() => undefined)
    return next
  }

  async #reloadOnce(): Promise<Reloaded> {
    const { log, note, announce } = this.#parts
    announce.reloading()
    try {
      const changes = await this.#takeOver(readConfig(this.#config.file))
      this.#problem = null
      log.info('configuration reloaded', { changes: changes.length })
      note('reloaded', changes.length === 0 ? 'nothing is different' : changes.join('; '))
      return { changes }
    } catch (thrown) {
      const { message } = asError(thrown)
      this.#problem = `${thrown instanceof PartlyTaken ? '' : 'the configuration was not taken over, the one before stays in force: '}${message}`
      log.error('configuration not taken over', { reason: message })
      note('reload-refused', message)
      throw thrown
    } finally {
      announce.reloaded()
    }
  }

  async #takeOver(next: Config): Promise<readonly string[]> {
    const before = this.#config
    refuseFixed(before, next)
    const steps = stepsBetween(before, next)
    const { sources, targets, accounts } = before
    // All else is taken from here whenever it is asked for.
    this.#config = { ...next, sources, targets, accounts, status: before.status, notify: before.notify }
    const done: string[] = []
    for (const step of steps) {
      const last = this.#config
      // In force before it is applied: a part that comes up asks for what it is to be.
      this.#config = stepped(last, step)
      await this.#parts.apply(step).catch((thrown: unknown) => {
        this.#config = last
        throw new PartlyTaken(done, wordsOf(step), asError(thrown))
      })
      done.push(wordsOf(step))
    }
    this.#config = next
    const outlets = (['status', 'notify'] as const).filter((key) => !isSame(before[key], next[key]))
    if (outlets.length > 0) await this.#parts.follow(next)
    return [...done, ...outlets.map((key) => `${key} changed`)]
  }
}

/** Some of what is different is in force, the rest is not. */
class PartlyTaken extends OwnerError {
  constructor(done: readonly string[], failed: string, cause: Error) {
    const inForce = done.length === 0 ? 'nothing of the new configuration' : done.join('; ')
    super(`in force is ${inForce}; it ended at "${failed}": ${cause.message}; mend that and reload again`, { cause })
  }
}

/** What the daemon stands on cannot be changed under it. */
function refuseFixed(before: Config, after: Config): void {
  const fixed = (['state', 'stateOnNetwork', 'node', 'http'] as const).filter((key) => !isSame(before[key], after[key]))
  if (fixed.length === 0) return
  const words = fixed.map((key) => `"${key === 'stateOnNetwork' ? 'state-on-network' : key}:"`).join(' and ')
  throw new OwnerError(`${after.file}: a change of ${words} takes effect only with a restart: restart the daemon`)
}

/** What goes makes room for what comes, and whoever needs another comes after it: a target its account, a source the targets that take it. */
function stepsBetween(before: Config, after: Config): readonly ConfigStep[] {
  const accounts = differenceOf(before.accounts, after.accounts).map((step) => ({ role: 'account' as const, ...step }))
  const targets = differenceOf(before.targets, after.targets).map((step) => ({ role: 'target' as const, ...step }))
  const sources = differenceOf(before.sources, after.sources).map((step) => ({ role: 'source' as const, ...step }))
  const isGone = ({ verb }: ConfigStep): boolean => verb === 'removed'
  return [...accounts.filter((step) => !isGone(step)), ...targets, ...sources, ...accounts.filter(isGone)]
}

interface Named {
  readonly name: string
}

function differenceOf<C extends Named>(before: readonly C[], after: readonly C[]): { verb: Verb; entry: C }[] {
  const known = new Map(before.map((entry) => [entry.name, entry]))
  const names = new Set(after.map(({ name }) => name))
  const isChanged = (entry: C): boolean => known.has(entry.name) && !isSame(known.get(entry.name), entry)
  return [
    ...before.filter(({ name }) => !names.has(name)).map((entry) => ({ verb: 'removed' as const, entry })),
    ...after.filter(isChanged).map((entry) => ({ verb: 'changed' as const, entry })),
    ...after.filter(({ name }) => !known.has(name)).map((entry) => ({ verb: 'added' as const, entry })),
  ]
}

/** The configuration with one step done. */
function stepped(config: Config, { role, verb, entry }: ConfigStep): Config {
  if (role === 'target') return { ...config, targets: replaced(config.targets, entry, verb) }
  if (role === 'source') return { ...config, sources: replaced(config.sources, entry, verb) }
  return { ...config, accounts: replaced(config.accounts, entry, verb) }
}

function replaced<C extends Named>(entries: readonly C[], entry: C, verb: Verb): C[] {
  if (verb === 'added') return [...entries, entry]
  if (verb === 'removed') return entries.filter(({ name }) => name !== entry.name)
  return entries.map((known) => (known.name === entry.name ? entry : known))
}

/** Configurations are plain values whose keys always stand in one order. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function wordsOf({ role, verb, entry }: ConfigStep): string {
  return `${role} ${entry.name} ${verb}`
}
