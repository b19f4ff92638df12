/** How far a copy is, as its lane is told. */
import type { PutWork } from './target.ts'

/** A call that is made again begins to count anew; what was told stays told. */
export function risingProgress(work: Pick<PutWork, 'progress'>): (bytesDone: number) => void {
  let told = -1
  return (bytesDone) => {
    if (bytesDone > told) work.progress((told = bytesDone))
  }
}
