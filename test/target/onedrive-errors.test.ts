/** Which answer of OneDrive means what for the lane: the table, row by row. */
import { describe, expect, test } from 'vitest'
import { answers, refused } from '../../src/target/onedrive/errors.ts'
import type { Next } from '../../src/target/target.ts'

/** Written down a second time on purpose: a row that changes must be changed in two places. */
const expected: Readonly<Record<string, string>> = {
  '400': 'park',
  '* pathIsTooLong': 'park',
  '* invalidPath': 'park',
  '400 invalidRequest': 'park',
  '* pagingToken': 'retry',
  '401 url': 'restart-session',
  '403 url': 'restart-session',
  '401 rps': 'retry',
  '401': 'pause-target needs-login',
  '403': 'park',
  '* serviceReadOnly': 'pause-target read-only',
  '* notAllowed': 'pause-target read-only',
  '* malwareDetected': 'park',
  '404': 'retry',
  '404 session': 'retry',
  '408': 'retry',
  '409': 'retry',
  '409 uploadOpen': 'retry',
  '409 nameAlreadyExists': 'park',
  '410': 'retry',
  '411': 'park',
  '412': 'park',
  '413': 'park',
  '* maxFileSizeExceeded': 'park',
  '416': 'retry',
  '423': 'retry',
  '429': 'pause-target paused 5000',
  '503': 'pause-target paused 5000',
  '509': 'pause-target paused 60000',
  '5xx': 'retry',
  '507': 'pause-target full',
  '* quotaLimitReached': 'pause-target full',
  '* provisioningNotAllowed': 'pause-target paused',
}

/** What only a text tells, or the kind of the address. */
const texts: Readonly<Record<string, string>> = {
  pagingToken: 'Invalid paging token',
  rps: 'Unable to initialize RPS',
  uploadOpen: 'The specified item name is currently being uploaded',
}

interface Said {
  readonly status: number
  readonly body: unknown
  readonly isUrl: boolean
}

/** The answer that a row is about: the code inside, as Graph nests it. */
function answerOf(row: string): Said {
  const [status = '', word] = row.split(' ')
  const isUrl = word === 'url' || word === 'session'
  const code = word === undefined || isUrl || texts[word] !== undefined ? {} : { code: word }
  const message = texts[word ?? ''] ?? 'words for people'
  const number = status === '*' ? 400 : Number(status.replace('xx', '00'))
  return { status: number, isUrl, body: { error: { code: 'outerCode', message, innerError: { ...code, date: 'x' } } } }
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
  const nested = (key: string): unknown => ({
    error: { code: 'invalidRequest', [key]: { code: 'other', [key]: { code: 'pathIsTooLong' } } },
  })
  const cases: [title: string, status: number, body: unknown, next: string][] = [
    ['by its innermost code', 400, nested('innerError'), 'park'],
    ['in the other spelling', 400, nested('innererror'), 'park'],
    ['as a page', 502, '<html></html>', 'retry'],
    ['without a body', 500, undefined, 'retry'],
    ['with a code that nobody knows yet', 409, { error: { code: 'newCode' } }, 'retry'],
    ['without Retry-After', 429, { error: { code: 'activityLimitReached' } }, 'pause-target paused 5000'],
  ]
  for (const [title, status, body, next] of cases) {
    test(title, () => expect(wordOf(refused({ ...asked, status, body }).next)).toBe(next))
  }
})

test('F67: a rest that is asked for lasts as long as it was asked for', () => {
  const { next } = refused({ ...asked, status: 503, body: undefined, retryAfterMs: 300_000 })

  expect(wordOf(next)).toBe('pause-target paused 300000')
})

test('F77: a login that ended names the command that renews it', () => {
  const { message } = refused({ ...asked, status: 401, body: { error: { code: 'InvalidAuthenticationToken' } } })

  expect(message).toContain('the login ended: run "fanfold login main"')
})
