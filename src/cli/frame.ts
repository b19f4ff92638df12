/** One picture of the status: sources above, a block per lane below. Pure: lines out of facts and a size. */
import { showBytes, showDuration } from '../base/units.ts'
import type { SourceStatus, Status, TargetStatus } from '../control/control.ts'
import type { Speed } from './rates.ts'
import {
  bar,
  fit,
  fitEnd,
  harmless,
  padEnd,
  padStart,
  percent,
  renderLine,
  span,
  widthOf,
  wrap,
  type Line,
} from './spans.ts'
import type { Tone } from './terminal.ts'

export interface View {
  /** Lines above and below the picture. */
  readonly head: readonly string[]
  readonly foot: readonly string[]
  readonly status: Status
  readonly speedOf: (target: string) => Speed
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** What is being sent now and what failed, of each so many per lane; more would push other lanes off the screen. */
const copiesShownMax = 3
/** A reason names its next step at its end, so it is wrapped rather than cut. */
const reasonLinesMax = 3
const nameWidthMax = 24
const barWidthMax = 40
/** Below this a bar says nothing. */
const barWidthMin = 8
const sendingBarWidth = 10
/** On a narrower screen the path needs the bar's place. */
const sendingBarColumnsMin = 60
const separator = ' · '

/** The picture, at most `rows - 1` lines (the cursor stands on the last one) of at most `columns`. */
export function frameOf(view: View, size: Size, hasColour: boolean): string[] {
  const room = Math.max(1, size.rows - 1)
  let lines = picture(view, size.columns, copiesShownMax)
  // Where the screen is too low, single copies give way first.
  for (let shown = copiesShownMax - 1; shown >= 0 && lines.length > room; shown--)
    lines = picture(view, size.columns, shown)
  if (lines.length > room)
    lines = [...lines.slice(0, room - 1), [span(`… ${lines.length - room + 1} more lines`, 'dim')]]
  return lines.map((line) => renderLine(line, size.columns, hasColour))
}

function picture(view: View, columns: number, copiesMax: number): Line[] {
  const { sources, targets } = view.status
  const nameWidth = Math.min(nameWidthMax, longest([...sources, ...targets].map(({ name }) => name)))
  const stateWidth = longest([...sources, ...targets].map(({ state }) => state))
  const countWidth = longest(targets.map((lane) => countWords(lane)))
  const widths = { columns, nameWidth, stateWidth, countWidth }
  return [
    ...view.head.map((text): Line => [span(text, 'bold')]),
    healthLine(view.status),
    ...reasonLines(view.status.journal.reason, columns),
    [],
    ...sources.flatMap((source) => sourceLines(source, widths)),
    ...targets.flatMap((target): Line[] => [[], ...laneLines(target, view.speedOf(target.name), widths, copiesMax)]),
    ...accountLines(view.status.accounts, columns),
    ...(view.foot.length > 0 ? [[]] : []),
    ...view.foot.map((text): Line => [span(text)]),
  ]
}

interface Widths {
  readonly columns: number
  readonly nameWidth: number
  readonly stateWidth: number
  /** Of all lanes, so that their bars are of one length. */
  readonly countWidth: number
}

export function healthLine(status: Status): Line {
  const health = status.healthy ? span('healthy', 'good') : span('not healthy', 'bad')
  return [
    health,
    span(` · oldest undelivered change: ${status.oldestMs === null ? 'none' : showDuration(status.oldestMs)}`, 'dim'),
  ]
}

function accountLines(accounts: Status['accounts'], columns: number): Line[] {
  if (accounts.length === 0) return []
  const nameWidth = Math.min(nameWidthMax, longest(accounts.map(({ name }) => name)))
  return [
    [],
    ...accounts.flatMap((account) => [
      [
        span(padEnd(fit(harmless(account.name), nameWidth), nameWidth), 'bold'),
        span('  '),
        span(harmless(account.state), account.state === 'logged-in' ? 'good' : 'warn'),
        span(`  ${harmless(account.user === null ? account.kind : `${account.kind} · ${account.user}`)}`, 'dim'),
      ],
      ...reasonLines(account.reason, columns),
    ]),
  ]
}

function sourceLines(source: SourceStatus, widths: Widths): Line[] {
  const facts = [counted(source.files, 'file'), counted(source.watched, 'folder')]
  if (source.settling > 0) facts.push(`${source.settling} settling`)
  return [
    [...heading(source, widths, sourceTone(source.state)), span(`  ${facts.join(separator)}`, 'dim')],
    ...reasonLines(source.reason, widths.columns),
  ]
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function laneLines(lane: TargetStatus, speed: Speed, widths: Widths, copiesMax: number): Line[] {
  const failed = lane.failed.slice(0, copiesMax)
  // A lane that works has the reason of one of these.
  const reason = failed.some((copy) => copy.reason === lane.reason) ? null : lane.reason
  return [
    [...heading(lane, widths, laneTone(lane.state)), ...progress(lane, widths)],
    ...joinFacts(laneFacts(lane, speed), widths.columns - 2).map((text): Line => [span('  '), span(text, 'dim')]),
    ...lane.sending.slice(0, copiesMax).map((copy) => sendingLine(copy, widths.columns)),
    ...reasonLines(reason, widths.columns),
    ...failed.flatMap((copy) => failedLines(copy, widths.columns)),
  ]
}

function heading(entry: { name: string; state: string }, widths: Widths, tone: Tone): Line {
  const name = fit(harmless(entry.name), widths.nameWidth)
  return [
    span(padEnd(name, widths.nameWidth), 'bold'),
    span('  '),
    span(padEnd(harmless(entry.state), widths.stateWidth), tone),
  ]
}

function progress(lane: TargetStatus, widths: Widths): Line {
  const total = totalOf(lane)
  const words = countWords(lane)
  const room = widths.columns - widths.nameWidth - widths.stateWidth - 5 - widths.countWidth
  const line: Line = [span('  '), span(words)]
  return room < barWidthMin
    ? line
    : [
        span('  '),
        span(bar(lane.delivered, Math.max(1, total), Math.min(barWidthMax, room)), 'accent'),
        span(' '),
        span(words),
      ]
}

function countWords(lane: TargetStatus): string {
  return `${padStart(lanePercent(lane), 4)}  ${lane.delivered}/${totalOf(lane)}`
}

/** A lane that knows of no file yet is not 100 % done. */
function lanePercent(lane: TargetStatus): string {
  return totalOf(lane) === 0 ? '-' : percent(lane.delivered, totalOf(lane))
}

export function totalOf(lane: TargetStatus): number {
  return lane.delivered + lane.waiting + lane.active + lane.parked
}

function laneFacts(lane: TargetStatus, speed: Speed): string[] {
  const facts = [`${speed.filesPerSecond.toFixed(1)} files/s`, `${showBytes(speed.bytesPerSecond)}/s`]
  if (lane.active > 0) facts.push(`${lane.active} active`)
  if (lane.waiting > 0) facts.push(`${lane.waiting} waiting (${showBytes(lane.bytesWaiting)})`)
  const leftMs = leftMsOf(lane, speed)
  if (leftMs !== undefined) facts.push(`done in ${showDuration(leftMs)}`)
  if (lane.parked > 0) facts.push(`${lane.parked} parked`)
  if (lane.listing !== null) facts.push(`listing: ${lane.listing} entries`)
  if (lane.offering > 0) facts.push(`${lane.offering} to offer`)
  if (typeof lane.requests?.most === 'number')
    facts.push(`${lane.requests.requests} of ${lane.requests.most} requests this month`)
  if (lane.oldestMs !== null) facts.push(`oldest ${showDuration(lane.oldestMs)}`)
  if (lane.altered > 0) facts.push(`${lane.altered} altered by the provider`)
  if (lane.verified !== null) facts.push(`verified ${lane.verified.at.slice(0, 10)}`)
  return facts
}

/** What is left, at the speed of now; undefined where nothing is, or nothing moves. Unit: ms. */
function leftMsOf(lane: TargetStatus, { filesPerSecond, bytesPerSecond }: Speed): number | undefined {
  const files = lane.waiting + lane.active
  if (files === 0 || filesPerSecond === 0) return undefined
  const byBytes = bytesPerSecond === 0 ? 0 : lane.bytesWaiting / bytesPerSecond
  return Math.ceil(Math.max(files / filesPerSecond, byBytes)) * 1000
}

/** Facts in as few lines as they fit, never broken inside one. */
function joinFacts(facts: readonly string[], columns: number): string[] {
  const lines: string[] = []
  for (const fact of facts) {
    const longer = `${lines.at(-1) ?? ''}${separator}${fact}`
    if (lines.length > 0 && widthOf(longer) <= columns) lines[lines.length - 1] = longer
    else lines.push(fact)
  }
  return lines
}

function sendingLine(copy: TargetStatus['sending'][number], columns: number): Line {
  const amount = `${padStart(percent(copy.bytesDone, copy.size), 4)} of ${showBytes(copy.size)}`
  const picture = columns < sendingBarColumnsMin ? '' : ` ${bar(copy.bytesDone, copy.size, sendingBarWidth)}`
  const end = `${picture} ${amount}`
  const room = Math.max(1, columns - 4 - widthOf(end))
  return [span('  > ', 'accent'), span(fitEnd(harmless(copy.path), room)), span(end, 'dim')]
}

/** The reason below its path, since it names its next step at its end. */
function failedLines({ path, reason, nextTryMs }: TargetStatus['failed'][number], columns: number): Line[] {
  const end = nextTryMs === null ? ' parked' : ` again in ${showDuration(nextTryMs)}`
  const room = Math.max(1, columns - 4 - widthOf(end))
  const lines = wrap(harmless(reason), Math.max(10, columns - 6), reasonLinesMax)
  return [
    [span('  ! ', 'warn'), span(fitEnd(harmless(path), room)), span(end, 'dim')],
    ...lines.map((text): Line => [span('      '), span(text, 'warn')]),
  ]
}

function reasonLines(reason: string | null, columns: number): Line[] {
  if (reason === null) return []
  const lines = wrap(harmless(reason), Math.max(10, columns - 4), reasonLinesMax)
  return lines.map((text, at) => [span(at === 0 ? '  ! ' : '    ', 'warn'), span(text, 'warn')])
}

export function sourceTone(state: string): Tone {
  if (state === 'watching' || state === 'polling') return 'good'
  return state === 'missing' || state === 'stopped' ? 'bad' : 'warn'
}

export function laneTone(state: string): Tone {
  if (state === 'running') return 'good'
  return ['missing', 'full', 'read-only', 'stopped'].includes(state) ? 'bad' : 'warn'
}

function longest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => widthOf(harmless(text))))
}

/** The same facts in one line, for logs and pipes. @param at ISO 8601. */
export function plainLine(status: Status, speedOf: (target: string) => Speed, at: string): string {
  const lanes = status.targets.map((lane) => {
    const speed = speedOf(lane.name)
    const counts = `${lane.delivered}/${totalOf(lane)} (${lanePercent(lane)})`
    const reason = lane.reason === null ? '' : ` (${harmless(lane.reason)})`
    return `${harmless(lane.name)} ${harmless(lane.state)} ${counts} ${speed.filesPerSecond.toFixed(1)} files/s ${showBytes(speed.bytesPerSecond)}/s${reason}`
  })
  const health = status.healthy ? 'healthy' : 'not healthy'
  return [
    `${at} ${health}, oldest ${status.oldestMs === null ? 'none' : showDuration(status.oldestMs)}`,
    ...(status.journal.reason === null ? [] : [`${status.journal.state} (${harmless(status.journal.reason)})`]),
    ...lanes,
  ].join(' | ')
}
