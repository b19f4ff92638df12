/** The operator's desk: answers what is asked of this daemon, from the journal's counters and the parts' own states. */
import { isAbsolute, relative } from 'node:path'
import type { Clock } from '../base/clock.ts'

import { showPath, sourcePath, type SourcePath } from '../base/path.ts'
import type { Config } from '../config/config.ts'
import {
  AskError,
  type Approved,
  type AccountStatus,
  type Desk,
  type LoginDesk,
  type RestoreDesk,
  type HistoryLine,
  type PathVerdict,
  type Plan,
  type Reloaded,
  type ResyncRequest,
  type SourceStatus,
  type Status,
  type ParkedLine,
  type TargetSpace,
  type TargetStatus,
  type Verdict,
} from '../control/control.ts'
import type { FileRecord, Journal, OpenDelivery, ParkedDelivery } from '../journal/journal.ts'
import { selector } from '../pipeline/pipeline.ts'
import type { Source } from '../source/source.ts'
import { causesOf } from './health.ts'
import type { Instance } from './instance.ts'

/** What is live of a target. Without a running daemon there is none, and everything comes from the journal. */
export interface LiveTarget {
  readonly name: string
  readonly state: string
  readonly reason: string | null
  readonly bytesSent: number
  readonly sending: TargetStatus['sending']
  /** Made to its account this month; undefined where nobody counts them. */
  readonly requests:
    { readonly month: string; readonly requests: number; readonly most: number | undefined } | undefined
  readonly listing: TargetStatus['listing']
  readonly space: TargetSpace | null
  /** What it was seen to take while it had work. */
  readonly bytesPerSecond: number | undefined
  offer(): void
  nudge(): void
  hold(reason: string): void
  resume(): void
}

export interface DeskParts {
  /** The configuration in force. */
  readonly config: () => Config
  /** Why the file as it stands now is not in force; null when it is. */
  readonly configProblem: () => string | null
  readonly journal: Journal
  readonly instance: Pick<Instance, 'takeOver'>
  /** Whether the journal's disk has room. */
  readonly journalState: () => Status['journal']
  readonly clock: Clock
  readonly target: (name: string) => LiveTarget | undefined
  readonly source: (name: string) => Pick<Source, 'state' | 'whyIgnored' | 'whyNot'> | undefined
  /** What was meant to go goes now: copies that were held back, and mounts that were missed. */
  readonly approve: (source: string) => Pick<Approved, 'mounts' | 'copies'>
  readonly reload: () => Promise<Reloaded>
  readonly plan: (signal: AbortSignal) => Promise<Plan>
  readonly verify: Desk['verify']
  readonly restore: RestoreDesk
  readonly logins: LoginDesk & { statuses(): readonly AccountStatus[] }
}

const historyLinesMax = 10_000

export function openDesk(parts: DeskParts): Desk {
  return {
    status: () => status(parts),
    resync: (request) => resync(parts, request),
    retry: (targets) => retry(parts, targets),
    why: (path) => whySources(parts, path).map(({ source, path: below }) => why(parts, source, below)),
    history: (path, limit) => history(parts, path, Math.min(limit, historyLinesMax)),
    parked: (target, limit) => parked(parts, target, limit),
    hold: (targets) => hold(parts, targets),
    resume: (targets) => resume(parts, targets),
    takeOver: (targets) => takeOver(parts, targets),
    approve: (source) => approve(parts, source),
    reload: () => parts.reload(),
    plan: (signal) => parts.plan(signal),
    verify: (request, signal) => parts.verify(request, signal),
    login: (asked, signal) => parts.logins.login(asked, signal),
    answerLogin: (ticket, text, signal) => parts.logins.answerLogin(ticket, text, signal),
    checkLogin: (account, signal) => parts.logins.checkLogin(account, signal),
    logout: (account, signal) => parts.logins.logout(account, signal),
    restorable: (wish, signal) => parts.restore.restorable(wish, signal),
    readCopy: (copy, start, signal) => parts.restore.readCopy(copy, start, signal),
  }
}

