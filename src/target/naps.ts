/** Waiting that ends with its time, with an abort, or when what it waits for has changed. */
import { onAbort } from '../base/abort.ts'
import { abortReason, type Clock } from '../base/clock.ts'

export class Naps {
  readonly #clock: Clock
  readonly #napping = new Set<AbortController>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves after `delayMs` or when woken. @throws the signal's reason when aborted earlier. */
  async nap(delayMs: number, signal: AbortSignal): Promise<void> {
    const wake = new AbortController()
    this.#napping.add(wake)
    const stopListening = onAbort(signal, (reason) => wake.abort(reason))
    try {
      await this.#clock.sleep(delayMs, wake.signal)
    } catch (thrown) {
      if (signal.aborted) throw abortReason(signal)
      // Woken is no failure; anything else is.
      if (!wake.signal.aborted) throw thrown
    } finally {
      stopListening()
      this.#napping.delete(wake)
    }
  }

  wakeAll(): void {
    for (const wake of this.#napping) wake.abort(new Error('woken'))
  }
}
