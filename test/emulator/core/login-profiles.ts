/** What logging in is like at each provider, as data: paths, which redirects it takes, what it answers. Sources: the providers' OAuth guides. */
import type { Grant } from './auth.ts'

export interface LoginProfile {
  readonly authorize: RegExp
  readonly token: RegExp
  readonly device: RegExp | undefined
  /** Where a person types a device's code. */
  readonly verify: string
  /** `port`: any of this machine; `registered`: to the letter one of a list. */
  readonly redirects: 'port' | 'registered'
  /** Without a redirect the page shows the code. */
  readonly showsCode: boolean
  /** Of an app's secret: always, or only in the place of PKCE. */
  readonly needsSecret: boolean
  readonly codeLifeMs: number
  /** An assertion lives this long at most. Unit: s. */
  readonly assertionSMax: number
  readonly badClient: LoginFault
  readonly badCode: LoginFault
  readonly pending: LoginFault
  readonly declined: LoginFault
  readonly expired: LoginFault
  /** The fields of a device's code beside those of RFC 8628. */
  readonly deviceFields: (address: string) => Readonly<Record<string, string>>
  /** `code`: a first login; `refresh`: a renewed one; `service`: a program's own. */
  readonly grant: (grant: Grant, after: 'code' | 'refresh' | 'service') => Readonly<Record<string, unknown>>
}

export interface LoginFault {
  readonly status: number
  readonly error: string
  readonly description: string
}

const fault = (status: number, error: string, description: string): LoginFault => ({ status, error, description })
const never = fault(400, 'unsupported_grant_type', 'grant_type is not supported')

const minuteMs = 60_000

const dropbox: LoginProfile = {
  authorize: /^(\/1)?\/oauth2\/authorize$/,
  token: /^\/[12]?\/?oauth2\/token$/,
  device: undefined,
  verify: '/device',
  redirects: 'registered',
  showsCode: true,
  needsSecret: false,
  codeLifeMs: 10 * minuteMs,
  assertionSMax: 0,
  badClient: fault(400, 'invalid_client', 'invalid client_id or client_secret'),
  badCode: fault(400, 'invalid_grant', "code doesn't exist or has expired"),
  pending: never,
  declined: never,
  expired: never,
  deviceFields: () => ({}),
  grant: ({ accessToken, expiresInS, refreshToken, scopes, user }, after) => ({
    access_token: accessToken,
    token_type: 'bearer',
    expires_in: expiresInS,
    ...(after === 'code'
      ? { refresh_token: refreshToken, scope: scopes.join(' '), uid: '12345678', account_id: dropboxId(user) }
      : {}),
  }),
}

/** Account ids have 40 characters. */
export function dropboxId(user: string): string {
  return `dbid:AAfanfold${user === 'owner' ? '' : user}`.padEnd(39, 'A') + '1'
}

const googleDrive: LoginProfile = {
  authorize: /^\/o\/oauth2\/v2\/auth$/,
  token: /^\/token$/,
  device: /^\/device\/code$/,
  verify: '/device',
  redirects: 'port',
  showsCode: false,
  needsSecret: true,
  codeLifeMs: 10 * minuteMs,
  assertionSMax: 3600,
  badClient: fault(401, 'invalid_client', 'The OAuth client was not found.'),
  badCode: fault(400, 'invalid_grant', 'Malformed auth code.'),
  pending: fault(428, 'authorization_pending', 'Precondition Required'),
  declined: fault(403, 'access_denied', 'Forbidden'),
  expired: fault(400, 'expired_token', 'The device code has expired.'),
  deviceFields: (address) => ({ verification_url: address }),
  grant: ({ accessToken, expiresInS, refreshToken, scopes }, after) => ({
    access_token: accessToken,
    expires_in: expiresInS,
    scope: scopes.join(' '),
    token_type: 'Bearer',
    ...(after === 'code' ? { refresh_token: refreshToken } : {}),
  }),
}

const box: LoginProfile = {
  authorize: /^(\/api)?\/oauth2\/authorize$/,
  token: /^(\/api)?\/oauth2\/token$/,
  device: undefined,
  verify: '/device',
  redirects: 'registered',
  showsCode: false,
  needsSecret: true,
  codeLifeMs: minuteMs / 2,
  assertionSMax: 60,
  badClient: fault(400, 'invalid_client', 'The client credentials are invalid'),
  badCode: fault(400, 'invalid_grant', "Auth code doesn't exist or is invalid for the client"),
  pending: never,
  declined: never,
  expired: never,
  deviceFields: () => ({}),
  grant: ({ accessToken, expiresInS, refreshToken }, after) => ({
    access_token: accessToken,
    expires_in: expiresInS,
    restricted_to: [],
    token_type: 'bearer',
    ...(after === 'service' ? {} : { refresh_token: refreshToken }),
  }),
}

const onedrive: LoginProfile = {
  authorize: /^\/[\w.-]+\/oauth2\/v2\.0\/authorize$/,
  token: /^\/[\w.-]+\/oauth2\/v2\.0\/token$/,
  device: /^\/[\w.-]+\/oauth2\/v2\.0\/devicecode$/,
  verify: '/device',
  redirects: 'port',
  showsCode: false,
  needsSecret: false,
  codeLifeMs: 10 * minuteMs,
  assertionSMax: 0,
  badClient: fault(401, 'invalid_client', 'AADSTS7000215: Invalid client secret provided.'),
  badCode: fault(400, 'invalid_grant', 'AADSTS70008: The provided authorization code has expired or was used.'),
  pending: fault(400, 'authorization_pending', 'AADSTS70016: OAuth 2.0 device flow error. Authorization is pending.'),
  declined: fault(400, 'authorization_declined', 'AADSTS65004: User declined to consent.'),
  expired: fault(400, 'expired_token', 'AADSTS70020: The provided value for the device code has expired.'),
  deviceFields: (address) => ({ verification_uri: address, message: `To sign in, open ${address} and type the code.` }),
  grant: ({ accessToken, expiresInS, refreshToken, scopes }, after) => ({
    token_type: 'Bearer',
    expires_in: expiresInS,
    ext_expires_in: expiresInS,
    access_token: accessToken,
    // offline_access is not repeated, and other permissions carry the API's address.
    ...(after === 'service'
      ? {}
      : {
          scope: scopes
            .filter((scope) => scope !== 'offline_access')
            .map(graphScope)
            .join(' '),
          refresh_token: refreshToken,
        }),
  }),
}

function graphScope(scope: string): string {
  return scope.startsWith('https:') ? scope : `https://graph.microsoft.com/${scope}`
}

export const loginProfiles = { box, dropbox, 'google-drive': googleDrive, onedrive } as const
export type LoginKind = keyof typeof loginProfiles
