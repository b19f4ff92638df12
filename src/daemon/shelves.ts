/**
 * Shelves: targets opened for reading, beside the lanes. Where a target's lane has it open, that one is lent, so that both keep one pace and one
 * login; else it is opened for the purpose, which makes and changes nothing there. Nothing is known here of what is read, or why.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { orAbort } from '../base/abort.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { AskError } from '../control/control.ts'
import type { Journal } from '../journal/journal.ts'
import { declarationOf } from '../pipeline/pipeline.ts'
import type { ReadableTarget } from '../target/target.ts'
import { Clouds } from './clouds.ts'
import { Logins } from './logins.ts'
import { bareGrounds, groundsOf, type OpenedForReading, Opener } from './opener.ts'
import type { DaemonOptions } from './options.ts'
import { openState } from './state.ts'

/** A target that nobody reads from stays open for so long: who restores asks for one file after the other. Unit: ms. */
const idleMsMax = 30_000

export interface ShelvesParts {
  readonly configs: () => readonly TargetConfig[]
  /** The target while its lane has it open. */
  readonly running: (target: string) => ReadableTarget | undefined
  readonly open: (config: TargetConfig) => Promise<OpenedForReading>
  /** By what the place is known that has to stand there; undefined where nothing is known. */
  readonly markOf: (config: TargetConfig) => string | undefined
  readonly clock: Clock
  readonly log: Log
}

/** A target lent for reading. */
export interface Shelf {
  readonly config: TargetConfig
  readonly target: ReadableTarget
  /** Given back: what is still read from it may end at any time. */
  release(): void
}

interface Kept {
  readonly config: TargetConfig
  /** Resolves when it can be closed, */
  readonly made: Promise<OpenedForReading>
  /** and when it is open. */
  readonly opening: Promise<ReadableTarget>
  users: number
  idle: Timer | undefined
}

export class Shelves {
  readonly #parts: ShelvesParts
  readonly #kept = new Map<string, Kept>()
  readonly #tasks: Tasks
  #isClosed = false

  constructor(parts: ShelvesParts) {
    this.#parts = parts
    this.#tasks = new Tasks((task, error) => parts.log.warn('target left open', { task, reason: error.message }))
  }

  /** The configurations of these targets, or of all. @throws AskError for a name that the configuration does not have. */
  configs(names: readonly string[] = []): readonly TargetConfig[] {
    const known = this.#parts.configs()
    if (names.length === 0) return known
    return names.map((name) => {
      const config = known.find((one) => one.name === name)
      if (config !== undefined) return config
      throw new AskError(`no target is named "${name}"; there are: ${known.map((one) => one.name).join(', ')}`)
    })
  }

  /** Lends a target until it is released. @throws TargetError where it cannot be opened, AskError for an unknown name. */
  async take(name: string, signal: AbortSignal): Promise<Shelf> {
    const [config] = this.configs([name])
    if (config === undefined || this.#isClosed) throw new OwnerError('Fanfold is stopping; ask again when it runs')
    const running = this.#parts.running(name)
    if (running !== undefined) return { config, target: running, release: () => {} }
    const kept = this.#keptOf(config)
    kept.idle?.clear()
    kept.users++
    let isLent = true
    const target = await orAbort(kept.opening, signal).catch((thrown: unknown) => {
      this.#released(kept)
      throw thrown
    })
    return {
      config,
      target,
      release: () => {
        if (isLent) this.#released(kept)
        isLent = false
      },
    }
  }

  /** Closes what was opened here. Whoever still reads is told so by the target. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const kept of this.#kept.values()) this.#drop(kept)
    await this.#tasks.settled()
    await this.#tasks.stop()
  }

  #keptOf(config: TargetConfig): Kept {
    const known = this.#kept.get(config.name)
    if (known !== undefined && isDeepStrictEqual(known.config, config)) return known
    // Whoever reads at the place of before reads on.
    if (known?.users === 0) this.#drop(known)
    const made = this.#parts.open(config)
    const kept: Kept = { config, made, opening: this.#opened(config, made), users: 0, idle: undefined }
    this.#kept.set(config.name, kept)
    kept.opening.catch(() => this.#drop(kept))
    return kept
  }

  async #opened(config: TargetConfig, made: Kept['made']): Promise<ReadableTarget> {
    const { target } = await made
    await target.open(this.#parts.markOf(config), this.#tasks.signal)
    return target
  }

  #released(kept: Kept): void {
    kept.users--
    if (kept.users > 0) return
    if (this.#kept.get(kept.config.name) !== kept) return this.#close(kept)
    kept.idle = this.#parts.clock.after(idleMsMax, () => this.#drop(kept))
  }

  /** The next who asks has it opened anew. */
  #drop(kept: Kept): void {
    kept.idle?.clear()
    if (this.#kept.get(kept.config.name) === kept) this.#kept.delete(kept.config.name)
    this.#close(kept)
  }

  readonly #closed = new WeakSet<Kept>()

  #close(kept: Kept): void {
    if (this.#closed.has(kept)) return
    this.#closed.add(kept)
    this.#tasks.run(`close ${kept.config.name}`, async () => {
      const { target, pace } = await kept.made
      await target.close()
      await pace.close()
    })
  }
}

