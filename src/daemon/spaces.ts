/** How full the targets' places are, asked seldom and only while somebody looks: a cloud counts each such question. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { TargetSpace } from '../control/control.ts'
import type { Space, Target } from '../target/target.ts'

/** A place fills in days. Unit: ms. */
const askEveryMs = 3_600_000
/** One that does not answer is asked again as late as one that did. Unit: ms. */
const answerMsMax = 30_000

export interface SpacesParts {
  /** Targets that work now, by name. */
  readonly targets: () => ReadonlyMap<string, Pick<Target, 'about'>>
  readonly clock: Clock
  readonly log: Log
}

export class Spaces {
  readonly #parts: SpacesParts
  readonly #known = new Map<string, TargetSpace>()
  readonly #askedMs = new Map<string, number>()
  readonly #tasks: Tasks

  constructor(parts: SpacesParts) {
    this.#parts = parts
    this.#tasks = new Tasks((task, error) => parts.log.info(`${task} failed`, { reason: error.message }))
  }

  /** As it was answered last; null where nobody asked or nothing came. */
  of(target: string): TargetSpace | null {
    return this.#known.get(target) ?? null
  }

  /** Somebody looks: asks whoever was not asked within the hour. */
  look(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const [name, target] of this.#parts.targets()) {
      const askedMs = this.#askedMs.get(name)
      if (askedMs !== undefined && nowMs - askedMs < askEveryMs) continue
      this.#askedMs.set(name, nowMs)
      this.#tasks.run('space', (signal) => this.#ask(name, target, signal))
    }
  }

  async #ask(name: string, target: Pick<Target, 'about'>, signal: AbortSignal): Promise<void> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)])
    try {
      this.#known.set(name, shown(await target.about(bounded)))
    } catch (thrown) {
      // Not known any more; what keeps the target from answering shows in its state.
      this.#known.delete(name)
      if (!signal.aborted) this.#parts.log.debug('space unknown', { target: name, reason: asError(thrown).message })
    }
  }

  close(): Promise<void> {
    return this.#tasks.stop()
  }
}

function shown({ usedBytes, freeBytes }: Space): TargetSpace {
  return { usedBytes, freeBytes: freeBytes ?? null }
}