/** Told with a target's status: enough to see what is wrong. */
const failedMax = 4

function status(parts: DeskParts): Status {
  const files = parts.journal.fileCounts()
  const config = parts.config()
  const sources = config.sources.map(({ name }) => sourceStatus(name, files.get(name) ?? 0, parts))
  const targets = config.targets.map(({ name, kind }) => targetStatus(name, kind, parts))
  const ages = targets.flatMap(({ oldestMs }) => (oldestMs === null ? [] : [oldestMs]))
  const journal = parts.journalState()
  const accounts = parts.logins.statuses()
  const circumstances = {
    sources,
    targets,
    accounts,
    journalReason: journal.reason,
    configProblem: parts.configProblem(),
  }
  const found = causesOf(circumstances)
  const [reasons, causes] = [found.map(({ words }) => words), found.map(({ name }) => name)]
  const oldestMs = ages.length === 0 ? null : Math.max(...ages)
  return { healthy: found.length === 0, reasons, causes, oldestMs, journal, sources, targets, accounts }
}

function sourceStatus(name: string, files: number, parts: DeskParts): SourceStatus {
  const live = parts.source(name)?.state()
  if (live === undefined)
    return {
      name,
      state: 'stopped',
      files,
      watched: 0,
      reason: 'the daemon is not running',
      settling: 0,
      removalsHeld: parts.journal.brakeOf(name) !== null,
      lastScanMs: null,
    }
  const { state, watched, settling, lastScanMonotonicMs } = live
  // A brake needs its owner, and is told wherever the source is.
  const reason = parts.journal.brakeOf(name) ?? live.reason
  const removalsHeld = parts.journal.brakeOf(name) !== null
  const lastScanMs = lastScanMonotonicMs === null ? null : parts.clock.monotonicMs() - lastScanMonotonicMs
  return { name, state, files, watched, reason, settling, removalsHeld, lastScanMs }
}

function targetStatus(name: string, kind: string, parts: DeskParts): TargetStatus {
  const { journal, clock } = parts
  const row = journal.target(name)
  const live = parts.target(name)
  const counts = journal.counts(row.id)
  const active = journal.activeCount(row.id)
  const sinceMs = journal.oldestSinceMs(row.id)
  const trouble = live?.reason ?? journal.reasonOf(row.id, 'parked') ?? journal.reasonOf(row.id, 'postponed')
  return {
    name,
    kind,
    state: live?.state ?? 'stopped',
    waiting: Math.max(0, counts.waiting + counts.postponed - active),
    active,
    delivered: counts.delivered,
    parked: counts.parked,
    leaving: counts.leaving,
    bytesWaiting: counts.bytesOwed,
    oldestMs: sinceMs === null ? null : Math.max(0, clock.wallMs() - sinceMs),
    reason: live === undefined ? 'the daemon is not running' : trouble === null ? null : showPath(trouble),
    offering: row.cursor < journal.head ? row.offerLeft : 0,
    bytesSent: live?.bytesSent ?? 0,
    sending: live?.sending ?? [],
    failed: journal.parked.failedAt(row.id, failedMax).map((delivery) => parkedLine(delivery, clock.wallMs())),
    requests: live?.requests === undefined ? null : { ...live.requests, most: live.requests.most ?? null },
    listing: live?.listing ?? null,
    verified: verifiedOf(name, journal),
    altered: journal.holdings.alteredCount(name),
    space: live?.space ?? null,
  }
}

function verifiedOf(name: string, journal: Journal): TargetStatus['verified'] {
  const last = journal.holdings.lastCheck(name)
  if (last === undefined) return null
  const { atMs, checked, differences } = last
  return { at: new Date(atMs).toISOString(), checked, differences }
}

/** The named targets, or all. @throws AskError for a name that the configuration does not have. */
function targetNames(parts: DeskParts, names: readonly string[]): readonly string[] {
  const known = parts.config().targets.map(({ name }) => name)
  for (const name of names) {
    if (!known.includes(name)) throw new AskError(`no target is named "${name}"; there are: ${known.join(', ')}`)
  }
  return names.length === 0 ? known : names
}

