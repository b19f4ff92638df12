/** Owner of background work: starts it, keeps its failure, ends it. No promise of a room floats outside of one of these. */
import { asError } from './errors.ts'

export class Tasks {
  readonly #running = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  readonly #onFailure: (name: string, error: Error) => void

  /** @param onFailure called once for each task that throws although nobody asked it to stop. */
  constructor(onFailure: (name: string, error: Error) => void) {
    this.#onFailure = onFailure
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    const task: Promise<void> = Promise.resolve()
      .then(() => work(this.#stop.signal))
      .catch((thrown: unknown) => {
        if (!this.#stop.signal.aborted) this.#onFailure(name, asError(thrown))
      })
      .finally(() => this.#running.delete(task))
    this.#running.add(task)
  }

  /** Resolves when nothing runs any more, without asking anything to stop. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Aborts every task and waits until each has returned. */
  async stop(reason = new Error('stopping')): Promise<void> {
    this.#stop.abort(reason)
    await this.settled()
  }
}
