/** `fanfold plan`: what the configuration file would change at the targets, before it does. */
import { systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { showBytes, showDuration } from '../base/units.ts'
import type { Config } from '../config/config.ts'
import type { Amount, Plan } from '../control/control.ts'
import { openLogs, socketOf } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal } from './terminal.ts'

export async function plan(flags: FactFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  return interruptible(async ({ signal }) => {
    const found = await planOf(config, signal)
    if (flags.json === true) terminal.print(JSON.stringify(found, null, 2))
    else for (const line of planLines(found)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
    return exitCode.done
  })
}

/** From the running daemon, which has the journal; else from the journal itself, in which nothing is changed. */
async function planOf(config: Config, signal: AbortSignal): Promise<Plan> {
  const { connect, NotRunning } = await import('../control/client.ts')
  try {
    return await (await connect(socketOf(config), signal)).plan(signal)
  } catch (thrown) {
    if (!(thrown instanceof NotRunning)) throw thrown
  }
  const { planWithoutDaemon } = await import('../daemon/daemon.ts')
  return planWithoutDaemon(config, { log: openLogs().of, clock: systemClock, random: systemRandom }, signal)
}

export function planLines({ targets, removedTargets, newSources, removedSources }: Plan): Line[] {
  const columns = [
    { title: 'TARGET' },
    { title: 'ENTER', align: 'right' },
    { title: 'BYTES', align: 'right' },
    { title: 'LEAVE (KEPT)', align: 'right' },
    { title: 'MOVE', align: 'right' },
    { title: 'TIME', align: 'right' },
    { title: '' },
  ] as const
  const rows = targets.map(({ name, enter, leave, move, durationMs, isNew, isElsewhere }) => [
    name,
    enter.files,
    showBytes(enter.bytes),
    leave.files,
    move.files,
    timeOf(enter, durationMs),
    isNew ? 'new' : isElsewhere ? 'stands somewhere else: what it has there already is not sent' : '',
  ])
  const remarks = [
    ...removedTargets.map(
      (name) => `target ${name} leaves; its copies stay, and what it is owed is kept for a week, should it come back`,
    ),
    ...removedSources.map((name) => `source ${name} leaves; its copies stay`),
    ...newSources.map((name) => `source ${name} was not scanned yet; its files are not counted here`),
  ]
  return [
    ...table(columns, rows),
    ...(remarks.length > 0 ? [[]] : []),
    ...remarks.map((text) => [span(harmless(text))]),
  ]
}

function timeOf({ files }: Amount, durationMs: number | null): string {
  if (files === 0) return '-'
  return durationMs === null ? 'unknown' : showDuration(durationMs)
}
