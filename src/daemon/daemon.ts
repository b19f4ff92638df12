/** The daemon: one state directory, one lock, one journal, and everything assembled on them. Starts, answers when idle, drains. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { asError, errnoOf, OwnerError } from '../base/errors.ts'
import type { Config } from '../config/config.ts'
import { serveDesk, type Desk, type DeskServer } from '../control/control.ts'
import { JournalFull, openJournal, type Journal } from '../journal/journal.ts'
import { declarationOf, selector, type LaneSeat, type LaneState, type Pipeline } from '../pipeline/pipeline.ts'
import type { Log } from '../base/log.ts'
import { traceStages } from '../stage/stage.ts'
import { Tasks } from '../base/tasks.ts'
import type { Source } from '../source/source.ts'
import { Announcer } from './announcer.ts'
import { assemble, type Assembly, type DaemonOptions } from './assemble.ts'
import { openDesk as deskOf, type DeskParts, type LiveTarget } from './desk.ts'
import { takeLock } from './lock.ts'
import { openNotifier } from './notify.ts'
import { StateDisk } from './state-disk.ts'

export type { DaemonOptions } from './assemble.ts'

export interface Daemon {
  readonly desk: Desk
  /** Resolves when every source is scanned and every lane has done what it can. */
  idle(signal: AbortSignal): Promise<void>
  /** Drains: no new work, what is under way finishes or is kept for later, everything is on disk. */
  stop(): Promise<void>
  /** Rejects when the daemon cannot go on. */
  readonly failed: Promise<never>
  /** What the service manager is told; whoever reloads says so here. */
  readonly announcer: Pick<Announcer, 'reloading' | 'reloaded'>
}

/** How often somebody who waits for idleness looks. Unit: ms. */
const idleLookMs = 25
/** A state disk that is full when the daemon has to end is waited for as long as this: what is not recorded then is looked at again by the next start. Unit: ms. */
const roomGraceMs = 2_000
/** Between two tries to open a journal whose disk is full. Unit: ms. */
const openAgainMs = 2_000

/** The locked state directory with its journal. */
interface State {
  readonly journal: Journal
  release(): void
}

function openState(config: Config, { log, clock }: DaemonOptions): State {
  makeStateFolder(config.state)
  const lock = takeLock(join(config.state, 'fanfold.lock'))
  try {
    const { journal, damagedFile } = openJournal(join(config.state, 'journal.sqlite'), clock)
    journal.declareNode(config.node.id)
    for (const { name } of config.sources) journal.declareSource(name)
    if (damagedFile !== undefined) {
      const detail = `the journal was damaged and is kept as ${damagedFile}; it is being rebuilt from the sources and from what the targets hold`
      log('journal').error('journal damaged', { reason: detail })
      journal.note({ source: null, event: 'journal-damaged', detail })
    }
    return {
      journal,
      release() {
        journal.close()
        lock.release()
      },
    }
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

function makeStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (thrown) {
    throw new OwnerError(
      `cannot make the state directory ${folder} (${errnoOf(thrown) ?? 'unknown reason'}): make it, or give another "state:"`,
      {
        cause: thrown,
      },
    )
  }
}

/** A full disk is no reason to end: it is said once, and tried until there is room. @throws the signal's reason when aborted before. */
async function openStatePatiently(config: Config, options: DaemonOptions, signal: AbortSignal): Promise<State> {
  for (let tries = 0; ; tries++) {
    try {
      return openState(config, options)
    } catch (thrown) {
      if (!(thrown instanceof JournalFull || isNoRoom(thrown))) throw thrown
      const reason = `${asError(thrown).message}; nothing can be recorded in ${config.state} until space is freed there, which is tried every ${openAgainMs / 1000} s`
      if (tries === 0) options.log('journal').error('state-disk-full', { reason })
    }
    await options.clock.sleep(openAgainMs, signal)
  }
}

function isNoRoom(thrown: unknown): boolean {
  const cause = thrown instanceof OwnerError ? thrown.cause : thrown
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(cause) ?? '')
}

/**
 * Starts everything and returns without waiting for scans or targets. While the state disk is full it waits for room, until `signal`.
 * @throws OwnerError when the state directory is in use or cannot be used.
 */
