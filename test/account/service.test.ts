/** Programs that log in as themselves: signed assertions and client credentials, without a person and without a refresh token. */
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'
import { aLoginRig, type LoginRig, type RigOptions, signal } from './login-rig.ts'

const pair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const locked = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' },
})
const none = { keyFile: undefined, subject: undefined, enterprise: undefined }

function fileOf(value: unknown): string {
  const path = join(aFolder(), 'key.json')
  writeFileSync(path, JSON.stringify(value))
  return path
}

const googleKey = { client_email: 'robot@project.example', private_key_id: 'k1', private_key: pair.privateKey }

async function aGoogleService(options: RigOptions = {}, subject?: string): Promise<LoginRig> {
  const service = { ...none, keyFile: fileOf(googleKey), subject }
  const rig = await aLoginRig('google-drive', {
    ...options,
    some: { clientId: '', clientSecretFile: undefined, service },
  })
  rig.emulator.provider.pages.serviceKey = pair.publicKey
  return rig
}

async function aBoxKey(): Promise<LoginRig> {
  const app = {
    clientID: 'emulatedapp',
    clientSecret: 'emulatedappsecret',
    appAuth: { publicKeyID: 'k1', privateKey: locked.privateKey, passphrase: 'open sesame' },
  }
  const service = { ...none, keyFile: fileOf({ boxAppSettings: app, enterpriseID: '77' }) }
  const rig = await aLoginRig('box', { some: { clientId: '', clientSecretFile: undefined, service } })
  rig.emulator.provider.pages.serviceKey = locked.publicKey
  return rig
}

describe.each([
  ['Google with a key', () => aGoogleService()],
  ['Google with a key, for a user', () => aGoogleService({}, 'anna@example.org')],
  ['Box with a key', aBoxKey],
  ['Box with client credentials', () => aLoginRig('box', { some: { service: { ...none, enterprise: '77' } } })],
  [
    'Microsoft with client credentials',
    () => aLoginRig('onedrive', { some: { service: none, tenant: 'example.org' } }),
  ],
] as const)('%s', (_title, make) => {
  test('needs nobody: the first call of a lane has a token, and a second process uses the same', async () => {
    const rig = await make()

    const token = await rig.account.credentials().bearer(signal)
    const other = await rig.another().credentials().bearer(signal)

    expect([token, other]).toEqual([expect.stringMatching(/^access-/), token])
    expect(rig.kept()).not.toHaveProperty('refreshToken')
  })

  test('is proved by `fanfold login`', async () => {
    const rig = await make()
    const ask = { manner: 'service', redirectUri: undefined, acceptsOther: false } as const
    const begun = await rig.handshakes.begin(rig.account, ask, signal)

    expect(await rig.handshakes.finish(begun.ticket, '', signal)).toMatchObject({ kind: 'done', account: 'main' })
  })
})

test('an assertion is made by the cloud’s clock where ours is wrong', async () => {
  const rig = await aGoogleService({ clock: new ManualClock(Date.now() - 2 * 3_600_000) })

  expect(await rig.account.credentials().bearer(signal)).toMatch(/^access-/)
})

test('a key that the cloud does not know is the owner’s to replace', async () => {
  const rig = await aGoogleService()
  rig.emulator.provider.pages.serviceKey = locked.publicKey

  const refused = rig.account.credentials().bearer(signal)

  await expect(refused).rejects.toMatchObject({ next: { kind: 'pause-target', state: 'needs-login' } })
  await expect(refused).rejects.toThrow(/refuses the service’s credentials; check "service"/)
})

test('no message repeats what stands in a key file that is none', async () => {
  const keyFile = fileOf({ client_email: 'robot', private_key: 'very-secret-and-no-key' })
  const rig = await aLoginRig('google-drive', { some: { service: { ...none, keyFile } } })

  const refused = rig.account.credentials().bearer(signal)

  await expect(refused).rejects.toThrow(/^((?!very-secret).)*cannot be used; make another one at the cloud$/)
})
