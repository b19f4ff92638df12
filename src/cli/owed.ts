/** What a run that came to rest could not do: per lane and source, with the files and reasons behind it. */
import type { Desk, SourceStatus, TargetStatus } from '../control/control.ts'
import { span, type Line } from './spans.ts'
import { table } from './table.ts'

export interface Owed {
  readonly what: string
  readonly state: string
  /** The file where one is known. */
  readonly path: string | null
  readonly reason: string
}

/** A person acts on the first few; `fanfold history` has the rest. */
const filesShownMax = 20
/** How far back failures are looked for. Unit: history lines. */
const linesReadMax = 2000

/** Everything that keeps the run from being complete; empty when every file is where it should be. @param since ISO 8601. */
export function owedOf(desk: Desk, since: string): Owed[] {
  const { sources, targets } = desk.status()
  const open = targets.filter((lane) => countOf(lane) > 0)
  return [
    ...sources.filter(isBlind).map((source) => ({
      what: `source ${source.name}`,
      state: source.state,
      path: null,
      reason: source.reason ?? 'its files are not known',
    })),
    ...open.map((lane) => ({ what: `target ${lane.name}`, state: lane.state, path: null, reason: laneReason(lane) })),
    ...(open.length > 0 ? failedFiles(desk, since) : []),
  ]
}

export function owedLines(owed: readonly Owed[]): Line[] {
  if (owed.length === 0) return [[span('everything is delivered', 'good')]]
  const columns = [{ title: 'NOT DONE' }, { title: 'STATE' }, { title: 'PATH' }, { title: 'REASON' }]
  return table(
    columns,
    owed.map(({ what, state, path, reason }) => [what, span(state, 'bad'), path ?? '-', reason]),
  )
}

/** A source that cannot be read: what it holds is unknown, so nothing can be said to be complete. */
function isBlind({ state }: SourceStatus): boolean {
  return ['missing', 'suspect', 'restarting'].includes(state)
}

function countOf(lane: TargetStatus): number {
  return lane.waiting + lane.active + lane.parked + lane.offering
}

function laneReason(lane: TargetStatus): string {
  const counts = [
    [lane.parked, 'parked'],
    [lane.waiting + lane.active, 'owed'],
    [lane.offering, 'to offer'],
  ] as const
  const words = counts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`)
  return lane.reason === null ? words.join(', ') : `${words.join(', ')}; ${lane.reason}`
}

/** Files that failed in this run and are still open, by the desk's own verdict. */
function failedFiles(desk: Desk, since: string): Owed[] {
  const lines = desk
    .history(null, linesReadMax)
    .filter(({ at, event }) => at >= since && (event === 'parked' || event === 'retry'))
  const found = new Map<string, Owed>()
  for (const { source, path, target } of lines) {
    if (path === null || target === null || found.size >= filesShownMax) continue
    for (const verdict of desk.why(path).filter((each) => source === null || each.source === source)) {
      const lane = verdict.targets.find((each) => each.target === target)
      if (lane === undefined || !['parked', 'waiting', 'postponed', 'active'].includes(lane.state)) continue
      found.set(`${verdict.source}\0${path}\0${target}`, {
        what: `target ${target}`,
        state: lane.state,
        path,
        reason: lane.reason,
      })
    }
  }
  return [...found.values()]
}
