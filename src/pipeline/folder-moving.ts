/**
 * Folders that were renamed, at one target: each is moved there as one where that is possible (F32), before anything else happens at that target. What
 * goes on below it is broken off and begins anew where it belongs. Keeps no state of its own: what is still to be done stands in the journal.
 */
import { orAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { remotePath, showPath } from '../base/path.ts'
import type { Random } from '../base/random.ts'
import type { Tasks } from '../base/tasks.ts'
import type { Journal, PendingFolderMove } from '../journal/journal.ts'
import { TargetError, type FolderMoved, type Target } from '../target/target.ts'
import { retryDelayMs } from './backoff.ts'
import { troubleOf, type Trouble } from './lane-state.ts'
import type { PlaceTurns } from './place-turns.ts'

/** A target that fails so often in a row is asked for each file by itself. */
const triesMax = 5
/** Longest pause between two tries, since everything else at this target waits. Unit: ms. */
const retryMsMax = 30_000

/** What is under way below a folder may take so long to end by itself, while nothing else begins at the target. Unit: ms. */
const patienceMs = 5_000

export interface FolderMovingParts {
  readonly name: string
  readonly targetId: number
  readonly target: Target
  readonly journal: Journal
  readonly turns: PlaceTurns
  readonly tasks: Tasks
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly isReached: () => boolean
  /** The target as a whole cannot work. */
  readonly onTrouble: (trouble: Trouble) => void
  readonly onDone: () => void
}

export class FolderMoving {
  readonly #parts: FolderMovingParts
  #isRunning = false

  constructor(parts: FolderMovingParts) {
    this.#parts = parts
  }

  /** There is something to do, before anything else. */
  get isPending(): boolean {
    const { journal, targetId } = this.#parts
    return journal.folderMoves.isPending(targetId)
  }

  /** Begins what there is to do, unless that goes on already. Answers whether there is anything. */
  begin(): boolean {
    if (!this.isPending) return false
    if (!this.#isRunning) this.#parts.tasks.run('folders', (signal) => this.#run(signal))
    this.#isRunning = true
    return true
  }

  /** Ends early where the target fails. */
  async #run(signal: AbortSignal): Promise<void> {
    try {
      const { journal, targetId, isReached } = this.#parts
      for (let tries = 1; isReached() && !signal.aborted;) {
        const pending = journal.folderMoves.first(targetId)
        if (pending === undefined) break
        tries = (await this.#move(pending, tries, signal)) ? 1 : tries + 1
      }
    } finally {
      this.#isRunning = false
    }
    if (!this.isPending) this.#parts.onDone()
  }

  /** Answers false where it failed this time. */
  async #move(pending: PendingFolderMove, tries: number, signal: AbortSignal): Promise<boolean> {
    const { journal, name, log } = this.#parts
    const [from, to] = [remotePath(pending.from), remotePath(pending.to)]
    await this.#clear([from, to], signal)
    const moved = await this.#moved(pending, signal).catch((thrown: unknown) => asError(thrown))
    signal.throwIfAborted()
    const outcome = moved instanceof Error ? await this.#failed(moved, tries, signal) : moved
    if (outcome === undefined) return false
    log.info('folder moved', { target: name, from: showPath(from), to: showPath(to), outcome })
    if (outcome === 'refused') await journal.folderMoves.split(pending, signal)
    else await journal.folderMoves.followed(pending, signal)
    return true
  }

  async #moved(pending: PendingFolderMove, signal: AbortSignal): Promise<FolderMoved> {
    const { journal, target } = this.#parts
    if (pending.from === pending.to) return 'moved'
    const moved = await target.moveFolder(remotePath(pending.from), remotePath(pending.to), signal)
    const at = moved === 'absent' ? journal.folderMoves.sample(pending) : undefined
    if (at === undefined) return moved
    // It was moved before, and nobody came to know; or it went some other way, and each file has to be looked for.
    const copy = await target.look(remotePath(at), { hash: false, fresh: true }, signal)
    return copy === undefined ? 'refused' : 'moved'
  }

  /** What is under way below the folders comes to its end, or is ended. */
  async #clear(folders: readonly string[], signal: AbortSignal): Promise<void> {
    const { turns, clock } = this.#parts
    const below = turns.below(folders)
    const timer = clock.after(patienceMs, () => below.end())
    try {
      await orAbort(below.ended, signal)
    } finally {
      timer.clear()
    }
  }

  async #failed(error: Error, tries: number, signal: AbortSignal): Promise<FolderMoved | undefined> {
    const { name, log, clock, random, onTrouble } = this.#parts
    const next = error instanceof TargetError ? error.next.kind : 'retry'
    if (next === 'pause-target') {
      onTrouble(troubleOf(error))
      return undefined
    }
    log.warn('folder not moved', { target: name, reason: error.message })
    if (next === 'park' || tries >= triesMax) return 'refused'
    await clock.sleep(Math.min(retryMsMax, retryDelayMs(tries, random)), signal)
    return undefined
  }
}
