/** Microsoft's token address: refreshing, which brings a new token each time while the old one stays good, and apps by themselves. First logins: core/login-pages.ts. */
import type { Auth } from '../core/auth.ts'
import type { Exchange } from '../core/exchange.ts'
import { granted, refused } from '../core/login-pages.ts'
import { loginProfiles } from '../core/login-profiles.ts'
import { type Answer, json } from '../core/provider.ts'
import { badGrant } from './refusal.ts'

export const scopes = ['Files.ReadWrite', 'offline_access'] as const

const profile = loginProfiles.onedrive

export async function token(auth: Auth, exchange: Exchange): Promise<Answer> {
  const asked = new URLSearchParams(await exchange.text())
  const basic = /^Basic (.+)$/.exec(exchange.headers.authorization ?? '')?.[1]
  const [basicId, basicSecret] = Buffer.from(basic ?? '', 'base64')
    .toString()
    .split(':')
    .map(decodeURIComponent)
  const clientId = asked.get('client_id') ?? basicId
  const secret = asked.get('client_secret') ?? basicSecret ?? ''
  const isClient = clientId === auth.client.clientId && (secret === '' || secret === auth.client.clientSecret)
  if (!isClient) return refused(profile.badClient)
  switch (asked.get('grant_type')) {
    case 'refresh_token': {
      const grant = auth.refresh(asked.get('refresh_token') ?? '')
      return grant === undefined ? badGrant() : granted(profile, grant, 'refresh')
    }
    case 'client_credentials':
      return secret === '' ? refused(profile.badClient) : granted(profile, auth.login(['.default']), 'service')
    case null:
    default:
      return json(400, {
        error: 'unsupported_grant_type',
        error_description: 'AADSTS70003: grant_type is not supported',
      })
  }
}
