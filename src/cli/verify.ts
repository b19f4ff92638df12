/** `fanfold verify`: whether the copies are really there, and as they were delivered; and what `resync --dry-run` makes of the same answer. */
import { showBytes } from '../base/units.ts'
import type { VerifyDifference, VerifyEvent, VerifyRequest, VerifyTally } from '../control/control.ts'
import { withDesk, type OpenDesk } from './desk-access.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { interruptible } from './interrupt.ts'
import { LiveScreen } from './live-screen.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import { table } from './table.ts'
import { systemTerminal, type Terminal, type Tone } from './terminal.ts'

export interface VerifyFlags extends FactFlags {
  readonly source?: string
  readonly path?: string
  readonly download?: boolean
  readonly repair?: boolean
}

export async function verify(targets: readonly string[], flags: VerifyFlags): Promise<ExitCode> {
  const config = await configOf(flags)
  const terminal = systemTerminal()
  const { source = null, path: glob = null, download = false, repair = false } = flags
  const request = { targets, source, glob, download, repair }
  return interruptible(({ signal }) =>
    withDesk(config, signal, async (open) => {
      const ends =
        flags.json === true
          ? await printed(open, request, terminal, signal)
          : await shown(open, request, terminal, signal)
      if (isEmpty(request, ends)) {
        terminal.remark(`fanfold: nothing was compared: ${scopeOf(request)}; is it spelled as below its source?`)
        return exitCode.failed
      }
      if (!repair && ends.some(isRepairable))
        terminal.remark('fanfold: --repair sends again what is missing or different, and moves back what was renamed')
      if (repair && !open.isRunning && ends.some((end) => end.kind === 'done' && end.tally.repaired > 0))
        terminal.remark('fanfold: no daemon is running; what is owed again is sent once it is started')
      return ends.every(isClean) ? exitCode.done : exitCode.failed
    }),
  )
}

type End = Extract<VerifyEvent, { kind: 'done' | 'failed' }>

function isEnd(event: VerifyEvent): event is End {
  return event.kind === 'done' || event.kind === 'failed'
}

function isClean(end: End): boolean {
  if (end.kind === 'failed') return false
  const { missing, different, renamed, extra } = end.tally.counts
  return missing + different + renamed + extra === 0
}

function isRepairable(end: End): boolean {
  if (end.kind === 'failed') return false
  const { missing, different, renamed } = end.tally.counts
  return missing + different + renamed > 0
}

/** A glob with a slip in it would otherwise find every copy well. */
function isEmpty({ source, glob }: VerifyRequest, ends: readonly End[]): boolean {
  if (source === null && glob === null) return false
  return ends.every((end) => end.kind === 'done' && end.tally.checked + end.tally.owed === 0)
}

function scopeOf({ source, glob }: VerifyRequest): string {
  const files = source === null ? 'no file' : `no file of ${harmless(source)}`
  return glob === null ? `${files} is at a target` : `${files} at a target matches "${harmless(glob)}"`
}

