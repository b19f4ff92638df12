/**
 * The states of what one target is owed of one file: a pure machine from what happened to what follows. Holds no row and no clock; the
 * spool and the feed write what it says, and a test holds their rows against it.
 *
 *   done        nothing is owed. The receipt, or that there is none, says what the target holds. Left by `changed`, `offered`, `leaves`.
 *   waiting     to be claimed, in the order of priority and age.
 *   postponed   waiting for a time, after a failure or since it came too early. Left when due, by `retried`, or by anything newer.
 *   parked      out of the queue with a reason: back by its owner, by anything newer, or when due where a rule set a time.
 *   leaving     the file is gone and its copy follows when the grace is over. Left when due, or by the file's return.
 *   active      leased to an attempt. Held in memory only: a crash returns it to where it was claimed from.
 *   superseded  leased to an attempt at a state of the file that is old by now; what is owed instead begins when that attempt has ended.
 *
 * `isDoubtful`: an attempt may have changed the object at the target without our having recorded it, so that no receipt is trusted.
 * `aim`: what an attempt is for, where that is not to put a copy.
 */
import { assert, unreachable } from '../base/errors.ts'
import type { Aim, Outcome } from './delivery.ts'

type OtherAim = Exclude<Aim, 'put'>

export type Resting =
  | { readonly kind: 'done' }
  | { readonly kind: 'waiting'; readonly attempts: number; readonly isDoubtful: boolean; readonly aim?: OtherAim }
  | {
      readonly kind: 'postponed'
      readonly dueMs: number
      readonly attempts: number
      readonly reason: string
      readonly isDoubtful: boolean
      readonly aim?: OtherAim
    }
  | {
      readonly kind: 'parked'
      readonly dueMs: number | null
      readonly attempts: number
      readonly reason: string
      readonly aim?: OtherAim
    }
  | { readonly kind: 'leaving'; readonly dueMs: number; readonly isDoubtful: boolean }

export type DeliveryState =
  | Resting
  /** `attempts`: those before this one. */
  | { readonly kind: 'active'; readonly attempts: number; readonly from: Resting }
  | { readonly kind: 'superseded'; readonly by: Resting }

export type DeliveryEvent =
  /** The file has a newer state, of which the target is to have a copy. */
  | { readonly kind: 'changed' }
  /** The target is to have a copy of the state that is known; `isLooked`: whatever its receipt says. */
  | { readonly kind: 'offered'; readonly isLooked: boolean }
  /** The target is to have no newer copy; what it has stays. */
  | { readonly kind: 'unowed' }
  /** The file has a newer state, of which the target is to have no copy. */
  | { readonly kind: 'unwanted' }
  /** The file is gone, and its copy is to follow it at this wall time. */
  | { readonly kind: 'leaves'; readonly dueMs: number; readonly hasCopy: boolean }
  | { readonly kind: 'claimed' }
  | { readonly kind: 'ended'; readonly outcome: Outcome; readonly nowMs: number }
  /** The owner wants it done now. */
  | { readonly kind: 'retried' }
  /** The owner says that removals which were held back are meant. */
  | { readonly kind: 'approved'; readonly nowMs: number }
  /** The process ended, and another one goes on. */
  | { readonly kind: 'reopened' }

const done: Resting = { kind: 'done' }
const toLookAt: Resting = { kind: 'waiting', attempts: 0, isDoubtful: true, aim: 'look' }
const waiting = (isDoubtful: boolean) => ({ kind: 'waiting', attempts: 0, isDoubtful }) as const satisfies Resting

export function nextDeliveryState(state: DeliveryState, event: DeliveryEvent): DeliveryState {
  if (state.kind === 'active') return nextActive(state, event)
  if (state.kind === 'superseded') return nextSuperseded(state.by, event)
  return nextResting(state, event)
}

function nextResting(state: Resting, event: DeliveryEvent): DeliveryState {
  switch (event.kind) {
    case 'changed':
      return waiting(isDoubtful(state))
    case 'offered':
      return waiting(isDoubtful(state) || event.isLooked)
    case 'unowed':
      // A copy that was to leave is there still, but nobody knows since when as it is.
      return aimOf(state).aim !== undefined || isDoubtful(state) ? toLookAt : done
    case 'unwanted':
      return aimOf(state).aim === 'leave' ? state : nextResting(state, { kind: 'unowed' })
    case 'leaves':
      if (state.kind === 'done' && !event.hasCopy) return done
      return { kind: 'leaving', dueMs: event.dueMs, isDoubtful: isDoubtful(state) }
    case 'claimed':
      return state.kind === 'done' ? state : { kind: 'active', attempts: attemptsOf(state), from: state }
    case 'retried':
      if (state.kind !== 'postponed' && state.kind !== 'parked') return state
      return { ...waiting(isDoubtful(state)), ...aimOf(state) }
    case 'approved':
      if (state.kind !== 'parked' || state.aim !== 'leave') return state
      return { kind: 'leaving', dueMs: event.nowMs, isDoubtful: true }
    case 'reopened':
      return doubted(state)
    case 'ended':
      return state
    default:
      return unreachable(event)
  }
}

