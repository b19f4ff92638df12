/** How tables of answers are read. */
import { describe, expect, test } from 'vitest'
import { refusalError, type AnswerTable, type Refusal } from '../../src/target/answer-table.ts'
import type { Next } from '../../src/target/target.ts'

const full: Next = { kind: 'pause-target', state: 'full' }
const table: AnswerTable = new Map([
  ['409 space', { next: full, step: 'free space' }],
  ['* folder', { next: { kind: 'park' }, step: 'move it away' }],
  ['409', { next: { kind: 'restart-session' }, step: 'it begins anew' }],
  ['429', { next: { kind: 'wait', waitMs: 1000 }, step: 'it goes on by itself' }],
  ['5xx', { next: { kind: 'retry' }, step: 'it is tried again' }],
])

const refused = (status: number, words: readonly string[] = [], retryAfterMs?: number): Refusal => ({
  what: 'box: upload of a/b',
  status,
  words,
  retryAfterMs,
})

describe('an answer is looked up by', () => {
  const cases: [title: string, refusal: Refusal, next: Next][] = [
    ['status and word', refused(409, ['space']), full],
    ['its most telling word first', refused(409, ['folder', 'space']), { kind: 'park' }],
    ['a later word where the first is unknown', refused(409, ['new', 'space']), full],
    ['a word alone', refused(400, ['folder']), { kind: 'park' }],
    ['status alone', refused(409, ['new']), { kind: 'restart-session' }],
    ['its hundred', refused(502), { kind: 'retry' }],
    ['nothing: it is tried again', refused(418), { kind: 'retry' }],
    ['the time it asked for', refused(429, [], 5000), { kind: 'pause-target', state: 'paused', againInMs: 5000 }],
    [
      'the table’s time where it asked for none',
      refused(429),
      { kind: 'pause-target', state: 'paused', againInMs: 1000 },
    ],
  ]
  for (const [title, refusal, next] of cases) {
    test(title, () => expect(refusalError(table, refusal).next).toEqual(next))
  }
})

test('the owner is told what was asked, what came, and the next step', () => {
  expect(refusalError(table, refused(409, ['space'])).message).toBe(
    'box: upload of a/b: the server answered 409 space; free space',
  )
  expect(refusalError(table, refused(429, [], 90_000)).message).toBe(
    'box: upload of a/b: the server answered 429 and wants 1m 30s of rest; it goes on by itself',
  )
})
