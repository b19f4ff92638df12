/** What Dropbox gives back: listings page by page, and content that is proven on its way. */
import { Readable } from 'node:stream'
import { showPath, type RemotePath } from '../../base/path.ts'
import { checkedContent } from '../content-check.ts'
import { type RemoteEntry, TargetError } from '../target.ts'
import type { DropboxApi } from './api.ts'
import { ContentHash } from './content-hash.ts'
import { type FileNode, type FolderNode, parseFile, parsePage } from './metadata.ts'
import { Reading } from './places.ts'
import { revisionOf } from './revision.ts'

/** Most that Dropbox gives. */
const pageEntriesMax = 2000
/** A file or a folder on its way between two spellings of its name, see `moves.ts`. In small letters, as paths are compared. */
export const onItsWay = '.fanfold-move-'

export function entryOf(node: FileNode, path: RemotePath): RemoteEntry {
  const { id, size, mtimeNs, contentHash } = node
  return { path, remoteId: id, revision: revisionOf(node), size, mtimeNs, sha256: undefined, contentHash }
}

/** All files below a folder. @param under the folder's path to us. */
export async function* listed(
  api: DropboxApi,
  folder: Pick<FolderNode, 'id' | 'pathLower'>,
  under: RemotePath,
  signal: AbortSignal,
): AsyncGenerator<RemoteEntry, void, undefined> {
  const verb = `listing of ${showPath(under)}`
  const what = api.what(verb)
  const reading = new Reading(folder.pathLower, under)
  const arg = { path: folder.id, recursive: true, limit: pageEntriesMax }
  let page = parsePage(what, await api.rpc(verb, (sdk) => sdk.filesListFolder(arg), signal))
  for (;;) {
    for (const node of page.nodes) {
      if (node.kind === 'folder') reading.folder(node)
      else if (!node.pathLower.includes(`/${onItsWay}`)) yield entryOf(node, reading.file(node))
    }
    if (!page.hasMore) return
    const { cursor } = page
    page = parsePage(what, await api.rpc(verb, (sdk) => sdk.filesListFolderContinue({ cursor }), signal))
  }
}

/** Content from `start` on, of exactly the version that was listed. A whole one is held against Dropbox's hash at its end. */
export async function gotten(
  api: DropboxApi,
  entry: RemoteEntry,
  start: number,
  signal: AbortSignal,
): Promise<Readable> {
  const verb = `download of ${showPath(entry.path)}`
  const range = { start: Math.min(start, entry.size), size: entry.size }
  // There is no byte to ask for, and Dropbox refuses to be asked.
  if (start > 0 && range.start === entry.size) return Readable.from([])
  const { metadata, stream } = await api.download(verb, entry.remoteId, range, signal)
  try {
    const node = parseFile(api.what(verb), metadata)
    if (revisionOf(node) !== entry.revision) throw failed(api.what(verb), 'it is not the version that was listed')
    const { contentHash } = node
    if (start > 0 || contentHash === undefined) return stream
    const hash = new ContentHash()
    const end = (): TargetError | null =>
      hash.hex() === contentHash ? null : failed(api.what(verb), 'the bytes are not those that Dropbox has')
    return checkedContent(stream, hash, end)
  } catch (thrown) {
    stream.destroy()
    throw thrown
  }
}

function failed(what: string, why: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: ${why}; it is tried again`)
}
