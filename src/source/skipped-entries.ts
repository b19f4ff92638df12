/** Entries of one source that are left alone: counted by kind in the last whole scan and since, none twice. */
import { lstatSync } from 'node:fs'
import { fsPath, type SourcePath } from '../base/path.ts'
import { kindOf } from './walk.ts'

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

const leftAlone = new Map([
  ['link', 'a link; links are not followed: make the folder that it leads to a source of its own'],
  ['fifo', 'a pipe, which is never opened'],
  ['socket', 'a socket, which is never opened'],
  ['device', 'a device, which is never opened'],
])

/** Why what lies at a path is never copied; undefined for files, for folders, and where nobody can look. */
export function whyLeftAlone(root: string | undefined, path: SourcePath): string | undefined {
  if (root === undefined) return undefined
  try {
    const stat = lstatSync(fsPath(`${root}/${path}`), { bigint: true, throwIfNoEntry: false })
    if (stat === undefined || stat.isFile() || stat.isDirectory()) return undefined
    return leftAlone.get(kindOf(stat))
  } catch {
    // Out of reach: the folder around it is told of as unreadable.
    return undefined
  }
}
