/** One attempt after the other for each place at a target: of two that want one place, or one to leave what the other takes, one would undo the other. */

export class PlaceTurns {
  /** The end of the last turn of each place; one entry per place in use. */
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` when all that asked earlier for any of these places have ended. Places that differ in letters' case or composition count as one. */
  async take<T>(places: readonly string[], work: () => Promise<T>): Promise<T> {
    const keys = new Set(places.map((place) => place.normalize('NFC').toLowerCase()))
    // All are asked for in this one turn of the loop, so that nobody waits in a circle.
    const before = [...keys].flatMap((key) => this.#last.get(key) ?? [])
    let end = (): void => undefined
    const ended = new Promise<void>((resolve) => (end = resolve))
    for (const key of keys) this.#last.set(key, ended)
    try {
      if (before.length > 0) await Promise.all(before)
      return await work()
    } finally {
      end()
      for (const key of keys) if (this.#last.get(key) === ended) this.#last.delete(key)
    }
  }
}
