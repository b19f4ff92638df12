/** Files and folders to another place at Dropbox, by their id: wherever an attempt before left a file, the next one finds it. */
import { showPath, type RemotePath } from '../../base/path.ts'
import { folderMoveMs, isWithin } from '../folder-moves.ts'
import { type FolderMoved, TargetError } from '../target.ts'
import type { DropboxApi } from './api.ts'
import { type FileNode, parseCreated, parseMoved } from './metadata.ts'
import type { LookUp, Places } from './places.ts'
import { onItsWay } from './reading.ts'

export interface MoveParts {
  readonly api: DropboxApi
  readonly places: Places
  readonly lookUp: LookUp
}

export async function moved(parts: MoveParts, id: string, to: RemotePath, signal: AbortSignal): Promise<FileNode> {
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

/** A folder with all that is below it. Folders above its new place come with the move. */
export async function folderMoved(
  { api, places, lookUp }: MoveParts,
  from: RemotePath,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FolderMoved> {
  const node = await lookUp(await places.folder(from, signal), signal)
  if (node === undefined) return 'absent'
  // Dropbox changes no letters' case of a folder, and the way round of a file cannot be found again half way.
  if (node.kind !== 'folder' || isWithin(to, from) || (await places.isOne(from, to, signal))) return 'refused'
  const path = await places.folder(to, signal)
  if ((await lookUp(path, signal)) !== undefined) return 'refused'
  const verb = `move of the folder ${showPath(from)} to ${showPath(to)}`
  const arg = { from_path: node.id, to_path: path, autorename: false }
  const times = { answerMs: folderMoveMs }
  return places.whileMoving<FolderMoved>([from, to], async () => {
    parseCreated(api.what(verb), await api.rpc(verb, (sdk) => sdk.filesMoveV2(arg), signal, times))
    return 'moved'
  })
}
