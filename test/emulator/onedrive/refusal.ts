/** How Microsoft Graph says no: JSON with a code, and a second one inside that tells more. When to say it is the routes' concern. */
import { randomUUID } from 'node:crypto'
import { type Answer, json } from '../core/provider.ts'

interface More {
  /** The code inside. */
  readonly inner?: string | undefined
  readonly message?: string
  readonly headers?: Readonly<Record<string, string>>
}

export class Refused extends Error {
  readonly status: number
  readonly code: string
  readonly more: More

  constructor(status: number, code: string, more: More = {}) {
    super(`${status} ${code}`)
    this.status = status
    this.code = code
    this.more = more
  }
}

export function refusedAnswer({ status, code, more }: Refused): Answer {
  const { inner, message = `${code}.`, headers = {} } = more
  const innerError = {
    ...(inner === undefined ? {} : { code: inner }),
    date: '2026-01-02T03:04:05',
    'request-id': randomUUID(),
    'client-request-id': randomUUID(),
  }
  return json(status, { error: { code, message, innerError } }, headers)
}

export const notFound = (): Refused => new Refused(404, 'itemNotFound', { message: 'Item does not exist' })
export const nameExists = (): Refused =>
  new Refused(409, 'nameAlreadyExists', { message: 'An item with the same name already exists under the parent' })
export const beingUploaded = (): Refused =>
  new Refused(409, 'nameAlreadyExists', { message: 'The specified item name is currently being uploaded' })
export const badRequest = (message: string, inner?: string): Refused =>
  new Refused(400, 'invalidRequest', { message, inner })
export const full = (): Refused =>
  new Refused(507, 'quotaLimitReached', {
    message: 'Insufficient Space Available',
    inner: 'insufficientSpaceAvailable',
  })
export const badRange = (inner: string): Refused => new Refused(416, 'invalidRange', { inner })
export const noSession = (): Refused =>
  new Refused(404, 'itemNotFound', { message: 'The upload session was not found', inner: 'uploadSessionNotFound' })

const challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
export const unauthorized = (isExpired: boolean): Refused => {
  const message = isExpired ? 'Lifetime validation failed, the token is expired.' : 'IDX14100: JWT is not well formed.'
  const error = isExpired ? 'expired_token' : 'invalid_token'
  const headers = { 'WWW-Authenticate': `${challenge}, error="${error}"` }
  return new Refused(401, 'InvalidAuthenticationToken', { message, headers })
}

/** Of the URL that carries its own right. */
export const staleUrl = (): Refused => new Refused(401, 'unauthenticated', { inner: 'expiredToken' })

const html = '<html><head><title>Service unavailable</title></head><body><h1>503</h1></body></html>'

/** A test that waits gives its own. Unit: seconds. */
const retryAfterSByDefault = 1

function throttled(status: number, code: string, inner: string | undefined, retryAfterS: number): Answer {
  return refusedAnswer(new Refused(status, code, { inner, headers: { 'Retry-After': String(retryAfterS) } }))
}

const answers: Readonly<Record<string, (retryAfterS: number) => Answer>> = {
  throttle: (seconds) => throttled(429, 'activityLimitReached', 'throttledRequest', seconds),
  'throttle-date': (seconds) => {
    const headers = {
      'Retry-After': new Date(Date.now() + seconds * 1000).toUTCString(),
      Date: new Date().toUTCString(),
    }
    return refusedAnswer(new Refused(429, 'activityLimitReached', { inner: 'throttledRequest', headers }))
  },
  unavailable: (seconds) => throttled(503, 'serviceNotAvailable', undefined, seconds),
  'unavailable-page': () => ({ status: 503, headers: { 'Content-Type': 'text/html' }, body: html }),
  'unavailable-empty': () => ({ status: 503, headers: {}, body: '' }),
  bandwidth: (seconds) => throttled(509, 'bandwidthLimitExceeded', undefined, seconds),
  'server-error': () => refusedAnswer(new Refused(500, 'generalException')),
  'gateway-timeout': () => ({ status: 504, headers: { 'Content-Type': 'text/html' }, body: html }),
  'expired-token': () => refusedAnswer(unauthorized(true)),
  'invalid-token': () => refusedAnswer(unauthorized(false)),
  rps: () => refusedAnswer(new Refused(401, 'unauthenticated', { message: 'Unable to initialize RPS' })),
  'access-denied': () => refusedAnswer(new Refused(403, 'accessDenied')),
  'read-only': () => refusedAnswer(new Refused(403, 'accessDenied', { inner: 'serviceReadOnly' })),
  malware: () => refusedAnswer(new Refused(403, 'malwareDetected', { headers: { 'X-Virus-Infected': 'EICAR' } })),
  locked: () => refusedAnswer(new Refused(423, 'resourceLocked', { message: 'The resource is checked out' })),
  full: () => refusedAnswer(full()),
  'not-found': () => refusedAnswer(notFound()),
  'name-exists': () => refusedAnswer(nameExists()),
  'being-uploaded': () => refusedAnswer(beingUploaded()),
  'resource-modified': () => refusedAnswer(new Refused(409, 'resourceModified')),
  precondition: () => refusedAnswer(new Refused(412, 'resourceModified', { inner: 'entityTagDoesNotMatch' })),
  'bad-request': () => refusedAnswer(badRequest('The request is malformed or incorrect')),
  'path-too-long': () => refusedAnswer(badRequest('The path is too long', 'pathIsTooLong')),
  'too-large': () => refusedAnswer(new Refused(413, 'maxFragmentLengthExceeded')),
  'no-such-session': () => refusedAnswer(noSession()),
  'stale-url': () => refusedAnswer(staleUrl()),
  'stale-url-403': () => refusedAnswer(new Refused(403, 'accessDenied')),
  'bad-range': () => refusedAnswer(badRange('fragmentOutOfOrder')),
  resync: () => refusedAnswer(new Refused(410, 'resyncRequired', { inner: 'resyncChangesApplyDifferences' })),
  'bad-page-token': () => refusedAnswer(badRequest('Invalid paging token')),
  'bad-grant': () => badGrant(),
}

export const refusals: readonly string[] = Object.keys(answers)

export function refusal(name: string, retryAfterS = retryAfterSByDefault): Answer {
  const answer = answers[name]?.(retryAfterS)
  if (answer === undefined) throw new Error(`no refusal "${name}"; there are: ${refusals.join(', ')}`)
  return answer
}

/** The login is dead: only its owner can help. */
export function badGrant(): Answer {
  return json(400, {
    error: 'invalid_grant',
    error_description: 'AADSTS700082: The refresh token has expired due to inactivity.',
    error_codes: [700082],
    suberror: '',
  })
}
