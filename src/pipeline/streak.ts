/**
 * Failures in a row at one target. Where many files fail one after the other and none succeeds, the target fails and not they (F70):
 * it is then to be paused as a whole, and tried with one file at a time until it takes one.
 */
import type { Outcome } from '../journal/journal.ts'
import type { Trouble } from './lane-state.ts'

/** So many different files in a row, and the target is to blame. A few that it never takes lie among others that it does. */
const filesMax = 16

export class Streak {
  readonly #failed = new Set<number>()

  /** Nothing but one file at a time is to be tried. */
  get isBroken(): boolean {
    return this.#failed.size >= filesMax
  }

  /** @returns what to say of the target, where it is to blame. */
  failed(fileId: number, reason: string): Trouble | undefined {
    if (!this.isBroken) this.#failed.add(fileId)
    if (!this.isBroken) return undefined
    return { pause: 'paused', reason: `one file after the other failed, the last one so: ${reason}` }
  }

  /** @returns whether it was to blame until now: what failed on its account need not wait any longer. */
  delivered(): boolean {
    const wasBroken = this.isBroken
    this.#failed.clear()
    return wasBroken
  }
}

/** The target did what was asked of it. */
export function isDone({ kind }: Outcome): boolean {
  return kind === 'delivered' || kind === 'removed' || kind === 'looked'
}
