/** Collects small writes of many lanes into one transaction, so that one sync to disk serves them all. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Connection } from './open.ts'

/** How long a write waits for others at least. Unit: ms. */
const gatherMsMin = 4
/** And at most, however slow the disk. Unit: ms. */
const gatherMsMax = 60
/** A group gathers this many times as long as the last commit took: the main loop spends at most a fifth of its time on the disk. */
const gatherPerCommit = 4
/** Writes in one transaction: keeps it far below 50 ms of the main loop. */
const groupMax = 200

const never = new AbortController().signal

interface Write {
  readonly run: () => void
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class GroupCommit {
  readonly #clock: Clock
  readonly #inTransaction: (writes: readonly Write[]) => void
  #waiting: Write[] = []
  #isScheduled = false
  #lastCommitMs = 0

  constructor(connection: Connection, clock: Clock) {
    this.#clock = clock
    const transaction = connection.transaction((writes: readonly Write[]) => {
      for (const write of writes) write.run()
    })
    this.#inTransaction = (writes) => transaction.immediate(writes)
  }

  /** Runs `write` in the next transaction, of which nobody needs to hear: if it fails, whoever wrote something that matters is told. */
  later(write: () => void): void {
    this.#waiting.push({ run: write, resolve: () => {}, reject: () => {} })
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
    this.#clock.sleep(delayMs, never).then(
      () => {
        this.#isScheduled = false
        this.flush()
      },
      () => {},
    )
  }

  /** Commits one group now; what is left follows without waiting. */
  flush(): void {
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
      for (const write of group) write.reject(asError(thrown))
    }
  }

  /** Commits everything that waits. */
  drain(): void {
    while (this.#waiting.length > 0) this.flush()
  }
}
