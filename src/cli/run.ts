/** `fanfold run`: the daemon in the foreground, until it is asked to stop or, with --until-idle, until nothing more can be done. */
import { systemClock } from '../base/clock.ts'
import { asError, OwnerError } from '../base/errors.ts'
import { forbidCoreDumps } from '../base/libc.ts'
import type { Log } from '../base/log.ts'
import { systemRandom } from '../base/random.ts'
import { Tasks } from '../base/tasks.ts'
import type { Config } from '../config/config.ts'
import type { PageAccess } from '../control/control.ts'
import type { Daemon } from '../daemon/daemon.ts'
import { openLogs, socketOf, statusesOf } from './desk-access.ts'
import { shownLog, StatusDisplay } from './display.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type ConfigFlags } from './flags.ts'
import { interruptible, type Interrupt } from './interrupt.ts'
import { owedLines, owedOf } from './owed.ts'
import { renderLine } from './spans.ts'
import { systemTerminal, type Terminal } from './terminal.ts'

export interface RunFlags extends ConfigFlags {
  readonly untilIdle?: boolean
}

export async function run(flags: RunFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  if (flags.untilIdle !== true) return serve(config, terminal)
  if (!terminal.isLive) return serve(config, terminal, { untilIdle: true })
  const display = new StatusDisplay(terminal, systemClock, { head: [`Fanfold · ${config.file}`] })
  return serve(config, terminal, { untilIdle: true, display })
}

export interface ServeOptions {
  readonly untilIdle?: boolean
  /** Shows people what goes on; warnings and errors then stand above it, in words, instead of a log. */
  readonly display?: StatusDisplay
  /** Told where the status page is, once the daemon runs. */
  readonly onPage?: (access: PageAccess) => void
}

/** Runs the daemon in this process. Answers when it has stopped in order. */
export async function serve(config: Config, terminal: Terminal, options: ServeOptions = {}): Promise<ExitCode> {
  const { display } = options
  const logs = display === undefined ? openLogs() : { of: shownLog(display), close: () => {} }
  const log = logs.of
  // With a terminal, a hang-up means that it was closed; a service is asked by it to reload.
  const endings = terminal.isLive ? (['SIGINT', 'SIGTERM', 'SIGHUP'] as const) : undefined
  try {
    return await interruptible((interrupt) => serveUntil(interrupt, config, terminal, { ...options, log }), endings)
  } finally {
    display?.close()
    logs.close()
  }
}

async function serveUntil(
  interrupt: Interrupt,
  config: Config,
  terminal: Terminal,
  options: ServeOptions & { readonly log: (room: string) => Log },
): Promise<ExitCode> {
  const { startDaemon } = await import('../daemon/daemon.ts')
  forbidCoreDumps()
  const hangups = terminal.isLive ? undefined : listenForHangups()
  const startedAt = new Date(systemClock.wallMs()).toISOString()
  const parts = { log: options.log, clock: systemClock, random: systemRandom, environment: process.env }
  const daemon = await startDaemon(config, parts, interrupt.signal).catch((thrown: unknown) => {
    // Asked to stop while it still waited for room on the state disk: there is nothing to drain.
    if (interrupt.signal.aborted) return undefined
    throw thrown
  })
  if (daemon === undefined) return exitCode.done
  const log = options.log('cli')
  const drawing = new Tasks((_, error) => log.error('display failed', { error: error.message }))
  drawing.run('display', (signal) => draw(daemon, options.display, signal))
  hangups?.answer(() => drawing.run('reload', () => reloaded(daemon)))
  let failure: Error | undefined
  try {
    if (options.display === undefined) terminal.print(readyLine(config))
    options.onPage?.(daemon.page())
    const end = await waitForEnd(daemon, interrupt, options)
    log.info('draining', { reason: end })
  } catch (thrown) {
    failure = asError(thrown)
    log.error('the daemon failed', { error: failure.stack ?? failure.message })
  }
  const code =
    failure === undefined && options.untilIdle === true
      ? concludeIdle(daemon, interrupt, terminal, options, startedAt)
      : exitCode.done
  hangups?.answer(() => {})
  await drawing.stop()
  await daemon.stop()
  hangups?.close()
  log.info('stopped')
  return failure === undefined ? code : exitCode.failed
}

/** A refused file is in the log and in the status already; the daemon goes on with the one before. */
async function reloaded(daemon: Daemon): Promise<void> {
  await daemon.desk.reload().catch((thrown: unknown) => {
    if (!(thrown instanceof OwnerError)) throw thrown
  })
}

interface Hangups {
  /** From now on this answers a SIGHUP. */
  answer(work: () => void): void
  close(): void
}

/** By itself a SIGHUP would end the process. One that comes while the daemon starts, from a file read already, is answered afterwards. */
function listenForHangups(): Hangups {
  let isEarly = false
  let answer = (): void => void (isEarly = true)
  const listener = (): void => answer()
  process.on('SIGHUP', listener)
  return {
    answer(work) {
      answer = work
      if (isEarly) work()
      isEarly = false
    },
    close: () => process.off('SIGHUP', listener),
  }
}

function readyLine(config: Config): string {
  const count = (entries: readonly unknown[], word: string): string =>
    `${entries.length} ${word}${entries.length === 1 ? '' : 's'}`
  return `READY ${count(config.sources, 'source')}, ${count(config.targets, 'target')}, control socket ${socketOf(config)}`
}

/** Why it ends. @throws when the daemon fails. */
async function waitForEnd(daemon: Daemon, interrupt: Interrupt, options: ServeOptions): Promise<string> {
  const ends: Promise<string>[] = [interrupt.asked, daemon.failed]
  if (options.untilIdle === true) ends.push(untilIdle(daemon, interrupt.signal))
  return Promise.race(ends)
}

async function untilIdle(daemon: Daemon, signal: AbortSignal): Promise<string> {
  try {
    await daemon.idle(signal)
    return 'idle'
  } catch (thrown) {
    // The interrupt ends this wait as well, and is the reason then.
    if (signal.aborted) return 'interrupted'
    throw thrown
  }
}

async function draw(daemon: Daemon, display: StatusDisplay | undefined, signal: AbortSignal): Promise<void> {
  if (display === undefined) return
  for await (const status of statusesOf(daemon.desk, systemClock, signal)) display.show(status)
}

/** Says what is still open, while the desk still answers. */
function concludeIdle(
  daemon: Daemon,
  interrupt: Interrupt,
  terminal: Terminal,
  options: ServeOptions,
  startedAt: string,
): ExitCode {
  options.display?.show(daemon.desk.status())
  options.display?.close()
  const owed = owedOf(daemon.desk, startedAt)
  for (const line of owedLines(owed)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
  return owed.length > 0 || interrupt.signal.aborted ? exitCode.failed : exitCode.done
}
