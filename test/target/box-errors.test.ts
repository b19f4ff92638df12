/** Which answer of Box means what for the lane: the table, row by row. */
import { describe, expect, test } from 'vitest'
import { answers, refused } from '../../src/target/box/errors.ts'
import type { Next } from '../../src/target/target.ts'

/** Written down a second time on purpose: a row that changes must be changed in two places. */
const expected: Readonly<Record<string, string>> = {
  '400': 'park',
  '400 bad_digest': 'retry',
  '400 digest_mismatch': 'restart-session',
  '400 parts_mismatch': 'retry',
  '400 item_name_invalid': 'park',
  '400 item_name_too_long': 'park',
  '400 invalid_upload_session_id': 'restart-session',
  '400 terms_of_service_required': 'pause-target paused',
  '401': 'pause-target needs-login',
  '403': 'park',
  '403 storage_limit_exceeded': 'pause-target full',
  '403 file_size_limit_exceeded': 'park',
  '403 insufficient_scope': 'pause-target needs-login',
  '404': 'retry',
  '405': 'park',
  '408': 'retry',
  '409': 'retry',
  '409 item_name_in_use': 'retry',
  '409 name_temporarily_reserved': 'retry',
  '409 operation_blocked_temporary': 'retry',
  '410': 'restart-session',
  '412': 'retry',
  '413': 'park',
  '416': 'retry',
  '429': 'pause-target paused 1000',
  '5xx': 'retry',
}

function answerOf(row: string): { readonly status: number; readonly body: unknown } {
  const [status = '', code] = row.split(' ')
  return { status: Number(status.replace('xx', '00')), body: { type: 'error', code, context_info: { errors: [] } } }
}

function wordOf(next: Next): string {
  if (next.kind !== 'pause-target') return next.kind
  return [next.kind, next.state, next.againInMs].filter((word) => word !== undefined).join(' ')
}

const asked = { what: 'cloud: upload of a/b', account: 'main', retryAfterMs: undefined }

test.each(Object.entries(expected))('%s -> %s', (row, next) => {
  const error = refused({ ...asked, ...answerOf(row) })

  expect(wordOf(error.next)).toBe(next)
  expect(error.message).toMatch(/^cloud: upload of a\/b: the server answered .+; ./)
  expect(error.message).not.toContain('{login}')
})

test('no row is without its line above', () => {
  expect([...answers.keys()].sort()).toEqual(Object.keys(expected).sort())
})

describe('an answer is understood', () => {
  const cases: [title: string, status: number, body: unknown, next: string][] = [
    ['with an empty body', 401, undefined, 'pause-target needs-login'],
    ['as a page', 502, '<html></html>', 'retry'],
    ['with a word that nobody knows yet', 403, { code: 'new_reason' }, 'park'],
    ['with a word that is none', 409, { code: 7 }, 'retry'],
    ['of a status that nobody knows yet', 451, { code: 'x' }, 'retry'],
  ]
  for (const [title, status, body, next] of cases) {
    test(title, () => expect(wordOf(refused({ ...asked, status, body }).next)).toBe(next))
  }
})

test('F77: a login that ended names the command that renews it', () => {
  const { message } = refused({ ...asked, status: 401, body: undefined })

  expect(message).toBe('cloud: upload of a/b: the server answered 401; the login ended: run "fanfold login main"')
})
