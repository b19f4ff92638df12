/** How the lanes went in the last minutes, for plots: filled while somebody looks, bounded, gone with the process. */
import type { Status } from '../control/answers.ts'

/** Unit: ms. */
const stepMs = 5_000
/** A quarter of an hour. */
const samplesMax = 180

export interface TrendSample {
  /** Wall clock, ms since 1970. */
  readonly atMs: number
  /** By name of target. */
  readonly lanes: Readonly<Record<string, LaneSample>>
}

export interface LaneSample {
  readonly bytesSent: number
  readonly delivered: number
  /** Age of the oldest change it lacks, ms. */
  readonly lagMs: number
}

export class Trend {
  readonly #samples: TrendSample[] = []

  get samples(): readonly TrendSample[] {
    return this.#samples
  }

  /** Takes a look into account, unless the last one was a moment ago. */
  add({ targets }: Pick<Status, 'targets'>, atMs: number): void {
    const lastMs = this.#samples.at(-1)?.atMs
    // A clock that was set back begins anew.
    if (lastMs !== undefined && atMs >= lastMs && atMs - lastMs < stepMs) return
    const lanes = targets.map(
      ({ name, bytesSent, delivered, oldestMs }) => [name, { bytesSent, delivered, lagMs: oldestMs ?? 0 }] as const,
    )
    this.#samples.push({ atMs, lanes: Object.fromEntries(lanes) })
    if (this.#samples.length > samplesMax) this.#samples.shift()
  }
}
