/** How a provider's table of answers is read: status and word -> what the lane does next, and one sentence for the owner. Holds no row itself. */
import { showDuration } from '../base/units.ts'
import { type Next, TargetError } from './target.ts'

export interface AnswerRule {
  /** `wait` lasts as long as the answer asked for, else `waitMs`. */
  readonly next: Next | { readonly kind: 'wait'; readonly waitMs: number }
  /** What the owner can do, or that nothing needs to be done. */
  readonly step: string
}

/**
 * Keys, the first that is there counts: `409 path/conflict` for a status with a word, `* path/conflict` for a word with any status,
 * `409` for a status, `4xx` for its hundred.
 */
export type AnswerTable = ReadonlyMap<string, AnswerRule>

/** What a provider understood of an answer that is no success. */
export interface Refusal {
  /** What was asked for, where: `dropbox: upload of a/b.txt`. */
  readonly what: string
  readonly status: number
  /** The provider's words for it, the most telling first. */
  readonly words: readonly string[]
  readonly retryAfterMs: number | undefined
}

/** New answers come with every version of a server: what nobody knows yet is tried again, and told. */
const unknownAnswer: AnswerRule = { next: { kind: 'retry' }, step: 'it is tried again; report it if it stays' }

export function refusalError(table: AnswerTable, refusal: Refusal): TargetError {
  const { what, status, words, retryAfterMs } = refusal
  const rule = ruleOf(table, status, words)
  const said = words[0] === undefined ? String(status) : `${status} ${words[0]}`
  if (rule.next.kind !== 'wait') return new TargetError(rule.next, `${what}: the server answered ${said}; ${rule.step}`)
  const againInMs = retryAfterMs ?? rule.next.waitMs
  const text = `${what}: the server answered ${said} and wants ${showDuration(againInMs)} of rest; ${rule.step}`
  return new TargetError({ kind: 'pause-target', state: 'paused', againInMs }, text)
}

function ruleOf(table: AnswerTable, status: number, words: readonly string[]): AnswerRule {
  const keys = [
    ...words.flatMap((word) => [`${status} ${word}`, `* ${word}`]),
    String(status),
    `${Math.floor(status / 100)}xx`,
  ]
  const key = keys.find((candidate) => table.has(candidate))
  return (key === undefined ? undefined : table.get(key)) ?? unknownAnswer
}
