/** What a configuration says once it is read: plain values, absolute paths, amounts in one unit. How it is read is not its concern. */
import type { Hours } from '../base/local-time.ts'
import type { Rate } from '../base/units.ts'

export interface Config {
  /** Absolute path of the file this came from. */
  readonly file: string
  /** Absolute folder of journal, socket and lock. */
  readonly state: string
  readonly stateOnNetwork: 'refuse' | 'allow'
  readonly node: { readonly id: string; readonly roles: readonly ('watch' | 'upload')[] }
  readonly http: HttpConfig
  readonly status: StatusConfig
  readonly notify: NotifyConfig
  readonly sources: readonly SourceConfig[]
  readonly targets: readonly TargetConfig[]
  /** Those that no target uses, too. */
  readonly accounts: readonly AccountConfig[]
}

/** How this machine reaches clouds. The environment is never asked. */
export interface HttpConfig {
  /** URL of an HTTP proxy; may carry a login, so it is shown nowhere. */
  readonly proxy: string | undefined
  /** Absolute path of a PEM file. */
  readonly caFile: string | undefined
}

/** Where the status page, health and metrics are served. */
export interface StatusConfig {
  /** undefined: nowhere. */
  readonly listen: PageAddress | undefined
  /** Names besides this machine's own under which a browser or a proxy may ask, each with or without a port. */
  readonly hosts: readonly string[]
}

export type PageAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** Absolute path of a socket. */
  | { readonly kind: 'unix'; readonly path: string }

/** Whom to tell of what. */
export interface NotifyConfig {
  /** A dead-man's ping, only while all is well. */
  readonly ping: { readonly to: WebAddress; readonly everyMs: number } | undefined
  readonly onRed: Recipient | undefined
  readonly onGreen: Recipient | undefined
  /** Minute of the local day at which the owner of `onRed` hears how things stand; undefined: never. */
  readonly digestMinute: number | undefined
}

/** A URL, or the file it stands in: whoever knows it may speak in our name, so it is shown nowhere. */
export type WebAddress =
  { readonly kind: 'url'; readonly url: string } | { readonly kind: 'file'; readonly path: string }

export type Recipient =
  | { readonly kind: 'web'; readonly to: WebAddress }
  /** A program and its arguments; no shell reads them. */
  | { readonly kind: 'command'; readonly words: readonly [string, ...string[]] }

export interface SourceConfig {
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** gitignore rules that follow the built-in ones and win over them; a first rule `!*` takes all of those back. */
  readonly ignore: readonly string[]
  /** Leave out what is mounted inside of the folder. */
  readonly oneFileSystem: boolean
  /** How long a file without a close must not change before it counts as complete. */
  readonly settleMs: number
  /** How long a file may go on changing before it is told of, and before a snapshot is taken of it. */
  readonly unsettledMsMax: number
  /** What follows then: it is waited for, or taken as it is every so often. */
  readonly unsettled: 'wait' | 'snapshot'
  /** Wait for programs that have a file open for writing. */
  readonly checkWriters: boolean
  /** Time between two reconcile scans. */
  readonly rescanMs: number
  readonly watch: 'auto' | 'inotify' | 'poll'
}

export type TargetConfig = DirectoryConfig | CloudConfig

export type CloudKind = 'box' | 'dropbox' | 'google-drive' | 'onedrive'

export interface DirectoryConfig extends AnyTargetConfig {
  readonly kind: 'directory'
  /** Absolute. */
  readonly path: string
}

export interface CloudConfig extends AnyTargetConfig {
  readonly kind: CloudKind
  /** Whole, so that a target of which the account changed has changed. */
  readonly account: AccountConfig
  /** Below what the login may see, names with `/` between them; '' for all of that. */
  readonly folder: string
  /** Id of one of several drives that the account sees; at OneDrive also `app-folder`. undefined: the one that goes with the account. */
  readonly drive: string | undefined
  /** Base URL that takes the place of the kind's own hosts. */
  readonly endpoint: string | undefined
}

