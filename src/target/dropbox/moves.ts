/** Files and folders to another place at Dropbox, by their id: wherever an attempt before left a file, the next one finds it. */
import { folderOf, showPath, type RemotePath } from '../../base/path.ts'
import { folderMoveMs, isWithin } from '../folder-moves.ts'
import { type FolderMoved, TargetError } from '../target.ts'
import type { DropboxApi } from './api.ts'
import { type FileNode, type FolderNode, parseCreated, parseMoved } from './metadata.ts'
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
  parts: MoveParts,
  from: RemotePath,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FolderMoved> {
  const { places, lookUp } = parts
  if (isWithin(to, from)) return 'refused'
  const node = await lookUp(await places.folder(from, signal), signal)
  if (node?.kind === 'file') return 'refused'
  if (await places.isOne(from, to, signal)) return folderRespelled(parts, node, { from, to }, signal)
  if (node === undefined) return 'absent'
  const path = await places.folder(to, signal)
  if ((await lookUp(path, signal)) !== undefined) return 'refused'
  return places.whileMoving<FolderMoved>([from, to], async () => {
    await moveFolder(parts, node.id, path, signal)
    return 'moved'
  })
}

/**
 * Only letters' case changes: it goes a way round, as a file does. Half way it has a name that hangs on the new one alone, so that whoever asks for the
 * same again finds it there.
 */
async function folderRespelled(
  parts: MoveParts,
  node: FolderNode | undefined,
  { from, to }: { readonly from: RemotePath; readonly to: RemotePath },
  signal: AbortSignal,
): Promise<FolderMoved> {
  const { places, lookUp } = parts
  const beside = await places.besideTwin(to, signal)
  const aside = `${folderOf(beside.path)}/${onItsWay}${beside.name}`
  const moving = node ?? (await lookUp(aside, signal))
  if (moving?.kind !== 'folder') return 'absent'
  const { path } = await places.plain(to, signal)
  return places.whileMoving<FolderMoved>([from, to], async () => {
    if (node !== undefined) await moveFolder(parts, node.id, aside, signal)
    await moveFolder(parts, moving.id, path, signal)
    return 'moved'
  })
}

async function moveFolder({ api }: MoveParts, id: string, path: string, signal: AbortSignal): Promise<void> {
  const verb = `move of a folder to ${path}`
  const arg = { from_path: id, to_path: path, autorename: false }
  const times = { answerMs: folderMoveMs }
  parseCreated(api.what(verb), await api.rpc(verb, (sdk) => sdk.filesMoveV2(arg), signal, times))
}
