/** Which code stands behind each kind of target. A kind that no configuration names is never loaded. */
import type { Clock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { RemotePath } from '../base/path.ts'
import type { CloudConfig, CloudKind, TargetConfig } from '../config/config.ts'
import { claimed, noteFile, type Claimant, type OwnerNotes } from './claim.ts'
import type { FolderMemory } from './folder-memory.ts'
import type { DriveChoice } from './onedrive/onedrive.ts'
import type { Pace } from './pace.ts'
import { gated, type OpenableTarget, paced, pacedReading } from './paced.ts'
import type { Target } from './target.ts'
import type { Transport } from './transport/transport.ts'

export { noteName, type Claimant } from './claim.ts'

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
  /** Who writes there, and the folder that holds all its copies; undefined for one that only reads. */
  readonly claim: { readonly claimant: Claimant; readonly folder: RemotePath } | undefined
}

const boxHosts = ['api.box.com', 'upload.box.com']
const dropboxHosts = ['api.dropboxapi.com', 'content.dropboxapi.com', 'notify.dropboxapi.com']
const googleHosts = ['www.googleapis.com', 'oauth2.googleapis.com']
/** Content goes to and comes from hosts that the answers name. */
const microsoftHosts = ['graph.microsoft.com', 'login.microsoftonline.com']

/** Kinds whose work ends at a disk: more at once never makes it time out, so the configured concurrency is used as it is. */
const fixedSlotKinds: ReadonlySet<string> = new Set<TargetConfig['kind']>(['directory'])

/** Where small copies travel together, fewer at once would be no batch. */
const slotsFirstOfKinds: ReadonlyMap<string, number> = new Map([['dropbox', 8]])
/** Half of them may have large copies: two streams are not too many for a slow link (F73). */
const slotsFirstUsual = 4

/**
 * With how many deliveries at once a lane begins that finds out for itself how many are worth it, up to the configured concurrency;
 * undefined where it has the configured ones from the start.
 */
export function slotsFirstOf(kind: string): number | undefined {
  return fixedSlotKinds.has(kind) ? undefined : (slotsFirstOfKinds.get(kind) ?? slotsFirstUsual)
}

export type { OpenableTarget } from './paced.ts'

/** Makes the targets that configurations of one kind ask for, at their pace. A target touches nothing before its own `open`. */
export interface Opener {
  open(config: TargetConfig, parts: TargetParts): Target
  /** For reading only, whatever the hours and while a lane works there: nothing is made, tried out or put away. */
  openForReading(config: TargetConfig, parts: TargetParts): OpenableTarget
}

/** Loads the code of one kind. @throws BrokenInvariant (when opening) for a configuration of another kind. */
export function openerOf(kind: TargetConfig['kind']): Promise<Opener> {
  return kind === 'directory' ? directoryOpener() : cloudOpener(kind)
}

async function directoryOpener(): Promise<Opener> {
  const { directoryTarget } = await import('./directory/directory.ts')
  const make = (config: TargetConfig, parts: TargetParts): ReturnType<typeof directoryTarget> => {
    assert(config.kind === 'directory', `a target of kind ${config.kind} was to be opened as a directory`)
    const { log, clock } = parts
    return directoryTarget({ name: config.name, root: config.path, log, clock, ...mannerOf(parts) })
  }
  return {
    open(config, parts) {
      const target = make(config, parts)
      return guarded(paced(target, parts.pace), (folder) => target.notesIn(folder), config.name, parts)
    },
    openForReading: (config, parts) => pacedReading(make(config, { ...parts, isForReading: true }), parts.pace),
  }
}

async function cloudOpener(kind: CloudKind): Promise<Opener> {
  const open = await clouds[kind]()
  const make = (config: TargetConfig, parts: TargetParts): Target => {
    assert(config.kind === kind, `a target of kind ${config.kind} was to be opened as ${kind}`)
    return open(config, parts)
  }
  return {
    open(config, parts) {
      const target = gated(make(config, parts), parts.pace)
      return guarded(target, (folder) => noteFile(target, folder, () => parts.clock.wallMs()), config.name, parts)
    },
    // Its transport keeps the pace of its calls by itself.
    openForReading: (config, parts) => make(config, { ...parts, isForReading: true }),
  }
}

/** Whoever writes there keeps away from what belongs to another Fanfold. */
function guarded(
  target: Target,
  notesIn: (folder: RemotePath) => OwnerNotes,
  name: string,
  { claim, clock }: TargetParts,
): Target {
  if (claim === undefined) return target
  const { claimant, folder } = claim
  return claimed(target, { name, folder, notes: notesIn(folder), claimant, nowMs: () => clock.wallMs() })
}

type CloudOpener = (config: CloudConfig, parts: TargetParts) => Target

const clouds: Readonly<Record<CloudKind, () => Promise<CloudOpener>>> = {
  box: boxOpener,
  dropbox: dropboxOpener,
  'google-drive': googleDriveOpener,
  onedrive: oneDriveOpener,
}

async function boxOpener(): Promise<CloudOpener> {
  const { boxTarget } = await import('./box/box.ts')
  return (config, { clock, transport, folders, ...how }) => {
    const { name, account, folder } = config
    const way = transport(config, boxHosts)
    return boxTarget({ name, account: account.name, folder, transport: way, folders, clock, ...mannerOf(how) })
  }
}

async function dropboxOpener(): Promise<CloudOpener> {
  const { dropboxTarget } = await import('./dropbox/dropbox.ts')
  return (config, { transport, ...how }) => {
    const { name, account, folder } = config
    const way = transport(config, dropboxHosts)
    return dropboxTarget({ name, account: account.name, folder, transport: way, ...mannerOf(how) })
  }
}

async function googleDriveOpener(): Promise<CloudOpener> {
  const { googleDriveTarget } = await import('./google-drive/google-drive.ts')
  return (config, { log, clock, transport, folders, ...how }) => {
    const { name, account, folder, drive } = config
    const way = transport(config, googleHosts)
    const common = { name, account: account.name, folder, drive, folders, clock, log, ...mannerOf(how) }
    return googleDriveTarget({ ...common, transport: way })
  }
}

async function oneDriveOpener(): Promise<CloudOpener> {
  const { oneDriveTarget } = await import('./onedrive/onedrive.ts')
  return (config, { log, transport, ...how }) => {
    const { name, account, folder } = config
    const way = transport(config, microsoftHosts)
    const drive = choiceOf(config)
    return oneDriveTarget({ name, account: account.name, drive, folder, transport: way, log, ...mannerOf(how) })
  }
}

function mannerOf({ isForReading = false }: Pick<TargetParts, 'isForReading'>): { readonly isForReading: boolean } {
  return { isForReading }
}

/** What the configuration lets the login see says where the copies go: it sees nothing but the folder of its app, unless more is asked for. */
function choiceOf({ drive, account }: CloudConfig): DriveChoice {
  if (drive === undefined) return (account.access ?? 'least') === 'least' ? 'app-folder' : 'own'
  return drive === 'app-folder' ? drive : { id: drive }
}
