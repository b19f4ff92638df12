/**
 * What is done with a round of due paths: looks, judges, hands on, acknowledges. A path leaves the collector only after its change was taken; what was
 * not dealt with is put back (D6: take, persist, acknowledge).
 */
import type { Clock } from '../base/clock.ts'
import { asError, assert } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { SourcePath } from '../base/path.ts'
import { changesMax, type Change, type HandOn } from './change.ts'
import type { Collector, Due } from './collector.ts'
import type { Moves } from './moves.ts'
import type { Believed } from './reconcile.ts'
import type { Look, Looks } from './scan.ts'
import type { Scanner } from './scanner.ts'
import type { Restless } from './restless.ts'
import { isOverdue, isRestless, judge, type Outcome, type Patience, type Version } from './settle.ts'
import type { WriterCheck } from './writer-check.ts'

/** Pause after a look that failed as a whole (the scan thread died), ms. */
const lookRetryMs = 500
/** What is gone is looked at again so often while a scan may still find it elsewhere, ms; and no longer than this, ms. */
const heldLookMs = 500
const heldMsMax = 600_000
/** Paths waiting beyond which nothing is held back: the scan itself waits for room. */
const heldPathsMax = 10_000

/** A file that a program has open for writing is looked at again after this, ms, where its closing raises no event. */
const writerLookMs = 5_000

export interface FlusherOptions {
  readonly source: string
  readonly patience: Patience
  readonly believed: Believed
  readonly scanner: Scanner
  readonly handOn: HandOn
  readonly moves: Moves
  /** A scan is running, or wanted, or will be once new folders are watched. */
  readonly isScanning: () => boolean
  /** Whether programs that have a file open for writing are waited for. */
  readonly writers: WriterCheck | undefined
  readonly clock: Clock
  readonly log: Log
  /** The root's number at the scan thread; undefined while there is no root. */
  readonly rootId: () => number | undefined
  /** The root is not what it was. */
  readonly onBlind: () => void
  /** A file that does not come to rest; told once. */
  readonly onRestless: (path: SourcePath) => void
  /** A path that is left alone, and why. */
  readonly onLeft: (path: SourcePath, look: Extract<Look, { kind: 'skipped' | 'unreadable' }>) => void
}

type Put = Extract<Change, { kind: 'put' }>

interface Verdict {
  readonly due: Due
  /** Nothing more is to be waited for. */
  readonly isDone: boolean
  /** All files believed below the path are gone. */
  readonly isTreeGone: boolean
  readonly change: Change | undefined
  /** What it would be if it turned out that the file only moved: then nothing about it is to be waited for. */
  readonly ifMoved: Put | undefined
}

export class Flusher {
  readonly #options: FlusherOptions
  readonly #collector: Collector
  readonly #restless: Restless
  readonly #onTaking: (changes: readonly Change[]) => void

  /** @param onTaking told of changes just before they are handed on. */
  constructor(
    options: FlusherOptions,
    { collector, restless }: { readonly collector: Collector; readonly restless: Restless },
    onTaking: (changes: readonly Change[]) => void,
  ) {
    this.#options = options
    this.#collector = collector
    this.#restless = restless
    this.#onTaking = onTaking
  }

  /** An abort leaves the paths in the collector. @throws what `believed` throws. */
  async flush(round: readonly Due[], signal: AbortSignal): Promise<void> {
    const { rootId, onBlind } = this.#options
    const id = rootId()
    try {
      const answer = id === undefined ? undefined : await this.#look(id, round, signal)
      if (answer?.kind === 'seen') await this.#conclude(round, answer.looks, signal)
      // Without its root, nothing is dirty: the root's return is followed by a scan of everything.
      else if (id === undefined) this.#collector.clear()
      else if (answer !== undefined && rootId() === id) {
        this.#collector.clear()
        onBlind()
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown
    } finally {
      for (const due of round) this.#collector.putBack(due)
    }
  }

  async #look(id: number, round: readonly Due[], signal: AbortSignal): Promise<Looks | undefined> {
    const { source, scanner, rootId, clock, log } = this.#options
    try {
      return await scanner.call('look', { id, paths: round.map(({ path }) => path) })
    } catch (thrown) {
      if (signal.aborted || rootId() !== id) return undefined
      log.warn('look failed', { source, error: asError(thrown).message })
      await clock.sleep(lookRetryMs, signal)
      return undefined
    }
  }

  /** What the looks mean. Paths stay in the collector until their changes are taken. */
  async #conclude(due: readonly Due[], looks: readonly Look[], signal: AbortSignal): Promise<void> {
    const judged: Verdict[] = []
    due.forEach((one, index) => {
      const look = looks[index]
      if (look !== undefined && this.#collector.isUntouched(one)) judged.push(this.#judge(one, look))
    })
    const verdicts = await this.#withoutWritten(judged, signal)
    const changes = await this.#changesOf(verdicts)
    // What moved is not gone. What is gone goes next, so that a name is free before a file or folder of another kind takes it (F39).
    await this.#take(changes.filter(({ kind }) => kind === 'move'))
    for (const { due: one, isTreeGone } of verdicts) if (isTreeGone) await this.#removeBelow(one.path, signal)
    for (const kind of ['remove', 'put'] as const) await this.#take(changes.filter((change) => change.kind === kind))
    // One that waits on although it has moved is found to be as believed when it is looked at next.
    for (const { due: one, isDone } of verdicts) if (isDone) this.#done(one)
  }

