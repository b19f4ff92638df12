/** A file to another place at Dropbox, by its id: wherever an attempt before left it, the next one finds it. */
import { showPath, type RemotePath } from '../../base/path.ts'
import { TargetError } from '../target.ts'
import type { DropboxApi } from './api.ts'
import { type FileNode, parseMoved } from './metadata.ts'
import type { LookUp, Places } from './places.ts'
import { onItsWay } from './reading.ts'

export async function moved(
  parts: { readonly api: DropboxApi; readonly places: Places; readonly lookUp: LookUp },
  id: string,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FileNode> {
  const { api, places, lookUp } = parts
  const verb = `move to ${showPath(to)}`
  const move = async (path: string): Promise<FileNode> => {
    const arg = { from_path: id, to_path: path, autorename: false }
    return parseMoved(api.what(verb), await api.rpc(verb, (sdk) => sdk.filesMoveV2(arg), signal))
  }
  const node = await lookUp(id, signal)
  if (node?.kind !== 'file') {
    const step = 'run "fanfold resync" to have it copied anew'
    throw new TargetError({ kind: 'park' }, `${api.what(verb)}: it is gone at Dropbox; ${step}`)
  }
  const spot = await places.find(to, signal)
  if (spot.held?.id === id) return node
  const plain = await places.plain(to, signal)
  // Its own other spelling is no twin. Dropbox moves nothing to where it is already but for letters' case, so it goes a way round.
  if ((await lookUp(plain.path, signal))?.id !== id) return move(spot.path)
  await move(`${plain.path.slice(0, plain.path.lastIndexOf('/'))}/${onItsWay}${id.replace(/^id:/, '')}`)
  return move(plain.path)
}