/** The mark of the place that the journal knows behind this target; undefined where it knows none, or another place. */
export function markIn(journal: Journal, config: TargetConfig): string | undefined {
  return isKnownIn(journal, config) ? (journal.target(config.name).mark ?? undefined) : undefined
}

/** Whether what the journal says of this target is about the place that the configuration names. */
export function isKnownIn(journal: Journal, config: TargetConfig): boolean {
  const { kind, place } = declarationOf(config)
  const known = journal.declarationOf(config.name)
  return known?.kind === kind && known.place === place
}

/** Shelves of this process alone. */
export interface OwnShelves {
  readonly shelves: Shelves
  /** undefined where there is none: then only the targets themselves say what they hold. */
  readonly journal: Journal | undefined
  close(): Promise<void>
}

/**
 * Shelves without a daemon. Where there is a journal, its state directory is locked until `close`; where there is none, none is made.
 * @throws OwnerError when another process uses the state directory.
 */
export function openShelves(config: Config, options: DaemonOptions): OwnShelves {
  const state = existsSync(join(config.state, 'journal.sqlite')) ? openState(config, options) : undefined
  const journal = state?.journal
  const { shelves, close } = shelvesWith(config, journal, options)
  return {
    shelves,
    journal,
    async close() {
      await close()
      state?.release()
    },
  }
}

/** Shelves without a daemon, over a journal that somebody has open; `close` leaves that open. */
export function shelvesWith(
  config: Config,
  journal: Journal | undefined,
  options: DaemonOptions,
): { readonly shelves: Shelves; readonly close: () => Promise<void> } {
  const { clock, log } = options
  const logins = new Logins(config, options)
  const clouds = new Clouds({ config, logins, clock, log })
  const configs = (): readonly TargetConfig[] => config.targets
  const isKnown = (target: string): boolean =>
    journal !== undefined && config.targets.some((one) => one.name === target && isKnownIn(journal, one))
  const bare = bareGrounds()
  const known = journal === undefined ? bare : groundsOf(journal)
  const onFailure = (error: Error): void => log('target').warn('pace not kept', { reason: error.message })
  const opener = new Opener(
    {
      clouds,
      configs,
      instance: undefined,
      host: config.node.id,
      store: {
        load: (target) => (isKnown(target) ? known : bare).store.load(target),
        save: (target, record) => (isKnown(target) ? known : bare).store.save(target, record),
      },
      foldersAt: (target) => (isKnown(target) ? known : bare).foldersAt(target),
    },
    options,
    onFailure,
  )
  const markOf = (target: TargetConfig): string | undefined => journal && markIn(journal, target)
  const open = (target: TargetConfig): Promise<OpenedForReading> => opener.forReading(target)
  const shelves = new Shelves({ configs, running: () => undefined, open, markOf, clock, log: log('target') })
  return {
    shelves,
    async close() {
      await shelves.close()
      await logins.close()
    },
  }
}