function resync(parts: DeskParts, { targets, source, glob, verify }: ResyncRequest): ReturnType<Desk['resync']> {
  const known = parts.config().sources.map(({ name }) => name)
  if (source !== null && !known.includes(source)) {
    throw new AskError(`no source is named "${source}"; there are: ${known.join(', ')}`)
  }
  const offered = targetNames(parts, targets).map((target) => {
    parts.journal.offerAgain(target, { source, glob, look: verify ? 'hash' : 'entry' })
    parts.target(target)?.nudge()
    parts.target(target)?.offer()
    return { target, files: parts.journal.target(target).offerLeft }
  })
  return { offered }
}

function retry(parts: DeskParts, targets: readonly string[]): { readonly retried: number } {
  let retried = 0
  for (const name of targetNames(parts, targets)) {
    retried += parts.journal.retry(parts.journal.target(name).id)
    parts.target(name)?.nudge()
  }
  return { retried }
}

function parked(parts: DeskParts, target: string, limit: number): readonly ParkedLine[] {
  const nowMs = parts.clock.wallMs()
  return targetNames(parts, [target]).flatMap((name) =>
    parts.journal.parked.at(parts.journal.target(name).id, limit).map((delivery) => parkedLine(delivery, nowMs)),
  )
}

function parkedLine({ dueMs, sinceMs, path, reason, ...line }: ParkedDelivery, nowMs: number): ParkedLine {
  return {
    ...line,
    path: showPath(path),
    reason: showPath(reason ?? 'no reason was kept'),
    ageMs: Math.max(0, nowMs - sinceMs),
    nextTryMs: dueMs === null ? null : Math.max(0, dueMs - nowMs),
  }
}

/** What the owner said, for the status. */
const heldReason = 'paused by its owner; "fanfold resume" lets it go on'

function hold(parts: DeskParts, targets: readonly string[]): { readonly targets: readonly string[] } {
  const names = targetNames(parts, targets)
  for (const name of names) {
    parts.journal.hold(name, heldReason)
    parts.target(name)?.hold(heldReason)
  }
  return { targets: names }
}

function resume(parts: DeskParts, targets: readonly string[]): { readonly targets: readonly string[] } {
  const names = targetNames(parts, targets)
  for (const name of names) {
    parts.journal.hold(name, null)
    parts.target(name)?.resume()
  }
  return { targets: names }
}

function takeOver(parts: DeskParts, targets: readonly string[]): { readonly targets: readonly string[] } {
  // Never all of them for want of a name.
  if (targets.length === 0) throw new AskError('name the targets that are to be taken over')
  const names = targetNames(parts, targets)
  parts.instance.takeOver(names)
  for (const name of names) {
    parts.journal.note({
      source: null,
      target: name,
      event: 'take-over',
      detail: 'its place belongs to this Fanfold now',
    })
    parts.target(name)?.nudge()
  }
  return { targets: names }
}

function approve(parts: DeskParts, source: string): Approved {
  const known = parts.config().sources.map(({ name }) => name)
  if (!known.includes(source)) throw new AskError(`no source is named "${source}"; there are: ${known.join(', ')}`)
  const wasHeld = parts.journal.brakeOf(source) !== null
  return { source, wasHeld, ...parts.approve(source) }
}

interface Located {
  readonly source: string
  readonly path: SourcePath
}

/** An absolute path lies in the source that contains it; a relative one is tried below every source. */
function whySources({ config: configInForce, journal }: DeskParts, path: string): readonly Located[] {
  const config = configInForce()
  const below = (source: string, relativePath: string): Located[] => {
    try {
      return [{ source, path: sourcePath(relativePath) }]
    } catch {
      // Outside of this source: not its path.
      return []
    }
  }
  if (isAbsolute(path)) return config.sources.flatMap(({ name, path: root }) => below(name, relative(root, path)))
  const all = config.sources.flatMap(({ name }) => below(name, path))
  const recorded = all.filter((located) => journal.recordOf(located.source, located.path) !== undefined)
  return recorded.length > 0 ? recorded : all
}

