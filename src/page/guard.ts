/**
 * Who may ask the page's server what (F117). Reading is free to whoever reaches the address under one of its names; acting needs the token.
 * - Another name than ours in `Host` is a foreign site that had its name point here (DNS rebinding): refused.
 * - What a foreign site's script or form sends is told by `Sec-Fetch-Site` and `Origin`: refused, token or not.
 * - Only the verbs listed here exist; the control socket has more.
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { StatusConfig } from '../config/config.ts'
import { isToken } from './token.ts'

export const tokenHeader = 'fanfold-token'

/** The Desk's questions that read. */
const reads: ReadonlySet<string> = new Set(['/status', '/why', '/history', '/parked'])
/** The Desk's questions that act. */
const actions: ReadonlySet<string> = new Set([
  ...['/retry', '/resync', '/approve', '/hold', '/resume'],
  ...['/login', '/login/answer'],
])

const ownNames = ['localhost', '127.0.0.1', '[::1]']

/**
 * Everything comes from here, nothing is inline, nothing may be embedded: text from a file's name can never become a program.
 * `trusted-types` forbids the ways in which a script could make markup of text.
 */
const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join('; ')

const headers: Readonly<Record<string, string>> = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
}

export interface GuardParts {
  readonly config: () => StatusConfig
  /** The port that is listened at; undefined at a socket file. */
  readonly port: () => number | undefined
  readonly token: () => string
}

export function guard(parts: GuardParts): MiddlewareHandler {
  return async (context, next) => {
    for (const [name, value] of Object.entries(headers)) context.header(name, value)
    const refusal = refusalOf(context, parts)
    if (refusal !== undefined) return context.json({ error: refusal.error }, refusal.status)
    await next()
    // An answer that a sub-application made has headers of its own.
    for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value)
    return undefined
  }
}

interface Refusal {
  readonly status: 401 | 403 | 404 | 405 | 421
  readonly error: string
}

function refusalOf(context: Context, { config, port, token }: GuardParts): Refusal | undefined {
  const isOurs = (host: string | undefined): boolean => isNamed(host, config(), port())
  const { method, path } = context.req
  if (!isOurs(context.req.header('host')))
    return { status: 421, error: 'asked under a name that is not this page’s; name it under "status: hosts:"' }
  if (isForeign(context, isOurs)) return { status: 403, error: 'asked by another site' }
  if (method === 'GET' || method === 'HEAD') return undefined
  if (method !== 'POST') return { status: 405, error: `no such question: ${method} ${path}` }
  if (!actions.has(path)) return { status: 404, error: `no such question: POST ${path}` }
  if (!isJson(context)) return { status: 403, error: 'expected a body of application/json' }
  if (isToken(context.req.header(tokenHeader), token())) return undefined
  return { status: 401, error: 'not allowed to act: open the page by the address that "fanfold page" prints' }
}

/** Whether the Desk is asked for something that a page may read. */
export function isRead(path: string): boolean {
  return reads.has(path)
}

/** Whether a Host header, or the host of an Origin, is a name of ours. */
function isNamed(given: string | undefined, { listen, hosts }: StatusConfig, port: number | undefined): boolean {
  if (given === undefined || listen === undefined) return false
  const host = given.toLowerCase()
  const own =
    listen.kind === 'tcp' ? [...ownNames, listen.host.includes(':') ? `[${listen.host}]` : listen.host] : ownNames
  const isOwn = own.some((name) => host === (port === undefined || port === 80 ? name : `${name}:${port}`))
  return isOwn || hosts.some((name) => host === name || host.replace(/:\d+$/, '') === name)
}

/** A link to the page may stand anywhere; all else that a browser sends comes from the page itself. */
function isForeign(context: Context, isOurs: (host: string) => boolean): boolean {
  const site = context.req.header('sec-fetch-site')
  const isVisit = context.req.method === 'GET' && context.req.header('sec-fetch-mode') === 'navigate'
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit) return true
  const origin = context.req.header('origin')
  if (origin === undefined) return false
  return !(URL.canParse(origin) && isOurs(new URL(origin).host))
}

/** A form of another site cannot send it without being asked first, and the answer to that is no. */
function isJson(context: Context): boolean {
  return /^application\/json\b/.test(context.req.header('content-type') ?? '')
}
