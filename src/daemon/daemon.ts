/** The daemon: one state directory, one lock, one journal, and everything assembled on them. Starts, answers when idle, reloads, drains. */
import { join } from 'node:path'
import { readConfig, type Config } from '../config/config.ts'
import {
  AskError,
  serveDesk,
  type Approved,
  type Desk,
  type DeskServer,
  type PageAccess,
  type Plan,
} from '../control/control.ts'
import type { Journal } from '../journal/journal.ts'
import { declarationOf } from '../pipeline/pipeline.ts'
import type { Log } from '../base/log.ts'
import { traceStages } from '../stage/stage.ts'
import { Tasks } from '../base/tasks.ts'
import { notMounted, type Source } from '../source/source.ts'
import type { ReadableTarget } from '../target/target.ts'
import { Announcer } from './announcer.ts'
import { Audit } from './audit.ts'
import { assemble, type Assembly } from './assemble.ts'
import type { DaemonOptions } from './options.ts'
import { openDesk as deskOf, type DeskParts } from './desk.ts'
import { factsOf, type FactsParts } from './facts.ts'
import { liveTarget } from './live.ts'
import { Logins } from './logins.ts'
import { openNotifier } from './notify.ts'
import { Notices } from '../notice/notice.ts'
import { Page } from '../page/page.ts'
import { planOf } from './plan.ts'
import { Reloader } from './reload.ts'
import { restoreDesk } from './restoring.ts'
import { Spaces } from './spaces.ts'
import { openState, openStatePatiently, type State } from './state.ts'
import { shelvesWith } from './shelves.ts'
import { StateDisk } from './state-disk.ts'
import { verifyTargets, type VerifyParts } from './verify.ts'

export type { DaemonOptions } from './options.ts'

export interface Daemon {
  readonly desk: Desk
  /** Where the status page is. */
  page(): PageAccess
  /** Resolves when every source is scanned and every lane has done what it can. */
  idle(signal: AbortSignal): Promise<void>
  /** Drains: no new work, what is under way finishes or is kept for later, everything is on disk. */
  stop(): Promise<void>
  /** Rejects when the daemon cannot go on. */
  readonly failed: Promise<never>
}

/** How often somebody who waits for idleness looks. Unit: ms. */
const idleLookMs = 25
/** A state disk that is full when the daemon has to end is waited for as long as this: what is not recorded then is looked at again by the next start. Unit: ms. */
const roomGraceMs = 2_000

/**
 * Starts everything and returns without waiting for scans or targets. While the state disk is full it waits for room, until `signal`.
 * @throws OwnerError when the state directory is in use or cannot be used. Nothing is left behind then.
 */
export async function startDaemon(config: Config, options: DaemonOptions, signal: AbortSignal): Promise<Daemon> {
  const opened: Opened = {}
  try {
    return await started(config, options, opened, signal)
  } catch (thrown) {
    await end(opened)
    throw thrown
  }
}

/** What has to be closed again, so far. */
interface Opened {
  state?: State
  endTraces?: () => void
  assembly?: Assembly
  server?: DeskServer
  announcer?: Announcer
  audit?: Audit
  spaces?: Spaces
  page?: Page
  notices?: Notices
}

/** What is under way ends while it can still be asked about, and before the journal does. */
async function end(opened: Opened): Promise<void> {
  const { state, endTraces, assembly, server, announcer, audit, spaces, page, notices } = opened
  await audit?.stop()
  await notices?.close()
  await assembly?.stop()
  await spaces?.close()
  await page?.close()
  await server?.close()
  await announcer?.close()
  state?.release()
  endTraces?.()
}

async function started(config: Config, options: DaemonOptions, opened: Opened, signal: AbortSignal): Promise<Daemon> {
  const { journal } = (opened.state = await openStatePatiently(config, options, signal))
  opened.endTraces = traced(options.log('stage'))
  const failing = failure()
  journal.damage.then(failing.fail, failing.fail)
  const assembly = (opened.assembly = await assemble(config, opened.state, options, failing.fail))
  const disk = stateDiskOf(config, journal, assembly, options)
  const reloader: Reloader = new Reloader(config, {
    log: options.log('config'),
    apply: (step) => assembly.apply(step),
    note: (event, detail) => journal.note({ source: null, event, detail }),
    follow: async ({ status, notify }) => {
      await page.change(status)
      await notices.change(notify)
    },
    announce: { reloading: () => announcer.reloading(), reloaded: () => announcer.reloaded() },
  })
  const spaces = (opened.spaces = spacesOf(assembly, options))
  const desk = deskOf(liveParts(reloader, opened.state, options, assembly, { disk, spaces }))
  const page: Page = (opened.page = pageOf({ desk, journal, assembly, spaces }, config, options))
  assembly.onAttempt.add((attempt) => page.attempted(attempt))
  const announcer = (opened.announcer = announcerOf(desk, { journal, reloader }, assembly, options))
  const notices: Notices = (opened.notices = noticesOf(desk, journal, assembly, config, options))
  opened.server = await served(desk, page, config, options)
  await page.change(config.status)
  await assembly.start()
  disk.start()
  opened.audit = auditOf(reloader, journal, options, assembly)
  opened.audit.start()
  announcer.start()
  await notices.change(config.notify)
  return {
    desk,
    page: () => page.access(),
    failed: failing.failed,
    idle: (until) => untilIdle(assembly, options, until),
    async stop() {
      const room = options.clock.after(roomGraceMs, () => journal.endWaiting())
      await announcer.stopping()
      await disk.stop()
      await end(opened)
      room.clear()
    },
  }
}

