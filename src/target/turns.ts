/** A line in which callers wait for their turn, one at a time in the order of asking. What they wait for in it is their concern. */
import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import { assert } from '../base/errors.ts'

export class Turns {
  readonly #queue = new PQueue({ concurrency: 1 })

  /** In the line, the one whose turn it is included. */
  get count(): number {
    return this.#queue.size + this.#queue.pending
  }

  /** Runs `wait` when the turn comes, and lets the next one in after it. An abort leaves the line at once. */
  async take(signal: AbortSignal, wait: () => Promise<void>): Promise<void> {
    // One signal stops a whole lane: that many wait on it is no leak, of which Node would warn from the eleventh on.
    setMaxListeners(0, signal)
    await this.#queue.add(wait, { signal })
  }

  idle(): Promise<void> {
    return this.#queue.onIdle()
  }
}

/**
 * Calls `work` when `turn` says so, at the moment at which it is counted: a call that begins later than it was counted comes too near
 * to those behind it. Its answer is waited for outside the turn.
 */
export async function called<T>(work: () => Promise<T>, turn: (call: () => void) => Promise<void>): Promise<T> {
  const begun: { answer: Promise<T> | undefined } = { answer: undefined }
  try {
    await turn(() => {
      begun.answer = work()
      // It is awaited a moment later; a failure until then is no unhandled one.
      begun.answer.catch(() => undefined)
    })
  } catch (thrown) {
    // An abort between the call and the end of its turn: what began is its own to end.
    if (begun.answer === undefined) throw thrown
  }
  assert(begun.answer !== undefined, 'a turn ended without its call')
  return begun.answer
}
