/** One question to a cloud's token address: a form out, tokens or a refusal in words back. Keeps nothing. */
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import type { Answer, Call } from '../target/transport/transport.ts'

/** Makes the calls for tokens: a transport's own door, without login. */
export type Caller = (call: Call, signal: AbortSignal) => Promise<Answer>

export type Form = Readonly<Record<string, string>>

export interface Granted {
  readonly accessToken: string
  readonly expiresInMs: number
  readonly refreshToken: string | undefined
  /** How long the refresh token lasts, where the cloud tells. */
  readonly endsInMs: number | undefined
  /** What was granted, which may be less than was asked for. */
  readonly scope: string | undefined
}

export interface Refused {
  readonly status: number
  /** `invalid_grant`, `authorization_pending`, …; undefined where the answer was none of OAuth's. */
  readonly word: string | undefined
  /** Microsoft's number (`AADSTS700082` is 700082), which says why. */
  readonly number: number | undefined
  readonly retryAfterMs: number | undefined
}

export interface TokenAnswer {
  /** The cloud's clock less ours; undefined where it did not tell. Unit: ms, to the second. */
  readonly aheadMs: number | undefined
  readonly result:
    { readonly kind: 'granted'; readonly granted: Granted } | { readonly kind: 'refused'; readonly refused: Refused }
}

const grant = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().min(0).default(3600),
  /** Only where the cloud replaces it with each use, or gives the first. */
  refresh_token: z.string().min(1).optional(),
  refresh_token_expires_in: z.number().min(0).optional(),
  scope: z.string().optional(),
})

const fault = z.object({ error: z.string(), error_description: z.string().optional() })

export async function askForTokens(
  { call, clock }: { readonly call: Caller; readonly clock: Clock },
  url: string,
  form: Form,
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const answer = await call(formCall(url, form), signal)
  const aheadMs = aheadOf(answer, clock)
  const value = answer.content.kind === 'json' ? answer.content.value : undefined
  const given = answer.status === 200 ? grant.safeParse(value).data : undefined
  if (given === undefined) return { aheadMs, result: { kind: 'refused', refused: refusedOf(answer) } }
  const endsIn = given.refresh_token_expires_in
  const granted: Granted = {
    accessToken: given.access_token,
    expiresInMs: given.expires_in * 1000,
    refreshToken: given.refresh_token,
    // Some say 0 for a token that does not end by itself.
    endsInMs: endsIn === undefined || endsIn === 0 ? undefined : endsIn * 1000,
    scope: given.scope,
  }
  return { aheadMs, result: { kind: 'granted', granted } }
}

/** Everything in the body: addresses end in logs. */
export function formCall(url: string, form: Form): Call {
  const body = Buffer.from(new URLSearchParams(form).toString())
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', url, headers, body: () => body, expect: 'json', bearer: false }
}

function aheadOf({ headers }: Answer, clock: Clock): number | undefined {
  const said = Date.parse(headers['date'] ?? '')
  return Number.isNaN(said) ? undefined : said - clock.wallMs()
}

export function refusedOf({ status, retryAfterMs, content }: Answer): Refused {
  const value = content.kind === 'json' ? content.value : undefined
  const said = fault.safeParse(value).data
  const number = /\bAADSTS(\d{4,8})\b/.exec(said?.error_description ?? '')?.[1]
  return {
    status,
    // It goes into messages: a word and nothing else.
    word: said !== undefined && /^[\w. -]{1,64}$/.test(said.error) ? said.error : undefined,
    number: number === undefined ? undefined : Number(number),
    retryAfterMs,
  }
}
