/** The daemon: one state directory, one lock, one journal, and everything assembled on them. Starts, answers when idle, drains. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { asError, errnoOf, OwnerError } from '../base/errors.ts'
import type { Config } from '../config/config.ts'
import { serveDesk, type Desk } from '../control/control.ts'
import { JournalFull, openJournal, type Journal } from '../journal/journal.ts'
import { selector, type Lane, type Pipeline } from '../pipeline/pipeline.ts'
import type { Log } from '../base/log.ts'
import { traceStages } from '../stage/stage.ts'
import { Tasks } from '../base/tasks.ts'
import type { Source } from '../source/source.ts'
import { assemble, type Assembly, type DaemonOptions } from './assemble.ts'
import { openDesk as deskOf, type DeskParts, type LiveTarget } from './desk.ts'
import { takeLock } from './lock.ts'
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
}

/** What is under way may take this long to finish when the daemon is asked to stop. Unit: ms. */
const stopGraceMs = 20_000
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
    const { journal, damagedFile } = openJournal(join(config.state, 'journal.sqlite'), clock, {
      allowsNetwork: config.stateOnNetwork === 'allow',
    })
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
  journal.damage.then(fail, fail)
  const disk = new StateDisk({
    ...{ folder: config.state, journal, pipeline, sources, clock: options.clock, log: options.log('journal') },
  })
  const desk = deskOf({ ...deskParts(config, journal, options, assembly), journalState: () => disk.state() })
  const server = await serveDesk(desk, join(config.state, 'control.sock'), {
    clock: options.clock,
    log: options.log('control'),
  })
  assembly.start()
  disk.start()
  return {
    desk,
    failed,
    idle: (signal) => untilIdle(assembly, options, signal),
    async stop() {
      const room = options.clock.after(roomGraceMs, () => journal.endWaiting())
      await disk.stop()
      await assembly.stop(stopGraceMs)
      room.clear()
      await server.close()
      state.release()
      endTraces()
    },
  }
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
  const lane = pipeline?.lanes.find((candidate) => candidate.name === name)
  if (lane === undefined) return undefined
  return {
    name,
    ...stateOf(lane),
    bytesSent: lane.bytesSent,
    sending: lane.sending,
    offer: () => lane.offer(),
    nudge: () => lane.nudge(),
  }
}

function stateOf({ state }: Lane): { readonly state: string; readonly reason: string | null } {
  return state.kind === 'paused' ? { state: state.state, reason: state.reason } : { state: state.kind, reason: null }
}

/** The desk of a daemon that does not run: answers from the journal, and what it changes is done at the next start. */
export function openDesk(config: Config, options: DaemonOptions): Promise<{ desk: Desk; close(): Promise<void> }> {
  const state = openState(config, options)
  for (const { name, kind, select, at } of config.targets)
    state.journal.declareTarget(name, kind, JSON.stringify([select, at]))
  return Promise.resolve({
    desk: deskOf(deskParts(config, state.journal, options, undefined)),
    close() {
      state.release()
      return Promise.resolve()
    },
  })
}
