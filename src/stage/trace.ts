/** What stages do, told to whoever watches. Off unless somebody does, and then it costs one comparison per callback. */

/** One thing that happened. `stage` and `peer` are names; a consumer's `peer` is the producer at the other end. */
export type StageTrace =
  | { readonly kind: 'subscribed'; readonly stage: string; readonly peer: string }
  | { readonly kind: 'asked'; readonly stage: string; readonly peer: string; readonly count: number }
  /** `handleDemand` is about to hear of `count` events. */
  | { readonly kind: 'demanded'; readonly stage: string; readonly count: number }
  | { readonly kind: 'emitted'; readonly stage: string; readonly count: number; readonly bufferedCount: number }
  /** A chunk was handed to `handleEvents`. */
  | { readonly kind: 'handling'; readonly stage: string; readonly peer: string; readonly count: number }
  | { readonly kind: 'discarded'; readonly stage: string; readonly count: number }
  | { readonly kind: 'closed'; readonly stage: string; readonly peer: string; readonly reason: string }
  | { readonly kind: 'stopped'; readonly stage: string; readonly reason: string }
  /** `stage` is a supervisor; `overdue`: the child did not stop within its time. */
  | {
      readonly kind: 'child'
      readonly stage: string
      readonly peer: string
      readonly event: 'started' | 'ended' | 'overdue'
      readonly reason: string
    }

export type TraceListener = (trace: StageTrace) => void

/** Like the line of turns it belongs to the thread: a chain is only understood when all of its stages are watched. */
class Traces {
  readonly #listeners = new Set<TraceListener>()
  isOn = false

  add(listener: TraceListener): () => void {
    this.#listeners.add(listener)
    this.isOn = true
    return () => this.#remove(listener)
  }

  write(trace: StageTrace): void {
    for (const listener of this.#listeners) {
      try {
        listener(trace)
      } catch {
        // A watcher must not change what it watches, and there is nobody here to tell: it is shown nothing more.
        this.#remove(listener)
      }
    }
  }

  #remove(listener: TraceListener): void {
    this.#listeners.delete(listener)
    this.isOn = this.#listeners.size > 0
  }
}

export const traces = new Traces()

/**
 * Shows `listener` everything that the stages of this thread do, in the middle of their doing it: it must be quick. One that throws is shown nothing more.
 * @returns the function that ends it.
 */
export function traceStages(listener: TraceListener): () => void {
  return traces.add(listener)
}
