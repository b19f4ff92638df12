/** What passes between the program and its watch thread. Both sides are built from the same source, so nothing is parsed. */
import type { Coverage } from './scan.ts'
import type { Sign } from './settle.ts'

/** Where the thread's descriptors and the counters that both sides see are handed over. */
export interface WatchThreadStart {
  readonly inotify: number
  readonly wakeup: number
  readonly shared: SharedArrayBuffer
}

/** Places in the shared counters. */
export const shared = {
  /** Grows while the thread is alive. */
  beat: 0,
  /** Batches that the program has taken. */
  takenCount: 1,
  /** 1 while the thread keeps reports back until the program has taken what was sent. */
  isHolding: 2,
  length: 3,
} as const

export type WatchCommand =
  /** Watch everything below `root`; a second time with the same id begins anew. */
  | ({ readonly kind: 'watch'; readonly id: number; readonly root: string } & Coverage)
  /** Try again where watching failed. */
  | { readonly kind: 'extend'; readonly id: number; readonly folder: string }
  | { readonly kind: 'unwatch'; readonly id: number }
  | { readonly kind: 'stop' }

export interface DirtyPath {
  readonly path: string
  readonly sign: Extract<Sign, 'closed' | 'open' | 'attributes' | 'gone'>
  /** A folder went away under this name. */
  readonly isTree: boolean
  /** The kernel's number of the last rename that touched it, the same for both names; 0 without one. */
  readonly cookie: number
}

export type WatchReport =
  | { readonly kind: 'paths'; readonly id: number; readonly paths: readonly DirtyPath[] }
  /** All below is watched now and has to be compared: it is new, or too much happened in it. */
  | { readonly kind: 'subtree'; readonly id: number; readonly folder: string; readonly isCollapse: boolean }
  /** The whole tree is under watch. */
  | { readonly kind: 'watched'; readonly id: number }
  /** `isWalking`: folders are being put under watch, and a `subtree` will follow for each. Said before whatever it was that began it. */
  | { readonly kind: 'count'; readonly id: number; readonly watchedCount: number; readonly isWalking: boolean }
  /** A folder, and all below it, could not be put under watch. */
  | { readonly kind: 'unwatched'; readonly id: number; readonly folder: string; readonly code: string }
  | { readonly kind: 'unmounted'; readonly id: number; readonly folder: string }
  /** The root itself was deleted, moved or unmounted. */
  | { readonly kind: 'root-lost'; readonly id: number }
  /** The kernel dropped events: any source may have missed any change. */
  | { readonly kind: 'overflow' }