export async function startDaemon(config: Config, options: DaemonOptions, signal: AbortSignal): Promise<Daemon> {
  const state = await openStatePatiently(config, options, signal)
  const endTraces = traced(options.log('stage'))
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_resolve, reject) => (fail = reject))
  // Whoever waits on it is told; that nobody waits yet is no reason to end the process.
  failed.catch(() => {})
  const assembly = assemble(config, state.journal, options, (error) => fail(error))
  const { pipeline, sources } = assembly
  const { journal } = state
  const disk = new StateDisk({
    ...{ folder: config.state, journal, pipeline, sources, clock: options.clock, log: options.log('journal') },
  })
  const desk = deskOf({ ...deskParts(config, journal, options, assembly), journalState: () => disk.state() })
  const server = await served(desk, config, options).catch((thrown: unknown) => {
    state.release()
    throw thrown
  })
  await assembly.start()
  disk.start()
  const announcer = announcerOf(desk, journal, assembly, options)
  announcer.start()
  return {
    desk,
    failed,
    announcer,
    idle: (signal) => untilIdle(assembly, options, signal),
    async stop() {
      const room = options.clock.after(roomGraceMs, () => journal.endWaiting())
      await announcer.stopping()
      await disk.stop()
      await assembly.stop()
      room.clear()
      await server.close()
      await announcer.close()
      state.release()
      endTraces()
    },
  }
}

function served(desk: Desk, config: Config, { clock, log }: DaemonOptions): Promise<DeskServer> {
  return serveDesk(desk, join(config.state, 'control.sock'), { clock, log: log('control') })
}

function announcerOf(
  desk: Desk,
  journal: Journal,
  { sources }: Assembly,
  { clock, log, environment = {} }: DaemonOptions,
): Announcer {
  const told = { clock, log: log('notify') }
  const parts = {
    status: () => desk.status(),
    sources: () => sources.all.map((source) => source.state()),
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

function deskParts(
  config: Config,
  journal: Journal,
  { clock }: DaemonOptions,
  assembly: Assembly | undefined,
): DeskParts {
  return {
    config,
    journal,
    clock,
    selectors: new Map(config.targets.map(({ name, select }) => [name, selector(select, clock)])),
    target: (name) => liveTarget(assembly?.pipeline, name),
    journalState: () => ({ state: 'open', reason: null }),
    source: (name) => assembly?.sources.all.find((source) => source.name === name),
  }
}

function liveTarget(pipeline: Pipeline | undefined, name: string): LiveTarget | undefined {
  const seat = pipeline?.seat(name)
  if (seat === undefined) return undefined
  const { lane } = seat
  return {
    name,
    ...(lane === undefined ? betweenLives(seat) : shownState(lane.state)),
    bytesSent: seat.bytesSent,
    sending: lane?.sending ?? [],
    offer: () => lane?.offer(),
    nudge: () => lane?.nudge(),
  }
}

function betweenLives({ lastFailure }: LaneSeat): { readonly state: string; readonly reason: string | null } {
  return { state: 'restarting', reason: `failed and is started again: ${lastFailure ?? 'unknown reason'}` }
}

function shownState(state: LaneState): { readonly state: string; readonly reason: string | null } {
  switch (state.kind) {
    case 'opening':
      return { state: 'opening', reason: 'not reached yet' }
    case 'paused':
      return { state: state.pause, reason: state.reason }
    case 'held':
      return { state: 'held', reason: state.reason }
    case 'running':
    case 'stopped':
      return { state: state.kind, reason: null }
  }
}

/** The desk of a daemon that does not run: answers from the journal, and what it changes is done at the next start. */
export function openDesk(config: Config, options: DaemonOptions): Promise<{ desk: Desk; close(): Promise<void> }> {
  const state = openState(config, options)
  for (const target of config.targets) state.journal.declareTarget(target.name, declarationOf(target))
  return Promise.resolve({
    desk: deskOf(deskParts(config, state.journal, options, undefined)),
    close() {
      state.release()
      return Promise.resolve()
    },
  })
}