/** A way to say that the daemon cannot go on. */
function failure(): { readonly failed: Promise<never>; readonly fail: (error: Error) => void } {
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_resolve, reject) => (fail = reject))
  // Whoever waits on it is told; that nobody waits yet is no reason to end the process.
  failed.catch(() => {})
  return { failed, fail: (error) => fail(error) }
}

function stateDiskOf(
  { state: folder }: Config,
  journal: Journal,
  assembly: Assembly,
  options: DaemonOptions,
): StateDisk {
  const { pipeline, sources } = assembly
  return new StateDisk({ folder, journal, pipeline, sources, clock: options.clock, log: options.log('journal') })
}

function served(desk: Desk, page: Page, config: Config, { clock, log }: DaemonOptions): Promise<DeskServer> {
  const parts = { clock, log: log('control'), page: () => page.access() }
  return serveDesk(desk, join(config.state, 'control.sock'), parts)
}

function spacesOf({ pipeline }: Assembly, { clock, log }: DaemonOptions): Spaces {
  const targets = (): Map<string, ReadableTarget> =>
    new Map(pipeline.seats.flatMap(({ name, reading }) => (reading === undefined ? [] : [[name, reading]])))
  return new Spaces({ targets, clock, log: log('target') })
}

function pageOf(
  { spaces, ...parts }: Pick<FactsParts, 'desk' | 'journal' | 'assembly'> & { readonly spaces: Spaces },
  { state }: Config,
  { clock, log }: DaemonOptions,
): Page {
  const journalFile = join(state, 'journal.sqlite')
  return new Page({
    desk: parts.desk,
    tokenFile: join(state, 'page-token'),
    facts: () => factsOf({ ...parts, journalFile }),
    onLook: () => spaces.look(),
    clock,
    log: log('page'),
  })
}

function announcerOf(
  desk: Desk,
  { journal, reloader }: { readonly journal: Journal; readonly reloader: Reloader },
  { sources }: Assembly,
  { clock, log, environment = {} }: DaemonOptions,
): Announcer {
  const told = { clock, log: log('notify') }
  const parts = {
    status: () => desk.status(),
    sources: () => sources.all.map((source) => source.state()),
    isConfigRefused: () => reloader.problem !== null,
    isWatchAnswering: () => sources.isAnswering,
    journalAnswers: () => journal.answers(),
  }
  return new Announcer(openNotifier(environment, told), parts, told)
}

function noticesOf(
  desk: Desk,
  journal: Journal,
  { sources }: Assembly,
  config: Config,
  { clock, log }: DaemonOptions,
): Notices {
  return new Notices({
    status: () => desk.status(),
    isAnswering: async () => {
      await journal.answers()
      return sources.isAnswering
    },
    node: config.node.id,
    file: join(config.state, 'told.json'),
    http: config.http,
    note: (event, detail) => journal.note({ source: null, event, detail }),
    clock,
    log: log('notice'),
  })
}

/** Writes what the stages do to their log, if anybody reads it. */
function traced(log: Log): () => void {
  return log.hasDebug ? traceStages(({ kind, ...fields }) => log.debug(kind, fields)) : () => {}
}

/** A source whose folder is missing or doubted is waited for by nobody: its first scan may be days away. */
async function untilIdle(
  { sources, pipeline }: Assembly,
  { clock }: DaemonOptions,
  signal: AbortSignal,
): Promise<void> {
  const scanned = new Set<Source>()
  const scans = new Tasks(() => {})
  for (const source of sources.all) {
    scans.run('first scan', async () => {
      await source.firstScan
      scanned.add(source)
    })
  }
  const isThrough = (source: Source): boolean =>
    source.isIdle() && (scanned.has(source) || ['missing', 'suspect'].includes(source.state().state))
  while (!(sources.all.every(isThrough) && pipeline.isIdle)) await clock.sleep(idleLookMs, signal)
}

