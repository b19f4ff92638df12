/** `fanfold why PATH`: which targets have a file, which do not, and which rule or failure decided it. */
import { lstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { fsPath } from '../base/path.ts'
import { showBytes, showDuration } from '../base/units.ts'
import type { PathVerdict, Verdict } from '../control/control.ts'
import { withDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal, type Tone } from './terminal.ts'

export async function why(path: string, flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(({ signal }) =>
    withDesk(config, signal, async ({ desk }) => {
      const verdicts = await desk.why(pathMeant(path), signal)
      if (flags.json === true) terminal.print(JSON.stringify(verdicts, null, 2))
      else for (const line of whyLines(path, verdicts)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
      return verdicts.length > 0 ? exitCode.done : exitCode.failed
    }),
  )
}

/** A relative path that is there in the current folder is that file; any other is looked up below the sources. */
export function pathMeant(path: string): string {
  const absolute = resolve(path)
  return lstatSync(fsPath(absolute), { throwIfNoEntry: false }) === undefined ? path : absolute
}

export function whyLines(path: string, verdicts: readonly PathVerdict[]): Line[] {
  if (verdicts.length === 0) return [[span(`no source holds ${harmless(path)}`, 'warn')]]
  return verdicts.flatMap((verdict, at) => [...(at > 0 ? [[]] : []), ...verdictLines(verdict)])
}

function verdictLines(verdict: PathVerdict): Line[] {
  const facts = [verdict.file]
  if (verdict.size !== null) facts.push(showBytes(verdict.size))
  if (verdict.sha256 !== null) facts.push(`sha256 ${verdict.sha256}`)
  const columns = [{ title: 'TARGET' }, { title: 'STATE' }, { title: 'WHERE' }, { title: 'REASON' }]
  const rows = verdict.targets.map((lane) => [
    lane.target,
    span(lane.state, toneOf(lane.state)),
    lane.at ?? '-',
    reasonOf(lane),
  ])
  return [
    [span(`${harmless(verdict.source)}: ${harmless(verdict.path)}`, 'bold')],
    [span(`  ${facts.join(' · ')}`, 'dim')],
    ...(verdict.reason === '' ? [] : [[span(`  ${harmless(verdict.reason)}`)]]),
    ...(rows.length === 0 ? [] : table(columns, rows)),
  ]
}

function reasonOf(lane: Verdict): string {
  const tries = lane.attempts > 0 ? ` (attempts: ${lane.attempts})` : ''
  const next = lane.nextTryMs === null ? '' : `; next try in ${showDuration(Math.max(0, lane.nextTryMs))}`
  return `${lane.reason}${tries}${next}`
}

function toneOf(state: string): Tone {
  if (state === 'delivered') return 'good'
  if (state === 'parked') return 'bad'
  return state === 'not-selected' ? 'dim' : 'warn'
}
