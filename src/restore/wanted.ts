/** What is wanted back, and where a copy of it lies. How it is found out and fetched is not said here. */
import type { RemoteEntry } from '../target/target.ts'

/** One copy at one target, as it lies there. */
export interface CopyAt {
  readonly target: string
  readonly entry: RemoteEntry
}

/** A file that is wanted back. */
export interface Wanted {
  /** null where the target does not tell: then `path` is the copy's place below the target's root. */
  readonly source: string | null
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  /** Hex; null where nothing but the target itself says what it holds. */
  readonly sha256: string | null
  /** All of this content, those to be asked first in front. */
  readonly copies: readonly CopyAt[]
}

export interface Wish {
  /** A target's name, or `best`: all of them, the healthy and fast ones first. */
  readonly from: string
  /** Only files of this source; null: of all. */
  readonly source: string | null
  /** Only paths that match, or this very path; null: all. */
  readonly glob: string | null
  /** Files that are gone from their source, too, as far as their copies are still there. */
  readonly withRemoved: boolean
  /** No journal is asked: only the target says what it holds. */
  readonly isBare: boolean
}

/** What is there to be restored: how it was found out, and then file by file. */
export type Restorable =
  | Begin
  | { readonly kind: 'file'; readonly file: Wanted }
  /** This target could not be listed to its end; others go on. */
  | { readonly kind: 'unlisted'; readonly target: string; readonly reason: string }

export interface Begin {
  readonly kind: 'begin'
  /** The targets themselves were listed, one after the other, without a journal. */
  readonly isBare: boolean
  readonly targets: readonly string[]
  /** About how many files there are; null where nobody knows before they were listed. */
  readonly files: number | null
}
