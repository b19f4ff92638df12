/** How a command reaches the desk: the running daemon's where one runs, else the journal itself, opened for this one command. */
import { join } from 'node:path'
import { systemClock, type Clock } from '../base/clock.ts'
import { openLog, standardErrorLines, type Log } from '../base/log.ts'
import { logForm } from '../base/log-form.ts'
import { LogLimit } from '../base/log-limit.ts'
import { systemRandom } from '../base/random.ts'
import { OwnerError } from '../base/errors.ts'
import type { Config } from '../config/config.ts'
import type { DeskClient } from '../control/client.ts'
import type { Desk, Status } from '../control/control.ts'

export interface OpenDesk {
  readonly desk: DeskClient
  readonly isRunning: boolean
  close(): Promise<void>
}

/** As often as a daemon sends its status. Unit: ms. */
const lookMs = 500

export function socketOf(config: Config): string {
  return join(config.state, 'control.sock')
}

export interface Logs {
  readonly of: (room: string) => Log
  /** Tells what was left out of them so far. */
  close(): void
}

/** Logs of all rooms on standard error, in the form that its reader wants. */
export function openLogs(): Logs {
  const to = standardErrorLines()
  const limit = new LogLimit(systemClock)
  const form = logForm(process.env)
  return {
    of: (room) => limit.around(room, openLog(room, to, process.env['FANFOLD_DEBUG'], form)),
    close: () => limit.close(),
  }
}

/** Work with the running daemon's desk. Where none runs, or the daemon ends in the middle, this process does it by its own means. */
export async function byDaemonElse<T>(
  config: Config,
  signal: AbortSignal,
  work: (desk: DeskClient) => T | Promise<T>,
  own: () => Promise<T>,
): Promise<T> {
  const { connect, NotRunning } = await import('../control/client.ts')
  try {
    return await work(await connect(socketOf(config), signal))
  } catch (thrown) {
    if (!(thrown instanceof NotRunning)) throw thrown
  }
  return own()
}

/** The daemon's desk, or where none runs the journal's. @throws what `connect` and `openDesk` throw. */
export function reachDesk(config: Config, signal: AbortSignal): Promise<OpenDesk> {
  const open = (desk: DeskClient): OpenDesk => ({ desk, isRunning: true, close: () => Promise.resolve() })
  return byDaemonElse(config, signal, open, () => openOwnDesk(config))
}

async function openOwnDesk(config: Config): Promise<OpenDesk> {
  const { openDesk } = await import('../daemon/daemon.ts')
  const opened = await openDesk(config, { log: openLogs().of, clock: systemClock, random: systemRandom })
  return { desk: localDesk(opened.desk, systemClock), isRunning: false, close: () => opened.close() }
}

/** A desk of this process in the form of a distant one. */
export function localDesk(desk: Desk, clock: Clock): DeskClient {
  const answer = <T>(look: () => T | Promise<T>): Promise<T> => Promise.resolve().then(look)
  return {
    status: () => answer(() => desk.status()),
    watch: (signal) => statusesOf(desk, clock, signal),
    resync: (request) => answer(() => desk.resync(request)),
    retry: (targets) => answer(() => desk.retry(targets)),
    why: (path) => answer(() => desk.why(path)),
    history: (path, limit) => answer(() => desk.history(path, limit)),
    parked: (target, limit) => answer(() => desk.parked(target, limit)),
    page: () => Promise.reject(new OwnerError('no daemon is running: its page is there while it runs')),
    hold: (targets) => answer(() => desk.hold(targets)),
    resume: (targets) => answer(() => desk.resume(targets)),
    takeOver: (targets) => answer(() => desk.takeOver(targets)),
    approve: (source) => answer(() => desk.approve(source)),
    reload: () => answer(() => desk.reload()),
    plan: (signal) => answer(() => desk.plan(signal)),
    verify: (request, signal) => desk.verify(request, signal),
    login: (asked, signal) => desk.login(asked, signal),
    answerLogin: (ticket, text, signal) => desk.answerLogin(ticket, text, signal),
    checkLogin: (account, signal) => desk.checkLogin(account, signal),
    logout: (account, signal) => desk.logout(account, signal),
    restorable: (wish, signal) => desk.restorable(wish, signal),
    readCopy: (copy, start, signal) => desk.readCopy(copy, start, signal),
  }
}

/** A status now and every 500 ms until the signal is aborted. */
export async function* statusesOf(desk: Desk, clock: Clock, signal: AbortSignal): AsyncGenerator<Status> {
  while (!signal.aborted) {
    yield desk.status()
    try {
      await clock.sleep(lookMs, signal)
    } catch {
      // Only the abort ends a sleep early, and that is how this ends.
      return
    }
  }
}

/** Opens the desk for `work` and closes it again, whatever comes of it. */
export async function withDesk<T>(
  config: Config,
  signal: AbortSignal,
  work: (open: OpenDesk) => Promise<T>,
): Promise<T> {
  const open = await reachDesk(config, signal)
  try {
    return await work(open)
  } finally {
    await open.close()
  }
}
