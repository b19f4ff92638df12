/** How fast each lane goes and how far it is behind, over the last minutes: out of samples of its counters, the daemon's and the page's own. */
import type { Status, TargetStatus } from '../../control/answers.ts'
import type { LaneSample, TrendSample } from '../trend.ts'

/** What the plots show. Unit: ms. */
export const windowMs = 10 * 60_000
/** Between two samples. Unit: ms. */
const stepMs = 2_000
/** A speed is that of the last while: shorter ones jump, longer ones lag behind. Unit: ms. */
const speedMs = 15_000
/** Two samples this far apart say nothing of what was between them. Unit: ms. */
const gapMs = 30_000

export interface Point {
  readonly atMs: number
  /** Bytes per second since the point before; undefined behind a gap. */
  readonly rate: number | undefined
  readonly lagMs: number
}

export interface Speed {
  readonly bytesPerSecond: number
  readonly filesPerSecond: number
}

export class Rates {
  #samples: TrendSample[] = []

  /** What the daemon remembers, older than what the page does. */
  begin(samples: readonly TrendSample[]): void {
    const firstMs = this.#samples[0]?.atMs ?? Infinity
    this.#samples = [...samples.filter(({ atMs }) => atMs < firstMs), ...this.#samples]
  }

  add({ targets }: Status, atMs: number): void {
    const lastMs = this.#samples.at(-1)?.atMs
    if (lastMs !== undefined && atMs >= lastMs && atMs - lastMs < stepMs) return
    const lanes = targets.map(
      ({ name, bytesSent, delivered, oldestMs }) => [name, { bytesSent, delivered, lagMs: oldestMs ?? 0 }] as const,
    )
    this.#samples.push({ atMs, lanes: Object.fromEntries(lanes) })
    this.#samples = this.#samples.filter((sample) => atMs - sample.atMs <= windowMs)
  }

  points(target: string): Point[] {
    const points: Point[] = []
    let before: { readonly atMs: number; readonly lane: LaneSample } | undefined
    for (const { atMs, lanes } of this.#samples) {
      const lane = lanes[target]
      if (lane === undefined) continue
      points.push({ atMs, lagMs: lane.lagMs, rate: before && rateBetween(before, { atMs, lane }) })
      before = { atMs, lane }
    }
    return points
  }

  speed(target: string): Speed {
    const last = this.#samples.at(-1)
    const first = this.#samples.find(({ atMs }) => last !== undefined && last.atMs - atMs <= speedMs)
    const [from, to] = [first?.lanes[target], last?.lanes[target]]
    if (first === undefined || last === undefined || from === undefined || to === undefined || last === first)
      return { bytesPerSecond: 0, filesPerSecond: 0 }
    const seconds = (last.atMs - first.atMs) / 1000
    return {
      bytesPerSecond: Math.max(0, to.bytesSent - from.bytesSent) / seconds,
      filesPerSecond: Math.max(0, to.delivered - from.delivered) / seconds,
    }
  }
}

interface Moment {
  readonly atMs: number
  readonly lane: LaneSample
}

/** Counters begin anew with the daemon. */
function rateBetween(before: Moment, now: Moment): number | undefined {
  const ms = now.atMs - before.atMs
  const bytes = now.lane.bytesSent - before.lane.bytesSent
  return ms <= 0 || ms > gapMs || bytes < 0 ? undefined : (bytes / ms) * 1000
}

/** How long what waits will take at this speed, ms; undefined where nothing waits or nothing moves. */
export function remainingMs({ waiting, active, bytesWaiting }: TargetStatus, speed: Speed): number | undefined {
  const files = waiting + active
  if (files === 0 || speed.filesPerSecond + speed.bytesPerSecond === 0) return undefined
  // Small files are counted, large ones weighed: whichever takes longer is nearer to the truth.
  const byFiles = speed.filesPerSecond > 0 ? files / speed.filesPerSecond : 0
  const byBytes = speed.bytesPerSecond > 0 ? bytesWaiting / speed.bytesPerSecond : 0
  return Math.max(byFiles, byBytes) * 1000
}