/** What was tried and failed has left who knows what. */
function isDoubtful(state: Resting): boolean {
  return 'isDoubtful' in state ? state.isDoubtful : state.kind === 'parked'
}

function aimOf(state: Resting): { readonly aim?: OtherAim } {
  if (state.kind === 'leaving') return { aim: 'leave' }
  return 'aim' in state ? { aim: state.aim } : {}
}

function doubted(state: Resting): Resting {
  return 'isDoubtful' in state ? { ...state, isDoubtful: true } : state
}

function attemptsOf(state: Resting): number {
  return 'attempts' in state ? state.attempts : 0
}

type Active = Extract<DeliveryState, { kind: 'active' }>

function nextActive(state: Active, event: DeliveryEvent): DeliveryState {
  const { from } = state
  switch (event.kind) {
    case 'ended':
      return ended(state, event)
    case 'changed':
      return { kind: 'superseded', by: waiting(from.kind === 'leaving' || isDoubtful(from)) }
    case 'unwanted':
      return aimOf(from).aim === 'leave' ? state : { kind: 'superseded', by: toLookAt }
    case 'unowed':
      return { kind: 'superseded', by: toLookAt }
    case 'leaves':
      return { kind: 'superseded', by: { kind: 'leaving', dueMs: event.dueMs, isDoubtful: true } }
    case 'reopened':
      return doubted(from)
    case 'offered':
      // The attempt under way brings no copy, and one is wanted again.
      if (aimOf(from).aim !== undefined) return { kind: 'superseded', by: waiting(true) }
      return { ...state, from: atRest(nextResting(from, event)) }
    case 'retried':
    case 'approved':
      return { ...state, from: atRest(nextResting(from, event)) }
    case 'claimed':
      return state
    default:
      return unreachable(event)
  }
}

function nextSuperseded(by: Resting, event: DeliveryEvent): DeliveryState {
  if (event.kind === 'reopened') return doubted(by)
  if (event.kind === 'ended') return isCertain(event.outcome) ? by : doubted(by)
  if (event.kind === 'claimed') return { kind: 'superseded', by }
  // Under a lease nothing ends for good: the attempt may still write.
  const isLeaving = aimOf(by).aim === 'leave'
  if (event.kind === 'unowed' || (event.kind === 'unwanted' && !isLeaving)) return { kind: 'superseded', by: toLookAt }
  const next = atRest(nextResting(by, event))
  return { kind: 'superseded', by: event.kind === 'leaves' ? doubted(next) : next }
}

/** Nothing but a claim leases. */
function atRest(state: DeliveryState): Resting {
  assert(state.kind !== 'active' && state.kind !== 'superseded', 'a lease came of no claim')
  return state
}

/** After these the receipt says what the target holds; an attempt that was never begun changed nothing. */
export function isCertain({ kind }: Outcome): boolean {
  return ['delivered', 'looked', 'removed', 'kept', 'released', 'deferred'].includes(kind)
}

function ended({ attempts, from }: Active, { outcome, nowMs }: Extract<DeliveryEvent, { kind: 'ended' }>): Resting {
  const aim = aimOf(from)
  switch (outcome.kind) {
    case 'delivered':
    case 'looked':
    case 'removed':
    case 'kept':
      return done
    case 'released':
      return from
    case 'interrupted':
      return doubted(from)
    case 'postponed': {
      const { delayMs, isCounted, reason } = outcome
      const dueMs = Math.round(nowMs + delayMs)
      return { kind: 'postponed', dueMs, attempts: attempts + (isCounted ? 1 : 0), reason, isDoubtful: true, ...aim }
    }
    case 'deferred': {
      const { delayMs, reason } = outcome
      const dueMs = Math.round(nowMs + delayMs)
      return { kind: 'postponed', dueMs, attempts, reason, isDoubtful: isDoubtful(from), ...aim }
    }
    case 'parked': {
      const dueMs = outcome.againInMs === null ? null : Math.round(nowMs + outcome.againInMs)
      return { kind: 'parked', dueMs, attempts: attempts + 1, reason: outcome.reason, ...aim }
    }
    default:
      return unreachable(outcome)
  }
}
