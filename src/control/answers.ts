/** What a daemon says when it is asked, and what it is asked with: plain shapes, which a browser knows as well. Imports nothing. */

/** `healthy`: everything selected is delivered or on its way within its time, every source is watched or freshly scanned, nothing is parked. */
export interface Status {
  readonly healthy: boolean
  /** What keeps it from being healthy, in words; empty when it is. */
  readonly reasons: readonly string[]
  /** What each reason is about, in their order: stays the same while its words and numbers change. `target nas parked`. */
  readonly causes: readonly string[]
  /** Age of the oldest change that some target still lacks, ms; null when none. */
  readonly oldestMs: number | null
  readonly journal: JournalStatus
  readonly sources: readonly SourceStatus[]
  readonly targets: readonly TargetStatus[]
  readonly accounts: readonly AccountStatus[]
}

export interface JournalStatus {
  readonly state: 'open' | 'state-disk-full'
  /** Why nothing new is accepted, with the next step; null while all goes on. */
  readonly reason: string | null
}

export interface SourceStatus {
  readonly name: string
  /** In words for people and scripts: `scanning`, `watching`, `polling`, `missing`, `suspect`, `degraded`, `restarting`. */
  readonly state: string
  /** Files known to exist. */
  readonly files: number
  /** Folders under watch. */
  readonly watched: number
  /** Why it is not `watching`, with the next step; null when all is well. */
  readonly reason: string | null
  /** Changes seen and not yet written to the journal. */
  readonly settling: number
  /** So many files went at once that no copy leaves before `approve`. */
  readonly removalsHeld: boolean
  /** How long ago the last whole scan ended, ms; null before the first. */
  readonly lastScanMs: number | null
}

export interface TargetStatus {
  readonly name: string
  readonly kind: string
  /** `running`, `paused`, `missing`, `full`, `read-only`, `stopped`. */
  readonly state: string
  /** Deliveries owed and not under way, those waiting for a retry included. */
  readonly waiting: number
  readonly active: number
  /** Files of which this target holds a proven copy. */
  readonly delivered: number
  readonly parked: number
  /** Copies of removed files that are given up when their grace is over. */
  readonly leaving: number
  readonly bytesWaiting: number
  readonly oldestMs: number | null
  /** Why it is not running, or what its last failure was, with the next step; null when all is well. */
  readonly reason: string | null
  /** Files that are still to be offered to this target (a new target, a resync). */
  readonly offering: number
  /** Entries of a listing that is being read, before copies are offered; null while none is. */
  readonly listing: number | null
  /** When all of its copies were compared with what was delivered, and how many were not so then and were not owed again; null where that never was. */
  readonly verified: { readonly at: string; readonly checked: number; readonly differences: number } | null
  /** Copies that the provider made into something else as they came in, documents mostly; taken as that and not sent again. */
  readonly altered: number
  /** Bytes delivered since the daemon started, for rates. */
  readonly bytesSent: number
  /** What is under way now, at most 16. */
  readonly sending: readonly { readonly path: string; readonly bytesDone: number; readonly size: number }[]
  /** Deliveries that failed last and are still owed, what waits for its owner first; at most 4. */
  readonly failed: readonly ParkedLine[]
  /** Requests to its cloud account in the local month (`2026-11`), by all targets of the account, and the most there may be; null where they are not counted. */
  readonly requests: { readonly month: string; readonly requests: number; readonly most: number | null } | null
  /** How full its place is, as it said last; null where nobody asked it. */
  readonly space: TargetSpace | null
}

export interface TargetSpace {
  readonly usedBytes: number
  /** null where it sets no bound. */
  readonly freeBytes: number | null
}

export interface ResyncRequest {
  /** Names; empty: all. */
  readonly targets: readonly string[]
  readonly source: string | null
  /** Glob over paths below the sources. */
  readonly glob: string | null
  /** Trust no receipt: compare content by hash at the target. */
  readonly verify: boolean
}

export interface Verdict {
  readonly target: string
  /** `delivered`, `waiting`, `active`, `postponed`, `parked`, `not-selected`, `to-offer`. */
  readonly state: string
  /** Which rule decided, or what failed last, in words. */
  readonly reason: string
  readonly attempts: number
  /** ms until the next try; null where none is planned. */
  readonly nextTryMs: number | null
  /** Where the copy lies at the target; null where there is none. */
  readonly at: string | null
}

export interface PathVerdict {
  readonly source: string
  readonly path: string
  /** `present`, `removed`, `ignored`, `unknown`. */
  readonly file: string
  readonly reason: string
  readonly size: number | null
  readonly sha256: string | null
  readonly targets: readonly Verdict[]
}

