/** What a producer was asked for and has not emitted yet, and the asks it has not heard of. The producer remembers it, so it is never asked for twice. */
import { asksWaitingMax } from './recorded-asks.ts'

export interface DemandLetter {
  readonly kind: 'demand'
  count: number
}

export class OwedDemand {
  #count = 0
  #lettersWaiting = 0
  #last: DemandLetter | undefined

  get count(): number {
    return this.#count
  }

  /** @returns the letter to post, or none where too many wait and the last one grew instead. */
  ask(count: number): DemandLetter | undefined {
    this.#count += count
    if (this.#last !== undefined && this.#lettersWaiting >= asksWaitingMax) {
      this.#last.count += count
      return undefined
    }
    this.#lettersWaiting++
    this.#last = { kind: 'demand', count }
    return this.#last
  }

  /** A letter is being handled. */
  heard(): void {
    this.#lettersWaiting--
  }

  emitted(count: number): void {
    this.#count = Math.max(0, this.#count - count)
  }
}
