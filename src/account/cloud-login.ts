/** What logging in is like at each cloud, as data: addresses, scopes, how tokens live and die. Makes no call. Sources: the clouds' OAuth guides. */
import type { Access, AccountConfig, CloudKind } from '../config/config.ts'

export interface CloudLogin {
  /** How its owner calls it. */
  readonly title: string
  readonly consentUrl: string
  /** Beyond what OAuth 2.0 says: how to be given a refresh token, each time. */
  readonly consentExtras: Readonly<Record<string, string>>
  readonly tokenUrl: string
  /** undefined: it gives no codes to devices. */
  readonly deviceUrl: string | undefined
  /** `form`: RFC 7009 with the app's id and secret; `bearer`: the access token says which; undefined: its owner takes it back there. */
  readonly revoke: { readonly how: 'form' | 'bearer'; readonly url: string } | { readonly at: string }
  /** Where the consent page sends the browser. Without a port any will do; with one, only what was registered with the app. */
  readonly redirect: { readonly host: 'localhost' | '127.0.0.1'; readonly port: number | undefined }
  /** Without an address to go to, the consent page shows the code, to be copied. */
  readonly showsCode: boolean
  readonly scopes: Readonly<Partial<Record<Access, ScopeChoice>>>
  /**
   * What becomes of a refresh token with its use: it stays; it is replaced and the old one stays good for a while; it is good once,
   * so that a crash between the cloud's deed and ours costs the login.
   */
  readonly refreshTokens: 'stay' | 'replaced' | 'once'
  /** A refresh token that nobody uses ends after this; undefined: never. Unit: ms. */
  readonly idleLifeMs: number | undefined
  /** Pages and APIs that a login calls, so that an endpoint takes their place. */
  readonly hosts: readonly string[]
}

export interface ScopeChoice {
  readonly scopes: readonly string[]
  /** Why somebody would want that much, for who asked for it. */
  readonly reason: string | undefined
}

const dayMs = 24 * 3_600_000

/** What rclone's users register as well, so that one app serves both. */
const registeredPort = 53_682

const dropbox: CloudLogin = {
  title: 'Dropbox',
  consentUrl: 'https://www.dropbox.com/oauth2/authorize',
  consentExtras: { token_access_type: 'offline' },
  tokenUrl: 'https://api.dropboxapi.com/oauth2/token',
  deviceUrl: undefined,
  revoke: { how: 'bearer', url: 'https://api.dropboxapi.com/2/auth/token/revoke' },
  redirect: { host: 'localhost', port: registeredPort },
  showsCode: true,
  scopes: {
    least: {
      // Whether this is one folder or all files is said where the app is registered.
      scopes: [
        'account_info.read',
        'files.metadata.read',
        'files.metadata.write',
        'files.content.read',
        'files.content.write',
      ],
      reason: undefined,
    },
  },
  refreshTokens: 'stay',
  idleLifeMs: undefined,
  hosts: ['www.dropbox.com', 'api.dropboxapi.com'],
}

const googleDrive: CloudLogin = {
  title: 'Google',
  consentUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  // Without a prompt, a second consent brings no refresh token.
  consentExtras: { access_type: 'offline', prompt: 'consent' },
  tokenUrl: 'https://oauth2.googleapis.com/token',
  deviceUrl: 'https://oauth2.googleapis.com/device/code',
  revoke: { how: 'form', url: 'https://oauth2.googleapis.com/revoke' },
  redirect: { host: '127.0.0.1', port: undefined },
  showsCode: false,
  scopes: {
    least: { scopes: ['https://www.googleapis.com/auth/drive.file'], reason: undefined },
    all: {
      scopes: ['https://www.googleapis.com/auth/drive'],
      reason: 'every file of this Drive can be read and changed: needed for folders that Fanfold did not make itself',
    },
  },
  refreshTokens: 'stay',
  idleLifeMs: 180 * dayMs,
  hosts: ['accounts.google.com', 'oauth2.googleapis.com', 'www.googleapis.com'],
}

const box: CloudLogin = {
  title: 'Box',
  consentUrl: 'https://account.box.com/api/oauth2/authorize',
  consentExtras: {},
  tokenUrl: 'https://api.box.com/oauth2/token',
  deviceUrl: undefined,
  revoke: { how: 'form', url: 'https://api.box.com/oauth2/revoke' },
  redirect: { host: 'localhost', port: registeredPort },
  showsCode: false,
  scopes: { least: { scopes: ['root_readwrite'], reason: undefined } },
  refreshTokens: 'once',
  idleLifeMs: 60 * dayMs,
  hosts: ['account.box.com', 'api.box.com'],
}

const onedrive: CloudLogin = {
  title: 'Microsoft',
  consentUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize',
  consentExtras: { response_mode: 'query' },
  tokenUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token',
  deviceUrl: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode',
  revoke: { at: 'https://account.live.com/consent/Manage, or https://myapps.microsoft.com for work and school' },
  redirect: { host: 'localhost', port: undefined },
  showsCode: false,
  scopes: {
    least: { scopes: ['Files.ReadWrite.AppFolder', 'offline_access'], reason: undefined },
    files: {
      scopes: ['Files.ReadWrite', 'offline_access'],
      reason: 'all files of this OneDrive can be read and changed: needed for a folder outside of Apps/',
    },
    all: {
      scopes: ['Files.ReadWrite.All', 'offline_access'],
      reason: 'all files that this user may see can be read and changed: needed for shared libraries',
    },
  },
  refreshTokens: 'replaced',
  idleLifeMs: 90 * dayMs,
  hosts: ['login.microsoftonline.com', 'graph.microsoft.com'],
}

const logins: Readonly<Record<CloudKind, CloudLogin>> = { box, dropbox, 'google-drive': googleDrive, onedrive }

/** Tenant put in. */
export function cloudLogin({ kind, tenant = 'common' }: Pick<AccountConfig, 'kind' | 'tenant'>): CloudLogin {
  const login = logins[kind]
  const placed = (url: string): string => url.replace('{tenant}', tenant)
  const { deviceUrl } = login
  return {
    ...login,
    consentUrl: placed(login.consentUrl),
    tokenUrl: placed(login.tokenUrl),
    deviceUrl: deviceUrl === undefined ? undefined : placed(deviceUrl),
  }
}

/** What an account asks for. */
export function scopesOf(config: Pick<AccountConfig, 'kind' | 'tenant' | 'access'>): ScopeChoice {
  const { scopes } = cloudLogin(config)
  return scopes[config.access ?? 'least'] ?? scopes.least ?? { scopes: [], reason: undefined }
}

/** The base URLs that stand for a login's hosts. */
export function loginEndpoints(config: Pick<AccountConfig, 'kind' | 'endpoint'>): Readonly<Record<string, string>> {
  const { endpoint } = config
  return endpoint === undefined ? {} : Object.fromEntries(cloudLogin(config).hosts.map((host) => [host, endpoint]))
}

/** An address for a browser, which no transport redirects. */
export function placedUrl(url: string, endpoint: string | undefined): URL {
  const real = new URL(url)
  if (endpoint === undefined) return real
  const base = new URL(endpoint)
  return new URL(`${base.pathname.replace(/\/$/, '')}${real.pathname}${real.search}`, base.origin)
}
