/**
 * The state of one lane's target: a pure machine from what happened to what follows. Holds no clock, no timer and no target.
 *
 *   opening   entered at the start and when the owner lets go: the target was not reached yet. Left by `opened` or `unopened`.
 *   running   claims and delivers. Entered by `opened`, left when an attempt finds that the target as a whole cannot work.
 *   paused    nothing is claimed and no delivery is to blame; the target is probed with a growing delay, or once the time has come
 *             that it named itself. Left by `opened`.
 *   held      its owner stopped it: nothing is claimed, nothing is probed. Left by `resumed`.
 *   stopped   for good; nothing leads out of it.
 */
import { unreachable } from '../base/errors.ts'
import { TargetError, type PauseKind } from '../target/target.ts'

export type LaneState =
  | { readonly kind: 'opening' }
  /** `flaps`: how often it was paused since it last took a delivery. */
  | { readonly kind: 'running'; readonly flaps: number }
  | Paused
  | { readonly kind: 'held'; readonly reason: string }
  | { readonly kind: 'stopped' }

export interface Paused {
  readonly kind: 'paused'
  readonly pause: PauseKind
  /** What is wrong, with the next step for the owner. */
  readonly reason: string
  /** Probes that failed in a row. */
  readonly probes: number
  readonly flaps: number
}

/** What a target said of itself. @param againInMs how long it asked to be left alone. */
export interface Trouble {
  readonly pause: PauseKind
  readonly reason: string
  readonly againInMs?: number
}

export type LaneEvent =
  /** The target can be used. */
  | { readonly kind: 'opened' }
  /** A probe found that it cannot. */
  | ({ readonly kind: 'unopened' } & Trouble)
  /** An attempt found that it cannot. */
  | ({ readonly kind: 'failed' } & Trouble)
  /** It did what a delivery asked of it. */
  | { readonly kind: 'delivered' }
  | { readonly kind: 'held'; readonly reason: string }
  | { readonly kind: 'resumed' }
  /** The owner wants it probed now. */
  | { readonly kind: 'nudged' }
  | { readonly kind: 'stopped' }

export interface LaneStep {
  readonly state: LaneState
  /** `work`: claim what waits and offer what lies behind the cursor. */
  readonly effect: 'none' | 'work' | { readonly probeAfterMs: number }
}

/** A target that cannot work is tried again after this, doubling. Unit: ms. */
const probeFirstMs = 500
const probeLongestMs = 30_000

const stay = (state: LaneState): LaneStep => ({ state, effect: 'none' })
const probe = (state: LaneState, probeAfterMs: number): LaneStep => ({ state, effect: { probeAfterMs } })

export function nextLaneState(state: LaneState, event: LaneEvent): LaneStep {
  if (state.kind === 'stopped' || event.kind === 'stopped') return stay({ kind: 'stopped' })
  if (event.kind === 'held') return stay({ kind: 'held', reason: event.reason })
  switch (state.kind) {
    case 'held':
      return event.kind === 'resumed' ? probe({ kind: 'opening' }, 0) : stay(state)
    case 'opening':
      return awaited(state, { probes: 0, flaps: 0 }, event)
    case 'paused':
      return awaited(state, state, event)
    case 'running':
      return running(state, event)
    default:
      return unreachable(state)
  }
}

/** A target that is waited for. What attempts say that were under way when it was paused is known already. */
function awaited(
  state: LaneState,
  { probes, flaps }: { readonly probes: number; readonly flaps: number },
  event: LaneEvent,
): LaneStep {
  if (event.kind === 'opened') return { state: { kind: 'running', flaps }, effect: 'work' }
  if (event.kind === 'nudged') return probe(state, 0)
  if (event.kind !== 'unopened') return stay(state)
  const { pause, reason, againInMs } = event
  return probe({ kind: 'paused', pause, reason, probes: probes + 1, flaps }, againInMs ?? delayMs(probes))
}

function running(state: Extract<LaneState, { kind: 'running' }>, event: LaneEvent): LaneStep {
  if (event.kind === 'delivered') return stay(state.flaps === 0 ? state : { kind: 'running', flaps: 0 })
  if (event.kind === 'nudged') return { state, effect: 'work' }
  if (event.kind !== 'failed') return stay(state)
  const { pause, reason, againInMs } = event
  // A target that named its time needs no probe to be believed.
  const probes = againInMs === undefined ? 0 : 1
  const paused: Paused = { kind: 'paused', pause, reason, probes, flaps: state.flaps + 1 }
  return probe(paused, againInMs ?? delayMs(state.flaps))
}

/** A target that opens and fails at once is left alone as long as one that never opens. */
function delayMs(failuresBefore: number): number {
  return Math.min(probeLongestMs, probeFirstMs * 2 ** Math.min(failuresBefore, 30))
}

/** What a failure says of the target as a whole. */
export function troubleOf(error: Error): Trouble {
  const next = error instanceof TargetError ? error.next : undefined
  if (next?.kind !== 'pause-target') return { pause: 'paused', reason: error.message }
  const { state: pause, againInMs } = next
  return { pause, reason: error.message, ...(againInMs === undefined ? {} : { againInMs }) }
}
