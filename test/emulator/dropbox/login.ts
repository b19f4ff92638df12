/** Dropbox's consent page and token address: codes, refreshing, revoking. Tokens live in core/auth.ts. */
import type { Auth, Grant } from '../core/auth.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json, plainText } from '../core/provider.ts'
import { loginFacts } from './account.ts'
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
      return grant === undefined ? badGrant('refresh token is invalid or revoked') : granted(grant, false)
    }
    case 'authorization_code': {
      const verifier = asked.get('code_verifier') ?? undefined
      if (verifier === undefined && !hasSecret) return badGrant('code_verifier or client_secret is missing')
      const grant = auth.exchange(asked.get('code') ?? '', verifier)
      return grant === undefined ? badGrant("code doesn't exist or has expired") : granted(grant, true)
    }
    case null:
    default:
      return json(400, { error: 'unsupported_grant_type', error_description: 'grant_type is missing or not supported' })
  }
}

/** A refresh does not bring a new refresh token. */
function granted(grant: Grant, isFirst: boolean): Answer {
  return json(200, {
    access_token: grant.accessToken,
    token_type: 'bearer',
    expires_in: grant.expiresInS,
    ...(isFirst ? { refresh_token: grant.refreshToken, scope: grant.scopes.join(' '), ...loginFacts } : {}),
  })
}

/** The owner always says yes. Without a redirect address the page shows the code to paste. */
export function consent(auth: Auth, { url }: Exchange): Answer {
  const asked = url.searchParams
  if (asked.get('client_id') !== auth.client.clientId) return plainText(400, 'Invalid client_id')
  const wished = (asked.get('scope') ?? '').split(' ').filter((scope) => scope !== '')
  const code = auth.consent(wished, asked.get('code_challenge') ?? undefined)
  const back = asked.get('redirect_uri')
  if (back === null) {
    const page = `<html><body><input id="auth-code" data-token="${code}" value="${code}"></body></html>`
    return { status: 200, headers: { 'Content-Type': 'text/html' }, body: page }
  }
  const target = new URL(back)
  target.searchParams.set('code', code)
  const state = asked.get('state')
  if (state !== null) target.searchParams.set('state', state)
  return plainText(302, '', { Location: target.href })
}

function basicOf(header: string | undefined): { readonly clientId: string; readonly clientSecret: string } | undefined {
  const found = /^Basic (.+)$/.exec(header ?? '')?.[1]
  if (found === undefined) return undefined
  const [clientId = '', clientSecret = ''] = Buffer.from(found, 'base64').toString().split(':').map(decodeURIComponent)
  return { clientId, clientSecret }
}
