/** One after the other for each path: two copies of one path at once would write into one temporary file, or one commit would refuse the other. */
import { orAbort } from '../base/abort.ts'

export class PathTurns {
  /** The end of the last turn of each path; one entry per path in use. */
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` when everything asked earlier for this path has ended. An abort gives the turn up. */
  async take<T>(path: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(path)
    let end = (): void => undefined
    const turn = new Promise<void>((resolve) => (end = resolve))
    const ended = before === undefined ? turn : before.then(() => turn)
    this.#last.set(path, ended)
    try {
      if (before !== undefined) await orAbort(before, signal)
      return await work()
    } finally {
      end()
      if (this.#last.get(path) === ended) this.#last.delete(path)
    }
  }
}
