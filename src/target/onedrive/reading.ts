/** What OneDrive gives back: content that is proven on its way, and entries of what it holds. */
import { Readable } from 'node:stream'
import { showPath, type RemotePath } from '../../base/path.ts'
import { checkedContent } from '../content-check.ts'
import { type RemoteEntry, TargetError } from '../target.ts'
import type { GraphApi } from './api.ts'
import type { Drive } from './drive.ts'
import { type FileNode, isVersion } from './metadata.ts'
import { QuickXor } from './quickxor.ts'

export interface ReadingParts {
  readonly api: GraphApi
  readonly drive: Drive
}

export function entryOf({ id, revision, size, mtimeNs, hash }: FileNode, path: RemotePath): RemoteEntry {
  return { path, remoteId: id, revision, size, mtimeNs, sha256: undefined, contentHash: hash }
}

/** Content from `start` on, of exactly the version that was listed. A whole one is held against OneDrive's hash at its end. */
export async function gotten(
  parts: ReadingParts,
  entry: RemoteEntry,
  start: number,
  signal: AbortSignal,
): Promise<Readable> {
  const { api, drive } = parts
  const verb = `download of ${showPath(entry.path)}`
  const node = await drive.at(verb, drive.path(entry.remoteId), signal)
  if (node?.kind !== 'file' || !isVersion(node, entry.revision))
    throw failed(api.what(verb), 'it is not the version that was listed')
  return contentOf(parts, { node, start, verb }, signal)
}

/** Content of a file that was looked at a moment ago. */
export async function contentOf(
  { api, drive }: ReadingParts,
  { node, start, verb }: { readonly node: FileNode; readonly start: number; readonly verb: string },
  signal: AbortSignal,
): Promise<Readable> {
  const what = api.what(verb)
  // There is no byte to ask for, and a range of none is refused.
  if (start >= node.size) return Readable.from([])
  const url = node.downloadUrl ?? (await api.downloadUrl(verb, drive.path(node.id, '/content'), signal))
  if (url === undefined) throw failed(what, 'OneDrive does not tell where its bytes are')
  const { status, headers, content } = await api.download(verb, url, start, signal)
  if (content.kind !== 'stream') throw failed(what, 'there came no bytes')
  const from = status === 206 ? start : 0
  const length = headers['content-length']
  if (length !== undefined && Number(length) !== node.size - from) {
    content.stream.destroy()
    throw failed(what, `expected ${node.size - from} bytes, got an answer of ${length}`)
  }
  // A server may give all of it although a part was asked for.
  if (from < start) return exactly(content.stream, { skip: start - from, count: node.size - start, what })
  if (start > 0 || node.hash === undefined) return exactly(content.stream, { skip: 0, count: node.size - start, what })
  const hash = new QuickXor()
  return checkedContent(content.stream, hash, () =>
    hash.base64() === node.hash ? null : failed(what, 'the bytes are not those that OneDrive has'),
  )
}

interface Wanted {
  readonly skip: number
  readonly count: number
  readonly what: string
}

/** As many bytes as there have to be, behind those that were not asked for. */
function exactly(stream: Readable, { skip, count, what }: Wanted): Readable {
  async function* pieces(): AsyncGenerator<Buffer, void, undefined> {
    let toSkip = skip
    let given = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const piece = chunk.subarray(Math.min(toSkip, chunk.length))
      toSkip -= chunk.length - piece.length
      given += piece.length
      if (piece.length > 0) yield piece
    }
    if (given !== count) throw failed(what, `expected ${count} bytes, got ${given}`)
  }
  return Readable.from(pieces(), { objectMode: false })
}

function failed(what: string, why: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: ${why}; it is tried again`)
}
