/** The dirty paths of one source, ordered by when each is to be looked at. Bounded; decides nothing about files (settle.ts does). */
import type { SourcePath } from '../base/path.ts'
import { commonFolder } from './dirty-folders.ts'
import { firstLookMs, touch, type Patience, type Settling, type Sign } from './settle.ts'

/** Dirty paths of a source: some 30 MB. Past it a scan of their common folder takes their place. */
export const dirtyPathsMax = 100_000

/** Paths of one burst, as a swap of two names, are looked at together though one was seen some microseconds later: apart they would be no move (F33). Unit: ms. */
const burstMs = 1

/** A path that was given out to be looked at, as it was then. */
export interface Due {
  readonly path: SourcePath
  readonly settling: Settling
}

export class Collector {
  readonly #patience: Omit<Patience, 'unsettled'>
  /** Looked at within milliseconds, and after `settleMs`. Two maps, since each then keeps its order by insertion alone. */
  readonly #soon = new Map<SourcePath, Settling>()
  readonly #later = new Map<SourcePath, Settling>()
  /** Given out and not answered for. They stay where they are until that is done, and are given to nobody else. */
  readonly #underWay = new Set<SourcePath>()

  constructor({ settleMs, unsettledMsMax }: Omit<Patience, 'unsettled'>) {
    this.#patience = { settleMs, unsettledMsMax }
  }

  get size(): number {
    return this.#soon.size + this.#later.size
  }

  /** Nothing waits and nothing is under way. */
  get isEmpty(): boolean {
    return this.size === 0 && this.#underWay.size === 0
  }

  has(path: SourcePath): boolean {
    return this.#soon.has(path) || this.#later.has(path) || this.#underWay.has(path)
  }

  settlingOf(path: SourcePath): Settling | undefined {
    return this.#soon.get(path) ?? this.#later.get(path)
  }

  touch(path: SourcePath, sign: Sign, nowMs: number, isTree = false): void {
    const before = this.settlingOf(path)
    const after = touch(before, sign, { nowMs, ...this.#patience })
    this.#put(path, isTree ? { ...after, isTree } : after, nowMs)
  }

  /** Monotonic ms of the next look; undefined when nothing waits that is not under way. */
  nextDueMs(): number | undefined {
    return least(this.#firstDueMs(this.#soon), this.#firstDueMs(this.#later))
  }

  /** Gives out up to `count` paths whose time has come. Each is to be answered for by `settle`, `wait` or `putBack`. */
  take(nowMs: number, count: number): Due[] {
    const due: Due[] = []
    for (const waiting of [this.#soon, this.#later]) {
      const dueMs = waiting === this.#soon ? nowMs + burstMs : nowMs
      for (const [path, settling] of waiting) {
        if (settling.dueMs > dueMs || due.length >= count) break
        if (!this.#underWay.has(path)) due.push({ path, settling })
      }
    }
    for (const { path } of due) this.#underWay.add(path)
    return due
  }

  /** The path is done with, unless something happened to it since it was given out. */
  settle({ path, settling }: Due): void {
    this.#underWay.delete(path)
    if (this.#isUntouched(path, settling)) this.#drop(path)
    else this.#beginAnew(path)
  }

  /** What happened since is a change of its own, and has all the time that any other has. */
  #beginAnew(path: SourcePath): void {
    for (const waiting of [this.#soon, this.#later]) {
      const settling = waiting.get(path)
      if (settling !== undefined) waiting.set(path, { ...settling, sinceMs: settling.touchedMs })
    }
  }

  /** The path waits on as `next`, unless something happened to it since. */
  wait({ path, settling }: Due, next: Settling, nowMs: number): void {
    this.#underWay.delete(path)
    if (this.#isUntouched(path, settling)) this.#put(path, next, nowMs)
  }

  /** The path was not dealt with, or not as it is by now: it is given out again. */
  putBack({ path }: Due): void {
    this.#underWay.delete(path)
  }

  isUntouched({ path, settling }: Due): boolean {
    return this.#isUntouched(path, settling)
  }

  /** Empties itself and answers the folder in which everything was. */
  collapse(): string {
    const folder = commonFolder(this.#paths())
    this.clear()
    return folder
  }

  /** Nothing waits any more; what is under way stays so until it is answered for. */
  clear(): void {
    this.#soon.clear()
    this.#later.clear()
  }

  /** States are never changed in place, so the same object means that nothing happened. */
  #isUntouched(path: SourcePath, settling: Settling): boolean {
    return this.settlingOf(path) === settling
  }

  /** Those under way are few and in front. */
  #firstDueMs(waiting: ReadonlyMap<SourcePath, Settling>): number | undefined {
    for (const [path, { dueMs }] of waiting) if (!this.#underWay.has(path)) return dueMs
    return undefined
  }

  #put(path: SourcePath, settling: Settling, nowMs: number): void {
    const isSoon = settling.dueMs <= nowMs + firstLookMs
    // An entry that keeps its time keeps its place; one with a later time goes to the end.
    if (isSoon) this.#later.delete(path)
    else this.#drop(path)
    const waiting = isSoon ? this.#soon : this.#later
    waiting.set(path, settling)
  }

  #drop(path: SourcePath): void {
    this.#soon.delete(path)
    this.#later.delete(path)
  }

  *#paths(): Generator<string> {
    yield* this.#soon.keys()
    yield* this.#later.keys()
  }
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}
