/**
 * How many bytes went today, so that a restart of any kind never lets more go than the day allows: what may go is written down
 * ahead of its use, in steps, and a process that is killed has lost what is left of its step. Waiting is not its concern.
 */
import { localDay } from '../base/local-time.ts'

/** Written down ahead at once: a hundredth of the day, within these bounds. Unit: bytes. */
const stepBytesMin = 2 ** 20
const stepBytesMax = 64 * 2 ** 20

export interface DayCount {
  /** Local, `2026-11-20`. */
  readonly day: string
  /** Bytes that may have gone on that day. */
  readonly bytes: number
}

export class DailyBudget {
  /** Writes down what `count` says now; resolves once a crash cannot lose it. */
  readonly #write: () => Promise<void>
  #day: string
  #usedBytes: number
  /** What any record has to say from now on; ahead of what is on disk while it is being written. */
  #claimedBytes: number
  #durableBytes: number
  #isSpent = false

  constructor(stored: DayCount | undefined, wallMs: number, write: () => Promise<void>) {
    this.#write = write
    this.#day = stored?.day ?? localDay(wallMs)
    this.#usedBytes = this.#claimedBytes = this.#durableBytes = stored?.bytes ?? 0
    this.#turnDay(wallMs)
  }

  /** As it has to be written down. */
  get count(): DayCount {
    return { day: this.#day, bytes: this.#claimedBytes }
  }

  usedBytes(wallMs: number): number {
    this.#turnDay(wallMs)
    return this.#usedBytes
  }

  /** Nothing goes any more today: the limit is reached, or something asked for more than was left. */
  isSpent(limitBytes: number, wallMs: number): boolean {
    this.#turnDay(wallMs)
    return this.#isSpent || this.#usedBytes >= limitBytes
  }

  /** The limit is another one: what was refused under the old one may go under the new one. */
  reopen(): void {
    this.#isSpent = false
  }

  /** Counts bytes that no limit holds back, in case one is set during the day. */
  note(bytes: number, wallMs: number): void {
    this.#turnDay(wallMs)
    this.#usedBytes += bytes
    this.#claimedBytes = Math.max(this.#claimedBytes, this.#usedBytes)
  }

  /** Counts bytes if the day still has them; they may go once this resolves to true. One call at a time. */
  async take(bytes: number, limitBytes: number, wallMs: () => number): Promise<boolean> {
    this.#turnDay(wallMs())
    if (this.#isSpent || this.#usedBytes + bytes > limitBytes) {
      this.#isSpent = true
      return false
    }
    // Once more only when midnight passed while it was being written.
    while (this.#usedBytes + bytes > this.#durableBytes) await this.#claim(bytes, limitBytes, wallMs)
    this.#usedBytes += bytes
    return true
  }

  async #claim(bytes: number, limitBytes: number, wallMs: () => number): Promise<void> {
    const stepBytes = Math.min(stepBytesMax, Math.max(stepBytesMin, limitBytes / 100))
    const claimed = Math.floor(Math.min(limitBytes, this.#usedBytes + bytes + stepBytes))
    const day = this.#day
    this.#claimedBytes = claimed
    await this.#write()
    this.#turnDay(wallMs())
    if (this.#day === day) this.#durableBytes = claimed
  }

  /** Gives back what was written down ahead and not used. */
  async settle(): Promise<void> {
    if (this.#claimedBytes === this.#usedBytes && this.#durableBytes === this.#usedBytes) return
    this.#claimedBytes = this.#durableBytes = this.#usedBytes
    await this.#write()
  }

  /** A later day begins at nothing. A clock that was set back gets no second day: the count goes on under the earlier name. */
  #turnDay(wallMs: number): void {
    const today = localDay(wallMs)
    if (today > this.#day) {
      this.#usedBytes = this.#claimedBytes = this.#durableBytes = 0
      this.#isSpent = false
    }
    this.#day = today
  }
}
