/** A file to another place at Google Drive, by its id: wherever an attempt before left it, the next one finds it. */
import { folderOf, showPath, type RemotePath } from '../../base/path.ts'
import { TargetError } from '../target.ts'
import type { DriveApi } from './api.ts'
import { noFile } from './errand.ts'
import { Folders } from './folders.ts'
import type { Inventory } from './inventory.ts'
import type { FileNode } from './metadata.ts'

export async function moved(
  parts: { readonly api: DriveApi; readonly folders: Folders; readonly inventory: Inventory },
  id: string,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FileNode> {
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
