/** A file to another place in the drive, by its id: wherever an attempt before left it, the next one finds it. */
import { showPath, type RemotePath } from '../../base/path.ts'
import { TargetError } from '../target.ts'
import type { GraphApi } from './api.ts'
import type { Drive } from './drive.ts'
import type { FileNode } from './metadata.ts'
import type { Places } from './places.ts'

export async function moved(
  { api, drive, places }: { readonly api: GraphApi; readonly drive: Drive; readonly places: Places },
  id: string,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FileNode> {
  const verb = `move to ${showPath(to)}`
  const node = await drive.at(verb, drive.path(id), signal)
  if (node?.kind !== 'file') {
    const step = 'run "fanfold resync" to have it copied anew'
    throw new TargetError({ kind: 'park' }, `${api.what(verb)}: it is gone at OneDrive; ${step}`)
  }
  const spot = await places.spot(to, signal)
  if (spot.held?.id === id) return node
  const plain = places.plainName(spot.folder, to)
  // Its own other spelling is no twin: only letters' case changes.
  const isOwnTwin = spot.name !== plain && (await drive.at(verb, drive.named(spot.folder.id, plain), signal))?.id === id
  const body = { name: isOwnTwin ? plain : spot.name, parentReference: { id: spot.folder.id } }
  const changed = await drive.change(verb, id, body, signal)
  if (changed.kind === 'file') return changed
  throw new TargetError({ kind: 'retry' }, `${api.what(verb)}: expected a file, got something else; it is tried again`)
}
