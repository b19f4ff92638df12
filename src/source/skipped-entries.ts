/** Entries of one source that are left alone: counted by kind in the last whole scan and since, none twice. */
import type { SourcePath } from '../base/path.ts'

/** Entries skipped by events since the last whole scan whose kind is remembered, so that none is counted twice. */
const pathsMax = 10_000

export class SkippedEntries {
  #counts = new Map<string, number>()
  readonly #paths = new Set<SourcePath>()

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** A whole scan has counted anew. */
  scanned(counts: ReadonlyMap<string, number>): void {
    this.#counts = new Map(counts)
    this.#paths.clear()
  }

  /** @returns false where it is counted already, or cannot be remembered. */
  add(path: SourcePath, kind: string): boolean {
    if (this.#paths.has(path) || this.#paths.size >= pathsMax) return false
    this.#paths.add(path)
    this.#counts = new Map(this.#counts).set(kind, (this.#counts.get(kind) ?? 0) + 1)
    return true
  }
}
