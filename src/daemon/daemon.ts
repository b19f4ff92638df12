/** The daemon: one state directory, one lock, one journal, and everything assembled on them. Starts, answers when idle, reloads, drains. */
import { join } from 'node:path'
import { readConfig, type Config } from '../config/config.ts'
import { AskError, serveDesk, type Desk, type DeskServer, type Plan } from '../control/control.ts'
import type { Journal } from '../journal/journal.ts'
import { declarationOf } from '../pipeline/pipeline.ts'
import type { Log } from '../base/log.ts'
import { traceStages } from '../stage/stage.ts'
import { Tasks } from '../base/tasks.ts'
import type { Source } from '../source/source.ts'
import { Announcer } from './announcer.ts'
import { assemble, type Assembly } from './assemble.ts'
import type { DaemonOptions } from './options.ts'
import { openDesk as deskOf, type DeskParts } from './desk.ts'
import { liveTarget } from './live.ts'
import { Logins } from './logins.ts'
import { openNotifier } from './notify.ts'
import { planOf } from './plan.ts'
import { Reloader } from './reload.ts'
import { openState, openStatePatiently, type State } from './state.ts'
import { StateDisk } from './state-disk.ts'

export type { DaemonOptions } from './options.ts'

export interface Daemon {
  readonly desk: Desk
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
}

/** What is under way ends while it can still be asked about, and before the journal does. */
async function end({ state, endTraces, assembly, server, announcer }: Opened): Promise<void> {
  await assembly?.stop()
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
    announce: { reloading: () => announcer.reloading(), reloaded: () => announcer.reloaded() },
  })
  const desk = deskOf(liveParts(reloader, opened.state, options, assembly, disk))
  const announcer = (opened.announcer = announcerOf(desk, { journal, reloader }, assembly, options))
  opened.server = await served(desk, config, options)
  await assembly.start()
  disk.start()
  announcer.start()
  return {
    desk,
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

function served(desk: Desk, config: Config, { clock, log }: DaemonOptions): Promise<DeskServer> {
  return serveDesk(desk, join(config.state, 'control.sock'), { clock, log: log('control') })
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
  { pipeline, sources, logins }: Assembly,
  disk: StateDisk,
): DeskParts {
  return {
    config: () => reloader.config,
    configProblem: () => reloader.problem,
    journal,
    instance,
    clock,
    target: (name) => liveTarget(pipeline, name),
    journalState: () => disk.state(),
    source: (name) => sources.all.find((source) => source.name === name),
    approve: (source) => pipeline.approve(source),
    reload: () => reloader.reload(),
    logins,
    plan: (signal) => {
      const bytesPerSecond = (name: string): number | undefined => pipeline.seat(name)?.bytesPerSecond
      return planOf(readConfig(reloader.config.file), { journal, clock, bytesPerSecond }, signal)
    },
  }
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
    approve: (source) => journal.approve(source),
    reload: notRunning,
    plan: notRunning,
    logins,
  })
  return {
    desk,
    async close() {
      await logins.close()
      state.release()
    },
  }
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
