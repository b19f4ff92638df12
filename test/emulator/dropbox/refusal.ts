/** How Dropbox says no: 409 with a tree of tags, 400 in plain text, 401 and 429 in their own shapes. When to say it is the routes' concern. */
import { type Answer, json, plainText } from '../core/provider.ts'

/** Tags from the outermost in, and what stands beside the innermost. */
export class Refused extends Error {
  readonly tags: readonly string[]
  readonly leaf: Readonly<Record<string, unknown>>

  constructor(tags: readonly string[], leaf: Readonly<Record<string, unknown>> = {}) {
    super(tags.join('/'))
    this.tags = tags
    this.leaf = leaf
  }

  /** `{".tag":"a","a":{".tag":"b",...leaf}}` */
  get tree(): Readonly<Record<string, unknown>> {
    return this.tags.reduceRight<Readonly<Record<string, unknown>>>(
      (inner, tag, index) =>
        index === this.tags.length - 1 ? { '.tag': tag, ...inner } : { '.tag': tag, [tag]: inner },
      this.leaf,
    )
  }
}

/** The route's argument was none: our client's mistake, told in plain text. */
export class BadRequest extends Error {}

/** Runs `work`; what it refuses is refused as part of `tag`: a lookup as `path`, as `from_lookup` and so on. */
export function under<Result>(tag: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof Refused) throw new Refused([tag, ...error.tags], error.leaf)
    throw error
  }
}

let told = 0

/** The number of dots varies in the wild, so that nobody compares summaries. */
export function errorBody(tags: readonly string[], error: unknown): Readonly<Record<string, unknown>> {
  told += 1
  return { error_summary: `${tags.join('/')}/${'.'.repeat(told % 4)}`, error }
}

export function refusedAnswer(refused: Refused): Answer {
  return json(409, errorBody(refused.tags, refused.tree))
}

export function badRequestAnswer(route: string, reason: string): Answer {
  return plainText(400, `Error in call to API function "${route}": ${reason}`)
}

export function unauthorized(tag: string, leaf: Readonly<Record<string, unknown>> = {}): Answer {
  return json(401, errorBody([tag], { '.tag': tag, ...leaf }))
}

function throttled(reason: string, retryAfterS: number): Answer {
  const error = { reason: { '.tag': reason }, retry_after: retryAfterS }
  return json(429, errorBody([reason], error), { 'Retry-After': String(retryAfterS) })
}

const refusedTags: Readonly<Record<string, readonly string[]>> = {
  'no-such-session': ['not_found'],
  'session-closed': ['closed'],
  'too-large': ['payload_too_large'],
  'write-lock': ['too_many_write_operations'],
}

const html = '<html><head><title>Dropbox - 503</title></head><body><h1>Error</h1></body></html>'

/** Field values are 1, 15 and 300 (rclone's documentation); a test that waits gives its own. Unit: seconds. */
const retryAfterSByDefault = 1

const answers: Readonly<Record<string, (retryAfterS: number) => Answer>> = {
  throttle: (retryAfterS) => throttled('too_many_requests', retryAfterS),
  'throttle-writes': (retryAfterS) => throttled('too_many_write_operations', retryAfterS),
  'throttle-text': (retryAfterS) => plainText(429, 'too_many_requests', { 'Retry-After': String(retryAfterS) }),
  'expired-token': () => unauthorized('expired_access_token'),
  'invalid-token': () => unauthorized('invalid_access_token'),
  'missing-scope': () => unauthorized('missing_scope', { required_scope: 'files.content.write' }),
  suspended: () => unauthorized('user_suspended'),
  forbidden: () => json(403, errorBody(['team_access_denied'], { '.tag': 'team_access_denied' })),
  'bad-request': () => plainText(400, 'Error in call to API function: could not decode input as JSON'),
  'bad-grant': () => badGrant('refresh token is invalid or revoked'),
  'server-error': () => plainText(500, ''),
  unavailable: () => ({ status: 503, headers: { 'Content-Type': 'text/html' }, body: html }),
}

export const refusals: readonly string[] = [...Object.keys(answers), ...Object.keys(refusedTags)]

export function refusal(name: string, retryAfterS = retryAfterSByDefault): Answer {
  const tags = refusedTags[name]
  const answer = tags === undefined ? answers[name]?.(retryAfterS) : refusedAnswer(new Refused(tags))
  if (answer === undefined) throw new Error(`no refusal "${name}"; there are: ${refusals.join(', ')}`)
  return answer
}

/** Source: seen in nextcloud/integration_dropbox #34. */
export function badGrant(reason: string): Answer {
  return json(400, { error: 'invalid_grant', error_description: reason })
}
