/** How Box says no: one shape of JSON for all of the API, another for tokens, an empty body for a login. When to say it is the routes' concern. */
import { randomBytes } from 'node:crypto'
import { type Answer, json } from '../core/provider.ts'

type Json = Readonly<Record<string, unknown>>

export class Refused extends Error {
  readonly status: number
  readonly code: string
  readonly context: Json | undefined
  /** Unit: seconds. */
  readonly retryAfterS: number | undefined

  constructor(status: number, code: string, more: { readonly context?: Json; readonly retryAfterS?: number } = {}) {
    super(`${status} ${code}`)
    this.status = status
    this.code = code
    this.context = more.context
    this.retryAfterS = more.retryAfterS
  }
}

export function refusedAnswer({ status, code, context, retryAfterS }: Refused): Answer {
  const body = {
    type: 'error',
    status,
    code,
    help_url: 'http://developers.box.com/docs/#errors',
    message: messages[code] ?? code,
    request_id: randomBytes(8).toString('hex'),
    ...(context === undefined ? {} : { context_info: context }),
  }
  return json(status, body, retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) })
}

const messages: Readonly<Record<string, string>> = {
  item_name_in_use: 'Item with the same name already exists',
  not_found: 'Not Found',
  trashed: 'Item is trashed',
  precondition_failed: 'The resource has been modified. Please retrieve the resource again and retry',
  rate_limit_exceeded: 'Request rate limit exceeded, please try again later',
  storage_limit_exceeded: 'Account storage limit reached',
  parts_mismatch: 'The list of parts does not match what was uploaded.',
}

/** rclone renews its login only where it finds the first of these words. */
export function unauthorized(word: 'expired_token' | 'invalid_token'): Answer {
  const said = `Bearer realm="Service", error="${word}", error_description="The access token provided is invalid."`
  return { status: 401, headers: { 'www-authenticate': said }, body: '' }
}

export function badGrant(description: string, error = 'invalid_grant'): Answer {
  return json(400, { error, error_description: description })
}

const html = '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>'

/** The documentation's example is 100; a test that waits gives its own. Unit: seconds. */
const retryAfterSByDefault = 1

const answers: Readonly<Record<string, (retryAfterS: number) => Answer>> = {
  throttle: (retryAfterS) => refusedAnswer(new Refused(429, 'rate_limit_exceeded', { retryAfterS })),
  'expired-token': () => unauthorized('expired_token'),
  'invalid-token': () => unauthorized('invalid_token'),
  'bad-grant': () => badGrant('Refresh token has expired'),
  'bad-request': () => refusedAnswer(new Refused(400, 'bad_request')),
  'server-error': () => refusedAnswer(new Refused(500, 'internal_server_error')),
  unavailable: (retryAfterS) => refusedAnswer(new Refused(503, 'unavailable', { retryAfterS })),
  'bad-gateway': () => ({ status: 502, headers: { 'Content-Type': 'text/html' }, body: html }),
  'no-rights': () => refusedAnswer(new Refused(403, 'access_denied_insufficient_permissions')),
  'no-scope': () => refusedAnswer(new Refused(403, 'insufficient_scope')),
  full: () => refusedAnswer(new Refused(403, 'storage_limit_exceeded')),
  'too-large': () => refusedAnswer(new Refused(403, 'file_size_limit_exceeded')),
  reserved: () => refusedAnswer(new Refused(409, 'name_temporarily_reserved')),
  blocked: () => refusedAnswer(new Refused(409, 'operation_blocked_temporary')),
  'parts-mismatch': () => refusedAnswer(new Refused(400, 'parts_mismatch')),
  'no-such-session': () => refusedAnswer(new Refused(404, 'not_found')),
  'session-expired': () => refusedAnswer(new Refused(410, 'session_expired')),
}

export const refusals: readonly string[] = Object.keys(answers)

export function refusal(name: string, retryAfterS = retryAfterSByDefault): Answer {
  const answer = answers[name]?.(retryAfterS)
  if (answer === undefined) throw new Error(`no refusal "${name}"; there are: ${refusals.join(', ')}`)
  return answer
}
