/** Google's token and revoke addresses. Tokens live in core/auth.ts, consent and first logins in core/login-pages.ts. */
import type { Auth } from '../core/auth.ts'
import type { Exchange } from '../core/exchange.ts'
import { granted } from '../core/login-pages.ts'
import { loginProfiles } from '../core/login-profiles.ts'
import { type Answer, json } from '../core/provider.ts'
import { badGrant, jsonType, tokenFault } from './refusal.ts'

/** Sees everything. */
export const fullScope = 'https://www.googleapis.com/auth/drive'
/** Sees what this client made, and nothing else. */
export const ownScope = 'https://www.googleapis.com/auth/drive.file'

/** The client's secret comes in the body; an installed app's is no secret, but Google wants it. Refresh tokens do not rotate. */
export async function token(auth: Auth, exchange: Exchange): Promise<Answer> {
  const asked = new URLSearchParams(await exchange.text())
  const { clientId, clientSecret } = auth.client
  if (asked.get('client_id') !== clientId || asked.get('client_secret') !== clientSecret)
    return tokenFault(401, 'invalid_client', 'The OAuth client was not found.')
  if (asked.get('grant_type') !== 'refresh_token')
    return tokenFault(400, 'unsupported_grant_type', 'Invalid grant_type')
  const grant = auth.refresh(asked.get('refresh_token') ?? '')
  return grant === undefined ? badGrant() : granted(loginProfiles['google-drive'], grant, 'refresh')
}

/** Of an access token; a refresh token ends with all logins, since each login here has one. */
export async function revoke(auth: Auth, exchange: Exchange): Promise<Answer> {
  const asked = new URLSearchParams(await exchange.text())
  const given = asked.get('token') ?? exchange.url.searchParams.get('token') ?? ''
  if (auth.stateOf(given).kind === 'unknown' && auth.refresh(given) === undefined)
    return tokenFault(400, 'invalid_token', 'Token expired or revoked')
  if (auth.stateOf(given).kind === 'unknown') auth.revokeAll()
  else auth.revoke(given)
  return json(200, {}, { 'Content-Type': jsonType })
}
