/**
 * Brings files back into a folder: looks what stands at each place, has what is missing fetched and proven, and counts what came of it. Several files
 * at once, a bounded number in memory. What is wanted, and the way to the targets, are handed in.
 */
import type { Readable } from 'node:stream'
import PQueue from 'p-queue'
import type { Clock } from '../base/clock.ts'
import { asError, errnoOf, OwnerError, unreachable } from '../base/errors.ts'
import { joinPath } from '../base/path.ts'
import type { Destination, Standing } from './destination.ts'
import { fetched, Trust } from './fetching.ts'
import type { Begin, CopyAt, Restorable, Wanted } from './wanted.ts'

/** Small files wait for answers most of their time; more streams at once would make large ones no faster. */
const concurrency = 8
/** Files listed ahead of those under way. */
const aheadMax = 64
/** Failures and skips that are told one by one; the others are counted. */
const toldMax = 1000
/** So many files in a row that no target gave: it is not the files. */
const failedInRowMax = 100

export interface RestoringParts {
  readonly destination: Destination
  /** Content of a copy from byte `start` on. */
  readonly read: (copy: CopyAt, start: number, signal: AbortSignal) => Promise<Readable>
  /** Where a file goes below the destination. */
  readonly placeOf: (file: Pick<Wanted, 'source' | 'path'>) => string
  /** Other files that stand there are replaced. */
  readonly mayReplace: boolean
  /** Nothing is fetched or written. */
  readonly isDryRun: boolean
  readonly clock: Clock
}

export interface Remark {
  readonly source: string | null
  readonly path: string
  readonly reason: string
}

/** What came of it so far. */
export interface Tally {
  /** How the files were found; undefined before the first answer. */
  readonly begin: Begin | undefined
  readonly restored: number
  readonly restoredBytes: number
  /** Bytes that came, those of files under way included. */
  readonly fetchedBytes: number
  readonly alreadyThere: number
  /** Another file stands there, which was left alone. */
  readonly skipped: number
  readonly failed: number
  /** Files by the target that gave them. */
  readonly from: ReadonlyMap<string, number>
  readonly skips: readonly Remark[]
  readonly failures: readonly Remark[]
  /** Targets that could not be listed to their end, and what ended everything early. */
  readonly troubles: readonly string[]
}

/** Below the destination a folder for each source; the files of `flatSource` without one. What has no source keeps its place at the target. */
export function layout(flatSource: string | undefined): RestoringParts['placeOf'] {
  return ({ source, path }) => (source === null || source === flatSource ? path : joinPath(source, path))
}

export class Restoring {
  readonly #parts: RestoringParts
  readonly #trust = new Trust()
  readonly #ending = new AbortController()
  readonly #failures = new Map<string, Remark>()
  readonly #skips: Remark[] = []
  readonly #troubles: string[] = []
  readonly #from = new Map<string, number>()
  /** Places that are done, where several targets are listed one after the other: some 100 bytes each. */
  #done: Set<string> | undefined
  #listed: string | undefined
  #begin: Begin | undefined
  #restored = 0
  #restoredBytes = 0
  #fetchedBytes = 0
  #alreadyThere = 0
  #skipped = 0
  #untold = 0
  #failedInRow = 0

  constructor(parts: RestoringParts) {
    this.#parts = parts
  }

