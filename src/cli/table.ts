/** Facts in columns, aligned by their width on the screen. */
import { harmless, padEnd, padStart, span, widthOf, type Line, type Span } from './spans.ts'
import type { Tone } from './terminal.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}
export type Cell = string | number | Span

const gap = '  '

/** Header and rows as lines; the last column is not padded, so that a long text there wraps by itself. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Line[] {
  const cells = rows.map((row) => row.map(toSpan))
  const widths = columns.map(({ title }, at) =>
    Math.max(widthOf(title), ...cells.map((row) => widthOf(row[at]?.text ?? ''))),
  )
  const header = columns.map(({ title }) => span(title, 'dim'))
  return [header, ...cells].map((row) => alignRow(row, columns, widths))
}

function toSpan(cell: Cell): Span {
  const { text, tone }: { text: string; tone: Tone } = typeof cell === 'object' ? cell : span(String(cell))
  return span(harmless(text), tone)
}

function alignRow(row: readonly Span[], columns: readonly Column[], widths: readonly number[]): Line {
  return columns.flatMap((column, at) => {
    const { text, tone } = row[at] ?? span('')
    const isLast = at === columns.length - 1
    const width = widths[at] ?? 0
    const padded = column.align === 'right' ? padStart(text, width) : isLast ? text : padEnd(text, width)
    return isLast ? [span(padded, tone)] : [span(padded, tone), span(gap)]
  })
}