  #done(one: Due): void {
    this.#restless.delete(one.path)
    this.#collector.settle(one)
  }

  /** With moves as such. */
  async #changesOf(verdicts: readonly Verdict[]): Promise<readonly Change[]> {
    const certain = verdicts.flatMap(({ change }) => change ?? [])
    const possible = verdicts.flatMap(({ ifMoved }) => ifMoved ?? [])
    const found = await this.#options.moves.find([...certain, ...possible])
    return found.filter(({ kind }, index) => index < certain.length || kind === 'move')
  }

  #judge(one: Due, look: Look): Verdict {
    const { source, believed, clock, patience, onLeft } = this.#options
    const { path, settling } = one
    const known = believed.file(source, path)
    // A folder that is there again is compared by the scan that every new folder gets.
    const isTree = settling.isTree && look.kind !== 'folder' && believed.filesBelow(source, path, 1).length > 0
    const nowMs = clock.monotonicMs()
    const at = { nowMs, ...patience, wallNs: BigInt(Math.floor(clock.wallMs())) * 1_000_000n }
    const judged = judge(settling, look, known, isTree || known !== undefined, at)
    const isHeld = judged.kind === 'remove' && look.kind === 'absent' && this.#holdsBack(nowMs - settling.touchedMs)
    const outcome: Outcome = isHeld ? { kind: 'wait', settling: { ...settling, dueMs: nowMs + heldLookMs } } : judged
    if (look.kind === 'skipped' || look.kind === 'unreadable') onLeft(path, look)
    if (outcome.kind === 'wait') this.#collector.wait(one, outcome.settling, nowMs)
    if (
      outcome.kind === 'wait' &&
      look.kind === 'file' &&
      isRestless(settling, at) &&
      this.#restless.add(path, settling.sinceMs)
    )
      this.#options.onRestless(path)
    const isTreeGone = isTree && (outcome.kind === 'remove' || look.kind === 'file')
    const isDone = outcome.kind !== 'wait'
    const ifMoved =
      look.kind === 'file' && !isDone && !settling.isWritten
        ? ({ kind: 'put', source, path, stat: look.stat } as const)
        : undefined
    return { due: one, isTreeGone, isDone, change: this.#changeOf(path, outcome, known), ifMoved }
  }

  /** What somebody has open for writing waits until it is closed, or for the moment at which snapshots are taken (F24). */
  async #withoutWritten(verdicts: readonly Verdict[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const { writers, patience, clock, rootId } = this.#options
    const id = rootId()
    if (writers === undefined || id === undefined) return verdicts
    const now = { nowMs: clock.monotonicMs(), ...patience }
    const puts = verdicts.filter(({ change, due }) => {
      const isSnapshot = patience.unsettled === 'snapshot' && isOverdue(due.settling, now)
      return change?.kind === 'put' && !isSnapshot
    })
    const held = await writers.held(
      id,
      puts.map(({ due }) => due.path),
      signal,
    )
    return verdicts.map((verdict) => (held.has(verdict.due.path) ? this.#heldBack(verdict) : verdict))
  }

  #heldBack({ due, change, ...verdict }: Verdict): Verdict {
    const { clock, patience, onRestless } = this.#options
    const nowMs = clock.monotonicMs()
    this.#collector.wait(due, { ...due.settling, dueMs: nowMs + writerLookMs }, nowMs)
    const isLong = isRestless(due.settling, { nowMs, ...patience })
    if (isLong && this.#restless.add(due.path, due.settling.sinceMs)) onRestless(due.path)
    // Moved, it is known already, and nothing of it is read.
    return { ...verdict, due, isDone: false, change: undefined, ifMoved: change?.kind === 'put' ? change : undefined }
  }

  /** What a scan may find elsewhere has moved and is not gone. */
  #holdsBack(sinceMs: number): boolean {
    return this.#options.isScanning() && sinceMs < heldMsMax && this.#collector.size < heldPathsMax
  }

  #changeOf(path: SourcePath, outcome: Outcome, known: Version | undefined): Change | undefined {
    const { source } = this.#options
    if (outcome.kind === 'put') return { kind: 'put', source, path, stat: outcome.stat }
    return outcome.kind === 'remove' && known !== undefined ? { kind: 'remove', source, path } : undefined
  }

  /** All files that went with a folder, some at a time. */
  async #removeBelow(folder: SourcePath, signal: AbortSignal): Promise<void> {
    const { source, believed } = this.#options
    let first: SourcePath | undefined
    while (!signal.aborted) {
      const paths = believed.filesBelow(source, folder, changesMax)
      if (paths.length === 0) return
      assert(paths[0] !== first, `removed files are still believed below ${source}:${folder}`)
      first = paths[0]
      await this.#take(paths.map((path) => ({ kind: 'remove', source, path })))
    }
  }

  async #take(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return
    this.#onTaking(changes)
    await this.#options.handOn.take(changes)
  }
}
