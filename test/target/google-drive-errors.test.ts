/** Which answer of Google Drive means what for the lane: the table, row by row. */
import { describe, expect, test } from 'vitest'
import { answers, isRate, refused } from '../../src/target/google-drive/errors.ts'
import type { Next } from '../../src/target/target.ts'

/** Written down a second time on purpose: a row that changes must be changed in two places. */
const expected: Readonly<Record<string, string>> = {
  '400': 'park',
  '401': 'pause-target needs-login',
  '403': 'pause-target paused',
  '403 userRateLimitExceeded': 'pause-target paused 1000',
  '403 rateLimitExceeded': 'pause-target paused 1000',
  '403 sharingRateLimitExceeded': 'pause-target paused 1000',
  '403 uploadCap': 'pause-target paused 3600000',
  '403 dailyLimitExceeded': 'pause-target paused 3600000',
  '403 quotaExceeded': 'pause-target paused 3600000',
  '403 downloadQuotaExceeded': 'pause-target paused 3600000',
  '403 storageQuotaExceeded': 'pause-target full',
  '403 activeItemCreationLimitExceeded': 'pause-target full',
  '403 teamDriveFileLimitExceeded': 'pause-target full',
  '403 numChildrenInNonRootLimitExceeded': 'park',
  '403 myDriveHierarchyDepthLimitExceeded': 'park',
  '403 insufficientFilePermissions': 'pause-target paused',
  '403 appNotAuthorizedToFile': 'pause-target paused',
  '403 insufficientPermissions': 'pause-target needs-login',
  '403 ACCESS_TOKEN_SCOPE_INSUFFICIENT': 'pause-target needs-login',
  '403 accessNotConfigured': 'pause-target paused',
  '403 domainPolicy': 'pause-target paused',
  '403 cannotDownloadAbusiveFile': 'park',
  '404': 'retry',
  '408': 'retry',
  '409': 'retry',
  '410': 'retry',
  '412': 'retry',
  '413': 'park',
  '416': 'retry',
  '429': 'pause-target paused 1000',
  '5xx': 'retry',
}

/** The answer that a row is about, as Google writes it. */
function answerOf(row: string): { readonly status: number; readonly body: unknown } {
  const [status = '', reason] = row.split(' ')
  const code = Number(status.replace('xx', '00'))
  // The word is ours: Google has a rate's reason and a sentence with a dot.
  if (reason === 'uploadCap')
    return { status: code, body: errorOf('userRateLimitExceeded', 'User rate limit exceeded.') }
  return { status: code, body: reason === undefined ? 'not JSON' : errorOf(reason, 'Words.') }
}

function errorOf(reason: string, message: string): unknown {
  return { error: { code: 403, message, errors: [{ domain: 'usageLimits', reason, message }] } }
}

function wordOf(next: Next): string {
  if (next.kind !== 'pause-target') return next.kind
  return [next.kind, next.state, next.againInMs].filter((word) => word !== undefined).join(' ')
}

const asked = { what: 'cloud: upload of a/b', account: 'main', retryAfterMs: undefined, isUpload: true }

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
  const details = {
    error: { code: 403, status: 'PERMISSION_DENIED', details: [{ reason: 'ACCESS_TOKEN_SCOPE_INSUFFICIENT' }] },
  }
  const cases: [title: string, status: number, body: unknown, next: string][] = [
    ['in its newer form', 403, details, 'pause-target needs-login'],
    ['as a page', 502, '<html></html>', 'retry'],
    ['as the upload server’s words about an offset', 503, 'Invalid request. According to the Content-Range', 'retry'],
    ['without a body', 500, undefined, 'retry'],
    ['with a reason that nobody knows yet', 403, errorOf('other', ''), 'pause-target paused'],
  ]
  for (const [title, status, body, next] of cases) {
    test(title, () => expect(wordOf(refused({ ...asked, status, body }).next)).toBe(next))
  }

  test('with the rest it asks for', () => {
    const error = refused({ ...asked, ...answerOf('403 rateLimitExceeded'), retryAfterMs: 7000 })

    expect(wordOf(error.next)).toBe('pause-target paused 7000')
  })
})

test('F69: the same words as the 750 GB of a day are a mere rate where nothing was uploaded', () => {
  const cap = answerOf('403 uploadCap')

  expect(wordOf(refused({ ...asked, ...cap, isUpload: false }).next)).toBe('pause-target paused 1000')
  expect(isRate(refused({ ...asked, ...cap, isUpload: false }))).toBe(true)
  expect(isRate(refused({ ...asked, ...cap }))).toBe(false)
  expect(isRate(refused({ ...asked, ...answerOf('403 storageQuotaExceeded') }))).toBe(false)
})

test('F77: a login that ended names the command that renews it', () => {
  const { message } = refused({ ...asked, ...answerOf('401 authError') })

  expect(message).toBe(
    'cloud: upload of a/b: the server answered 401 authError; the login ended: run "fanfold login main"',
  )
})