function liveParts(
  reloader: Reloader,
  { journal, instance }: State,
  { clock }: DaemonOptions,
  { pipeline, sources, logins, shelves }: Assembly,
  { disk, spaces }: { readonly disk: StateDisk; readonly spaces: Spaces },
): DeskParts {
  return {
    config: () => reloader.config,
    configProblem: () => reloader.problem,
    journal,
    instance,
    clock,
    target: (name) => liveTarget(pipeline, name, (target) => spaces.of(target)),
    journalState: () => disk.state(),
    source: (name) => sources.all.find((source) => source.name === name),
    approve: (name) => {
      const mounts = sources.all.find((source) => source.name === name)?.approve() ?? []
      return { mounts, copies: pipeline.approve(name) }
    },
    reload: () => reloader.reload(),
    logins,
    verify: (request, signal) =>
      verifyTargets(request, verifyPartsOf({ reloader, journal, clock, pipeline, shelves }), signal),
    restore: restoreDesk({
      config: () => reloader.config,
      shelves,
      journal,
      clock,
      target: (name) => liveTarget(pipeline, name, (target) => spaces.of(target)),
    }),
    plan: (signal) => {
      const bytesPerSecond = (name: string): number | undefined => pipeline.seat(name)?.bytesPerSecond
      return planOf(readConfig(reloader.config.file), { journal, clock, bytesPerSecond }, signal)
    },
  }
}

function verifyPartsOf({
  reloader,
  journal,
  clock,
  pipeline,
  shelves,
}: Pick<Assembly, 'pipeline' | 'shelves'> &
  Pick<DaemonOptions, 'clock'> & { readonly reloader: Reloader; readonly journal: Journal }): VerifyParts {
  const onOwed = (target: string): void => pipeline.seat(target)?.lane?.nudge()
  return { config: () => reloader.config, journal, clock, shelves, onOwed }
}

function auditOf(
  reloader: Reloader,
  journal: Journal,
  { clock, log }: DaemonOptions,
  { pipeline, shelves }: Assembly,
): Audit {
  const isReady = (target: string): boolean => pipeline.seat(target)?.reading !== undefined
  return new Audit({
    ...verifyPartsOf({ reloader, journal, clock, pipeline, shelves }),
    log: log('audit'),
    isReady,
  })
}

/** The desk of a daemon that does not run: answers from the journal, and what it changes is done at the next start. */
export async function openDesk(
  config: Config,
  options: DaemonOptions,
): Promise<{ desk: Desk; close(): Promise<void> }> {
  const state = openState(config, options)
  const { journal } = state
  for (const target of config.targets) journal.declareTarget(target.name, declarationOf(target))
  journal.othersLeft()
  const logins = new Logins(config, options)
  // What cannot be read is told by its status.
  for (const account of config.accounts)
    await logins
      .account(account)
      .look()
      .catch(() => undefined)
  const { shelves, close: closeShelves } = shelvesWith(config, journal, options)
  const verifyParts = { config: () => config, journal, clock: options.clock, shelves, onOwed: () => undefined }
  const notRunning = (): Promise<never> => {
    return Promise.reject(new AskError('no daemon is running; the next start reads the configuration'))
  }
  const desk = deskOf({
    config: () => config,
    configProblem: () => null,
    journal,
    instance: state.instance,
    clock: options.clock,
    target: () => undefined,
    journalState: () => ({ state: 'open', reason: null }),
    source: () => undefined,
    approve: (source) => approvedUnseen(config, journal, source),
    reload: notRunning,
    plan: notRunning,
    verify: (request, signal) => verifyTargets(request, verifyParts, signal),
    restore: { restorable: nothingToRead, readCopy: notRunning },
    logins,
  })
  return {
    desk,
    async close() {
      await closeShelves()
      await logins.close()
      state.release()
    },
  }
}

/** Targets are reached by shelves of their own, see `openRestore`. */
function nothingToRead(): never {
  throw new AskError('no daemon is running')
}

/** No source runs that would know what is missing. */
function approvedUnseen(config: Config, journal: Journal, name: string): Pick<Approved, 'mounts' | 'copies'> {
  const root = config.sources.find((source) => source.name === name)?.path ?? ''
  const known = journal.mounts.of(name)
  const missing = notMounted(root, known)
  journal.mounts.keep(
    name,
    known.filter((mount) => !missing.includes(mount)),
  )
  return { mounts: missing.map(({ folder }) => join(root, folder)), copies: journal.approve(name) }
}

/** What the next start would do with this configuration, without a daemon. */
export async function planWithoutDaemon(config: Config, options: DaemonOptions, signal: AbortSignal): Promise<Plan> {
  const state = openState(config, options)
  try {
    const parts = { journal: state.journal, clock: options.clock, bytesPerSecond: () => undefined }
    return await planOf(config, parts, signal)
  } finally {
    state.release()
  }
}
