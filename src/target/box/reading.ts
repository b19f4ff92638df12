/** What Box gives back: listings folder by folder, and content that is proven on its way. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { joinPath, type RemotePath, remotePath, showPath } from '../../base/path.ts'
import { checkedContent } from '../content-check.ts'
import { nameRules } from '../name-rules.ts'
import { decodeName } from '../names.ts'
import { type RemoteEntry, TargetError } from '../target.ts'
import type { BoxApi } from './api.ts'
import { isGone } from './errors.ts'
import { type FileNode, fileFields, parsePage, type Page } from './metadata.ts'
import type { Places } from './places.ts'
import { readRevision, revisionOf } from './revision.ts'

/** Most that Box gives. */
const pageItemsMax = 1000

export function entryOf(node: FileNode, path: RemotePath): RemoteEntry {
  const { id, size, mtimeNs, sha1 } = node
  const revision = revisionOf(node)
  return { path, remoteId: id, revision, size, mtimeNs, sha256: undefined, contentHash: sha1 }
}

/**
 * All files below a folder. There is no listing of a tree, so each folder is one of its own; those still to come are kept by id and path,
 * a few hundred bytes each.
 */
export async function* listed(
  api: BoxApi,
  folderId: string,
  under: RemotePath,
  signal: AbortSignal,
): AsyncGenerator<RemoteEntry, void, undefined> {
  const open: { readonly id: string; readonly path: string }[] = [{ id: folderId, path: under }]
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for await (const { nodes } of pages(api, folder, signal)) {
      for (const node of nodes) {
        const path = joinPath(folder.path, read(node.name))
        if (node.kind === 'folder') open.push({ id: node.id, path })
        else yield entryOf(node, remotePath(path))
      }
    }
  }
}

/** By markers: by numbers entries are missed where somebody works meanwhile. */
async function* pages(
  api: BoxApi,
  { id, path }: { readonly id: string; readonly path: string },
  signal: AbortSignal,
): AsyncGenerator<Page, void, undefined> {
  const verb = `listing of ${showPath(path)}`
  const fixed = { usemarker: 'true', limit: String(pageItemsMax), fields: fileFields.join(',') }
  let marker: string | undefined
  do {
    const query = new URLSearchParams({ ...fixed, ...(marker === undefined ? {} : { marker }) }).toString()
    const request = { method: 'GET', host: 'api', path: `/folders/${encodeURIComponent(id)}/items?${query}` } as const
    try {
      // Past the SDK, which gives a whole page up for one node of a kind that it does not know.
      const page = parsePage(api.what(verb), await api.request(verb, request, signal))
      yield page
      ;({ marker } = page)
    } catch (thrown) {
      // It went while its parent was listed, and with it what was in it.
      if (isGone(thrown)) return
      throw thrown
    }
  } while (marker !== undefined)
}

/** What cannot be read back stays as it is spelled. */
function read(spelled: string): string {
  const decoded = decodeName(spelled, nameRules.box)
  return decoded.kind === 'whole' ? decoded.name : spelled
}

/** Content from `start` on, of exactly the version that was listed. A whole one is held against its SHA-1 at its end. */
export async function gotten(
  parts: { readonly api: BoxApi; readonly places: Places },
  entry: RemoteEntry,
  start: number,
  signal: AbortSignal,
): Promise<Readable> {
  const { api, places } = parts
  const verb = `download of ${showPath(entry.path)}`
  const node = await places.file(entry.remoteId, verb, signal)
  const { sha1 } = readRevision(entry.revision)
  if (node === undefined || node.sha1 !== sha1) throw failed(api.what(verb), 'it is not the version that was listed')
  const range = { start: Math.min(start, entry.size), size: entry.size }
  // There is no byte to ask for, and the server refuses to be asked.
  if (range.start === entry.size) return Readable.from([])
  const stream = await api.download(verb, entry.remoteId, range, signal)
  if (start > 0) return stream
  const hash = createHash('sha1')
  const end = (): TargetError | null =>
    hash.digest('hex') === sha1 ? null : failed(api.what(verb), 'the bytes are not those that Box has')
  return checkedContent(stream, hash, end)
}

function failed(what: string, why: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: ${why}; it is tried again`)
}
