/** One planned look at a target that cannot be used: when it comes, and that there is never more than one. What is looked at is its owner's. */
import type { Clock } from '../base/clock.ts'
import type { Tasks } from '../base/tasks.ts'

export class Probing {
  readonly #clock: Clock
  readonly #tasks: Tasks
  readonly #look: (signal: AbortSignal) => Promise<void>
  #wakeUp: AbortController | undefined

  /** @param look may plan the next one as its last deed. */
  constructor(clock: Clock, tasks: Tasks, look: (signal: AbortSignal) => Promise<() => void>) {
    this.#clock = clock
    this.#tasks = tasks
    this.#look = async (signal) => {
      const conclude = await look(signal)
      this.#wakeUp = undefined
      conclude()
    }
  }

  /** Looks after `delayMs`. One that is planned already stays as it is, except that 0 brings it forward to now. */
  after(delayMs: number): void {
    if (this.#wakeUp !== undefined) {
      if (delayMs <= 0) this.#wakeUp.abort(new Error('asked to look now'))
      return
    }
    const wakeUp = new AbortController()
    this.#wakeUp = wakeUp
    this.#tasks.run('probe', async (signal) => {
      if (delayMs > 0) await this.#sleep(delayMs, wakeUp.signal, signal)
      await this.#look(signal)
    })
  }

  async #sleep(delayMs: number, wakeUp: AbortSignal, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(delayMs, AbortSignal.any([signal, wakeUp]))
    } catch (thrown) {
      if (signal.aborted) throw thrown
    }
  }
}
