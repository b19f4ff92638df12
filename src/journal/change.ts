/** What a source says of one path, as the journal takes it. */
import type { SourcePath } from '../base/path.ts'

export interface FileStat {
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** One settled difference of one path. */
export type Change =
  | { readonly kind: 'put'; readonly source: string; readonly path: SourcePath; readonly stat: FileStat }
  | { readonly kind: 'remove'; readonly source: string; readonly path: SourcePath }
  | Move
  | FolderMove

/** The file that was at `from` is at `path` now. */
export interface Move {
  readonly kind: 'move'
  readonly source: string
  readonly from: SourcePath
  readonly path: SourcePath
  readonly stat: FileStat
}

/** The folder that was at `from` is at `path` now, with all that lies below it. What that is in truth is looked at behind it. */
export interface FolderMove {
  readonly kind: 'move-folder'
  readonly source: string
  readonly from: SourcePath
  readonly path: SourcePath
}

/** What a selector may look at. */
export interface Facts {
  readonly source: string
  readonly path: SourcePath
  readonly size: number
  readonly mtimeNs: bigint
}
