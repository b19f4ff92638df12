/** Which answer of Dropbox means what for the lane: the table, row by row. */
import { describe, expect, test } from 'vitest'
import { answers, refused } from '../../src/target/dropbox/errors.ts'
import type { Next } from '../../src/target/target.ts'

/** Written down a second time on purpose: a row that changes must be changed in two places. */
const expected: Readonly<Record<string, string>> = {
  '400': 'park',
  '401': 'pause-target needs-login',
  '401 missing_scope': 'pause-target needs-login',
  '401 user_suspended': 'pause-target paused',
  '403': 'pause-target paused',
  '408': 'retry',
  '422': 'retry',
  '429': 'pause-target paused 1000',
  '5xx': 'retry',
  '409 too_many_write_operations': 'pause-target paused 1000',
  '409 insufficient_space': 'pause-target full',
  '409 conflict/file': 'retry',
  '409 conflict/folder': 'park',
  '409 conflict/file_ancestor': 'park',
  '409 to/conflict/file': 'park',
  '409 path_write/conflict/file': 'park',
  '409 malformed_path': 'park',
  '409 disallowed_name': 'park',
  '409 no_write_permission': 'park',
  '409 team_folder': 'park',
  '409 operation_suppressed': 'park',
  '409 access_restricted': 'park',
  '409 restricted_content': 'park',
  '409 unsupported_file': 'park',
  '409 too_large': 'park',
  '409 payload_too_large': 'park',
  '409 too_many_files': 'park',
  '409 cant_move_folder_into_itself': 'park',
  '409 cant_move_shared_folder': 'park',
  '409 cant_nest_shared_folder': 'park',
  '409 cant_transfer_ownership': 'park',
  '409 cant_move_into_vault': 'park',
  '409 cant_move_into_family': 'park',
  '409 insufficient_quota': 'pause-target full',
  '409 content_hash_mismatch': 'retry',
  '409 path/not_found': 'retry',
  '409 from_lookup/not_found': 'retry',
  '409 not_found': 'restart-session',
  '409 closed': 'restart-session',
  '409 not_closed': 'restart-session',
  '409 incorrect_offset': 'retry',
  '409 reset': 'retry',
}

/** The answer that a row is about: tags nested as Dropbox nests them. */
function answerOf(row: string): { readonly status: number; readonly body: unknown } {
  const [status = '', words = ''] = row.split(' ')
  const nested = words
    .split('/')
    .filter((tag) => tag !== '')
    .reduceRight<Readonly<Record<string, unknown>>>(
      (inner, tag) => ({ '.tag': tag, ...('.tag' in inner ? { [tag]: inner } : {}) }),
      {},
    )
  return { status: Number(status.replace('xx', '00')), body: { error_summary: `${words}/..`, error: nested } }
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
    [
      'below a struct’s reason',
      409,
      {
        error: {
          '.tag': 'path',
          reason: { '.tag': 'conflict', conflict: { '.tag': 'folder' } },
          upload_session_id: 'x',
        },
      },
      'park',
    ],
    [
      'by its retry_after',
      429,
      { error: { reason: { '.tag': 'too_many_requests' }, retry_after: 15 } },
      'pause-target paused 15000',
    ],
    ['as plain text', 429, 'too_many_requests', 'pause-target paused 1000'],
    ['as a page', 503, '<html></html>', 'retry'],
    ['without a body', 500, undefined, 'retry'],
    ['with a tag that nobody knows yet', 409, { error: { '.tag': 'other' } }, 'retry'],
  ]
  for (const [title, status, body, next] of cases) {
    test(title, () => expect(wordOf(refused({ ...asked, status, body }).next)).toBe(next))
  }
})

test('F77: a login that ended names the command that renews it', () => {
  const { message } = refused({ ...asked, status: 401, body: { error: { '.tag': 'invalid_access_token' } } })

  expect(message).toBe(
    'cloud: upload of a/b: the server answered 401 invalid_access_token; the login ended: run "fanfold login main"',
  )
})