  get tally(): Tally {
    return {
      begin: this.#begin,
      restored: this.#restored,
      restoredBytes: this.#restoredBytes,
      fetchedBytes: this.#fetchedBytes,
      alreadyThere: this.#alreadyThere,
      skipped: this.#skipped,
      failed: this.#failures.size + this.#untold,
      from: this.#from,
      skips: this.#skips,
      failures: [...this.#failures.values()],
      troubles: this.#troubles,
    }
  }

  /** An abort leaves whole files and what the next run goes on with. @throws what was wrong with the question, the signal's reason. */
  async run(items: AsyncIterable<Restorable>, signal: AbortSignal): Promise<void> {
    const queue = new PQueue({ concurrency })
    const both = AbortSignal.any([signal, this.#ending.signal])
    try {
      for await (const item of items) {
        // What the last target could not give is known before the next one's files are looked at.
        if (this.#isNextList(item)) await queue.onIdle()
        if (item.kind === 'file')
          queue.add(() => this.#one(item.file, both)).catch((thrown: unknown) => this.#end(thrown))
        else this.#heard(item)
        await queue.onSizeLessThan(aheadMax)
        if (both.aborted) break
      }
    } catch (thrown) {
      if (this.#begin === undefined || signal.aborted) throw thrown
      this.#troubles.push(asError(thrown).message)
    } finally {
      await queue.onIdle()
      await this.#parts.destination.settle()
    }
    signal.throwIfAborted()
  }

  #isNextList(item: Restorable): boolean {
    if (this.#done === undefined || item.kind !== 'file') return false
    const target = item.file.copies[0]?.target
    const isNext = target !== this.#listed
    this.#listed = target
    return isNext
  }

  #heard(item: Exclude<Restorable, { kind: 'file' }>): void {
    if (item.kind === 'unlisted') {
      this.#troubles.push(`${item.target} was not listed to its end: ${item.reason}`)
      return
    }
    this.#begin = item
    if (item.isBare && item.targets.length > 1) this.#done = new Set()
  }

  /** Nothing more can come of it. */
  #end(thrown: unknown): void {
    if (this.#ending.signal.aborted) return
    this.#troubles.push(asError(thrown).message)
    this.#ending.abort(asError(thrown))
  }

  async #one(file: Wanted, signal: AbortSignal): Promise<void> {
    if (isOver(signal)) return
    const place = this.#parts.placeOf(file)
    if (this.#done?.has(place) === true) return
    try {
      await this.#restore(file, place, signal)
    } catch (thrown) {
      // What was under way when it was asked to end is no failure of the file.
      if (isOver(signal)) return
      if (diskFailures.has(errnoOf(thrown) ?? '')) throw fullDisk(thrown)
      this.#failedWith(file, place, asError(thrown).message)
    }
  }

  async #restore(file: Wanted, place: string, signal: AbortSignal): Promise<void> {
    const { destination, mayReplace, isDryRun } = this.#parts
    const standing = await destination.look(place)
    if (await this.#isThere(standing, file, place, signal)) {
      if (!isDryRun) await destination.tidy(place, file)
      this.#alreadyThere++
      this.#finished(place)
      return
    }
    if (standing.kind === 'obstacle') {
      this.#failedWith(file, place, `${standing.what} stands there; move it away`)
      return
    }
    if (standing.kind !== 'nothing' && !mayReplace) {
      this.#skip(file, place, standing)
      return
    }
    if (isDryRun) {
      this.#restored++
      this.#restoredBytes += file.size
      this.#finished(place)
      return
    }
    await this.#fetch(file, place, signal)
  }

  async #isThere(standing: Standing, file: Wanted, place: string, signal: AbortSignal): Promise<boolean> {
    if (standing.kind !== 'file' || standing.size !== file.size) return false
    if (standing.mtimeNs === file.mtimeNs) return true
    return file.sha256 !== null && (await this.#parts.destination.hash(place, signal)) === file.sha256
  }

  async #fetch(file: Wanted, place: string, signal: AbortSignal): Promise<void> {
    const { destination, read, clock, mayReplace } = this.#parts
    const unfinished = await destination.begin(place, file, signal)
    try {
      const onBytes = (bytes: number): void => void (this.#fetchedBytes += bytes)
      const outcome = await fetched(file, unfinished, { read, clock, trust: this.#trust, onBytes }, signal)
      if (outcome.kind === 'failed') {
        this.#failedWith(file, place, outcome.reason)
        if (++this.#failedInRow >= failedInRowMax) this.#end(new OwnerError(gaveUp))
        return
      }
      if (!(await unfinished.place(mayReplace))) {
        await unfinished.drop()
        this.#skip(file, place, { kind: 'file', size: 0, mtimeNs: 0n })
        return
      }
      this.#failedInRow = 0
      this.#restored++
      this.#restoredBytes += file.size
      this.#from.set(outcome.target, (this.#from.get(outcome.target) ?? 0) + 1)
      this.#finished(place)
    } finally {
      await unfinished.leave()
    }
  }

  #finished(place: string): void {
    this.#done?.add(place)
    // Another target gave what this one could not.
    this.#failures.delete(place)
  }

  #skip({ source, path }: Wanted, place: string, standing: Standing): void {
    this.#skipped++
    this.#finished(place)
    const reason = `${wordsOf(standing)} stands there; --force replaces it`
    if (this.#skips.length < toldMax) this.#skips.push({ source, path, reason })
  }

  #failedWith({ source, path }: Wanted, place: string, reason: string): void {
    if (this.#failures.size < toldMax || this.#failures.has(place)) this.#failures.set(place, { source, path, reason })
    else this.#untold++
  }
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted
}

function wordsOf(standing: Standing): string {
  switch (standing.kind) {
    case 'file':
      return 'another file'
    case 'link':
      return 'a symbolic link'
    case 'nothing':
    case 'obstacle':
      return 'something else'
    default:
      return unreachable(standing)
  }
}

const gaveUp = `gave up after ${failedInRowMax} files in a row that no target gave; once it can be reached, run the same command again: what is there is not fetched again`

const diskFailures: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS'])

function fullDisk(cause: unknown): OwnerError {
  const step = 'mend that and run the same command again: what is there is not fetched again'
  return new OwnerError(`the folder takes no more (${errnoOf(cause) ?? 'unknown reason'}); ${step}`, { cause })
}
