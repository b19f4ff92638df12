/**
 * Takes over a changed configuration while the daemon runs: reads the file, finds what is different by name, and has only that changed.
 * A file that cannot be used changes nothing, and stays in the status until one that can takes its place (F95).
 */
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { readConfig, type Config, type SourceConfig, type TargetConfig } from '../config/config.ts'
import type { Reloaded } from '../control/control.ts'

/** One difference between two configurations, by name. */
export type ConfigStep = { readonly verb: 'removed' | 'changed' | 'added' } & (
  { readonly role: 'target'; readonly entry: TargetConfig } | { readonly role: 'source'; readonly entry: SourceConfig }
)

export interface ReloaderParts {
  readonly log: Log
  /** Makes it so. One call at a time. One that failed is asked for again by the next reload. */
  readonly apply: (step: ConfigStep) => Promise<void>
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
    refuseFixed(this.#config, next)
    const steps = stepsBetween(this.#config, next)
    // All that is neither source nor target is taken from here whenever it is asked for.
    this.#config = { ...next, sources: this.#config.sources, targets: this.#config.targets }
    const done: string[] = []
    for (const step of steps) {
      const before = this.#config
      // In force before it is applied: a part that comes up asks for what it is to be.
      this.#config = stepped(before, step)
      await this.#parts.apply(step).catch((thrown: unknown) => {
        this.#config = before
        throw new PartlyTaken(done, wordsOf(step), asError(thrown))
      })
      done.push(wordsOf(step))
    }
    this.#config = next
    return done
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

/** What goes makes room for what comes. Targets first, so that what a new source has finds all that may take it. */
function stepsBetween(before: Config, after: Config): readonly ConfigStep[] {
  const verbs = ['removed', 'changed', 'added'] as const
  const targets = differenceOf(before.targets, after.targets)
  const sources = differenceOf(before.sources, after.sources)
  return [
    ...verbs.flatMap((verb) => targets[verb].map((entry): ConfigStep => ({ role: 'target', verb, entry }))),
    ...verbs.flatMap((verb) => sources[verb].map((entry): ConfigStep => ({ role: 'source', verb, entry }))),
  ]
}

function differenceOf<C extends { readonly name: string }>(
  before: readonly C[],
  after: readonly C[],
): Readonly<Record<ConfigStep['verb'], readonly C[]>> {
  const known = new Map(before.map((entry) => [entry.name, entry]))
  const names = new Set(after.map(({ name }) => name))
  return {
    added: after.filter(({ name }) => !known.has(name)),
    changed: after.filter((entry) => known.has(entry.name) && !isSame(known.get(entry.name), entry)),
    removed: before.filter(({ name }) => !names.has(name)),
  }
}

/** The configuration with one step done. */
function stepped(config: Config, step: ConfigStep): Config {
  return step.role === 'target'
    ? { ...config, targets: replaced(config.targets, step.entry, step.verb) }
    : { ...config, sources: replaced(config.sources, step.entry, step.verb) }
}

function replaced<C extends { readonly name: string }>(entries: readonly C[], entry: C, verb: ConfigStep['verb']): C[] {
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
