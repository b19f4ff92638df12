/** How much one automatic subscription has asked for and not yet handled, and when it asks for more. Asks nobody itself. */

export class Window {
  readonly #maxDemand: number
  readonly #minDemand: number
  #pendingCount = 0
  /** What is left, in the message being handled, of events that had been asked for; beyond it they earn no ask. */
  #earnedCount = 0

  constructor(maxDemand: number, minDemand: number) {
    this.#maxDemand = maxDemand
    this.#minDemand = minDemand
  }

  /** Events of one chunk at most. */
  get chunkMax(): number {
    return this.#maxDemand - this.#minDemand
  }

  /** @returns the amount to ask for before anything has come. */
  open(): number {
    this.#pendingCount = this.#maxDemand
    return this.#maxDemand
  }

  /** A message of `count` events is about to be handled in chunks. Somebody may have asked by hand besides; that excess is not ours. */
  begin(count: number): void {
    this.#earnedCount = Math.min(count, this.#pendingCount)
  }

  /** A chunk was handled. @returns the amount to ask for now, 0 while enough is on its way. */
  handled(count: number): number {
    const earned = Math.min(count, this.#earnedCount)
    this.#earnedCount -= earned
    this.#pendingCount -= earned
    if (earned === 0 || this.#pendingCount > this.#minDemand) return 0
    const ask = this.#maxDemand - this.#pendingCount
    this.#pendingCount = this.#maxDemand
    return ask
  }
}
