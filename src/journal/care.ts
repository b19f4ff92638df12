/**
 * Keeps the journal's file small, in steps of a few milliseconds between everything else: old history goes, what is known of files that went long ago, what a target was owed
 * that left the configuration long ago goes, free pages go back to the disk.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Absent } from './absent.ts'
import type { History } from './history.ts'
import type { Moves } from './moves.ts'
import type { Connection } from './connection.ts'
import type { Transactions } from './transactions.ts'
import { isFull, type WriteGate } from './write-gate.ts'

/** Between two looks while there is nothing to do. Unit: ms. */
const lookMs = 10_000
/** Between two steps while there is: the steps then take a tenth of the time. Unit: ms. */
const stepMs = 100
/** Free pages kept, since the next files will need them: 8 MiB. */
const freePagesKept = 2_048
/** Pages given back in one step. */
const freePagesStep = 256

interface CareParts {
  readonly history: History
  readonly moves: Moves
  readonly absent: Absent
  readonly transactions: Transactions
  readonly gate: WriteGate
  readonly clock: Clock
}

export class Care {
  readonly #connection: Connection
  readonly #parts: CareParts
  readonly #prune: () => boolean
  #timer: Timer

  constructor(connection: Connection, parts: CareParts) {
    this.#connection = connection
    this.#parts = parts
    this.#prune = parts.transactions.of(
      () => parts.history.prune() || parts.moves.gone.prune() || parts.absent.forget(),
    )
    this.#timer = parts.clock.after(lookMs, () => this.#step())
  }

  end(): void {
    this.#timer.clear()
  }

  #step(): void {
    const hasMore = this.#parts.gate.full === undefined && this.#tend()
    this.#timer = this.#parts.clock.after(hasMore ? stepMs : lookMs, () => this.#step())
  }

  /** Answers whether there is more to do. */
  #tend(): boolean {
    try {
      const isPruned = this.#prune()
      return this.#giveBack() || isPruned
    } catch (thrown) {
      // Deleting needs room in the log first; there will be some at a later look.
      if (!isFull(thrown)) throw thrown
      this.#parts.absent.rolledBack()
      return false
    }
  }

  #giveBack(): boolean {
    const free = Number(this.#connection.pragma('freelist_count', { simple: true }))
    const isMany = free > freePagesKept
    if (isMany) this.#connection.pragma(`incremental_vacuum(${freePagesStep})`)
    return isMany && free - freePagesStep > freePagesKept
  }
}
