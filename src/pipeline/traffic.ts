/** What goes to one target: which copies are under way and how far, how many bytes went, and how long there was something to send. */
import type { Clock } from '../base/clock.ts'
import { showPath } from '../base/path.ts'
import type { Delivery } from '../journal/journal.ts'

export interface Sending {
  readonly path: string
  readonly bytesDone: number
  readonly size: number
}

/** One attempt, as the traffic sees it. */
export interface Passage {
  progress(bytesDone: number): void
  end(): void
}

/** What is listed as under way. */
const sendingShownMax = 16

export class Traffic {
  readonly #clock: Clock
  readonly #sending = new Map<number, Sending>()
  #bytesSent = 0
  #busyMs = 0
  #busySinceMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get bytesSent(): number {
    return this.#bytesSent
  }

  /** How long there was at least one attempt under way. */
  get busyMs(): number {
    return this.#busyMs + (this.#sending.size === 0 ? 0 : this.#clock.monotonicMs() - this.#busySinceMs)
  }

  get sending(): readonly Sending[] {
    return [...this.#sending.values()].slice(0, sendingShownMax)
  }

  begin({ fileId, path, size }: Pick<Delivery, 'fileId' | 'path' | 'size'>): Passage {
    if (this.#sending.size === 0) this.#busySinceMs = this.#clock.monotonicMs()
    const entry = { path: showPath(path), bytesDone: 0, size }
    this.#sending.set(fileId, entry)
    return {
      progress: (bytesDone) => {
        this.#bytesSent += bytesDone - entry.bytesDone
        entry.bytesDone = bytesDone
      },
      end: () => {
        this.#busyMs = this.busyMs
        this.#busySinceMs = this.#clock.monotonicMs()
        this.#sending.delete(fileId)
      },
    }
  }
}
