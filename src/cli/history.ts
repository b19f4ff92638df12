/** `fanfold history`: what happened, newest last, to one path or to all. */
import type { HistoryLine } from '../control/control.ts'
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal, type Tone } from './terminal.ts'
import { pathMeant } from './why.ts'

export interface HistoryFlags extends FactFlags {
  readonly limit: number
}

export async function history(path: string | undefined, flags: HistoryFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk }) => {
      const lines = await desk.history(path === undefined ? null : pathMeant(path), flags.limit, signal)
      if (flags.json === true) terminal.print(JSON.stringify(lines, null, 2))
      else if (lines.length === 0) terminal.print(nothing(path))
      else for (const line of historyLines(lines)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
      return exitCode.done
    }),
  )
}

function nothing(path: string | undefined): string {
  if (path === undefined) return 'nothing happened yet'
  return `nothing is known of ${harmless(path)}: it was never seen, or so long ago that it is forgotten; "fanfold why" says where it is looked for`
}

export function historyLines(lines: readonly HistoryLine[]): Line[] {
  const columns = [
    { title: 'TIME' },
    { title: 'EVENT' },
    { title: 'SOURCE' },
    { title: 'PATH' },
    { title: 'TARGET' },
    { title: 'DETAIL' },
  ]
  const inOrder = [...lines].sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))
  return table(
    columns,
    inOrder.map((line) => [
      line.at,
      span(line.event, toneOf(line.event)),
      line.source ?? '-',
      line.path ?? '-',
      line.target ?? '-',
      line.detail,
    ]),
  )
}

function toneOf(event: string): Tone {
  if (event === 'delivered') return 'good'
  return event === 'parked' || event === 'overflow' ? 'bad' : 'plain'
}
