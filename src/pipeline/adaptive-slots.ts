/**
 * How many deliveries of one lane are worth having under way at once, found out by trying. Pure: rounds and troubles go in, a number
 * of slots comes out. Measuring and obeying are the lane's concern.
 *   growing   the last step up brought more                       -> growing on a step that did again, holding on one that did not
 *   holding   the slots that are known to be worth it             -> growing after some rounds, since links change
 * Trouble (a timeout, a stall) halves the slots, whatever the state, and makes what failed something that is tried again rarely.
 */

/** What a lane saw in one round, a round being some seconds of full slots. */
export interface Round {
  /** Bytes that went, and what each file weighs beside them. */
  readonly amount: number
  readonly durationMs: number
  /** Whether all slots were in use throughout: otherwise the round says nothing of the link. */
  readonly isFull: boolean
}

export interface AdaptiveSlots {
  readonly slots: number
  /** The slots before the last step up, and what they moved per ms; undefined while none is being tried. */
  readonly before: { readonly slots: number; readonly perMs: number } | undefined
  /** Full rounds until the next step up is tried. */
  readonly holdRounds: number
  /** Slots that ended in trouble; undefined: none lately. */
  readonly troubleAt: number | undefined
  /** Trouble was counted in this round: what follows in it is the same. */
  readonly isTroubled: boolean
}

export interface SlotBounds {
  /** The target's configured concurrency. */
  readonly most: number
}

/** A step up has to bring a tenth more, or it is taken back: less is noise, and every slot costs memory and delay. */
const worthwhile = 1.1
/** Steps up by half: from 2 to 64 in ten steps. */
const growth = 1.5
/** Full rounds between a step that was taken back, or trouble, and the next try. */
const holdRounds = 10
/** Full rounds just below what was trouble: trying that again too often would cost more than it may bring. */
const holdRoundsBelowTrouble = 60
/** Beside its bytes each file costs about as much as this many would: small ones are counted, too. Unit: bytes. */
export const bytesPerFile = 64 * 1024

export function firstSlots({ most }: SlotBounds, first = 2): AdaptiveSlots {
  const slots = Math.min(first, most)
  return { slots, before: undefined, holdRounds: 0, troubleAt: undefined, isTroubled: false }
}

export function afterRound(state: AdaptiveSlots, round: Round, bounds: SlotBounds): AdaptiveSlots {
  const calm = { ...state, isTroubled: false, slots: Math.min(state.slots, bounds.most) }
  if (state.isTroubled || !round.isFull || round.durationMs <= 0) return calm
  const perMs = round.amount / round.durationMs
  if (calm.before !== undefined && perMs < calm.before.perMs * worthwhile) {
    return { ...calm, slots: calm.before.slots, before: undefined, holdRounds }
  }
  const paid = calm.before === undefined ? calm : paidOff(calm)
  return paid.holdRounds > 0 ? { ...paid, holdRounds: paid.holdRounds - 1 } : steppedUp(paid, perMs, bounds)
}

/** The step up is kept; one to where there was trouble shows that there is none any more. */
function paidOff(state: AdaptiveSlots): AdaptiveSlots {
  const { slots, troubleAt } = state
  return {
    ...state,
    before: undefined,
    troubleAt: troubleAt === undefined || slots >= troubleAt ? undefined : troubleAt,
  }
}

/** By half while steps pay, and no further than just below what was trouble; to that by a single step, after a long rest. */
function steppedUp(state: AdaptiveSlots, perMs: number, { most }: SlotBounds): AdaptiveSlots {
  const { slots, troubleAt = Infinity } = state
  const wanted = Math.max(slots + 1, Math.floor(slots * growth))
  const next = Math.min(most, slots + 1 >= troubleAt ? slots + 1 : Math.min(wanted, troubleAt - 1))
  if (next <= slots) return state
  return { ...state, slots: next, before: { slots, perMs }, holdRounds: restAt(next, troubleAt) }
}

function restAt(slots: number, troubleAt: number): number {
  return slots + 1 === troubleAt ? holdRoundsBelowTrouble : 0
}

export function afterTrouble(state: AdaptiveSlots): AdaptiveSlots {
  if (state.isTroubled) return state
  const slots = Math.max(1, Math.floor(state.slots / 2))
  const rest = Math.max(holdRounds, restAt(slots, state.slots))
  return { slots, before: undefined, holdRounds: rest, troubleAt: state.slots, isTroubled: true }
}
