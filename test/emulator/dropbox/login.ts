/** Dropbox's token address: refreshing. Tokens live in core/auth.ts, consent and first logins in core/login-pages.ts. */
import type { Auth } from '../core/auth.ts'
import type { Exchange } from '../core/exchange.ts'
import { granted } from '../core/login-pages.ts'
import { loginProfiles } from '../core/login-profiles.ts'
import { type Answer, json } from '../core/provider.ts'
import { badGrant } from './refusal.ts'

export const scopes = [
  'account_info.read',
  'files.metadata.read',
  'files.metadata.write',
  'files.content.read',
  'files.content.write',
] as const

/** Parameters come in the query (SDK) or in a form (rclone, others), the client's secret in either or as Basic. */
export async function token(auth: Auth, exchange: Exchange): Promise<Answer> {
  const asked = new URLSearchParams(await exchange.text())
  for (const [name, value] of exchange.url.searchParams) asked.set(name, value)
  const basic = basicOf(exchange.headers.authorization)
  const clientId = basic?.clientId ?? asked.get('client_id')
  const clientSecret = basic?.clientSecret ?? asked.get('client_secret')
  const hasSecret = clientSecret !== null && clientSecret !== ''
  if (clientId !== auth.client.clientId || (hasSecret && clientSecret !== auth.client.clientSecret)) {
    return json(400, { error: 'invalid_client', error_description: 'invalid client_id or client_secret' })
  }
  switch (asked.get('grant_type')) {
    case 'refresh_token': {
      const grant = auth.refresh(asked.get('refresh_token') ?? '')
      return grant === undefined
        ? badGrant('refresh token is invalid or revoked')
        : granted(loginProfiles.dropbox, grant, 'refresh')
    }
    case null:
    default:
      return json(400, { error: 'unsupported_grant_type', error_description: 'grant_type is missing or not supported' })
  }
}

function basicOf(header: string | undefined): { readonly clientId: string; readonly clientSecret: string } | undefined {
  const found = /^Basic (.+)$/.exec(header ?? '')?.[1]
  if (found === undefined) return undefined
  const [clientId = '', clientSecret = ''] = Buffer.from(found, 'base64').toString().split(':').map(decodeURIComponent)
  return { clientId, clientSecret }
}
