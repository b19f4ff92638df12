/** What people are told of a lane as it goes: log and history. Decides nothing. */
import type { Log } from '../base/log.ts'
import { showPath } from '../base/path.ts'
import type { Delivery, Journal, Outcome } from '../journal/journal.ts'
import type { LaneState } from './lane-state.ts'

export interface LaneWordsParts {
  readonly journal: Journal
  readonly log: Log
}

/** Once per cause, not once per probe. */
export function tellOfLane(
  target: string,
  { before, state }: { readonly before: LaneState; readonly state: LaneState },
  { log, journal }: LaneWordsParts,
): void {
  if (state.kind === 'running' && before.kind !== 'running') log.info('target running', { target })
  if (state.kind !== 'paused' && state.kind !== 'held') return
  if ('reason' in before && before.reason === state.reason) return
  log.warn(state.kind === 'held' ? 'target held' : 'target paused', { target, reason: state.reason })
  journal.note({ source: null, target, event: state.kind, detail: state.reason })
}

export function tellOfFailure(
  target: string,
  { source, path, attempts }: Delivery,
  { kind, reason }: Extract<Outcome, { kind: 'parked' | 'postponed' }>,
  log: Log,
): void {
  log.warn(`delivery ${kind}`, { target, source, path: showPath(path), attempt: attempts + 1, reason })
}