/** A delivery that only its owner, or time, brings back. */
export interface ParkedLine {
  readonly source: string
  readonly path: string
  readonly size: number
  /** With the next step. */
  readonly reason: string
  readonly attempts: number
  /** For how long the target lacks this change, ms. */
  readonly ageMs: number
  /** ms until the next try by itself; null where none is planned. */
  readonly nextTryMs: number | null
}

export interface HistoryLine {
  /** ISO 8601 with ms. */
  readonly at: string
  readonly source: string | null
  readonly path: string | null
  readonly target: string | null
  /** `put`, `remove`, `delivered`, `retry`, `parked`, `resync`, `overflow`, … */
  readonly event: string
  readonly detail: string
}

export interface Resynced {
  readonly offered: readonly { readonly target: string; readonly files: number }[]
}

export interface Retried {
  readonly retried: number
}

export interface Held {
  readonly targets: readonly string[]
}

export interface Approved {
  readonly source: string
  /** Anything was held back at all. */
  readonly wasHeld: boolean
  /** Where file systems were mounted that are missed no longer, absolute. */
  readonly mounts: readonly string[]
  /** Copies that were held back and are given up now. */
  readonly copies: number
}

/** What a reload changed, in words: `target nas added`. */
export interface Reloaded {
  readonly changes: readonly string[]
}

export interface Amount {
  readonly files: number
  readonly bytes: number
}

/** What a configuration would do to one target. */
export interface PlannedTarget {
  readonly name: string
  readonly isNew: boolean
  /** It stands somewhere else than before: every copy is looked for there. */
  readonly isElsewhere: boolean
  /** Files that are taken and were not before. */
  readonly enter: Amount
  /** Files that were taken and are not any more; their copies are kept. */
  readonly leave: Amount
  /** Files that get another place at the target. */
  readonly move: Amount
  /** What entering takes at this target's pace, ms; null where no pace is known. */
  readonly durationMs: number | null
}

export interface Plan {
  readonly targets: readonly PlannedTarget[]
  readonly removedTargets: readonly string[]
  /** Of these nothing is known yet: what they bring is not in the numbers. */
  readonly newSources: readonly string[]
  readonly removedSources: readonly string[]
}

/** A login at a cloud. */
export interface AccountStatus {
  readonly name: string
  readonly kind: string
  /** `logged-in`, `ends-soon` (in a week), `ends-today`, `needs-login`, `unknown` (not looked at yet). */
  readonly state: string
  /** As the cloud calls him; null where that was never asked. */
  readonly user: string | null
  /** ISO 8601; when the login ends by itself unless it is used; null where nothing is known of an end. */
  readonly endsAt: string | null
  /** What its owner should do; null when nothing. */
  readonly reason: string | null
}

export interface LoginAsked {
  readonly account: string
  /** How the answer comes back; a service has a manner of its own, whatever is asked for. */
  readonly manner: 'browser' | 'paste' | 'device'
  /** Of a browser: where it is to be sent. */
  readonly redirectUri: string | null
  /** Of a pasted address: another port than usual. */
  readonly port: number | null
  /** Another user than before is meant. */
  readonly acceptsOther: boolean
}

export interface LoginBegun {
  /** Names this handshake; no secret of the cloud. */
  readonly ticket: string
  readonly manner: 'browser' | 'paste' | 'device' | 'service'
  /** To be opened in a browser; null for a service. */
  readonly address: string | null
  readonly userCode: string | null
  /** When to ask whether a device's code was typed, ms; null where nobody has to ask. */
  readonly againInMs: number | null
  readonly endsInMs: number
  /** Why the login asks for more than usual; null where it does not. */
  readonly reason: string | null
}

export type LoginProgress =
  | { readonly kind: 'done'; readonly account: string; readonly user: string | null }
  | { readonly kind: 'pending'; readonly againInMs: number }
  /** That answer belongs to another handshake; this one's own may still come. */
  | { readonly kind: 'stray'; readonly reason: string }

export interface LoginChecked {
  readonly account: string
  readonly user: string | null
  readonly endsAt: string | null
  /** That it ends soon; null where it does not. */
  readonly notice: string | null
  /** Whether the file is sealed with a key of the service manager; null where there is no file. */
  readonly isSealed: boolean | null
}

export interface LoggedOut {
  readonly account: string
  /** What its owner has to do at the cloud himself; null where nothing is left. */
  readonly left: string | null
}

/** Where the status page is. */
export interface PageAccess {
  /** null: nowhere; the reason says why. */
  readonly address: string | null
  readonly reason: string | null
  /** What the page shows to be allowed to act. A secret of who may use the control socket. */
  readonly token: string
}
