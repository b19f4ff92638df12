/** Collects small writes of many lanes into one transaction, so that one sync to disk serves them all. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Transactions } from './transactions.ts'
import { JournalFull, type WriteGate } from './write-gate.ts'

/** How long a write waits for others at least. Unit: ms. */
const gatherMsMin = 4
/** And at most, however slow the disk. Unit: ms. */
const gatherMsMax = 60
/** A group gathers this many times as long as the last commit took: the main loop spends at most a fifth of its time on the disk. */
const gatherPerCommit = 4
/** Writes in one transaction: keeps it far below 50 ms of the main loop. */
const groupMax = 200
/** Writes that nobody waits for and that may be kept while the disk is full: history lines, of which the oldest matter least. */
const laterMax = 1_000

interface Write {
  readonly run: () => void
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class GroupCommit {
  readonly #clock: Clock
  readonly #gate: WriteGate
  readonly #inTransaction: (writes: readonly Write[]) => void
  /** Ends no sleep. */
  readonly #never = new AbortController().signal
  #waiting: Write[] = []
  #isScheduled = false
  #isHeldUp = false
  #lastCommitMs = 0
  #laterCount = 0

  constructor(transactions: Transactions, gate: WriteGate, clock: Clock) {
    this.#gate = gate
    this.#clock = clock
    const transaction = transactions.of((writes: readonly Write[]) => {
      for (const write of writes) write.run()
    })
    this.#inTransaction = (writes) => gate.run(() => transaction(writes))
  }

  /** Runs `write` in the next transaction, of which nobody needs to hear: if it fails, whoever wrote something that matters is told. */
  later(write: () => void): void {
    if (this.#laterCount >= laterMax) return
    this.#laterCount++
    const gone = (): void => {
      this.#laterCount--
    }
    this.#waiting.push({ run: write, resolve: gone, reject: gone })
    this.#schedule(gatherMsMin)
  }

  /** Runs `write` in the next transaction; resolves once that is on disk. All writes of a group share one fate. */
  add(write: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run: write, resolve, reject })
      this.#schedule(Math.min(gatherMsMax, Math.max(gatherMsMin, this.#lastCommitMs * gatherPerCommit)))
    })
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    // A sleep, since it keeps the process alive: somebody waits for this commit.
    this.#clock.sleep(delayMs, this.#never).then(
      () => {
        this.#isScheduled = false
        this.flush()
      },
      () => {},
    )
  }

  /** Commits one group now; what is left follows without waiting. While the disk is full everything is kept. */
  flush(): void {
    if (this.#gate.full !== undefined && !this.#gate.isEnding) return this.#flushWhenMoved()
    const group = this.#waiting.slice(0, groupMax)
    this.#waiting = this.#waiting.slice(groupMax)
    if (this.#waiting.length > 0) this.#schedule(0)
    if (group.length === 0) return
    const startMs = this.#clock.monotonicMs()
    try {
      this.#inTransaction(group)
      this.#lastCommitMs = this.#clock.monotonicMs() - startMs
      for (const write of group) write.resolve()
    } catch (thrown) {
      if (thrown instanceof JournalFull && !this.#gate.isEnding) this.#keep(group)
      else for (const write of group) write.reject(asError(thrown))
    }
  }

  /** A group that the disk did not take is tried again, before all others, as soon as it takes writes. */
  #keep(group: readonly Write[]): void {
    this.#waiting = [...group, ...this.#waiting]
    this.#flushWhenMoved()
  }

  #flushWhenMoved(): void {
    if (this.#isHeldUp) return
    this.#isHeldUp = true
    this.#gate.whenMoved(() => {
      this.#isHeldUp = false
      this.flush()
    })
  }

  /** Commits everything that waits, as far as the disk takes it. */
  drain(): void {
    while (this.#waiting.length > 0 && this.#gate.full === undefined) this.flush()
  }

  /** Commits everything that waits; what the disk does not take fails. */
  end(): void {
    this.#gate.endWaiting()
    // What is left goes through although the gate is closed: each write either makes it or is told that it did not.
    while (this.#waiting.length > 0) this.flush()
  }
}
