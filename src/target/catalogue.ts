/** Which code stands behind each kind of target: one line per kind. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { assert } from '../base/errors.ts'
import type { CloudConfig, CloudKind, DirectoryConfig, TargetConfig } from '../config/config.ts'
import { boxTarget } from './box/box.ts'
import { directoryTarget } from './directory/directory.ts'
import { dropboxTarget } from './dropbox/dropbox.ts'
import { googleDriveTarget } from './google-drive/google-drive.ts'
import type { FolderMemory } from './folder-memory.ts'
import { type DriveChoice, oneDriveTarget } from './onedrive/onedrive.ts'
import type { Pace } from './pace.ts'
import { gated, type OpenableTarget, paced, pacedReading } from './paced.ts'
import type { Target } from './target.ts'
import type { Transport } from './transport/transport.ts'

/** What every kind is built with. */
export interface TargetParts {
  readonly log: Log
  readonly clock: Clock
  readonly pace: Pace
  /** Opens the way to a cloud, at the same pace; the target closes it. */
  readonly transport: (config: CloudConfig, hosts: readonly string[]) => Transport
  /** For kinds that know folders by id: the authority on which are there. */
  readonly folders: FolderMemory
  /** Nothing is made there or changed. */
  readonly isForReading?: boolean
}

const boxHosts = ['api.box.com', 'upload.box.com']
const dropboxHosts = ['api.dropboxapi.com', 'content.dropboxapi.com', 'notify.dropboxapi.com']
const googleHosts = ['www.googleapis.com', 'oauth2.googleapis.com']
/** Content goes to and comes from hosts that the answers name. */
const microsoftHosts = ['graph.microsoft.com', 'login.microsoftonline.com']

/** Kinds whose work ends at a disk: more at once never makes it time out, so the configured concurrency is used as it is. */
const fixedSlotKinds: ReadonlySet<string> = new Set<TargetConfig['kind']>(['directory'])

/** Where small copies travel together, fewer at once would be no batch. More streams at once than that may be too many for a slow link. */
const slotsFirstOfKinds: ReadonlyMap<string, number> = new Map([['dropbox', 8]])
const slotsFirstUsual = 2

/**
 * With how many deliveries at once a lane begins that finds out for itself how many are worth it, up to the configured concurrency;
 * undefined where it has the configured ones from the start.
 */
export function slotsFirstOf(kind: string): number | undefined {
  return fixedSlotKinds.has(kind) ? undefined : (slotsFirstOfKinds.get(kind) ?? slotsFirstUsual)
}

/** The target a configuration asks for, at its pace. It touches nothing before its own `open`. */
export function openTarget(config: TargetConfig, parts: TargetParts): Target {
  const target = made(config, parts)
  // A cloud's transport keeps the pace by itself.
  return config.kind === 'directory' ? paced(target, parts.pace) : gated(target, parts.pace)
}

/** The same for reading only, whatever the hours and while a lane works there: nothing is made, tried out or put away. */
export function openForReading(config: TargetConfig, parts: TargetParts): OpenableTarget {
  const target = made(config, { ...parts, isForReading: true })
  return config.kind === 'directory' ? pacedReading(target, parts.pace) : target
}

export type { OpenableTarget } from './paced.ts'

function made(config: TargetConfig, parts: TargetParts): Target {
  return config.kind === 'directory' ? openDirectory(config, parts) : openCloud(config, parts)
}

function openCloud(config: CloudConfig, parts: TargetParts): Target {
  const open = clouds[config.kind]
  assert(open !== undefined, `no code stands behind a target of kind ${config.kind} although it was taken`)
  return open(config, parts)
}

const clouds: Partial<Record<CloudKind, typeof openDropbox>> = {
  box: openBox,
  dropbox: openDropbox,
  'google-drive': openGoogleDrive,
  onedrive: openOneDrive,
}

function openDirectory({ name, path }: DirectoryConfig, { log, clock, ...how }: TargetParts): Target {
  return directoryTarget({ name, root: path, log, clock, ...mannerOf(how) })
}

function openBox(config: CloudConfig, { clock, transport, folders, ...how }: TargetParts): Target {
  const { name, account, folder } = config
  const way = transport(config, boxHosts)
  return boxTarget({ name, account: account.name, folder, transport: way, folders, clock, ...mannerOf(how) })
}

function openDropbox(config: CloudConfig, { transport, ...how }: TargetParts): Target {
  const { name, account, folder } = config
  const way = transport(config, dropboxHosts)
  return dropboxTarget({ name, account: account.name, folder, transport: way, ...mannerOf(how) })
}

function openGoogleDrive(config: CloudConfig, { log, clock, transport, folders, ...how }: TargetParts): Target {
  const { name, account, folder, drive } = config
  const way = transport(config, googleHosts)
  const common = { name, account: account.name, folder, drive, folders, clock, log, ...mannerOf(how) }
  return googleDriveTarget({ ...common, transport: way })
}

function openOneDrive(config: CloudConfig, { log, transport, ...how }: TargetParts): Target {
  const { name, account, folder } = config
  const way = transport(config, microsoftHosts)
  const drive = choiceOf(config)
  return oneDriveTarget({ name, account: account.name, drive, folder, transport: way, log, ...mannerOf(how) })
}

function mannerOf({ isForReading = false }: Pick<TargetParts, 'isForReading'>): { readonly isForReading: boolean } {
  return { isForReading }
}

/** What the configuration lets the login see says where the copies go: it sees nothing but the folder of its app, unless more is asked for. */
function choiceOf({ drive, account }: CloudConfig): DriveChoice {
  if (drive === undefined) return (account.access ?? 'least') === 'least' ? 'app-folder' : 'own'
  return drive === 'app-folder' ? drive : { id: drive }
}
