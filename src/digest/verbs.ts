/** What a digest thread can be asked, and its answers. Apart from the thread's code, since importing that would run it. */
import type { ContentFailure } from './errors.ts'
import type { SeenFile, Sums } from './reading.ts'

export type Answer<T> =
  { readonly kind: 'read'; readonly value: T } | { readonly kind: 'failed'; readonly failure: ContentFailure }

export interface Whole {
  readonly sums: Sums
  readonly bytes: Uint8Array<ArrayBuffer>
}

export type DigestVerbs = {
  /** Small files, each read whole. */
  whole: { in: readonly SeenFile[]; out: readonly Answer<Whole>[] }
  /** Opens a large file under an id that the caller chose. */
  begin: { in: { readonly id: number; readonly file: SeenFile }; out: Answer<undefined> }
  /** Reads on; the sums when the file is through. */
  step: { in: { readonly id: number }; out: Answer<Sums | undefined> }
  /** Closes the file, whether its `begin` succeeded or not. */
  drop: { in: { readonly id: number }; out: undefined }
}
