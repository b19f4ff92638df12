/** What a directory thread can be asked, and its answers. Apart from the thread's code, since importing that would run it. */
import type { Outcome, SmallPut } from './batch.ts'
import type { Place } from './folders.ts'
import type { Begun, LargePut } from './large-copy.ts'
import type { Stored } from './objects.ts'
import type { OpenAsked, Opened } from './opening.ts'
import type { FolderMoved } from '../target.ts'

/** How far a large copy is; while it is proving, `begun` is what was proved. */
export interface Progress {
  readonly isProving: boolean
  readonly begun: Begun
}

type At = { readonly place: Place; readonly path: string }
type ById = { readonly id: number }

/** What a directory thread can be asked. Ids are chosen by the asker, so that it can drop what it never got an answer for. */
export type DirectoryVerbs = {
  open: { in: OpenAsked; out: Opened }
  putBatch: {
    in: { readonly place: Place; readonly puts: readonly SmallPut[]; readonly bytes: Uint8Array }
    out: readonly Outcome[]
  }
  beginCopy: { in: ById & { readonly place: Place; readonly put: LargePut }; out: Progress }
  prove: { in: ById; out: Progress }
  copy: { in: ById & { readonly bytesMax: number }; out: Progress }
  harden: { in: ById; out: Begun }
  finishCopy: { in: ById; out: Stored }
  /** Ends a copy that did not finish; `keep` leaves its temporary file for a later attempt. */
  dropCopy: { in: ById & { readonly place: Place; readonly keep: boolean }; out: undefined }
  /** Removes an unfinished copy of an object that needs none any more. */
  forgetCopy: { in: { readonly place: Place; readonly name: string }; out: undefined }
  look: { in: At; out: Stored | undefined }
  openObject: { in: ById & At; out: Stored }
  /** The sha256 when the object is through. */
  hashOn: { in: ById; out: string | undefined }
  read: { in: ById & { readonly start: number; readonly bytesMax: number }; out: Uint8Array<ArrayBuffer> }
  setMtime: { in: ById & At & { readonly mtimeNs: bigint }; out: Stored }
  closeObject: { in: ById; out: undefined }
  beginList: { in: ById & { readonly place: Place; readonly under: string }; out: undefined }
  listOn: { in: ById; out: { readonly files: readonly Stored[]; readonly isDone: boolean } }
  closeList: { in: ById; out: undefined }
  move: {
    in: { readonly place: Place; readonly from: { path: string; revision: string }; readonly to: string }
    out: Stored
  }
  moveFolder: { in: { readonly place: Place; readonly from: string; readonly to: string }; out: FolderMoved }
  trash: { in: At & { readonly day: string }; out: undefined }
  purge: { in: At & { readonly revision: string }; out: undefined }
  /** The note that says whose place a folder is. */
  readNote: { in: At; out: string | undefined }
  writeNote: { in: At & { readonly text: string }; out: undefined }
  about: { in: { readonly place: Place }; out: { readonly usedBytes: number; readonly freeBytes: number | undefined } }
  /** No put is under way: the temporary folder goes, unless it holds an unfinished large copy. */
  tidy: { in: { readonly place: Place }; out: undefined }
  rest: { in: { readonly place: Place }; out: undefined }
}
