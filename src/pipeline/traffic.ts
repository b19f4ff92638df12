/** What goes to one target: which copies are under way and how far, how many bytes went, and how long there was something to send. */
import type { Clock } from '../base/clock.ts'
import { showPath } from '../base/path.ts'
import type { Delivery, Outcome } from '../journal/journal.ts'
import type { Ending } from './attempt.ts'

export interface Sending {
  readonly path: string
  readonly bytesDone: number
  readonly size: number
}

/** One attempt, as the traffic sees it. */
export interface Passage {
  progress(bytesDone: number): void
  /** Over when `ending` is, however that ends. */
  until(ending: Promise<Ending>): Promise<Ending>
}

/** An attempt that is over. */
export interface EndedAttempt {
  readonly target: string
  readonly outcome: Outcome['kind'] | 'target-paused'
  readonly durationMs: number
  /** From the change to its copy, by the wall clock; undefined where none was delivered. */
  readonly latencyMs: number | undefined
}

/** What is listed as under way. */
const sendingShownMax = 16

export interface TrafficParts {
  readonly clock: Clock
  readonly onAttempt?: (attempt: EndedAttempt) => void
}

export class Traffic {
  readonly #target: string
  readonly #clock: Clock
  readonly #onAttempt: TrafficParts['onAttempt']
  readonly #sending = new Map<number, Sending>()
  #bytesSent = 0
  #busyMs = 0
  #busySinceMs = 0

  constructor(target: string, { clock, onAttempt }: TrafficParts) {
    this.#target = target
    this.#clock = clock
    this.#onAttempt = onAttempt
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

  begin({ fileId, path, size, sinceMs }: Pick<Delivery, 'fileId' | 'path' | 'size' | 'sinceMs'>): Passage {
    const fromMs = this.#clock.monotonicMs()
    if (this.#sending.size === 0) this.#busySinceMs = this.#clock.monotonicMs()
    const entry = { path: showPath(path), bytesDone: 0, size }
    this.#sending.set(fileId, entry)
    return {
      progress: (bytesDone) => {
        this.#bytesSent += bytesDone - entry.bytesDone
        entry.bytesDone = bytesDone
      },
      until: async (pending) => {
        try {
          const ending = await pending
          this.#tell(ending, { fromMs, sinceMs })
          return ending
        } finally {
          this.#busyMs = this.busyMs
          this.#busySinceMs = this.#clock.monotonicMs()
          this.#sending.delete(fileId)
        }
      },
    }
  }

  #tell(ending: Ending, { fromMs, sinceMs }: { readonly fromMs: number; readonly sinceMs: number }): void {
    const outcome = ending.kind === 'target-paused' ? ending.kind : ending.outcome.kind
    this.#onAttempt?.({
      target: this.#target,
      outcome,
      durationMs: this.#clock.monotonicMs() - fromMs,
      latencyMs: outcome === 'delivered' ? Math.max(0, this.#clock.wallMs() - sinceMs) : undefined,
    })
  }
}
