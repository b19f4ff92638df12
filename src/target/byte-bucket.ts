/** Bytes per second as a debt that time pays off: whoever sends owes, and nobody begins while anything is owed. Pure: the time is handed in. */

/**
 * Time that was not used is kept up to this much: a timer that is late by a millisecond between pieces of three would otherwise cost
 * a quarter of the bandwidth. Unit: ms.
 */
const creditMs = 100

export class ByteBucket {
  /** In bytes, so that a change of the bandwidth changes how fast it is paid, not how much is owed. Below 0: credit. */
  #owedBytes = 0
  #atMs: number

  constructor(nowMs: number) {
    this.#atMs = nowMs
  }

  /**
   * How long until more may go; 0: now. A piece is paid for after it went, so that the first byte never waits. Without a bandwidth
   * what was owed under an earlier one is forgiven.
   */
  waitMs(bytesPerSecond: number | undefined, nowMs: number): number {
    this.pay(bytesPerSecond, nowMs)
    return bytesPerSecond === undefined ? 0 : Math.max(0, (this.#owedBytes / bytesPerSecond) * 1000)
  }

  /** Pays for the time since the last call. */
  pay(bytesPerSecond: number | undefined, nowMs: number): void {
    const passedMs = nowMs - this.#atMs
    this.#atMs = nowMs
    if (bytesPerSecond === undefined) this.#owedBytes = 0
    else {
      const creditBytes = (creditMs / 1000) * bytesPerSecond
      this.#owedBytes = Math.max(this.#owedBytes - (passedMs / 1000) * bytesPerSecond, -creditBytes)
    }
  }

  /** To be called after `waitMs` answered 0. */
  spend(bytes: number): void {
    this.#owedBytes += bytes
  }
}
