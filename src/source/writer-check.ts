/** Files of one source that are held back because a program has them open for writing (F24): asks for them, at a bounded cost, and keeps who it was. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { SourcePath } from '../base/path.ts'
import type { Scanner } from './scanner.ts'

/** A look at all descriptors takes no more than one part of so many of the time, since all sources share the thread that does it. */
const shareOfTime = 5
/** Held files kept by name; more are held as well. */
const pathsMax = 1_000

export interface WriterCheckOptions {
  readonly source: string
  readonly scanner: Scanner
  readonly clock: Clock
  readonly log: Log
  readonly note: (note: { event: string; detail: string }) => void
}

export class WriterCheck {
  readonly #options: WriterCheckOptions
  readonly #held = new Map<SourcePath, string>()
  #notBeforeMs = 0
  #isHiddenTold = false

  constructor(options: WriterCheckOptions) {
    this.#options = options
  }

  /** Who keeps the file waiting; undefined where nobody does. */
  whoHolds(path: SourcePath): string | undefined {
    return this.#held.get(path)
  }

  /** @returns those of `paths` that a program has open for writing. None where that cannot be found out: this never keeps a file from being copied. */
  async held(id: number, paths: readonly SourcePath[], signal: AbortSignal): Promise<ReadonlySet<SourcePath>> {
    const found = new Set<SourcePath>()
    if (paths.length === 0) return found
    const who = await this.#ask(id, paths, signal)
    paths.forEach((path, index) => {
      const writer = who[index]
      this.#held.delete(path)
      if (writer === undefined) return
      found.add(path)
      if (this.#held.size < pathsMax) this.#held.set(path, writer)
    })
    return found
  }

  async #ask(id: number, paths: readonly SourcePath[], signal: AbortSignal): Promise<readonly (string | undefined)[]> {
    const { source, scanner, clock, log } = this.#options
    await clock.sleep(Math.max(0, this.#notBeforeMs - clock.monotonicMs()), signal)
    const fromMs = clock.monotonicMs()
    try {
      const { who, hiddenCount } = await scanner.call('writers', { id, paths })
      if (hiddenCount > 0) this.#tellHidden(hiddenCount)
      return who
    } catch (thrown) {
      log.warn('cannot look for writers', { source, error: asError(thrown).message })
      return []
    } finally {
      const nowMs = clock.monotonicMs()
      this.#notBeforeMs = nowMs + (nowMs - fromMs) * (shareOfTime - 1)
    }
  }

  #tellHidden(count: number): void {
    if (this.#isHiddenTold) return
    this.#isHiddenTold = true
    const { source, log, note } = this.#options
    const detail = `check-writers cannot look into ${count} ${count === 1 ? 'program' : 'programs'} of other users: what they write counts as closed once it rests; give the service CAP_SYS_PTRACE to see them`
    note({ event: 'writers-hidden', detail })
    log.warn('writers hidden', { source, reason: detail })
  }
}
