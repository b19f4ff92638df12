/** Speeds of the lanes, from one status to the next, over a short window so that the numbers can be read. */
import type { Status } from '../control/control.ts'

export interface Speed {
  readonly filesPerSecond: number
  readonly bytesPerSecond: number
}

/** Long enough to be calm, short enough to show a stop. Unit: ms. */
const windowMs = 5000
/** One status per 500 ms over the window, and room for early ones. */
const samplesMax = 32

interface Sample {
  readonly atMs: number
  readonly lanes: ReadonlyMap<string, { readonly files: number; readonly bytes: number }>
}

export class Speedometer {
  #samples: readonly Sample[] = []

  /** Takes a status into account. @param atMs monotonic. */
  add(status: Status, atMs: number): void {
    const lanes = new Map(status.targets.map((lane) => [lane.name, { files: lane.delivered, bytes: bytesOf(lane) }]))
    const recent = this.#samples.filter((sample, at, all) => sample.atMs >= atMs - windowMs || at === all.length - 1)
    this.#samples = [...recent, { atMs, lanes }].slice(-samplesMax)
  }

  /** Speed of a lane since the window's start; 0 before the second status and after a restart of the counters. */
  of(target: string): Speed {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    const before = first?.lanes.get(target)
    const now = last?.lanes.get(target)
    if (first === undefined || last === undefined || before === undefined || now === undefined) return still
    const seconds = (last.atMs - first.atMs) / 1000
    if (seconds <= 0) return still
    return {
      filesPerSecond: Math.max(0, now.files - before.files) / seconds,
      bytesPerSecond: Math.max(0, now.bytes - before.bytes) / seconds,
    }
  }
}

const still: Speed = { filesPerSecond: 0, bytesPerSecond: 0 }

/** `bytesSent` counts a file when it is delivered; what is under way makes the number move in between. */
function bytesOf(lane: Status['targets'][number]): number {
  return lane.bytesSent + lane.sending.reduce((sum, { bytesDone }) => sum + bytesDone, 0)
}
