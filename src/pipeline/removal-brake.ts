/** Notices when so many files of a source go at once that it may be an accident: then no copy leaves before its owner says so (F37). */
import type { Clock } from '../base/clock.ts'

/** More than this many removals within the window, and more than this part of the source's files. */
const filesMin = 50
const shareMin = 0.1
const windowMs = 3_600_000
/** The window moves in steps: exact to a minute. Unit: ms. */
const stepMs = 60_000

interface Step {
  readonly atMs: number
  files: number
}

export class RemovalBrake {
  readonly #clock: Clock
  readonly #steps = new Map<string, Step[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** So many files of a source went; `filesLeft` are there still. @returns why it may be an accident; undefined where it need not be. */
  removed(source: string, files: number, filesLeft: number): string | undefined {
    const nowMs = this.#clock.monotonicMs()
    const steps = (this.#steps.get(source) ?? []).filter(({ atMs }) => nowMs - atMs < windowMs)
    const last = steps.at(-1)
    if (last !== undefined && nowMs - last.atMs < stepMs) last.files += files
    else steps.push({ atMs: nowMs, files })
    this.#steps.set(source, steps)
    const recent = steps.reduce((sum, step) => sum + step.files, 0)
    if (recent <= filesMin || recent <= (recent + filesLeft) * shareMin) return undefined
    return `${recent} files of source ${source} were removed within an hour, ${filesLeft} are left: their copies stay until "fanfold approve ${source}" says that this is meant`
  }

  /** The owner said that it was meant: what went so far counts no more. */
  approved(source: string): void {
    this.#steps.delete(source)
  }
}
