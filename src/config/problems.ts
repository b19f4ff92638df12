/** What is wrong with a configuration: every problem with its place, and the error that carries them all. */
import { OwnerError } from '../base/errors.ts'
import { showPath } from '../base/path.ts'

/** Keys and list positions from the top of the file down to a value. */
export type Where = readonly (string | number)[]

export interface Problem {
  readonly file: string
  /** Both from 1. */
  readonly line: number
  readonly column: number
  /** The key in words, `targets[1].pace.concurrency`; empty for the file as a whole. */
  readonly key: string
  /** What was expected, what came, what to do. */
  readonly message: string
}

/** The configuration cannot be used; nothing was started. Its message lists every problem, one per line. */
export class ConfigError extends OwnerError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[], options?: { cause?: unknown }) {
    super(problems.map(showProblem).join('\n'), options)
    this.problems = problems
  }
}

/** One problem as compilers print theirs, so that editors can jump to it. */
export function showProblem(problem: Problem): string {
  const key = problem.key === '' ? '' : `${problem.key}: `
  return `${problem.file}:${problem.line}:${problem.column}: ${key}${problem.message}`
}

export function showKey(where: Where): string {
  return where.map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`)).join('')
}

/** What came, for people. */
export function showGot(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string')
    return `"${showPath(value.length > shownMax ? `${value.slice(0, shownMax)}…` : value)}"`
  if (typeof value === 'number') return `the bare number ${value}`
  if (typeof value === 'boolean') return String(value)
  return Array.isArray(value) ? 'a list' : 'a block of keys'
}
/** A longer value fills the line and hides the rest of the message. Unit: characters. */
const shownMax = 60

/** The known word that was probably meant, or undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const distances = known.map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
  distances.sort((one, other) => one.distance - other.distance)
  const best = distances[0]
  // Beyond a third of its letters a word is another word, and a wrong suggestion is worse than none.
  const farMax = Math.max(1, Math.floor(word.length / 3))
  return best !== undefined && best.distance <= farMax ? best.candidate : undefined
}

/** `did you mean "x"?`, or the known words. */
export function suggestion(word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return meant === undefined ? `known here: ${known.join(', ')}` : `did you mean "${meant}"?`
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
function editDistance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)]
  for (let i = 1; i <= one.length; i++) {
    const row = [i]
    for (let j = 1; j <= other.length; j++) row.push(cheapestStep(one, other, [rows, row], [i, j]))
    rows.push(row)
  }
  return rows[one.length]?.[other.length] ?? 0
}

function cheapestStep(
  one: string,
  other: string,
  [rows, row]: readonly [readonly (readonly number[])[], readonly number[]],
  [i, j]: readonly [number, number],
): number {
  const above = rows[i - 1] ?? []
  const replaced = (above[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
  const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
  const swapped = isSwap ? (rows[i - 2]?.[j - 2] ?? 0) + 1 : Infinity
  return Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced, swapped)
}