/** Who we are at a cloud. The login itself lies in the state folder. */
export interface AccountConfig {
  readonly name: string
  readonly kind: CloudKind
  /** '' where a key file of a service says it. */
  readonly clientId: string
  /** Absolute; undefined where the cloud asks for no secret. */
  readonly clientSecretFile: string | undefined
  /** How much the login may see; undefined: as little as will do. */
  readonly access?: Access | undefined
  /** Of OneDrive: whose users may log in. */
  readonly tenant?: string | undefined
  /** Base URL that takes the place of the cloud's own hosts, the consent page's included. */
  readonly endpoint?: string | undefined
  /** A program's own login in the place of a person's. */
  readonly service?: ServiceConfig | undefined
  /** How long a login lasts at most, where the cloud does not tell. */
  readonly loginLastsMs?: number | undefined
  /** When the app's secret ends, as its owner noted it. Unit: ms since 1970. */
  readonly secretEndsAtMs?: number | undefined
}

/** The app's own folder or files, the person's files, or all that the person may see. */
export type Access = 'least' | 'files' | 'all'

export interface ServiceConfig {
  /** Absolute; the key file that the cloud handed out. */
  readonly keyFile: string | undefined
  /** For whom the service acts: a person's address (Google), a user's number (Box); undefined: for itself. */
  readonly subject: string | undefined
  /** Of Box: the enterprise's number. */
  readonly enterprise: string | undefined
}

interface AnyTargetConfig {
  readonly name: string
  /** What it was called before; what the journal has under that name is its own now. */
  readonly formerly: string | undefined
  readonly select: Select
  /** Where a copy goes below the target's root: a template over {source} {path} {name} {ext} {host} {yyyy} {mm} {dd}. */
  readonly at: string
  /** What follows when a file is removed at its source: the copy stays, goes to the target's trash, or is deleted. */
  readonly onRemove: 'keep' | 'trash' | 'remove'
  /** What becomes of what somebody else left in a copy's place: it is written over, put beside, or stays until its owner says what is meant. */
  readonly onConflict: 'overwrite' | 'keep-both' | 'park'
  /** How long a copy stays after its file went; if that comes back meanwhile, nothing happens. */
  readonly removeAfterMs: number
  /** Shortest time between two copies of one file. */
  readonly cooldownMs: number
  readonly pace: Pace
  readonly verify: VerifySettings
}

/** How often the copies are compared with what was delivered without being asked for. */
export interface VerifySettings {
  /** undefined: never. */
  readonly everyMs: number | undefined
  /** The part of the copies whose content is read each time, from 0 to 1; all of them in turn. */
  readonly share: number
}

/** Which files a target takes; a file has to meet every line. */
export interface Select {
  /** undefined: all. */
  readonly sources: readonly string[] | undefined
  /** gitignore-like globs over the path below the source; empty: all. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Bytes, inclusive. */
  readonly sizeMin: number
  /** Bytes, inclusive; undefined: no bound. */
  readonly sizeMax: number | undefined
  /** Longest time since the last modification. */
  readonly newerThanMs: number | undefined
}

export interface Pace {
  /** Deliveries under way at once. */
  readonly concurrency: number
  readonly requests: Rate | undefined
  readonly uploads: Rate | undefined
  readonly bytesPerSecond: number | undefined
  /** Bytes in one local day. */
  readonly dailyBytes: number | undefined
  /** Requests in one local month. */
  readonly monthlyRequests: number | undefined
  /** When work may begin; undefined: always. */
  readonly hours: Hours | undefined
}

/** The targets that are folders of this machine. */
export function directoriesOf({ targets }: Pick<Config, 'targets'>): DirectoryConfig[] {
  return targets.flatMap((target) => (target.kind === 'directory' ? [target] : []))
}
