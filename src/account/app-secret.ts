/** The secret of an account's app and the key of its service, read each time they are needed, so that a change needs no restart. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { errnoOf } from '../base/errors.ts'
import type { AccountConfig } from '../config/config.ts'
import type { CredentialsFolder } from './credentials-folder.ts'
import { accountError } from './refusal.ts'

/** No secret and no key file is longer. Unit: bytes. */
const secretBytesMax = 65_536

export async function appSecret(config: AccountConfig, credentials: CredentialsFolder): Promise<string | undefined> {
  const { clientSecretFile, name } = config
  if (clientSecretFile === undefined) return credentials.secret(name)
  return (await fileText(config, 'client-secret-file', clientSecretFile)).trim()
}

/** Google's key file. */
export interface GoogleKey {
  readonly email: string
  readonly keyId: string
  readonly privateKey: string
}

const googleShape = z.object({
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().default(''),
})

/** Box's key file, as its console hands it out. */
export interface BoxKey {
  readonly clientId: string
  readonly clientSecret: string
  readonly keyId: string
  readonly privateKey: string
  readonly passphrase: string | undefined
  readonly enterprise: string | undefined
}

const boxShape = z.object({
  boxAppSettings: z.object({
    clientID: z.string().min(1),
    clientSecret: z.string().min(1),
    appAuth: z.object({
      publicKeyID: z.string().min(1),
      privateKey: z.string().min(1),
      passphrase: z.string().optional(),
    }),
  }),
  enterpriseID: z.string().optional(),
})

export async function googleKey(config: AccountConfig, path: string): Promise<GoogleKey> {
  const key = await keyFile(config, path, googleShape)
  return { email: key.client_email, keyId: key.private_key_id, privateKey: key.private_key }
}

export async function boxKey(config: AccountConfig, path: string): Promise<BoxKey> {
  const { boxAppSettings: app, enterpriseID } = await keyFile(config, path, boxShape)
  const { publicKeyID, privateKey, passphrase } = app.appAuth
  const { clientID, clientSecret } = app
  if (enterpriseID === undefined && config.service?.enterprise === undefined && config.service?.subject === undefined)
    throw ofOwner(config, `service.key-file ${path} names no enterprise; say service.enterprise or service.subject`)
  return { clientId: clientID, clientSecret, keyId: publicKeyID, privateKey, passphrase, enterprise: enterpriseID }
}

async function keyFile<T>(config: AccountConfig, path: string, shape: z.ZodType<T>): Promise<T> {
  const text = await fileText(config, 'service.key-file', path)
  try {
    return shape.parse(JSON.parse(text))
  } catch {
    // Not its own words: they may hold a piece of the key.
    throw ofOwner(config, `service.key-file ${path} is no key file of this cloud; take the JSON that it handed out`)
  }
}

async function fileText(config: AccountConfig, key: string, path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const text = `${key} ${path} cannot be read (${errnoOf(cause) ?? 'unknown'})`
    throw ofOwner(config, `${text}; allow the daemon’s user to read it`)
  })
  return bytes.subarray(0, secretBytesMax).toString('utf8')
}

function ofOwner(config: AccountConfig, what: string): Error {
  return accountError(config, { kind: 'pause-target', state: 'needs-login' }, what)
}
