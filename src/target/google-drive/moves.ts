/** Files and folders to another place at Google Drive, by their id: wherever an attempt before left a file, the next one finds it. */
import { folderOf, showPath, type RemotePath } from '../../base/path.ts'
import { isWithin } from '../folder-moves.ts'
import { type FolderMoved, TargetError } from '../target.ts'
import type { DriveApi } from './api.ts'
import { noFile } from './errand.ts'
import { Refused } from './errors.ts'
import { Folders } from './folders.ts'
import type { Inventory } from './inventory.ts'
import type { FileNode, FolderNode } from './metadata.ts'

export interface MoveParts {
  readonly api: DriveApi
  readonly folders: Folders
  readonly inventory: Inventory
}

export async function moved(parts: MoveParts, id: string, to: RemotePath, signal: AbortSignal): Promise<FileNode> {
  const { api, folders, inventory } = parts
  const verb = `move to ${showPath(to)}`
  const node = await api.node(verb, id, signal)
  if (node?.kind !== 'file' || node.isTrashed) {
    const step = 'run "fanfold resync" to have it copied anew'
    throw new TargetError({ kind: 'park' }, `${api.what(verb)}: it is gone at Google Drive; ${step}`)
  }
  const name = Folders.spelled(to)
  const folder = await folders.make(folderOf(to), signal)
  if (api.isIn(node, folder) && node.name === name) return node
  const others = (await inventory.named(folder, name, signal)).filter((one) => one.kind === 'file' && one.id !== id)
  if (others.length > 0) {
    const step = 'move it away at Google Drive, then run "fanfold retry"'
    throw new TargetError({ kind: 'park' }, `${api.what(verb)}: another file is in the way; ${step}`)
  }
  const place = api.isIn(node, folder) ? {} : { addParents: folder, ...api.parentOf(node) }
  const changed = await api.update(verb, { fileId: id, requestBody: { name, ...timeKept(node) }, ...place }, signal)
  if (changed?.kind !== 'file') throw noFile(api.what(verb))
  inventory.note(changed)
  return changed
}

/** A renamed file would be of now. */
function timeKept({ mtimeNs }: FileNode): { readonly modifiedTime: string } {
  return { modifiedTime: new Date(Number(mtimeNs / 1_000_000n)).toISOString() }
}

/** A folder with all that is below it. Only its own name and parent change: whatever is below is known by other ids, which stay as they are. */
export async function folderMoved(
  parts: MoveParts,
  from: RemotePath,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FolderMoved> {
  const { folders } = parts
  if (isWithin(to, from)) return 'refused'
  const node = await folders.node(from, signal)
  if (node === undefined) return (await isTaken(parts, from, signal)) ? 'refused' : 'absent'
  // Looked for before its parents are made: nothing is left of a move that is none.
  if (await isTaken(parts, to, signal)) return 'refused'
  const parent = await folders.make(folderOf(to), signal)
  return folders.whileMoving([from, to], () => placedIn(parts, node, { parent, to }, signal))
}

async function placedIn(
  { api, folders, inventory }: MoveParts,
  node: FolderNode,
  { parent, to }: { readonly parent: string; readonly to: RemotePath },
  signal: AbortSignal,
): Promise<FolderMoved> {
  const verb = `move of a folder to ${showPath(to)}`
  const place = api.isIn(node, parent) ? {} : { addParents: parent, ...api.parentOf(node) }
  try {
    const requestBody = { name: Folders.spelled(to) }
    const changed = await api.update(verb, { fileId: node.id, requestBody, ...place }, signal)
    if (changed?.kind !== 'folder') throw noFolder(api.what(verb))
    inventory.note(changed)
    return 'moved'
  } catch (thrown) {
    // Whatever came of it, a listing of before does not know it.
    inventory.forget()
    if (!(thrown instanceof Refused)) throw thrown
    if (thrown.status === 404) throw await folders.misplaced(signal)
    if (isNotAllowed(thrown)) return 'refused'
    throw thrown
  }
}

/** Whether anything has this name now. */
async function isTaken({ folders, inventory }: MoveParts, path: RemotePath, signal: AbortSignal): Promise<boolean> {
  const parent = await folders.find(folderOf(path), signal)
  return parent !== undefined && (await inventory.named(parent, Folders.spelled(path), signal, 0)).length > 0
}

/** Who may bring files in, as to a shared drive, need not be allowed to move folders. Whether he may do more is said by the files' own calls. */
function isNotAllowed({ status, next }: Refused): boolean {
  return status === 403 && next.kind === 'pause-target' && next.state === 'paused' && next.againInMs === undefined
}

function noFolder(what: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: expected a folder, got something else; it is tried again`)
}
