/** The form with which a program logs in as itself: signed assertions of Google and Box, client credentials of Box and Microsoft. */
import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { randomName } from '../base/random.ts'
import type { AccountConfig, ServiceConfig } from '../config/config.ts'
import { boxKey, googleKey } from './app-secret.ts'
import { cloudLogin, scopesOf } from './cloud-login.ts'
import { accountError } from './refusal.ts'
import type { Form } from './token-call.ts'

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** Box wants 16 to 128 characters that never come again. Unit: bytes, two characters each. */
const jtiBytes = 16
/** Google allows an hour, Box a minute. Unit: s. */
const assertionLifeS = { google: 3600, box: 45 }

export interface ServiceParts {
  readonly config: AccountConfig
  readonly service: ServiceConfig
  readonly secret: string | undefined
  /** By the cloud's clock as far as it is known: it judges the times in assertions. Unit: ms. */
  readonly cloudMs: number
}

export async function serviceForm(parts: ServiceParts): Promise<Form> {
  switch (parts.config.kind) {
    case 'google-drive':
      return googleForm(parts)
    case 'box':
      return boxForm(parts)
    case 'onedrive':
      return microsoftForm(parts)
    case 'dropbox':
      throw refused(parts.config, 'Dropbox has no logins for services; log in as a person')
  }
}

/** Source: "Using OAuth 2.0 for Server to Server Applications". */
async function googleForm({ config, service, cloudMs }: ServiceParts): Promise<Form> {
  const { email, keyId, privateKey } = await googleKey(config, service.keyFile ?? '')
  const nowS = Math.floor(cloudMs / 1000)
  const claims = {
    iss: email,
    scope: scopesOf(config).scopes.join(' '),
    aud: cloudLogin(config).tokenUrl,
    iat: nowS,
    exp: nowS + assertionLifeS.google,
    ...(service.subject === undefined ? {} : { sub: service.subject }),
  }
  return { grant_type: jwtBearer, assertion: assertion(keyOf(config, privateKey), keyId, claims) }
}

/** Source: Box, "JWT without SDK" and "Client Credentials Grant". */
async function boxForm({ config, service, secret, cloudMs }: ServiceParts): Promise<Form> {
  const type = service.subject === undefined ? 'enterprise' : 'user'
  const id = service.subject ?? service.enterprise
  if (service.keyFile === undefined)
    return {
      grant_type: 'client_credentials',
      client_id: config.clientId,
      client_secret: secretOf(config, secret),
      box_subject_type: type,
      box_subject_id: id ?? '',
    }
  const { clientId, clientSecret, keyId, privateKey, passphrase, enterprise } = await boxKey(config, service.keyFile)
  const claims = {
    iss: clientId,
    sub: id ?? enterprise ?? '',
    box_sub_type: type,
    aud: cloudLogin(config).tokenUrl,
    jti: randomName(jtiBytes),
    exp: Math.floor(cloudMs / 1000) + assertionLifeS.box,
  }
  const signed = assertion(keyOf(config, privateKey, passphrase), keyId, claims)
  return { grant_type: jwtBearer, client_id: clientId, client_secret: clientSecret, assertion: signed }
}

/** An app of its own has no single permissions to ask for: `.default` means those that the tenant's administrator gave it. */
function microsoftForm({ config, secret }: ServiceParts): Form {
  return {
    grant_type: 'client_credentials',
    client_id: config.clientId,
    client_secret: secretOf(config, secret),
    scope: 'https://graph.microsoft.com/.default',
  }
}

function secretOf(config: AccountConfig, secret: string | undefined): string {
  if (secret !== undefined) return secret
  throw refused(config, 'a service needs the app’s secret; give it as client-secret-file')
}

function keyOf(config: AccountConfig, key: string, passphrase?: string): KeyObject {
  try {
    return createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) })
  } catch {
    // Not its own words, nor its cause: they are about the key.
    throw refused(config, 'the private key in service.key-file cannot be used; make another one at the cloud')
  }
}

/** RFC 7523, signed with RS256. */
function assertion(key: KeyObject, keyId: string, claims: Readonly<Record<string, unknown>>): string {
  const head = { alg: 'RS256', typ: 'JWT', ...(keyId === '' ? {} : { kid: keyId }) }
  const text = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`
}

function refused(config: AccountConfig, what: string): Error {
  return accountError(config, { kind: 'pause-target', state: 'needs-login' }, what)
}
