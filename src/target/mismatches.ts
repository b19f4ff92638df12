/** Copies that arrived other than they were sent (F65): counted by path, and after some times in a row nobody sends them again. */
import type { RemotePath } from '../base/path.ts'
import { TargetError } from './target.ts'

/** Copies that arrive wrong so often in a row are parked. */
const mismatchesMax = 4
/** Paths with a mismatch remembered; beyond they are counted anew. */
const mismatchesKept = 10_000

export class Mismatches {
  readonly #counts = new Map<RemotePath, number>()

  /** It arrived as it was sent. */
  forget(at: RemotePath): void {
    this.#counts.delete(at)
  }

  /** What the lane does with one more. @param fault what was expected, what came. */
  error(fault: string, at: RemotePath): TargetError {
    const count = (this.#counts.get(at) ?? 0) + 1
    if (this.#counts.size >= mismatchesKept) this.#counts.clear()
    this.#counts.set(at, count)
    if (count < mismatchesMax) return new TargetError({ kind: 'retry' }, `${fault}; it is sent again`)
    this.#counts.delete(at)
    const step = 'something on the way damages it: check the network and this machine, then run "fanfold retry"'
    return new TargetError({ kind: 'park' }, `verify-failed: ${fault}, ${count} times; ${step}`)
  }
}
