/** How fast the line is and how many requests the provider bears: one line for all connections, as a household has. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface PaceSettings {
  /** Before each answer. */
  readonly latencyMs: number
  /** Of all bodies together, each way. Infinity: as fast as the machine. */
  readonly bytesPerSecond: number
  /** Above this the provider throttles. Refused requests count too. */
  readonly requestsPerSecond: number
}

/** How long a throttled client is sent away. Unit: seconds. */
const retryAfterS = 1

export class Pace {
  #settings: PaceSettings = { latencyMs: 0, bytesPerSecond: Infinity, requestsPerSecond: Infinity }
  #freeAtMs = { request: 0, answer: 0 }
  #windowStartMs = 0
  #inWindow = 0

  get settings(): PaceSettings {
    return this.#settings
  }

  set(change: Partial<PaceSettings>): void {
    this.#settings = { ...this.#settings, ...change }
    this.#freeAtMs = { request: 0, answer: 0 }
  }

  async latency(signal: AbortSignal): Promise<void> {
    if (this.#settings.latencyMs > 0) await rest(this.#settings.latencyMs, signal)
  }

  /** Seconds to stay away when this request is one too many. */
  admit(): number | undefined {
    const nowMs = performance.now()
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs
      this.#inWindow = 0
    }
    this.#inWindow += 1
    return this.#inWindow > this.#settings.requestsPerSecond ? retryAfterS : undefined
  }

  /** Waits until the line has carried so many bytes more. */
  async carry(way: 'request' | 'answer', bytes: number, signal: AbortSignal): Promise<void> {
    const { bytesPerSecond } = this.#settings
    if (bytesPerSecond === Infinity) return
    const nowMs = performance.now()
    const untilMs = Math.max(this.#freeAtMs[way], nowMs) + (bytes / bytesPerSecond) * 1000
    this.#freeAtMs[way] = untilMs
    await rest(untilMs - nowMs, signal)
  }
}

/** Real time passes. Ends early, without an error, when the client has left: who waits looks at the signal. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
