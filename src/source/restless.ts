/** The files of one source that do not come to rest (F21): which they are, and since when. Decides about none of them. */
import type { SourcePath } from '../base/path.ts'
import { showDuration } from '../base/units.ts'
import type { Patience } from './settle.ts'

/** Files kept by name; more are still waited for, and counted only so far. */
const pathsMax = 1_000

export class Restless {
  readonly #sinceMs = new Map<SourcePath, number>()

  /** @returns false where it is known already, or cannot be kept. */
  add(path: SourcePath, sinceMs: number): boolean {
    if (this.#sinceMs.has(path) || this.#sinceMs.size >= pathsMax) return false
    this.#sinceMs.set(path, sinceMs)
    return true
  }

  delete(path: SourcePath): void {
    this.#sinceMs.delete(path)
  }

  clear(): void {
    this.#sinceMs.clear()
  }

  /** For the status, with the next step; undefined while there are none. */
  reason(patience: Patience): string | undefined {
    const count = this.#sinceMs.size
    const [example] = this.#sinceMs.keys()
    if (example === undefined) return undefined
    const files =
      count === 1 ? `1 file has not come` : `${count}${count < pathsMax ? '' : ' or more'} files have not come`
    const waited = showDuration(patience.unsettledMsMax)
    return `${files} to rest for more than ${waited} (${example}) and ${count === 1 ? 'is' : 'are'} copied after that; ignore what never rests, or choose unsettled: snapshot`
  }
}

/** What a path waits for that changed lately. */
export function unsettledReason(sinceMs: number, nowMs: number, patience: Patience): string {
  const { settleMs, unsettledMsMax, unsettled } = patience
  const rests = `copied once it is closed, or rests for ${showDuration(settleMs)}`
  const otherwise = unsettled === 'snapshot' ? `, or as it is every ${showDuration(unsettledMsMax)}` : ''
  return `changing for ${showDuration(nowMs - sinceMs)}; ${rests}${otherwise}`
}
