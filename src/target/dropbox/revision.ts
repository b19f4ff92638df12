/**
 * By what a version at Dropbox is known: by its content. A `rev` is another one wherever a file was moved to, also by a folder above it, and says as
 * little of content as the path does. Only calls that write over a version want it: those of files that were seen lately are remembered.
 */
import type { Receipt } from '../target.ts'
import type { FileNode } from './metadata.ts'

/** Files remembered, beyond which the one seen longest ago is forgotten, and looked at when it changes. About 200 bytes each. */
const seenMax = 5_000

/** The hash is declared optional. */
export function revisionOf({ contentHash, rev }: Pick<FileNode, 'contentHash' | 'rev'>): string {
  return contentHash ?? rev
}

export class Revs {
  readonly #seen = new Map<string, { readonly revision: string; readonly rev: string }>()

  note(node: FileNode): void {
    this.#seen.delete(node.id)
    this.#seen.set(node.id, { revision: revisionOf(node), rev: node.rev })
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > seenMax && oldest !== undefined) this.#seen.delete(oldest)
  }

  /** undefined for what is to be looked at first. */
  of({ remoteId, revision }: Pick<Receipt, 'remoteId' | 'revision'>): string | undefined {
    const seen = this.#seen.get(remoteId)
    return seen?.revision === revision ? seen.rev : undefined
  }

  /** Files were moved. */
  forget(): void {
    this.#seen.clear()
  }
}
