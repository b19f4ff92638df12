/** `fanfold status`: what is watched, what is owed, and whether all is well. */
import { systemClock } from '../base/clock.ts'
import { showBytes, showDuration } from '../base/units.ts'
import type { Status } from '../control/control.ts'
import { withDesk, type OpenDesk } from './desk-access.ts'
import { StatusDisplay } from './display.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { healthLine, laneTone, sourceTone } from './frame.ts'
import { interruptible } from './interrupt.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal, type Terminal } from './terminal.ts'

export interface StatusFlags extends FactFlags {
  readonly watch?: boolean
}

export async function status(flags: StatusFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, (open) =>
      flags.watch === true ? watchStatus(open, terminal, flags, signal) : printStatus(open, terminal, flags, signal),
    ),
  )
}

async function printStatus(
  open: OpenDesk,
  terminal: Terminal,
  flags: StatusFlags,
  signal: AbortSignal,
): Promise<ExitCode> {
  const now = await open.desk.status(signal)
  if (flags.json === true) terminal.print(JSON.stringify({ ...now, running: open.isRunning }, null, 2))
  else
    for (const line of statusLines(now, open.isRunning)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
  return now.healthy ? exitCode.done : exitCode.failed
}

async function watchStatus(
  open: OpenDesk,
  terminal: Terminal,
  flags: StatusFlags,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (flags.json === true) {
    for await (const now of open.desk.watch(signal)) terminal.print(JSON.stringify({ ...now, running: open.isRunning }))
    return signal.aborted ? exitCode.done : exitCode.failed
  }
  const head = open.isRunning ? [] : ['Fanfold is not running']
  const display = new StatusDisplay(terminal, systemClock, { head, foot: ['Ctrl-C ends'] })
  try {
    for await (const now of open.desk.watch(signal)) display.show(now)
  } finally {
    display.close()
  }
  if (signal.aborted) return exitCode.done
  terminal.remark('fanfold: the daemon ended')
  return exitCode.failed
}

/** The status as tables; reasons stand below them, whole, since their end says what to do. */
export function statusLines(now: Status, isRunning: boolean): Line[] {
  // A login that is needed already is told by its target.
  const ending = now.accounts.filter(({ state }) => state === 'ends-soon' || state === 'ends-today')
  const journal = { name: now.journal.state, reason: now.journal.reason }
  const remarks = [journal, ...now.sources, ...now.targets, ...ending].flatMap(({ name, reason }): Line[] =>
    reason === null ? [] : [[span(`${harmless(name)}: `, 'bold'), span(harmless(withoutName(name, reason)), 'warn')]],
  )
  return [
    ...(isRunning ? [] : [[span('not running', 'bad'), span(' · start it with "fanfold run"', 'dim')]]),
    healthLine(now),
    [],
    ...sourceTable(now),
    [],
    ...targetTable(now),
    ...(remarks.length > 0 ? [[], ...remarks] : []),
  ]
}

/** A target's errors begin with its name, since they also stand alone. */
function withoutName(name: string, reason: string): string {
  return reason.startsWith(`${name}: `) ? reason.slice(name.length + 2) : reason
}

function sourceTable(now: Status): Line[] {
  const columns = [
    { title: 'SOURCE' },
    { title: 'STATE' },
    { title: 'FILES', align: 'right' },
    { title: 'FOLDERS', align: 'right' },
    { title: 'SETTLING', align: 'right' },
  ] as const
  return table(
    columns,
    now.sources.map((source) => [
      source.name,
      span(source.state, sourceTone(source.state)),
      source.files,
      source.watched,
      source.settling,
    ]),
  )
}

function targetTable(now: Status): Line[] {
  const columns = [
    { title: 'TARGET' },
    { title: 'KIND' },
    { title: 'STATE' },
    { title: 'DELIVERED', align: 'right' },
    { title: 'WAITING', align: 'right' },
    { title: 'ACTIVE', align: 'right' },
    { title: 'PARKED', align: 'right' },
    { title: 'BYTES', align: 'right' },
    { title: 'OLDEST', align: 'right' },
  ] as const
  return table(
    columns,
    now.targets.map((lane) => [
      lane.name,
      lane.kind,
      span(lane.state, laneTone(lane.state)),
      lane.delivered,
      lane.waiting,
      lane.active,
      lane.parked,
      showBytes(lane.bytesWaiting),
      lane.oldestMs === null ? '-' : showDuration(lane.oldestMs),
    ]),
  )
}
