/** One attempt after the other for each place at a target: of two that want one place, or one to leave what the other takes, one would undo the other. */
import { setMaxListeners } from 'node:events'

interface Turn {
  readonly keys: ReadonlySet<string>
  readonly ending: AbortController
  readonly ended: Promise<void>
}

export class PlaceTurns {
  /** The end of the last turn of each place; one entry per place in use. */
  readonly #last = new Map<string, Promise<void>>()
  readonly #turns = new Set<Turn>()
  readonly #hurry: AbortSignal

  /** @param hurry ends all of them. */
  constructor(hurry: AbortSignal) {
    this.#hurry = hurry
    hurry.addEventListener('abort', () => this.#end(() => true))
  }

  /**
   * Runs `work` when all that asked earlier for any of these places have ended. Places that differ in letters' case or composition count as one.
   * Its signal ends it before its time.
   */
  async take<T>(places: readonly string[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const keys = new Set(places.map(keyOf))
    // All are asked for in this one turn of the loop, so that nobody waits in a circle.
    const before = [...keys].flatMap((key) => this.#last.get(key) ?? [])
    let end = (): void => undefined
    const ended = new Promise<void>((resolve) => (end = resolve))
    for (const key of keys) this.#last.set(key, ended)
    const turn: Turn = { keys, ending: new AbortController(), ended }
    setMaxListeners(0, turn.ending.signal)
    if (this.#hurry.aborted) turn.ending.abort(this.#hurry.reason)
    this.#turns.add(turn)
    try {
      if (before.length > 0) await Promise.all(before)
      return await work(turn.ending.signal)
    } finally {
      end()
      this.#turns.delete(turn)
      for (const key of keys) if (this.#last.get(key) === ended) this.#last.delete(key)
    }
  }

  /** Ends what goes on below these folders, or waits to. Resolves when nothing does; to be called while nobody takes a turn. */
  async clear(folders: readonly string[]): Promise<void> {
    const above = folders.map((folder) => `${keyOf(folder)}/`)
    const isThere = ({ keys }: Turn): boolean => [...keys].some((key) => above.some((folder) => key.startsWith(folder)))
    await Promise.all(this.#end(isThere))
  }

  #end(which: (turn: Turn) => boolean): Promise<void>[] {
    const ending = [...this.#turns].filter(which)
    for (const turn of ending) turn.ending.abort(this.#hurry.reason ?? new Error('its folder is being moved'))
    return ending.map(({ ended }) => ended)
  }
}

function keyOf(place: string): string {
  return place.normalize('NFC').toLowerCase()
}
