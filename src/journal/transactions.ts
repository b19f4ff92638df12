/** Transactions of this room: what gathers while one runs (counters, history lines) is written once, at its end, or forgotten with it. */
import type { Connection } from './connection.ts'

/** Gathers rows while a transaction runs. */
export interface Gathered {
  /** Inside of the transaction, behind everything else. */
  write(): void
  /** It is over, one way or the other. */
  forget(): void
}

export class Transactions {
  readonly #connection: Connection
  readonly #gathered: readonly Gathered[]

  constructor(connection: Connection, gathered: readonly Gathered[]) {
    this.#connection = connection
    this.#gathered = gathered
  }

  /** `work` as one transaction. @throws what it throws, and then nothing of it happened. */
  of<Given extends unknown[], Answer>(work: (...given: Given) => Answer): (...given: Given) => Answer {
    const transaction = this.#connection.transaction((...given: Given) => {
      const answer = work(...given)
      for (const gathered of this.#gathered) gathered.write()
      return answer
    })
    return (...given) => {
      try {
        return transaction.immediate(...given)
      } finally {
        for (const gathered of this.#gathered) gathered.forget()
      }
    }
  }
}
