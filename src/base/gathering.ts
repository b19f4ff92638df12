/**
 * Asks that go together: what came while whoever does them was busy makes the next batch, within bounds. Nothing ever waits for more.
 * What is done with a batch, and by whom, is not its concern.
 */
import { onAbort } from './abort.ts'
import { asError } from './errors.ts'

/** One ask. Whoever does it settles it. */
export interface Asked<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

/** Does one batch. Where it fails, all are rejected that it has not settled. */
export type Doer<Item, Result> = (batch: readonly Asked<Item, Result>[]) => Promise<void>

export interface GatheringBounds<Item> {
  /** Of one batch. */
  readonly countMax: number
  /** Of one batch: no more is added to one that has so many. */
  readonly bytesMax: number
  readonly bytesOf: (item: Item) => number
}

/** Its queue needs no bound of its own: it holds one entry for each caller that waits. */
export class Gathering<Item, Result> {
  readonly #bounds: GatheringBounds<Item>
  readonly #free: () => Doer<Item, Result> | undefined
  readonly #queue = new Set<Asked<Item, Result>>()
  #ended: Error | undefined

  /** @param free takes a doer that is free, if there is one; it is free again when its batch is done. */
  constructor(bounds: GatheringBounds<Item>, free: () => Doer<Item, Result> | undefined) {
    this.#bounds = bounds
    this.#free = free
  }

  /** An abort takes it out of the queue; a batch that is on its way is still done. */
  ask(item: Item, signal: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended)
      const asked: Asked<Item, Result> = {
        item,
        resolve: (result) => {
          stopListening()
          resolve(result)
        },
        reject: (error) => {
          stopListening()
          reject(error)
        },
      }
      this.#queue.add(asked)
      const stopListening = onAbort(signal, (reason) => {
        this.#queue.delete(asked)
        reject(reason)
      })
      // One turn later, so that what is asked in one go goes together.
      queueMicrotask(() => this.go())
    })
  }

  /** Somebody may be free now. */
  go(): void {
    while (this.#queue.size > 0) {
      const doer = this.#free()
      if (doer === undefined) return
      const batch = this.#take()
      doer(batch)
        .catch((thrown: unknown) => {
          for (const { reject } of batch) reject(asError(thrown))
        })
        .finally(() => this.go())
    }
  }

  /** Rejects whoever waits, now and later. */
  end(reason: Error): void {
    this.#ended = reason
    for (const { reject } of this.#queue) reject(reason)
    this.#queue.clear()
  }

  #take(): Asked<Item, Result>[] {
    const { countMax, bytesMax, bytesOf } = this.#bounds
    const batch: Asked<Item, Result>[] = []
    let bytes = 0
    for (const asked of this.#queue) {
      if (batch.length >= countMax || bytes >= bytesMax) break
      this.#queue.delete(asked)
      batch.push(asked)
      bytes += bytesOf(asked.item)
    }
    return batch
  }
}

/** One doer, for `Gathering`: one batch at a time. */
export function oneAtATime<Item, Result>(doer: Doer<Item, Result>): () => Doer<Item, Result> | undefined {
  let isBusy = false
  return () => {
    if (isBusy) return undefined
    isBusy = true
    return (batch) => doer(batch).finally(() => (isBusy = false))
  }
}

/** Results in the order of their asks. */
export function settle<Item, Result>(batch: readonly Asked<Item, Result>[], results: readonly Result[]): void {
  for (const [at, { resolve, reject }] of batch.entries()) {
    const result = results[at]
    if (result === undefined)
      reject(new Error(`a batch of ${batch.length} was answered with ${results.length} results`))
    else resolve(result)
  }
}
