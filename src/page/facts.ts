/** What the metrics are made of, as plain numbers: taken when somebody asks for them, except for attempts, which are told one by one. */
import type { Status } from '../control/control.ts'

export interface Facts {
  readonly status: Status
  /** Lines added to the history since the start, by what they are about. */
  readonly events: readonly EventFacts[]
  /** Calls of targets that have a cloud behind them, by target. */
  readonly requests: ReadonlyMap<string, RequestFacts>
  readonly stages: readonly StageFacts[]
  /** Bytes of the journal and of its log. */
  readonly journal: { readonly main: number; readonly log: number }
}

export interface EventFacts {
  readonly event: string
  readonly source: string | null
  readonly target: string | null
  readonly count: number
}

export interface RequestFacts {
  readonly answered: number
  readonly refused: number
  readonly limited: number
  readonly broken: number
  /** By what kept an answer from coming. */
  readonly failed: Readonly<Partial<Record<string, number>>>
  readonly bytesUp: number
  readonly bytesDown: number
}

export interface StageFacts {
  readonly name: string
  readonly bufferedCount: number
  readonly handledCount: number
  readonly busyMs: number
}

/** One try at one delivery that is over. */
export interface AttemptFacts {
  readonly target: string
  /** As the journal calls it: `delivered`, `postponed`, `parked`, `interrupted`, … */
  readonly outcome: string
  readonly durationMs: number
  /** From the change to its copy; undefined where none was delivered. */
  readonly latencyMs: number | undefined
}
