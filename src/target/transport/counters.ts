/** What passed through one transport: calls by how they ended, and bytes. */
import type { FailureKind } from './failure.ts'

export interface TransportCounters {
  /** Calls answered, by what the answer was. */
  readonly answered: number
  /** 4xx without 429. */
  readonly refused: number
  /** 429, and 503 or 509, which mean the same. */
  readonly limited: number
  /** 5xx. */
  readonly broken: number
  readonly failed: Readonly<Partial<Record<FailureKind, number>>>
  readonly renewals: number
  /** Bytes of bodies, without headers and TLS. */
  readonly bytesUp: number
  readonly bytesDown: number
  readonly underWay: number
}

export class Counters {
  answered = 0
  refused = 0
  limited = 0
  broken = 0
  renewals = 0
  bytesUp = 0
  bytesDown = 0
  underWay = 0
  readonly #failed: Partial<Record<FailureKind, number>> = {}

  countAnswer(status: number): void {
    if (isLimit(status)) this.limited++
    else if (status >= 500) this.broken++
    else if (status >= 400) this.refused++
    else this.answered++
  }

  countFailure(kind: FailureKind): void {
    this.#failed[kind] = (this.#failed[kind] ?? 0) + 1
  }

  snapshot(): TransportCounters {
    const { answered, refused, limited, broken, renewals, bytesUp, bytesDown, underWay } = this
    const failed = { ...this.#failed }
    return { answered, refused, limited, broken, failed, renewals, bytesUp, bytesDown, underWay }
  }
}

/** The server has too much of us. 509 is OneDrive's word for it. */
export function isLimit(status: number): boolean {
  return status === 429 || status === 503 || status === 509
}
