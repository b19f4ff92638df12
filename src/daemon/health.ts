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

/** One thing that keeps the verdict from being green. */
export interface Cause {
  /** What it is about: the same as long as it lasts, whatever its words say. */
  readonly name: string
  readonly words: string
}

/** What keeps the verdict from being green; empty when nothing does. */
export function causesOf({ sources, targets, accounts, journalReason, configProblem }: Circumstances): Cause[] {
  const blind = sources.filter(({ state }) => !seeingStates.includes(state))
  const late = targets.filter(({ oldestMs }) => (oldestMs ?? 0) > healthyAgeMsMax)
  const idle = targets.filter(({ state }) => state !== 'running')
  const parked = targets.filter((target) => target.parked > 0)
  // A login that is needed already shows at its targets.
  const ending = accounts.filter(({ state }) => state === 'ends-today')
  return [
    ...(journalReason === null ? [] : [{ name: 'journal', words: journalReason }]),
    ...(configProblem === null ? [] : [{ name: 'configuration', words: configProblem }]),
    ...blind.map(({ name, state }) => ({ name: `source ${name} ${state}`, words: `source ${name} is ${state}` })),
    ...sources
      .filter(({ removalsHeld }) => removalsHeld)
      .map(({ name, reason }) => ({ name: `source ${name} held`, words: reason ?? 'removals are held back' })),
    ...idle.map(({ name, state }) => ({ name: `target ${name} ${state}`, words: `target ${name} is ${state}` })),
    ...late.map(({ name, oldestMs }) => ({
      name: `target ${name} late`,
      words: `target ${name} lacks a change for ${showDuration(oldestMs ?? 0)}`,
    })),
    ...ending.map(({ name, reason }) => ({
      name: `account ${name} ends`,
      words: `account ${name}: ${reason ?? 'ends today'}`,
    })),
    ...targets.flatMap(({ name, verified }) =>
      verified === null || verified.differences === 0
        ? []
        : [{ name: `target ${name} untrue`, words: untrue(name, verified) }],
    ),
    ...parked.map(({ name, parked: files }) => ({
      name: `target ${name} parked`,
      words: `target ${name} has ${files} parked`,
    })),
  ]
}

function untrue(name: string, { at, differences }: NonNullable<TargetStatus['verified']>): string {
  const copies = differences === 1 ? '1 copy is' : `${differences} copies are`
  return `target ${name}: ${copies} not as delivered (${at}); see "fanfold verify ${name}", then add --repair`
}
