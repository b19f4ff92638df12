/** The settled difference of one path, and the line in which changes are handed on: one call at a time, in order, none lost. */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { SourcePath } from '../base/path.ts'
import type { FileStat } from './scan.ts'

export type Change =
  | { readonly kind: 'put'; readonly source: string; readonly path: SourcePath; readonly stat: FileStat }
  | { readonly kind: 'remove'; readonly source: string; readonly path: SourcePath }
  /** The file that was at `from` is at `path` now; moves that follow each other happened at once. */
  | {
      readonly kind: 'move'
      readonly source: string
      readonly from: SourcePath
      readonly path: SourcePath
      readonly stat: FileStat
    }
  | FolderMove

/** The folder that was at `from` is at `path` now: a belief, of which whatever is not so is found out by looking at what lies there. */
export interface FolderMove {
  readonly kind: 'move-folder'
  readonly source: string
  readonly from: SourcePath
  readonly path: SourcePath
}

/** Changes of one call: what a journal writes in one transaction of some ten milliseconds. */
export const changesMax = 1_000
/** Pause before changes that were refused are offered again, ms. */
const retryDelayMs = 1_000

export interface HandOnOptions {
  readonly take: (changes: readonly Change[]) => Promise<void>
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

export class HandOn {
  readonly #options: HandOnOptions
  /** The last call; the next one waits for it, so that two changes of one path are never on their way in two calls. */
  #last: Promise<void> = Promise.resolve()

  constructor(options: HandOnOptions) {
    this.#options = options
  }

  /** Resolves when all are taken. @throws the signal's reason when stopped before that. */
  async take(changes: readonly Change[]): Promise<void> {
    for (let at = 0; at < changes.length; at += changesMax) {
      const part = changes.slice(at, at + changesMax)
      const turn = this.#last.then(() => this.#takePart(part))
      this.#last = turn.catch(() => {
        // Told to the caller of this turn; the next one tries for itself.
      })
      await turn
    }
  }

  async #takePart(changes: readonly Change[]): Promise<void> {
    const { take, clock, log, signal } = this.#options
    for (;;) {
      signal.throwIfAborted()
      try {
        await take(changes)
        return
      } catch (thrown) {
        // Nothing else is known to be wrong than that it was refused; giving up would lose the changes, so it is tried until it works.
        log.error('changes refused', { error: asError(thrown).message })
        await clock.sleep(retryDelayMs, signal)
      }
    }
  }
}
