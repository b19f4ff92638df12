/** One copy on its way to Box: where it goes, and what is the same for every way of writing it. */
import { createHash } from 'node:crypto'
import type { RemotePath } from '../../base/path.ts'
import type { Mismatches } from '../mismatches.ts'
import { nothingRead, type SourceFile } from '../source-file.ts'
import type { LocalCopy, PutWork } from '../target.ts'
import { TransportError } from '../transport/transport.ts'
import type { BoxApi } from './api.ts'
import { Refused } from './errors.ts'
import { type FileNode, fileFields, parseFile } from './metadata.ts'
import type { Places } from './places.ts'
import { readRevision } from './revision.ts'
import { boxTime, isSameTime } from './times.ts'

/** One copy on its way. */
export interface Errand {
  readonly copy: LocalCopy
  readonly at: RemotePath
  readonly work: PutWork
  readonly source: SourceFile
  readonly verb: string
  readonly progress: (bytesDone: number) => void
}

/** Where bytes go: a name where nothing is, or the place of one version that was looked at (F80). */
export type Aim =
  | { readonly kind: 'new'; readonly folderId: string; readonly name: string }
  | { readonly kind: 'version'; readonly id: string; readonly etag: string }

/** What is the same for every way of writing: knowing our content again, giving it its time, holding the answer against what was sent. */
interface FinisherParts {
  readonly api: BoxApi
  readonly places: Places
  readonly mismatches: Mismatches
}

/** Of a file that nobody changed since it was made. */
const firstEtag = '0'

export class Finisher {
  readonly #parts: FinisherParts
  readonly #errand: Errand
  #sha1: Promise<string> | undefined

  constructor(parts: FinisherParts, errand: Errand) {
    this.#parts = parts
    this.#errand = errand
  }

  /** Of the file as it was digested, read once and proven. Hex. */
  sha1(signal: AbortSignal): Promise<string> {
    const { source, copy } = this.#errand
    this.#sha1 ??= source
      .prove(nothingRead(createHash('sha1')), copy.size, signal)
      .then(({ hash }) => hash.copy().digest('hex'))
    return this.#sha1
  }

  /** Whether what lies there is this content (F64, F115). */
  async isThere(held: Pick<FileNode, 'size' | 'sha1'>, signal: AbortSignal): Promise<boolean> {
    const { copy, work } = this.#errand
    if (held.sha1 === undefined || held.size !== copy.size) return false
    // A revision names its content: what is known of it saves reading the file.
    const previous = work.previous && readRevision(work.previous.revision)
    if (previous?.sha1 === held.sha1) return work.previous?.sha256 === copy.sha256
    return held.sha1 === (await this.sha1(signal))
  }

  /** What lies there is ours; its time may not be. */
  async settled(held: FileNode, signal: AbortSignal): Promise<FileNode> {
    const { copy, verb } = this.#errand
    const time = boxTime(copy.mtimeNs)
    if (time === undefined || isSameTime(held.mtimeNs, copy.mtimeNs)) return held
    const query = new URLSearchParams({ fields: fileFields.join(',') }).toString()
    const request = {
      method: 'PUT',
      host: 'api',
      path: `/files/${encodeURIComponent(held.id)}?${query}`,
      headers: { 'if-match': held.etag },
      json: { content_modified_at: time },
    } as const
    return parseFile(this.#parts.api.what(verb), await this.#parts.api.request(verb, request, signal))
  }

  /** Holds what Box has against what was sent (F65). A new file that is wrong goes to the trash, and after some times nobody sends it again. */
  async proven(given: FileNode, sha1: string, signal: AbortSignal): Promise<FileNode> {
    const { verb, copy, at, progress } = this.#errand
    const { api, places, mismatches } = this.#parts
    const node = given.sha1 === undefined ? await places.file(given.id, verb, signal) : given
    if (node?.sha1 === sha1 && node.size === copy.size) {
      mismatches.forget(at)
      progress(copy.size)
      return node
    }
    // A version is followed by the next one, with all that lies behind it; somebody else's is not ours to take away.
    if (node?.etag === firstEtag) await this.#trash(node, signal)
    throw mismatches.count(`${api.what(verb)}: expected the SHA-1 ${sha1}, got ${node?.sha1 ?? 'none'}`, at)
  }

  async #trash({ id, etag }: FileNode, signal: AbortSignal): Promise<void> {
    const options = { headers: { ifMatch: etag }, cancellationToken: signal }
    const verb = `removal after ${this.#errand.verb}`
    await this.#parts.api.ask(verb, (sdk) => sdk.files.deleteFileById(id, options), signal)
  }
}

/** An answer that leaves open whether there is a file now. */
export function isLost(thrown: unknown): boolean {
  return (thrown instanceof TransportError && thrown.afterSent) || (thrown instanceof Refused && thrown.status >= 500)
}
