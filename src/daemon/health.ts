/** The one verdict on whether everything is safe: green only while every selected file is delivered or on its way in time (F110). */
import { showDuration } from '../base/units.ts'
import type { AccountStatus, SourceStatus, TargetStatus } from '../control/control.ts'

/** A change that some target lacks for longer than this makes the verdict "not healthy". Unit: ms. */
const healthyAgeMsMax = 10 * 60_000
/** Sources in these states are watched, or freshly scanned again and again. */
const seeingStates: readonly string[] = ['watching', 'polling', 'scanning']

export interface Circumstances {
  readonly sources: readonly SourceStatus[]
  readonly targets: readonly TargetStatus[]
  readonly accounts: readonly AccountStatus[]
  /** Why the journal accepts nothing; null when it does. */
  readonly journalReason: string | null
  /** Why the configuration file is not in force; null when it is. */
  readonly configProblem: string | null
}

/** What keeps the verdict from being green, in words; empty when it is. */
export function unhealthyReasons({
  sources,
  targets,
  accounts,
  journalReason,
  configProblem,
}: Circumstances): string[] {
  const blind = sources.filter(({ state }) => !seeingStates.includes(state))
  const late = targets.filter(({ oldestMs }) => (oldestMs ?? 0) > healthyAgeMsMax)
  const idle = targets.filter(({ state }) => state !== 'running')
  const parked = targets.filter((target) => target.parked > 0)
  return [
    ...(journalReason === null ? [] : [journalReason]),
    ...(configProblem === null ? [] : [configProblem]),
    ...blind.map(({ name, state }) => `source ${name} is ${state}`),
    ...sources.filter(({ removalsHeld }) => removalsHeld).map(({ reason }) => reason ?? 'removals are held back'),
    ...idle.map(({ name, state }) => `target ${name} is ${state}`),
    ...late.map(({ name, oldestMs }) => `target ${name} lacks a change for ${showDuration(oldestMs ?? 0)}`),
    // One that is needed already shows at its targets.
    ...accounts
      .filter(({ state }) => state === 'ends-today')
      .map(({ name, reason }) => `account ${name}: ${reason ?? 'ends today'}`),
    ...targets.flatMap(({ name, verified }) =>
      verified === null || verified.differences === 0 ? [] : [untrue(name, verified)],
    ),
    ...parked.map(({ name, parked: files }) => `target ${name} has ${files} parked`),
  ]
}

function untrue(name: string, { at, differences }: NonNullable<TargetStatus['verified']>): string {
  const copies = differences === 1 ? '1 copy is' : `${differences} copies are`
  return `target ${name}: ${copies} not as delivered (${at}); see "fanfold verify ${name}", then add --repair`
}
