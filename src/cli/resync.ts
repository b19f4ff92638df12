/** `fanfold resync`: offers files to targets again; only what is missing or different there is sent. */
import { systemClock } from '../base/clock.ts'
import type { Resynced, Status, TargetStatus } from '../control/control.ts'
import { withDesk, type OpenDesk } from './desk-access.ts'
import { StatusDisplay } from './display.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { harmless, renderLine } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal, type Terminal } from './terminal.ts'
import { dryRun } from './verify.ts'

export interface ResyncFlags extends FactFlags {
  readonly source?: string
  readonly path?: string
  readonly verify?: boolean
  readonly wait?: boolean
  readonly dryRun?: boolean
}

/** States that no waiting ends: somebody has to do something first. */
const stuckStates = ['missing', 'full', 'read-only', 'stopped', 'needs-login']

export async function resync(targets: readonly string[], flags: ResyncFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async (open) => {
      const request = { targets, source: flags.source ?? null, glob: flags.path ?? null, verify: flags.verify ?? false }
      if (flags.dryRun === true) {
        const { targets: names, source, glob, verify: download } = request
        const isWhole = await dryRun(open, { targets: names, source, glob, download }, terminal, {
          isJson: flags.json === true,
          signal,
        })
        return isWhole ? exitCode.done : exitCode.failed
      }
      const answer = await open.desk.resync(request, signal)
      printOffered(answer, terminal, flags)
      if (!open.isRunning)
        terminal.remark(
          'fanfold: no daemon is running; what is missing or different is found and sent once "fanfold run" is started' +
            (flags.wait === true ? ', and nothing can be waited for until then' : ''),
        )
      if (flags.wait !== true) return exitCode.done
      return open.isRunning ? waitFor(answer, open, terminal, signal) : exitCode.failed
    }),
  )
}

function printOffered(answer: Resynced, terminal: Terminal, flags: ResyncFlags): void {
  if (flags.json === true) return terminal.print(JSON.stringify(answer, null, 2))
  const columns = [{ title: 'TARGET' }, { title: 'FILES OFFERED', align: 'right' }] as const
  const rows = answer.offered.map(({ target, files }) => [target, files])
  for (const line of table(columns, rows)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
}

async function waitFor(answer: Resynced, open: OpenDesk, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const offered = new Map(answer.offered.map(({ target, files }) => [target, files]))
  // Standard output carries the answer, so that --json stays one document: progress is shown on a terminal only.
  const display = terminal.isLive
    ? new StatusDisplay(terminal, systemClock, { head: ['resync'], foot: waitingFoot })
    : undefined
  let last: Status | undefined
  try {
    for await (const now of open.desk.watch(signal)) {
      last = onlyTargets(now, offered)
      display?.show(resyncOf(last, offered))
      if (last.targets.every((lane) => isRested(lane) || stuckStates.includes(lane.state))) break
    }
  } finally {
    display?.close()
  }
  return conclude(last, terminal, signal)
}

const waitingFoot = ['Ctrl-C stops the waiting; the resync goes on']

function conclude(last: Status | undefined, terminal: Terminal, signal: AbortSignal): ExitCode {
  const open = last?.targets.filter((lane) => !isRested(lane) || lane.parked > 0) ?? []
  if (last !== undefined && open.length === 0) return exitCode.done
  const why = signal.aborted ? 'no longer waiting; the resync goes on' : 'the resync is not complete'
  terminal.remark(`fanfold: ${why}`)
  for (const lane of open)
    terminal.remark(
      `  ${lane.name} (${lane.state}): ${lane.offering} to offer, ${lane.waiting + lane.active} owed, ${lane.parked} parked${lane.reason === null ? '' : `; ${harmless(lane.reason)}`}`,
    )
  return exitCode.failed
}

function isRested(lane: TargetStatus): boolean {
  return lane.offering === 0 && lane.waiting === 0 && lane.active === 0
}

function onlyTargets(now: Status, offered: ReadonlyMap<string, number>): Status {
  return { ...now, targets: now.targets.filter(({ name }) => offered.has(name)) }
}

/** Counts what was offered instead of what was ever delivered: a bar that begins at nothing, and a rate of files that were looked at. */
export function resyncOf(now: Status, offered: ReadonlyMap<string, number>): Status {
  const targets = now.targets.map((lane): TargetStatus => {
    const waiting = lane.waiting + lane.offering
    const left = waiting + lane.active + lane.parked
    return { ...lane, waiting, offering: 0, delivered: Math.max(0, (offered.get(lane.name) ?? 0) - left) }
  })
  return { ...now, targets }
}
