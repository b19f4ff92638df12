/** Which folder of which drive a target's name stands for: found at each `open`, made only before the first copy. */
import { TargetError } from '../target.ts'
import type { GraphApi } from './api.ts'
import { drivePath, madeFolder, type Root } from './drive.ts'
import { isRefused } from './errors.ts'
import { type DriveFacts, type FolderNode, parseDrive, parseFolder } from './metadata.ts'

/** The login's own drive, the app's own folder in it, or a drive by its id. */
export type DriveChoice = 'own' | 'app-folder' | { readonly id: string }

export interface Opening {
  readonly api: GraphApi
  readonly name: string
  readonly drive: DriveChoice
  /** Names with `/` between them, '' for all of the drive. */
  readonly folder: string
  /** What is missing of the folder. */
  readonly mayMake: boolean
}

export async function driveFacts(
  { api, drive }: Pick<Opening, 'api' | 'drive'>,
  signal: AbortSignal,
): Promise<DriveFacts> {
  const verb = 'question for the drive'
  const path = typeof drive === 'string' ? '/me/drive' : drivePath(drive.id)
  return parseDrive(api.what(verb), await api.json(verb, { method: 'GET', path }, signal))
}

/** @throws TargetError `missing` for a place that was there and is not, or of another drive. */
export async function foundRoot(opening: Opening, expected: string | undefined, signal: AbortSignal): Promise<Root> {
  const top = await topOf(opening, signal)
  const [driveOfMark] = expected?.split(' ') ?? []
  if (driveOfMark !== undefined && driveOfMark !== driveKey(top)) {
    const step = 'log in with the other, or set back "drive"'
    throw missing(opening, `the login leads to another drive than that of the copies`, step)
  }
  const names = opening.folder.split('/').filter((name) => name !== '')
  let { id, unitsAbove } = top
  for (const [depth, name] of names.entries()) {
    const path = names.slice(0, depth + 1).join('/')
    id = (await folderAt(opening, { top, id, name: name.normalize('NFC'), path }, signal)).id
    unitsAbove += 1 + name.length
  }
  return { ...top, id, unitsAbove, isDriveRoot: top.isDriveRoot && names.length === 0 }
}

/** By what a place is known again. */
export function markOf(root: Root): string {
  return `${driveKey(root)} ${root.id}`
}

/** Ids of personal drives come with letters of either case, and without a leading zero. */
function driveKey({ driveId, type }: Pick<Root, 'driveId' | 'type'>): string {
  return type === 'personal' ? driveId.toLowerCase().padStart(16, '0') : driveId
}

async function topOf(opening: Opening, signal: AbortSignal): Promise<Root> {
  const { api, drive } = opening
  const verb = 'look at the root'
  if (drive === 'app-folder') {
    const path = '/me/drive/special/approot'
    const folder = parseFolder(api.what(verb), await api.json(verb, { method: 'GET', path }, signal))
    // Its own path is not told; "Apps" and the app's name are, in some language, seldom longer than this.
    return { ...placeOf(folder, api.what(verb)), id: folder.id, unitsAbove: appFolderUnits, isDriveRoot: false }
  }
  const { id, type, webUrl } = await driveFacts(opening, signal)
  const path = `${drivePath(id)}/root`
  const root = parseFolder(api.what(verb), await api.json(verb, { method: 'GET', path }, signal))
  return { driveId: id, type, id: root.id, unitsAbove: libraryUnits(webUrl), isDriveRoot: true }
}

/** `personal/owner_example_com/Documents/Apps/Fanfold` and the like. */
const appFolderUnits = 100

function placeOf({ driveId, driveType }: FolderNode, what: string): Pick<Root, 'driveId' | 'type'> {
  if (driveId !== undefined) return { driveId, type: driveType ?? 'business' }
  const message = `${what}: expected the app's folder with its drive, got it without; it is tried again`
  throw new TargetError({ kind: 'retry' }, message)
}

/** SharePoint counts a path from the host on, with the library before it. Source: "Restrictions and limitations in OneDrive and SharePoint". */
function libraryUnits(webUrl: string): number {
  const url = URL.canParse(webUrl) ? new URL(webUrl) : undefined
  const isLibrary = url !== undefined && /(sharepoint\.|microsoftpersonalcontent\.)/.test(url.host)
  return isLibrary ? decodeURIComponent(url.pathname).replace(/\/$/, '').length : 0
}

interface Step {
  readonly top: Root
  readonly id: string
  readonly name: string
  /** So far, for messages. */
  readonly path: string
}

async function folderAt(opening: Opening, { top, id, name, path }: Step, signal: AbortSignal): Promise<FolderNode> {
  const { api, mayMake } = opening
  const verb = `look at ${path}`
  const parent = `${drivePath(top.driveId)}/items/${encodeURIComponent(id)}`
  const look = { method: 'GET', path: `${parent}:/${encodeURIComponent(name)}:` } as const
  try {
    return parseFolder(api.what(verb), await api.json(verb, look, signal))
  } catch (thrown) {
    if (!isRefused(thrown, 404)) throw thrown
    if (mayMake) return madeFolder(api, { verb: `creation of ${path}`, path: `${parent}/children`, name }, signal)
    const step = 'restore it at OneDrive, or create it again if it was meant to go'
    throw missing(opening, `the folder ${path} is gone`, step)
  }
}

function missing({ name }: Opening, what: string, step: string): TargetError {
  return new TargetError({ kind: 'pause-target', state: 'missing' }, `${name}: ${what}; ${step}`)
}