function why(parts: DeskParts, source: string, path: SourcePath): PathVerdict {
  const record = parts.journal.recordOf(source, path)
  const ignored = parts.source(source)?.whyIgnored(path)
  const file =
    record?.isPresent === true
      ? 'present'
      : ignored !== undefined
        ? 'ignored'
        : record === undefined
          ? 'unknown'
          : 'removed'
  const reasons = {
    present: `in the journal as change ${record?.seq ?? 0}`,
    ignored: ignored === undefined ? '' : `ignored by "${ignored.rule}" (${ignored.where})`,
    removed: 'gone from its source; copies at the targets are kept',
    unknown: 'never seen by a scan or the watch',
  }
  const whyNot = ignored === undefined ? parts.source(source)?.whyNot(path) : undefined
  return {
    source,
    path: showPath(path),
    file,
    reason: whyNot === undefined ? reasons[file] : `${file === 'present' ? `${reasons.present}; ` : ''}${whyNot}`,
    size: record?.size ?? null,
    sha256: record?.sha256 ?? null,
    targets:
      record === undefined
        ? []
        : parts.config().targets.map(({ name }) => verdict(name, { source, path }, record, parts)),
  }
}

/** Some clouds write marks of their own into documents: accepted once, and said. */
function alteration(heldBytes: number, bytes: number): string {
  return heldBytes === bytes ? '' : `; the provider made ${heldBytes} bytes of ${bytes} as it came in`
}

function verdict(target: string, located: Located, record: FileRecord, parts: DeskParts): Verdict {
  const open = parts.journal.openOf(record.fileId).find((delivery) => delivery.target === target)
  const receipt = parts.journal.receiptsOf(record.fileId).get(target)
  const declared = parts.config().targets.find(({ name }) => name === target)
  const selected =
    declared === undefined ? undefined : selector(declared.select, parts.clock)({ ...located, ...record })
  const at = receipt === undefined ? null : showPath(receipt.path)
  const base = { target, attempts: open?.attempts ?? 0, nextTryMs: null, at }
  if (open !== undefined) return { ...base, ...openVerdict(open, `selected by ${selected?.rule ?? ''}`, parts) }
  if (receipt !== undefined && receipt.seq >= record.seq)
    return { ...base, state: 'delivered', reason: `sha256 ${receipt.sha256}${alteration(receipt.size, record.size)}` }
  if (!record.isPresent) return { ...base, state: 'not-selected', reason: 'the file is gone; nothing is owed' }
  if (selected?.takes === false) return { ...base, state: 'not-selected', reason: selected.rule }
  return { ...base, state: 'to-offer', reason: 'will be offered to this target' }
}

function openVerdict(
  open: OpenDelivery,
  rule: string,
  { clock, target }: DeskParts,
): Pick<Verdict, 'state' | 'reason' | 'nextTryMs'> {
  const nextTryMs = open.dueMs === null ? null : Math.max(0, open.dueMs - clock.wallMs())
  const lane = target(open.target)
  // What keeps the whole target keeps this file, too; a running one has the reason of another file.
  const isKept = lane !== undefined && lane.state !== 'running' && lane.reason !== null && open.reason === null
  const kept = isKept ? `; the target is ${lane.state}: ${lane.reason}` : ''
  return { state: open.state, reason: showPath(`${open.reason ?? rule}${kept}`), nextTryMs }
}

function history(parts: DeskParts, path: string | null, limit: number): readonly HistoryLine[] {
  const fileIds =
    path === null
      ? [null]
      : whySources(parts, path).flatMap(({ source, path: below }) => {
          const record = parts.journal.recordOf(source, below)
          return record === undefined ? [] : [record.fileId]
        })
  return fileIds
    .flatMap((fileId) => parts.journal.history(fileId, limit))
    .slice(0, limit)
    .map(({ atMs, path: at, ...line }) => ({
      ...line,
      at: new Date(atMs).toISOString(),
      path: at === null ? null : showPath(at),
    }))
}
