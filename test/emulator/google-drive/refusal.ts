/** How Google says no: JSON with reasons, and what its upload servers and front ends say without. When to say it is the routes' concern. */
import { type Answer, json, plainText } from '../core/provider.ts'

/** Clients know JSON by this type only. */
export const jsonType = 'application/json; charset=UTF-8'

export class Refused extends Error {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

export function notFound(id: string): Refused {
  return new Refused(404, 'notFound', `File not found: ${id}.`)
}

export function invalid(message: string): Refused {
  return new Refused(400, 'invalid', message)
}

const domains: Readonly<Record<string, string>> = {
  userRateLimitExceeded: 'usageLimits',
  rateLimitExceeded: 'usageLimits',
  dailyLimitExceeded: 'usageLimits',
  quotaExceeded: 'usageLimits',
  downloadQuotaExceeded: 'usageLimits',
  accessNotConfigured: 'usageLimits',
}

export function refusedAnswer(
  { status, reason, message }: Refused,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const errors = [{ domain: domains[reason] ?? 'global', reason, message }]
  return json(status, { error: { code: status, message, errors } }, { 'Content-Type': jsonType, ...headers })
}

/** Source: seen at the real token address. */
export function badGrant(): Answer {
  return tokenFault(400, 'invalid_grant', 'Token has been expired or revoked.')
}

export function tokenFault(status: number, error: string, description: string): Answer {
  return json(status, { error, error_description: description }, { 'Content-Type': jsonType })
}

export function unauthorized(): Answer {
  const message = 'Request had invalid authentication credentials.'
  return refusedAnswer(new Refused(401, 'authError', message), { 'WWW-Authenticate': 'Bearer' })
}

/** The upload server's own words, which have no reason. Source: google-apis-rs #438. */
export function offsetAhead(offset: number, stored: number): Answer {
  return plainText(
    503,
    `Invalid request.  According to the Content-Range header, the upload offset is ${offset} byte(s), which exceeds already uploaded size of ${stored} byte(s).`,
  )
}

const html =
  '<!DOCTYPE html><html lang=en><title>Error 502 (Server Error)!!1</title><p>The server encountered a temporary error'

const reasons: Readonly<Record<string, readonly [status: number, reason: string, message: string]>> = {
  throttle: [
    403,
    'userRateLimitExceeded',
    'User Rate Limit Exceeded. Rate of requests for user exceed configured project quota.',
  ],
  'throttle-project': [403, 'rateLimitExceeded', 'Rate Limit Exceeded'],
  'throttle-429': [429, 'rateLimitExceeded', 'Rate Limit Exceeded'],
  // The daily 750 GB: the same reason, other words, with a dot. Source: rclone #3857.
  'upload-cap': [403, 'userRateLimitExceeded', 'User rate limit exceeded.'],
  'daily-limit': [403, 'dailyLimitExceeded', 'Daily Limit Exceeded'],
  'quota-exceeded': [403, 'quotaExceeded', 'The quota has been exceeded.'],
  'download-quota': [403, 'downloadQuotaExceeded', 'The download quota for this file has been exceeded.'],
  full: [403, 'storageQuotaExceeded', "The user's Drive storage quota has been exceeded."],
  'items-max': [403, 'activeItemCreationLimitExceeded', 'This account has too many items.'],
  'drive-full': [403, 'teamDriveFileLimitExceeded', 'The file limit for this shared drive has been exceeded.'],
  'children-max': [403, 'numChildrenInNonRootLimitExceeded', 'The limit for this folder has been exceeded.'],
  'depth-max': [403, 'myDriveHierarchyDepthLimitExceeded', 'The folder hierarchy is too deep.'],
  forbidden: [403, 'insufficientFilePermissions', 'The user does not have sufficient permissions for this file.'],
  'not-authorized': [403, 'appNotAuthorizedToFile', 'The user has not granted the app access to the file.'],
  'missing-scope': [403, 'insufficientPermissions', 'Request had insufficient authentication scopes.'],
  'not-configured': [403, 'accessNotConfigured', 'Google Drive API has not been used in this project before.'],
  'domain-policy': [403, 'domainPolicy', 'The domain administrators have disabled Drive apps.'],
  abusive: [403, 'cannotDownloadAbusiveFile', 'This file has been identified as malware or spam.'],
  'not-found': [404, 'notFound', 'File not found: .'],
  'id-in-use': [409, 'fileIdInUse', 'A file already exists with the provided ID.'],
  precondition: [412, 'conditionNotMet', 'Precondition Failed'],
  'bad-request': [400, 'badRequest', 'Bad Request'],
  'server-error': [500, 'internalError', 'Internal Error'],
  'backend-error': [503, 'backendError', 'Backend Error'],
}

const others: Readonly<Record<string, () => Answer>> = {
  'expired-token': unauthorized,
  'bad-grant': badGrant,
  unavailable: () => ({ status: 502, headers: { 'Content-Type': 'text/html; charset=UTF-8' }, body: html }),
  offset: () => offsetAhead(524288, 262144),
  'throttle-text': () => plainText(429, 'Too Many Requests'),
}

export const refusals: readonly string[] = [...Object.keys(reasons), ...Object.keys(others)]

/** Google is not known to say how long to wait; a test may want it to. */
export function refusal(name: string, retryAfterS: number | undefined): Answer {
  const found = reasons[name]
  const waits: Record<string, string> = retryAfterS === undefined ? {} : { 'Retry-After': String(retryAfterS) }
  if (found !== undefined) return refusedAnswer(new Refused(...found), waits)
  const answer = others[name]?.()
  if (answer === undefined) throw new Error(`no refusal "${name}"; there are: ${refusals.join(', ')}`)
  return { ...answer, headers: { ...answer.headers, ...waits } }
}

/** The refusal of a name, to be thrown by a route. */
export function refusedAs(name: string): Refused {
  const found = reasons[name]
  if (found === undefined) throw new Error(`no reason "${name}"`)
  return new Refused(...found)
}
