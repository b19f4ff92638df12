/**
 * Who goes first where deliveries of one target touch the same places: attempts take turns, and what waits for another file's copy to go is tried
 * again as soon as that went. Decides nothing about places.
 */
import type { Delivery, Journal, Outcome } from '../journal/journal.ts'
import type { LaneOrder } from './lane-order.ts'
import { PlaceTurns } from './place-turns.ts'

/** Files waited for that are kept; behind others one is tried again when its time comes. */
const filesMax = 10_000

export interface RightOfWayParts {
  readonly journal: Journal
  readonly order: () => Pick<LaneOrder, 'placeAt'>
  /** Ends all attempts. */
  readonly hurry: AbortSignal
}

export class RightOfWay {
  readonly #parts: RightOfWayParts
  readonly turns: PlaceTurns
  /** Who waits, by the file in the way. */
  readonly #behind = new Map<number, Set<number>>()

  constructor(parts: RightOfWayParts) {
    this.#parts = parts
    this.turns = new PlaceTurns(parts.hurry)
  }

  /** Runs `work` alone at the places that the delivery touches; its signal ends it before its time. */
  take<T>(delivery: Delivery, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { receipt, movingTo } = delivery
    const places = [this.#parts.order().placeAt(delivery), receipt?.path, movingTo].flatMap((one) => one ?? [])
    return this.turns.take(places, work)
  }

  /** Writes an outcome; resolves once that is on disk, and with it that those behind are due. */
  async finish(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { journal } = this.#parts
    const { targetId, fileId } = delivery
    const behind = outcome.kind === 'postponed' ? outcome.behind : undefined
    if (behind !== undefined) this.#waits(fileId, behind)
    const freed = leavesItsPlace(outcome) ? this.#behind.get(fileId) : undefined
    if (freed !== undefined) this.#behind.delete(fileId)
    const written = journal.finish(delivery, outcome)
    const woken = freed === undefined ? undefined : journal.moves.left.wake(targetId, [...freed])
    // Together, since what fails fails both.
    await Promise.all([written, woken])
    if (behind !== undefined && !this.#isBehind(delivery, behind)) await journal.moves.left.wake(targetId, [fileId])
  }

  /** It may have gone between the look at it and now. */
  #isBehind(delivery: Delivery, behind: number): boolean {
    const { journal, order } = this.#parts
    return journal.moves.left.at(delivery.targetId, order().placeAt(delivery))?.fileId === behind
  }

  #waits(fileId: number, behind: number): void {
    const waiting = this.#behind.get(behind)
    if (waiting !== undefined) waiting.add(fileId)
    else if (this.#behind.size < filesMax) this.#behind.set(behind, new Set([fileId]))
  }
}

/** May its copy lie elsewhere than before? */
function leavesItsPlace(outcome: Outcome): boolean {
  if (outcome.kind === 'postponed') return outcome.aside !== undefined
  return outcome.kind === 'delivered' || outcome.kind === 'removed' || outcome.kind === 'looked'
}