/** One JSON value a line, as they come. */
async function printed(
  open: OpenDesk,
  request: VerifyRequest,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<End[]> {
  const ends: End[] = []
  for await (const event of open.desk.verify(request, signal)) {
    terminal.print(JSON.stringify(event))
    if (isEnd(event)) ends.push(event)
  }
  return ends
}

async function shown(open: OpenDesk, request: VerifyRequest, terminal: Terminal, signal: AbortSignal): Promise<End[]> {
  const told = (line: Line): string => renderLine(line, Infinity, terminal.hasColour)
  const ends = await followed(open, request, terminal, signal, (event, above) => {
    if (event.kind === 'difference') above(`${told(differenceLine(event.target, event.difference))}\n`)
  })
  for (const line of tallyTable(ends, request.repair)) terminal.print(told(line))
  for (const end of ends)
    if (end.kind === 'failed') terminal.remark(`fanfold: ${end.target} was not compared: ${harmless(end.reason)}`)
  return ends
}

/** Shows how far it is on a terminal. */
async function followed(
  open: OpenDesk,
  request: VerifyRequest,
  terminal: Terminal,
  signal: AbortSignal,
  onEvent: (event: VerifyEvent, above: (text: string) => void) => void,
): Promise<End[]> {
  const screen = terminal.isLive ? new LiveScreen(terminal, () => undefined) : undefined
  const above = (text: string): void => (screen === undefined ? terminal.write(text) : screen.above(text))
  const ends: End[] = []
  try {
    for await (const event of open.desk.verify(request, signal)) {
      onEvent(event, above)
      if (event.kind === 'progress') screen?.draw([progressText(event)])
      if (isEnd(event)) ends.push(event)
    }
    screen?.draw([])
  } finally {
    screen?.close()
  }
  return ends
}

function progressText({ target, phase, done }: Extract<VerifyEvent, { kind: 'progress' }>): string {
  return `${harmless(target)}: ${done} ${phase === 'listing' ? 'entries listed' : 'copies compared'}`
}

const tones: Readonly<Record<VerifyDifference['kind'], Tone>> = {
  missing: 'bad',
  different: 'bad',
  renamed: 'warn',
  extra: 'warn',
  altered: 'dim',
}
/** So that paths stand below each other. */
const kindWidth = 'different'.length

function differenceLine(target: string, { kind, source, path, at, detail }: VerifyDifference): Line {
  const file = source === null || path === null ? '' : ` (${source}: ${path})`
  return [
    span(kind.padEnd(kindWidth), tones[kind]),
    span(`  ${harmless(target)}: ${harmless(at)}${harmless(file)}`),
    span(`  ${harmless(detail)}`, 'dim'),
  ]
}

/** What counts nothing anywhere is left out beside these, so that the table fits on a screen. */
const alwaysShown = 6

function tallyTable(ends: readonly End[], isRepair: boolean): Line[] {
  const titles = [
    'TARGET',
    'COMPARED',
    'MISSING',
    'DIFFERENT',
    'RENAMED',
    'EXTRA',
    'ALTERED',
    'ON THEIR WAY',
    'OWED AGAIN',
  ]
  const rows = ends.flatMap((end) => (end.kind === 'done' ? [[end.target, ...cellsOf(end.tally)]] : []))
  if (rows.length === 0) return []
  const isShown = (at: number): boolean =>
    at < alwaysShown || (isRepair && at === titles.length - 1) || rows.some((row) => row[at] !== 0)
  const columns = titles.map((title, at) => (at === 0 ? { title } : { title, align: 'right' as const }))
  return table(
    columns.filter((_column, at) => isShown(at)),
    rows.map((row) => row.filter((_cell, at) => isShown(at))),
  )
}

function cellsOf({ checked, counts, owed, repaired }: VerifyTally): number[] {
  const { missing, different, renamed, extra, altered } = counts
  return [checked, missing, different, renamed, extra, altered, owed, repaired]
}

/** What a resync would send to one target. */
interface WouldSend {
  files: number
  bytes: number
}

/** @returns false where a target could not be asked. */
export async function dryRun(
  open: OpenDesk,
  request: Omit<VerifyRequest, 'repair'>,
  terminal: Terminal,
  { isJson, signal }: { readonly isJson: boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  const sums = new Map<string, WouldSend>()
  const ends = await followed(open, { ...request, repair: false }, terminal, signal, (event) => {
    if (event.kind !== 'difference' || !['missing', 'different', 'renamed'].includes(event.difference.kind)) return
    const sum = sums.get(event.target) ?? { files: 0, bytes: 0 }
    sums.set(event.target, { files: sum.files + 1, bytes: sum.bytes + event.difference.size })
  })
  const rows = ends.flatMap((end) => {
    if (end.kind === 'failed') return []
    const { files, bytes } = sums.get(end.target) ?? { files: 0, bytes: 0 }
    return [{ target: end.target, files, bytes, owedFiles: end.tally.owed, owedBytes: end.tally.owedBytes }]
  })
  if (isJson) terminal.print(JSON.stringify({ wouldSend: rows }, null, 2))
  else for (const line of wouldSendTable(rows)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
  for (const end of ends)
    if (end.kind === 'failed') terminal.remark(`fanfold: ${end.target} was not compared: ${harmless(end.reason)}`)
  return ends.every(({ kind }) => kind === 'done')
}

function wouldSendTable(
  rows: readonly (WouldSend & { target: string; owedFiles: number; owedBytes: number })[],
): Line[] {
  if (rows.length === 0) return []
  const columns = ['TARGET', 'WOULD SEND', 'BYTES', 'OWED ANYWAY', 'BYTES']
  return table(
    columns.map((title, at) => (at === 0 ? { title } : { title, align: 'right' })),
    rows.map(({ target, files, bytes, owedFiles, owedBytes }) => [
      target,
      files,
      showBytes(bytes),
      owedFiles,
      showBytes(owedBytes),
    ]),
  )
}
