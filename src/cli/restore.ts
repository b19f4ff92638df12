/** `fanfold restore`: brings files back into a folder. This process writes them; a running daemon, where there is one, reads the targets. */
import { isAbsolute, relative, resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { showBytes } from '../base/units.ts'
import type { Config } from '../config/config.ts'
import type { RestoreDesk } from '../control/control.ts'
import { Destination, layout, Restoring, type Tally, type Wish } from '../restore/restore.ts'
import { byDaemonElse, openLogs } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { RestoreDisplay } from './restore-display.ts'
import { harmless, renderLine } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal, type Terminal } from './terminal.ts'

export interface RestoreFlags extends FactFlags {
  readonly to: string
  readonly source?: string
  readonly removed?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly bare?: boolean
}

/** Files that are named on a screen, and in JSON. */
const namedMax = 20
const namedInJsonMax = 1000

export async function restore(from: string, glob: string | undefined, flags: RestoreFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  const wish = wishOf(config, from, glob, flags)
  return interruptible(({ signal }) =>
    withRestore(config, signal, async (desk) => {
      const flat = wish.source ?? (config.sources.length === 1 ? config.sources[0]?.name : undefined)
      const restoring = new Restoring({
        destination: new Destination(resolve(flags.to)),
        read: (copy, start, given) => desk.readCopy(copy, start, given),
        placeOf: layout(flat),
        mayReplace: flags.force ?? false,
        isDryRun: flags.dryRun ?? false,
        clock: systemClock,
      })
      const isStopped = await shown(restoring, desk.restorable(wish, signal), { terminal, signal, flags })
      return told(restoring.tally, { terminal, flags, isStopped, glob: wish.glob })
    }),
  )
}

/** A path in a source, as a shell completes it, is the path below that source. */
function wishOf(config: Config, from: string, glob: string | undefined, flags: RestoreFlags): Wish {
  const common = { from, withRemoved: flags.removed ?? false, isBare: flags.bare ?? false }
  const below = config.sources.flatMap(({ name, path }) => {
    const inside = glob === undefined || !isAbsolute(glob) ? '' : relative(path, glob)
    return inside === '' || inside === '..' || inside.startsWith('../') ? [] : [{ source: name, glob: inside }]
  })[0]
  const source = flags.source ?? below?.source ?? null
  return { ...common, source, glob: (flags.source === undefined ? below?.glob : undefined) ?? glob ?? null }
}

/** The running daemon's way to the targets, or where none runs, one of this process. */
function withRestore<T>(config: Config, signal: AbortSignal, work: (desk: RestoreDesk) => Promise<T>): Promise<T> {
  return byDaemonElse(config, signal, work, () => withOwnRestore(config, work))
}

async function withOwnRestore<T>(config: Config, work: (desk: RestoreDesk) => Promise<T>): Promise<T> {
  const { openRestore } = await import('../daemon/restoring.ts')
  const logs = openLogs()
  const options = { log: logs.of, clock: systemClock, random: systemRandom, environment: process.env }
  const open = openRestore(config, options)
  try {
    return await work(open.desk)
  } finally {
    await open.close()
    logs.close()
  }
}

interface Showing {
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly flags: RestoreFlags
}

/** @returns whether it was asked to stop. */
async function shown(
  restoring: Restoring,
  items: ReturnType<RestoreDesk['restorable']>,
  { terminal, signal, flags }: Showing,
): Promise<boolean> {
  // Standard output carries the answer, so that --json stays one document: progress is shown on a terminal only.
  const isShown = terminal.isLive && flags.json !== true
  const display = isShown ? new RestoreDisplay(terminal, systemClock, () => restoring.tally) : undefined
  try {
    await restoring.run(items, signal)
    return false
  } catch (thrown) {
    if (!signal.aborted) throw thrown
    return true
  } finally {
    await display?.close()
  }
}

interface Telling {
  readonly terminal: Terminal
  readonly flags: RestoreFlags
  readonly isStopped: boolean
  readonly glob: string | null
}

function unmatched(glob: string | null): string {
  if (glob === null) return ''
  return `: nothing matches "${harmless(glob)}". A glob is held against paths below a source; --removed takes what is gone there, too`
}

function told(tally: Tally, { terminal, flags, isStopped, glob }: Telling): ExitCode {
  const { begin, restored, restoredBytes, alreadyThere, skipped, failed, skips, failures, troubles, from } = tally
  const isNothing = restored + alreadyThere + skipped + failed === 0
  const isDone = !isStopped && !isNothing && skipped + failed + troubles.length === 0
  const code = isDone ? exitCode.done : exitCode.failed
  if (flags.json === true) {
    const counts = { restored, restoredBytes, alreadyThere, skipped, failed }
    const lists = { skips: skips.slice(0, namedInJsonMax), failures: failures.slice(0, namedInJsonMax), troubles }
    const found = { withoutJournal: begin?.isBare ?? null, from: Object.fromEntries(from) }
    const answer = { dryRun: flags.dryRun ?? false, isComplete: isDone, ...counts, ...found, ...lists }
    terminal.print(JSON.stringify(answer, null, 2))
    return code
  }
  for (const line of summary(tally, flags)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
  remarks(tally, terminal)
  if (isNothing && troubles.length === 0 && !isStopped)
    terminal.remark(`fanfold: there is nothing there to restore${unmatched(glob)}`)
  if (isStopped) terminal.remark('fanfold: stopped; the same command goes on where it was')
  return code
}

function summary(tally: Tally, flags: RestoreFlags): ReturnType<typeof table> {
  const columns = [
    { title: 'FROM' },
    { title: flags.dryRun === true ? 'TO RESTORE' : 'RESTORED', align: 'right' },
    { title: 'BYTES', align: 'right' },
    { title: 'ALREADY THERE', align: 'right' },
    { title: 'SKIPPED', align: 'right' },
    { title: 'FAILED', align: 'right' },
  ] as const
  const { restored, restoredBytes, alreadyThere, skipped, failed, begin, from } = tally
  const names = from.size > 0 ? [...from.keys()] : (begin?.targets ?? [])
  return table(columns, [[names.join(', '), restored, showBytes(restoredBytes), alreadyThere, skipped, failed]])
}

function remarks({ begin, skips, failures, troubles, skipped, failed }: Tally, terminal: Terminal): void {
  if (begin?.isBare === true)
    terminal.remark('fanfold: no journal knows these copies; names and times are as the target has them')
  for (const trouble of troubles) terminal.remark(`fanfold: ${harmless(trouble)}`)
  const named = [...failures, ...skips].slice(0, namedMax)
  for (const line of reasonLines(named)) terminal.remark(harmless(line))
  const unnamed = skipped + failed - named.length
  if (unnamed > 0) terminal.remark(`  … and ${unnamed} more; --json names up to ${namedInJsonMax}`)
  if (failed > 0) terminal.remark('fanfold: not everything is back; the same command tries the rest again')
}

/** A reason that many files share stands once, above them. */
function reasonLines(named: Tally['failures']): readonly string[] {
  const byReason = new Map<string, string[]>()
  for (const { source, path, reason } of named) {
    const places = byReason.get(reason) ?? []
    places.push(source === null ? path : `${source}: ${path}`)
    byReason.set(reason, places)
  }
  return [...byReason].flatMap(([reason, [first = '', ...others]]) =>
    others.length === 0
      ? [`  ${first}: ${reason}`]
      : [`  ${reason}:`, ...[first, ...others].map((place) => `    ${place}`)],
  )
}
