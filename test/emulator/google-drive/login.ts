/** Google's token and revoke addresses. Tokens live in core/auth.ts. */
import type { Auth, Grant } from '../core/auth.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json } from '../core/provider.ts'
import { badGrant, jsonType, tokenFault } from './refusal.ts'

/** Sees everything. */
export const fullScope = 'https://www.googleapis.com/auth/drive'
/** Sees what this client made, and nothing else. */
export const ownScope = 'https://www.googleapis.com/auth/drive.file'

/** The client's secret comes in the body; an installed app's is no secret, but Google wants it. */
export async function token(auth: Auth, exchange: Exchange): Promise<Answer> {
  const asked = new URLSearchParams(await exchange.text())
  const { clientId, clientSecret } = auth.client
  if (asked.get('client_id') !== clientId || asked.get('client_secret') !== clientSecret)
    return tokenFault(401, 'invalid_client', 'The OAuth client was not found.')
  switch (asked.get('grant_type')) {
    case 'refresh_token': {
      const grant = auth.refresh(asked.get('refresh_token') ?? '')
      return grant === undefined ? badGrant() : granted(grant, false)
    }
    case 'authorization_code': {
      const grant = auth.exchange(asked.get('code') ?? '', asked.get('code_verifier') ?? undefined)
      return grant === undefined ? tokenFault(400, 'invalid_grant', 'Malformed auth code.') : granted(grant, true)
    }
    case null:
    default:
      return tokenFault(400, 'unsupported_grant_type', 'Invalid grant_type')
  }
}

/** A refresh brings no new refresh token: they do not rotate. */
function granted({ accessToken, expiresInS, refreshToken, scopes }: Grant, isFirst: boolean): Answer {
  const common = { access_token: accessToken, expires_in: expiresInS, scope: scopes.join(' '), token_type: 'Bearer' }
  return json(200, { ...common, ...(isFirst ? { refresh_token: refreshToken } : {}) }, { 'Content-Type': jsonType })
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
