/** Microsoft's token address: a refresh token brings a new one with each use, the old one stays good. Tokens live in core/auth.ts. */
import type { Auth, Grant } from '../core/auth.ts'
import type { Exchange } from '../core/exchange.ts'
import { type Answer, json } from '../core/provider.ts'
import { badGrant } from './refusal.ts'

export const scopes = ['Files.ReadWrite', 'offline_access'] as const

export async function token(auth: Auth, exchange: Exchange): Promise<Answer> {
  const asked = new URLSearchParams(await exchange.text())
  const basic = /^Basic (.+)$/.exec(exchange.headers.authorization ?? '')?.[1]
  const [basicId, basicSecret] = Buffer.from(basic ?? '', 'base64')
    .toString()
    .split(':')
    .map(decodeURIComponent)
  const clientId = asked.get('client_id') ?? basicId
  const secret = asked.get('client_secret') ?? basicSecret ?? ''
  if (clientId !== auth.client.clientId || (secret !== '' && secret !== auth.client.clientSecret)) {
    return fault('invalid_client', 'AADSTS7000215: Invalid client secret provided.', 7000215)
  }
  switch (asked.get('grant_type')) {
    case 'refresh_token': {
      const grant = auth.refresh(asked.get('refresh_token') ?? '')
      return grant === undefined ? badGrant() : granted(grant, true)
    }
    case 'authorization_code': {
      const grant = auth.exchange(asked.get('code') ?? '', asked.get('code_verifier') ?? undefined)
      return grant === undefined ? badGrant() : granted(grant, true)
    }
    case 'client_credentials':
      if (secret === '') return fault('invalid_client', 'AADSTS7000218: client_secret is missing.', 7000218)
      return granted(auth.login(['.default']), false)
    case null:
    default:
      return fault('unsupported_grant_type', 'AADSTS70003: The grant type is not supported.', 70003)
  }
}

function granted({ accessToken, expiresInS, refreshToken, scopes: given }: Grant, isDelegated: boolean): Answer {
  const common = { token_type: 'Bearer', expires_in: expiresInS, ext_expires_in: expiresInS, access_token: accessToken }
  return json(200, { ...common, ...(isDelegated ? { scope: given.join(' '), refresh_token: refreshToken } : {}) })
}

function fault(error: string, description: string, number: number): Answer {
  return json(error === 'invalid_client' ? 401 : 400, { error, error_description: description, error_codes: [number] })
}
