/** What Google Drive gives back: listings folder by folder, and content that is proven on its way. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Log } from '../../base/log.ts'
import { joinPath, remotePath, showPath, type RemotePath } from '../../base/path.ts'
import { checkedContent } from '../content-check.ts'
import { nameRules } from '../name-rules.ts'
import { decodeName } from '../names.ts'
import { type RemoteEntry, TargetError } from '../target.ts'
import type { DriveApi } from './api.ts'
import { pageEntriesMax } from './inventory.ts'
import { type FileNode, type FolderNode, type Page, pageFields, parsePage } from './metadata.ts'

export function entryOf(node: FileNode, path: RemotePath): RemoteEntry {
  const { id, revision, size, mtimeNs, sha256, md5 } = node
  return { path, remoteId: id, revision, size, mtimeNs, sha256, contentHash: md5 }
}

export interface Listed {
  readonly entry: RemoteEntry
  readonly node: FileNode
}

interface Place {
  readonly id: string
  readonly path: string
}

/**
 * All files below a folder: a call for each folder and thousand of what is in it, one parent at a time, since searches of several leave some out.
 * Of twins the oldest counts, as everywhere; the names of one folder are in memory.
 */
export async function* listed(
  parts: { readonly api: DriveApi; readonly log: Log; readonly name: string },
  root: Place,
  signal: AbortSignal,
): AsyncGenerator<Listed, void, undefined> {
  const waiting = [root]
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    const seen = new Set<string>()
    for await (const node of childrenOf(parts.api, place, signal)) {
      const name = readName(node.name)
      const key = `${node.kind} ${node.name}`
      if (seen.has(key))
        parts.log.warn('items of one name at Google Drive, the oldest is used', {
          target: parts.name,
          path: joinPath(place.path, node.name),
        })
      if (name === undefined || seen.has(key)) continue
      seen.add(key)
      const path = joinPath(place.path, name)
      if (node.kind === 'folder') waiting.push({ id: node.id, path })
      else yield { entry: entryOf(node, remotePath(path)), node }
    }
  }
}

async function* childrenOf(
  api: DriveApi,
  { id, path }: Place,
  signal: AbortSignal,
): AsyncGenerator<FileNode | FolderNode> {
  const verb = `listing of ${showPath(path)}`
  const q = `'${id}' in parents and trashed = false`
  // The oldest first, so that it is known at once which of two twins counts.
  const common = {
    q,
    pageSize: pageEntriesMax,
    orderBy: 'createdTime',
    fields: pageFields,
    supportsAllDrives: true,
    ...api.corpus,
  }
  let page: Page | undefined
  do {
    const params = page?.next === undefined ? common : { ...common, pageToken: page.next }
    page = parsePage(api.what(verb), await api.rpc(verb, (sdk, options) => sdk.files.list(params, options), signal))
    yield* page.nodes
  } while (page.next !== undefined)
}

/** undefined for a name that can be none here: of somebody else, with a slash in it. What cannot be read back stays as it is spelled. */
function readName(spelled: string): string | undefined {
  const decoded = decodeName(spelled, nameRules.googleDrive)
  if (decoded.kind === 'whole') return decoded.name
  return /^\.{0,2}$|[/\0]/.test(spelled) ? undefined : spelled
}

/** Content from `start` on, of exactly the version that was listed. A whole one is held against Google's hash at its end. */
export async function gotten(api: DriveApi, entry: RemoteEntry, start: number, signal: AbortSignal): Promise<Readable> {
  const verb = `download of ${showPath(entry.path)}`
  const node = await api.node(verb, entry.remoteId, signal)
  if (node?.kind !== 'file' || node.revision !== entry.revision)
    throw failed(api.what(verb), 'it is not the version that was listed')
  // There is no byte to ask for, and Google refuses to be asked.
  if (start >= node.size) return Readable.from([])
  const stream = await api.download(verb, node.id, { start, size: node.size }, signal)
  const { md5 } = node
  if (start > 0 || md5 === undefined) return stream
  const hash = createHash('md5')
  const end = (): TargetError | null =>
    hash.digest('hex') === md5 ? null : failed(api.what(verb), 'the bytes are not those that Google has')
  return checkedContent(stream, hash, end)
}

function failed(what: string, why: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: ${why}; it is tried again`)
}
