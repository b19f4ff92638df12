/** Files and folders to another place in the drive, by their id: wherever an attempt before left a file, the next one finds it. */
import { folderOf, showPath, type RemotePath } from '../../base/path.ts'
import { folderMoveMs, isWithin } from '../folder-moves.ts'
import { type FolderMoved, TargetError } from '../target.ts'
import type { GraphApi } from './api.ts'
import type { Drive } from './drive.ts'
import { isRefused } from './errors.ts'
import type { FileNode } from './metadata.ts'
import type { Places, Spot } from './places.ts'

/**
 * What is left to paths below a folder: nearly none is longer. A file's name is cut where its path would be too long, so in a folder of another
 * length it may be called otherwise. UTF-16 units.
 */
const belowUnits = 200

export interface MoveParts {
  readonly api: GraphApi
  readonly drive: Drive
  readonly places: Places
}

export async function moved(
  { api, drive, places }: MoveParts,
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

/** A folder with all that is below it. Whatever is in its way is looked for before folders are made for it. */
export async function folderMoved(
  parts: MoveParts,
  from: RemotePath,
  to: RemotePath,
  signal: AbortSignal,
): Promise<FolderMoved> {
  const { places } = parts
  if (isWithin(to, from)) return 'refused'
  const old = await spotOf(parts, from, { mayMake: false, isItself: undefined }, signal)
  if (old?.held === undefined) return 'absent'
  const { kind, id } = old.held
  if (kind !== 'folder') return 'refused'
  const spot = await spotOf(parts, to, { mayMake: true, isItself: id }, signal)
  if (spot === undefined || spot.held !== undefined || mayRespell(old, spot, places.pathUnitsMax)) return 'refused'
  return places.whileMoving([from, to], old, () => folderMovedTo(parts, id, { spot, to }, signal))
}

function mayRespell(old: Spot, spot: Spot, unitsMax: number): boolean {
  const [before, after] = [old, spot].map(({ folder, name }) => folder.units + 1 + name.length)
  return before !== after && Math.max(before ?? 0, after ?? 0) + belowUnits > unitsMax
}

async function spotOf(
  { places }: MoveParts,
  path: RemotePath,
  { mayMake, isItself }: { readonly mayMake: boolean; readonly isItself: string | undefined },
  signal: AbortSignal,
): Promise<Spot | undefined> {
  const parent = await places.folder(folderOf(path), mayMake, signal)
  return parent && places.folderSpot(parent, path, isItself, signal)
}

async function folderMovedTo(
  { api, drive, places }: MoveParts,
  id: string,
  { spot, to }: { readonly spot: Spot; readonly to: RemotePath },
  signal: AbortSignal,
): Promise<FolderMoved> {
  const verb = `move of a folder to ${showPath(to)}`
  const body = { name: spot.name, parentReference: { id: spot.folder.id } }
  try {
    const node = await drive.change(verb, id, body, signal, { answerMs: folderMoveMs })
    if (node.kind !== 'folder') throw noFolder(api.what(verb))
    places.came(spot)
    return 'moved'
  } catch (thrown) {
    if (isRefused(thrown, 404)) throw await places.gone(signal, thrown)
    // One file below that somebody has open keeps the whole of it; the others can be moved.
    if (isRefused(thrown, 423)) return 'refused'
    throw thrown
  }
}

function noFolder(what: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${what}: expected a folder, got something else; it is tried again`)
}
