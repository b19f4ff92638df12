/** One piece of work that several callers wait for. It is aborted only when the last of them has given up. */
import { abortReason } from '../base/clock.ts'
import { orAbort } from '../base/abort.ts'

export class Flight<T> {
  readonly #abort = new AbortController()
  readonly #result: Promise<T>
  #waiting = 0

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#result = work(this.#abort.signal)
  }

  /** False when everybody gave up: this flight will bring nothing any more. */
  get isWanted(): boolean {
    return !this.#abort.signal.aborted
  }

  async join(signal: AbortSignal): Promise<T> {
    this.#waiting++
    try {
      return await orAbort(this.#result, signal)
    } finally {
      this.#waiting--
      if (this.#waiting === 0 && signal.aborted) this.#abort.abort(abortReason(signal))
    }
  }
}
