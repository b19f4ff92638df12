/** The pipeline: changes go in, are owed to every target that takes them, and each lane pays its own debts at its own pace. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { TargetConfig } from '../config/config.ts'
import type { Digest } from '../digest/digest.ts'
import type { Change, Facts, Journal } from '../journal/journal.ts'
import type { Target } from '../target/target.ts'
import { Intake } from './intake.ts'
import { Lane, type LaneParts } from './lane.ts'
import { placeAt } from './remote-path.ts'
import { selector } from './selector.ts'

export type { Lane } from './lane.ts'
export { selector, type Selector } from './selector.ts'

export interface PipelineParts {
  readonly journal: Journal
  readonly digest: Digest
  /** Opens what stands behind a target's configuration; the pipeline closes it. */
  readonly openTarget: (config: TargetConfig) => Target
  readonly rootOf: (source: string) => string
  /** This host's name, for templates. */
  readonly host: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onFailure: (error: Error) => void
}

export class Pipeline {
  readonly lanes: readonly Lane[]
  readonly #intake: Intake

  constructor(targets: readonly TargetConfig[], parts: PipelineParts) {
    const { journal, clock } = parts
    const selectors = targets.map((config) => ({
      config,
      selector: selector(config.select, clock),
      id: journal.declareTarget(config.name, config.kind, JSON.stringify([config.select, config.at])).id,
    }))
    const selection = (facts: Facts): number[] =>
      selectors.filter(({ selector }) => selector(facts).takes).map(({ id }) => id)
    this.#intake = new Intake(journal, selection, parts.onFailure)
    const laneParts: LaneParts = parts
    this.lanes = selectors.map(({ config, selector, id }) => {
      const { name, kind, at, pace } = config
      const place = { placeAt: placeAt(at, parts.host), target: parts.openTarget(config), slots: pace.concurrency }
      return new Lane({ name, kind, selector, ...place }, id, this.#intake.accepted, laneParts)
    })
  }

  start(): void {
    for (const lane of this.lanes) lane.start()
  }

  /** Takes settled changes; resolves once they are in the journal with all that they owe. At most some 1,000 a call. */
  take(changes: readonly Change[]): Promise<void> {
    return this.#intake.take(changes)
  }

  /** Accepts nothing in detail until `release`: the state disk has no room for it. Deliveries go on. */
  hold(): void {
    this.#intake.hold()
  }

  release(): void {
    this.#intake.release()
  }

  get isIdle(): boolean {
    return this.#intake.waitingCount === 0 && this.lanes.every((lane) => lane.isIdle)
  }

  /** Records what was taken, then stops every lane side by side. */
  async stop(graceMs: number): Promise<void> {
    await this.#intake.stop()
    await Promise.all(this.lanes.map((lane) => lane.stop(graceMs)))
  }
}
