/**
 * Watches the room on the state directory's file system, and sees to it that nothing is missed while there is none. Writes no row.
 *   open             all goes on                                      -> state-disk-full below the low mark, or when the journal cannot be written
 *   state-disk-full  nothing new is accepted in detail; the rescan    -> open when the journal can be written and there is room above the mark;
 *                    mark is set, so that a restart knows, too           every source is scanned, then the rescan mark is cleared
 */
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { orAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { asError, OwnerError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import { showBytes } from '../base/units.ts'
import type { Status } from '../control/control.ts'
import type { Journal } from '../journal/journal.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { Source, Sources } from '../source/source.ts'
import { openRescanMark, type RescanMark } from './rescan-mark.ts'

/** Below this nothing new is accepted: what is under way still has to be written down. Unit: bytes. */
const lowBytesMax = 200_000_000
/** On a small file system the mark is this part of it. */
const lowShare = 1 / 20
/** It opens again only above this multiple of the mark, so that it does not come and go with every write. */
const openAgainTimes = 1.25
/** Between two looks at the file system. Unit: ms. */
const lookMs = 2_000

export interface StateDiskParts {
  /** The state directory. */
  readonly folder: string
  readonly journal: Journal
  readonly pipeline: Pipeline
  readonly sources: Sources
  readonly clock: Clock
  readonly log: Log
}

export class StateDisk {
  readonly #parts: StateDiskParts
  readonly #tasks: Tasks
  #mark: RescanMark | undefined
  /** Why nothing is accepted; null while all goes on. */
  #lowReason: string | null = null
  #isShut = false

  constructor(parts: StateDiskParts) {
    this.#parts = parts
    this.#tasks = new Tasks((task, error) => parts.log.error('task failed', { task, error: error.message }))
  }

  /** To be called when the sources are there: a mark that was left by an earlier process is cleared once they are all scanned. */
  start(): void {
    this.#ensureMark()
    if (this.#mark?.isSet === true) {
      this.#parts.log.info('rescan after a full state disk', { reason: 'the last run missed changes in detail' })
      this.#tasks.run('rescan', (signal) => this.#clearAfter((source) => source.firstScan, signal))
    }
    this.#tasks.run('look', (signal) => this.#keepLooking(signal))
  }

  state(): Status['journal'] {
    const reason = this.#parts.journal.full?.message ?? this.#lowReason
    return reason === null ? { state: 'open', reason } : { state: 'state-disk-full', reason }
  }

  /** Ends the looks and lets go of what was held back; to be called first of all. A scan that was asked for is ended by its source. */
  async stop(): Promise<void> {
    await this.#tasks.stop()
    this.#parts.pipeline.release()
    this.#mark?.close()
    this.#mark = undefined
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#look(signal)
      await this.#parts.clock.sleep(lookMs, signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { folder, journal } = this.#parts
    this.#ensureMark()
    this.#lowReason = await lowReason(folder, this.#isShut)
    if (signal.aborted) return
    const reason = journal.full?.message ?? this.#lowReason
    if (reason !== null && !this.#isShut) this.#shut(reason)
    else if (reason === null && this.#isShut) this.#open()
  }

  #shut(reason: string): void {
    this.#isShut = true
    this.#setMark()
    this.#parts.pipeline.hold()
    this.#parts.log.error('state-disk-full', { reason })
  }

  #open(): void {
    this.#isShut = false
    this.#parts.log.info('state disk has room again', { reason: 'every source is scanned' })
    this.#parts.pipeline.release()
    this.#tasks.run('rescan', (signal) =>
      this.#clearAfter((source) => source.rescan('the state disk had no room'), signal),
    )
  }

  /** Clears the mark once `scan` is through for every source, unless room ran out again meanwhile. */
  async #clearAfter(scan: (source: Source) => Promise<void>, signal: AbortSignal): Promise<void> {
    const scans = this.#parts.sources.all.map((source) =>
      scan(source).catch((thrown: unknown) => {
        // A source that is missing is scanned as a whole when it is back.
        if (!(thrown instanceof OwnerError)) throw thrown
      }),
    )
    await orAbort(Promise.all(scans), signal)
    if (this.#isShut) return
    this.#mark?.clear()
    this.#parts.log.info('rescan after a full state disk is done')
  }

  #ensureMark(): void {
    if (this.#mark !== undefined) return
    try {
      this.#mark = openRescanMark(join(this.#parts.folder, 'rescan-mark'))
    } catch (thrown) {
      // No room even for one block: it is made at a later look. Until then a restart relies on the scan that every start begins with.
      this.#parts.log.debug('rescan mark not made', { error: asError(thrown).message })
    }
  }

  #setMark(): void {
    try {
      this.#mark?.set()
    } catch (thrown) {
      this.#parts.log.warn('rescan mark not set', { error: asError(thrown).message })
    }
  }
}

/** What is wrong with the room on a file system, in words with the next step; null when there is enough. */
async function lowReason(folder: string, isShut: boolean): Promise<string | null> {
  const { bsize, blocks, bavail } = await statfs(folder)
  const lowBytes = Math.min(lowBytesMax, bsize * blocks * lowShare)
  const freeBytes = bsize * bavail
  if (freeBytes >= (isShut ? lowBytes * openAgainTimes : lowBytes)) return null
  return (
    `the state disk is nearly full: ${showBytes(freeBytes)} are free at ${folder}, ${showBytes(Math.round(lowBytes))} are kept for what is under way; ` +
    'new changes are not accepted until space is freed on that file system, then everything goes on by itself'
  )
}
