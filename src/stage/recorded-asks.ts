/** Asks that came while a producer accumulated, in order, for it to take up one by one later. */

/** `accumulate`: events are buffered and asks recorded until `forward`. */
export type DemandMode = 'forward' | 'accumulate'

/** Asks that wait one by one, be it for their `handleDemand` or for `forward`; beyond that they are added up, so that a consumer which asks in a loop costs no memory. */
export const asksWaitingMax = 1024

interface Ask<L> {
  readonly link: L
  count: number
}

export class RecordedAsks<L> {
  #asks: Ask<L>[] = []

  add(link: L, count: number): void {
    const merged = this.#asks.length < asksWaitingMax ? undefined : this.#asks.find((ask) => ask.link === link)
    if (merged === undefined) this.#asks.push({ link, count })
    else merged.count += count
  }

  takeAll(): readonly Ask<L>[] {
    const asks = this.#asks
    this.#asks = []
    return asks
  }
}
