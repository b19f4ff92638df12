/** Copies that arrive otherwise than they went (F65): sent again a few times, then nobody sends them before the owner says so. */
import type { RemotePath } from '../base/path.ts'
import { TargetError } from './target.ts'

/** So often in a row is parked. */
const mismatchesMax = 4
/** Paths with a mismatch remembered; beyond they are counted anew. */
const pathsMax = 10_000

export class Mismatches {
  readonly #counts = new Map<RemotePath, number>()

  /** It arrived as it went. */
  forget(at: RemotePath): void {
    this.#counts.delete(at)
  }

  /** What to throw. @param fault whose copy, what was expected, what came. */
  count(fault: string, at: RemotePath): TargetError {
    const count = (this.#counts.get(at) ?? 0) + 1
    if (this.#counts.size >= pathsMax) this.#counts.clear()
    this.#counts.set(at, count)
    if (count < mismatchesMax) return new TargetError({ kind: 'retry' }, `${fault}; it is sent again`)
    this.#counts.delete(at)
    const step = 'something on the way damages it: check the network and this machine, then run "fanfold retry"'
    return new TargetError({ kind: 'park' }, `verify-failed: ${fault}, ${count} times; ${step}`)
  }
}
