/** What a changed configuration would do, before it does it: which files enter a target, leave it, or go elsewhere in it. Changes nothing. */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../base/clock.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import type { Amount, Plan, PlannedTarget } from '../control/control.ts'
import type { Declaration, Facts, Journal } from '../journal/journal.ts'
import { declarationOf, declaredOrder, laneOrder, type LaneOrder } from '../pipeline/pipeline.ts'

/** Files judged in one turn of the main loop, by every target: a few ms. */
const filesPerTurn = 500

export interface PlanParts {
  readonly journal: Journal
  readonly clock: Clock
  /** What a target was seen to take while it had work; undefined where nothing is known. Unit: bytes per second. */
  readonly bytesPerSecond: (target: string) => number | undefined
}

interface Tally {
  enter: Amount
  leave: Amount
  move: Amount
}

interface Judged {
  readonly config: TargetConfig
  /** What the journal has this target under; undefined for one that is new. */
  readonly before: LaneOrder | undefined
  readonly after: LaneOrder
  /** All copies are looked for elsewhere. */
  readonly isElsewhere: boolean
  readonly tally: Tally
}

export async function planOf(next: Config, parts: PlanParts, signal: AbortSignal): Promise<Plan> {
  const judged = next.targets.map((config) => judgedOf(config, next, parts))
  await judgeAll(judged, parts, signal)
  const declared = parts.journal.declaredTargets()
  const known = parts.journal.fileCounts()
  return {
    targets: judged.map((one) => plannedOf(one, parts)),
    removedTargets: declared.filter(
      (name) => !next.targets.some((target) => [target.name, target.formerly].includes(name)),
    ),
    newSources: next.sources.map(({ name }) => name).filter((name) => (known.get(name) ?? 0) === 0),
    removedSources: [...known.keys()].filter((name) => !next.sources.some((source) => source.name === name)),
  }
}

function judgedOf(config: TargetConfig, next: Config, { journal, clock }: PlanParts): Judged {
  const declaration = journal.declarationOf(config.name) ?? formerDeclaration(config, journal)
  const host = next.node.id
  return {
    config,
    before: declaration === undefined ? undefined : declaredOrder(declaration, { clock, host }),
    after: laneOrder(config, { clock, host }),
    isElsewhere: declaration !== undefined && !isDeepStrictEqual(declaration.place, declarationOf(config).place),
    tally: { enter: nothing, leave: nothing, move: nothing },
  }
}

/** Under the name that it had before. */
function formerDeclaration({ formerly }: TargetConfig, journal: Journal): Declaration | undefined {
  return formerly === undefined ? undefined : journal.declarationOf(formerly)
}

const nothing: Amount = { files: 0, bytes: 0 }

async function judgeAll(judged: readonly Judged[], { journal, clock }: PlanParts, signal: AbortSignal): Promise<void> {
  let seq = 0
  for (;;) {
    const page = journal.filesAfter(seq, filesPerTurn)
    for (const file of page) for (const one of judged) count(one, file)
    const last = page.at(-1)
    if (last === undefined) return
    seq = last.seq
    await clock.sleep(0, signal)
  }
}

function count({ before, after, isElsewhere, tally }: Judged, facts: Facts): void {
  const had = before?.selector(facts).takes ?? false
  const has = after.selector(facts).takes
  if (has && (!had || isElsewhere)) tally.enter = plus(tally.enter, facts.size)
  else if (had && !has) tally.leave = plus(tally.leave, facts.size)
  else if (has && before?.placeAt(facts) !== after.placeAt(facts)) tally.move = plus(tally.move, facts.size)
}

function plus({ files, bytes }: Amount, more: number): Amount {
  return { files: files + 1, bytes: bytes + more }
}

function plannedOf({ config, before, isElsewhere, tally }: Judged, { bytesPerSecond }: PlanParts): PlannedTarget {
  const { name, pace } = config
  const { enter } = tally
  const perSecond = Math.min(pace.bytesPerSecond ?? Infinity, bytesPerSecond(name) ?? Infinity)
  const starts = [pace.uploads, pace.requests].map((rate) =>
    rate === undefined ? Infinity : rate.count / rate.intervalMs,
  )
  const durationMs = Math.max((enter.bytes / perSecond) * 1000, ...starts.map((perMs) => enter.files / perMs))
  const isKnown = perSecond !== Infinity || starts.some((perMs) => perMs !== Infinity)
  return {
    name,
    isNew: before === undefined,
    isElsewhere,
    ...tally,
    durationMs: isKnown ? Math.ceil(durationMs) : null,
  }
}
