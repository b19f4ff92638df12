/** Text measured in columns of the screen: cut, padded, wrapped, and lines made of pieces in different tones. */
import stringWidth from 'string-width'
import { showPath } from '../base/path.ts'
import { paint, type Tone } from './terminal.ts'

export interface Span {
  readonly text: string
  readonly tone: Tone
}
export type Line = readonly Span[]

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone }
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Text from outside (names, reasons) without control characters, which would otherwise steer the terminal. */
export function harmless(text: string): string {
  return showPath(text).replace(/[\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

export function widthOf(text: string): number {
  return stringWidth(text)
}

/** At most `columns` wide; what is cut off at the end shows as "…". */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  return columns < 1
    ? ''
    : `${takeColumns(
        [...graphemes.segment(text)].map(({ segment }) => segment),
        columns - 1,
      )}…`
}

/** As `fit`, but keeps the end: of a path that is the part that tells files apart. */
export function fitEnd(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  if (columns < 1) return ''
  const backwards = [...graphemes.segment(text)].map(({ segment }) => segment).reverse()
  return `…${takeColumns(backwards, columns - 1, 'before')}`
}

function takeColumns(pieces: readonly string[], columns: number, put: 'after' | 'before' = 'after'): string {
  let taken = ''
  let used = 0
  for (const piece of pieces) {
    used += widthOf(piece)
    if (used > columns) break
    taken = put === 'after' ? taken + piece : piece + taken
  }
  return taken
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text
}

/** Lines of at most `columns`, broken at spaces, else between characters; the last of `linesMax` is cut. */
export function wrap(text: string, columns: number, linesMax: number): string[] {
  const lines: string[] = []
  let rest = text.trim()
  while (rest !== '' && lines.length < linesMax - 1 && widthOf(rest) > columns) {
    const length = lineLength(rest, columns)
    lines.push(rest.slice(0, length).trimEnd())
    rest = rest.slice(length).trimStart()
  }
  return rest === '' ? lines : [...lines, fit(rest, columns)]
}

/** How much of a text that is too wide goes on one line; at least one character, so that wrapping ends. */
function lineLength(text: string, columns: number): number {
  const pieces = [...graphemes.segment(text)].map(({ segment }) => segment)
  const whole = takeColumns(pieces, columns) || (pieces[0] ?? '')
  if (text[whole.length] === ' ') return whole.length
  const space = whole.lastIndexOf(' ')
  return space > 0 ? space : whole.length
}

/** The line on a screen so wide, cut at its edge. */
export function renderLine(line: Line, columns: number, hasColour: boolean): string {
  let left = columns
  let text = ''
  for (const piece of line) {
    if (left <= 0) break
    const fitted = fit(piece.text, left)
    text += paint(fitted, piece.tone, hasColour)
    left -= widthOf(fitted)
  }
  return text
}

/** A bar of exactly `columns`: full only when all is done, empty only when nothing is. */
export function bar(done: number, total: number, columns: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total))
  const least = share > 0 ? 1 : 0
  const most = share < 1 ? columns - 1 : columns
  const full = Math.max(Math.min(Math.round(share * columns), most), Math.min(least, most))
  return '█'.repeat(full) + '░'.repeat(columns - full)
}

/** Whole percent, 100 only when all is done. */
export function percent(done: number, total: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total))
  return `${share < 1 ? Math.min(99, Math.floor(share * 100)) : 100}%`
}
