/** What is live of a target, in the words of the desk. */
import type { TargetSpace } from '../control/control.ts'
import type { LaneSeat, LaneState, Pipeline } from '../pipeline/pipeline.ts'
import type { LiveTarget } from './desk.ts'

/** The target as it runs now; undefined where none of that name does. */
export function liveTarget(
  pipeline: Pipeline,
  name: string,
  spaceOf: (target: string) => TargetSpace | null,
): LiveTarget | undefined {
  const seat = pipeline.seat(name)
  if (seat === undefined) return undefined
  const { lane } = seat
  return {
    name,
    ...(lane === undefined ? betweenLives(seat) : shownState(lane.state)),
    bytesSent: seat.bytesSent,
    sending: lane?.traffic.sending ?? [],
    requests: seat.config.kind === 'directory' ? undefined : seat.requests,
    listing: lane?.offering.listed ?? null,
    space: spaceOf(name),
    offer: () => lane?.offer(),
    nudge: () => lane?.nudge(),
    hold: (reason) => lane?.hold(reason),
    resume: () => lane?.resume(),
    bytesPerSecond: seat.bytesPerSecond,
  }
}

function betweenLives({ lastFailure }: LaneSeat): { readonly state: string; readonly reason: string | null } {
  return { state: 'restarting', reason: `failed and is started again: ${lastFailure ?? 'unknown reason'}` }
}

function shownState(state: LaneState): { readonly state: string; readonly reason: string | null } {
  switch (state.kind) {
    case 'opening':
      return { state: 'opening', reason: 'not reached yet' }
    case 'paused':
      return { state: state.pause, reason: state.reason }
    case 'held':
      return { state: 'held', reason: state.reason }
    case 'running':
    case 'stopped':
      return { state: state.kind, reason: null }
  }
}
