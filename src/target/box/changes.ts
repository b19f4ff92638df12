/** What is at Box already, moved and taken away, by its id: wherever an attempt before left a file, the next one finds it. */
import { showPath, type RemotePath } from '../../base/path.ts'
import { folderMoveMs, isWithin } from '../folder-moves.ts'
import { type FolderMoved, type Receipt, TargetError } from '../target.ts'
import type { BoxApi } from './api.ts'
import { isGone, Refused } from './errors.ts'
import { type FileNode, fileFields, parseConflict, parseFile, parseFolder } from './metadata.ts'
import { inTheWay, type Places, type Spot } from './places.ts'
import { readRevision } from './revision.ts'

interface ChangeParts {
  readonly api: BoxApi
  readonly places: Places
}

export async function moved(parts: ChangeParts, id: string, to: RemotePath, signal: AbortSignal): Promise<FileNode> {
  const { api, places } = parts
  const verb = `move to ${showPath(to)}`
  const node = await places.file(id, verb, signal)
  if (node === undefined) {
    const step = 'run "fanfold resync" to have it copied anew'
    throw new TargetError({ kind: 'park' }, `${api.what(verb)}: it is gone at Box; ${step}`)
  }
  const move = (spot: Spot): Promise<FileNode | 'twin'> => movedTo(parts, node, { spot, verb }, signal)
  const plain = await places.atPlain(to, move, signal)
  if (plain !== 'twin') return plain
  const beside = await places.besideTwin(to, move, signal)
  if (beside === 'twin') throw inTheWay(api.what(verb), 'another name that Box takes for this one is')
  return beside
}

async function movedTo(
  { api }: ChangeParts,
  node: FileNode,
  { spot, verb }: { readonly spot: Spot; readonly verb: string },
  signal: AbortSignal,
): Promise<FileNode | 'twin'> {
  if (node.parentId === spot.folderId && node.name === spot.name) return node
  const query = new URLSearchParams({ fields: fileFields.join(',') }).toString()
  const request = {
    method: 'PUT',
    host: 'api',
    path: `/files/${encodeURIComponent(node.id)}?${query}`,
    headers: { 'if-match': node.etag },
    json: { name: spot.name, parent: { id: spot.folderId } },
  } as const
  try {
    return parseFile(api.what(verb), await api.request(verb, request, signal))
  } catch (thrown) {
    if (!(thrown instanceof Refused) || thrown.code !== 'item_name_in_use') throw thrown
    const held = parseConflict(api.what(verb), thrown)
    if (held.name === spot.name) throw inTheWay(api.what(verb), `another ${held.kind} of that name is`)
    return 'twin'
  }
}

/** A folder with all that is below it. A name that is taken is told by Box, and nothing is made where one can be. */
export async function folderMoved(
  { api, places }: ChangeParts,
  from: RemotePath,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FolderMoved> {
  const held = isWithin(to, from) ? undefined : await places.at(from, signal)
  if (held?.kind !== 'folder') return held === undefined && !isWithin(to, from) ? 'absent' : 'refused'
  const verb = `move of the folder ${showPath(from)} to ${showPath(to)}`
  const move = (spot: Spot): Promise<'moved' | 'taken' | 'twin'> => folderMovedTo(api, held.id, { spot, verb }, signal)
  return places.whileMoving([from, to], async () => {
    const plain = await places.atPlain(to, move, signal)
    const end = plain === 'twin' ? await places.besideTwin(to, move, signal) : plain
    return end === 'moved' ? 'moved' : 'refused'
  })
}

async function folderMovedTo(
  api: BoxApi,
  id: string,
  { spot, verb }: { readonly spot: Spot; readonly verb: string },
  signal: AbortSignal,
): Promise<'moved' | 'taken' | 'twin'> {
  const request = {
    method: 'PUT',
    host: 'api',
    path: `/folders/${encodeURIComponent(id)}?fields=id,name`,
    json: { name: spot.name, parent: { id: spot.folderId } },
    times: { answerMs: folderMoveMs },
  } as const
  try {
    parseFolder(api.what(verb), await api.request(verb, request, signal))
    return 'moved'
  } catch (thrown) {
    if (!(thrown instanceof Refused) || thrown.code !== 'item_name_in_use') throw thrown
    return parseConflict(api.what(verb), thrown).name === spot.name ? 'taken' : 'twin'
  }
}

/** To the trash, where it counts against the account until it is purged. One that is gone is done. */
export async function trashed(api: BoxApi, { remoteId, path }: Receipt, signal: AbortSignal): Promise<void> {
  const verb = `removal of ${showPath(path)}`
  const options = { cancellationToken: signal }
  await unlessGone(api.ask(verb, (sdk) => sdk.files.deleteFileById(remoteId, options), signal))
}

/** For good, and only the version that is known. */
export async function purged(parts: ChangeParts, receipt: Receipt, signal: AbortSignal): Promise<void> {
  const { api, places } = parts
  const { remoteId, path } = receipt
  const verb = `removal of ${showPath(path)}`
  const node = await places.file(remoteId, verb, signal)
  if (node !== undefined) {
    const { sha1 } = readRevision(receipt.revision)
    if (node.sha1 !== sha1) {
      const step = 'remove it yourself, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${api.what(verb)}: somebody changed it; ${step}`)
    }
    const options = { headers: { ifMatch: node.etag }, cancellationToken: signal }
    await unlessGone(api.ask(verb, (sdk) => sdk.files.deleteFileById(remoteId, options), signal))
  }
  // Where the enterprise keeps no trash it is gone by now.
  const id = encodeURIComponent(remoteId)
  await unlessGone(api.request(verb, { method: 'DELETE', host: 'api', path: `/files/${id}/trash` }, signal))
}

async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (thrown) {
    if (!isGone(thrown)) throw thrown
  }
}
