/**
 * Takes over a changed configuration while the daemon runs: reads the file, finds what is different by name, and has only that changed.
 * A file that cannot be used changes nothing, and stays in the status until one that can takes its place (F95).
 */
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { readConfig, type AccountConfig, type Config, type SourceConfig, type TargetConfig } from '../config/config.ts'
import type { Reloaded } from '../control/control.ts'

/** What one configuration has that another has not, by name. */
export interface Difference<C> {
  readonly added: readonly C[]
  readonly changed: readonly C[]
  readonly removed: readonly C[]
}

export interface ConfigChange {
  readonly sources: Difference<SourceConfig>
  readonly targets: Difference<TargetConfig>
  readonly accounts: Difference<AccountConfig>
}

export interface ReloaderParts {
  readonly log: Log
  /** Makes it so. One call at a time. */
  readonly apply: (change: ConfigChange) => Promise<void>
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
      this.#problem = `the configuration was not taken over, the one before stays in force: ${message}`
      log.error('configuration not taken over', { reason: message })
      note('reload-refused', message)
      throw thrown
    } finally {
      announce.reloaded()
    }
  }

  async #takeOver(next: Config): Promise<readonly string[]> {
    refuseFixed(this.#config, next)
    const change = {
      sources: differenceOf(this.#config.sources, next.sources),
      targets: differenceOf(this.#config.targets, next.targets),
      accounts: differenceOf(this.#config.accounts, next.accounts),
    }
    // In force before it is applied: a part that comes up asks for what it is to be.
    this.#config = next
    await this.#parts.apply(change)
    return [
      ...wordsOf('source', change.sources),
      ...wordsOf('target', change.targets),
      ...wordsOf('account', change.accounts),
    ]
  }
}

/** What the daemon stands on cannot be changed under it. */
function refuseFixed(before: Config, after: Config): void {
  const fixed = (['state', 'stateOnNetwork', 'node', 'http'] as const).filter((key) => !isSame(before[key], after[key]))
  if (fixed.length === 0) return
  const words = fixed.map((key) => `"${key === 'stateOnNetwork' ? 'state-on-network' : key}:"`).join(' and ')
  throw new OwnerError(`${after.file}: a change of ${words} takes effect only with a restart: restart the daemon`)
}

export function differenceOf<C extends { readonly name: string }>(
  before: readonly C[],
  after: readonly C[],
): Difference<C> {
  const known = new Map(before.map((entry) => [entry.name, entry]))
  const names = new Set(after.map(({ name }) => name))
  return {
    added: after.filter(({ name }) => !known.has(name)),
    changed: after.filter((entry) => known.has(entry.name) && !isSame(known.get(entry.name), entry)),
    removed: before.filter(({ name }) => !names.has(name)),
  }
}

/** Configurations are plain values whose keys always stand in one order. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function wordsOf(what: string, difference: Difference<{ readonly name: string }>): string[] {
  return (['added', 'changed', 'removed'] as const).flatMap((verb) =>
    difference[verb].map(({ name }) => `${what} ${name} ${verb}`),
  )
}
