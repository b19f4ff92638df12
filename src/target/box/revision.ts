/**
 * The revision of a file at Box: its etag, by which it is changed only if nobody else did, and the SHA-1 of its content, which makes it
 * the mark of one content wherever it stands.
 */
import type { FileNode } from './metadata.ts'

export interface Revision {
  readonly etag: string
  /** Hex; '' where Box told none. */
  readonly sha1: string
}

export function revisionOf({ etag, sha1 }: Pick<FileNode, 'etag' | 'sha1'>): string {
  return `${etag} ${sha1 ?? ''}`
}

export function readRevision(text: string): Revision {
  const [etag = '', sha1 = ''] = text.split(' ')
  return { etag, sha1 }
}
