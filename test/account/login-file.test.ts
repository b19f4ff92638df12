/** Where a login lies: for its owner's eyes, sealed where there is a key, and never begun twice from one credential. */
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync, unlinkSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aFolder } from '../builders.ts'
import { aLoginRig, decide, type LoginRig, signal } from './login-rig.ts'

const isRoot = process.getuid?.() === 0

function credentialsOf(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = aFolder()
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, `fanfold_${name}`), content)
  return folder
}

async function loggedIn(rig: LoginRig): Promise<void> {
  const ask = { manner: 'browser', redirectUri: 'http://localhost:53682/', acceptsOther: false } as const
  const { ticket, address } = await rig.handshakes.begin(rig.account, ask, signal)
  await rig.handshakes.finish(ticket, await decide(address), signal)
}

test('a file that others may read is refused, with the fix', async () => {
  const rig = await aLoginRig('dropbox')
  rig.keep({ refreshToken: 'r' })
  chmodSync(join(rig.folder, 'main.json'), 0o640)

  await expect(rig.account.look()).rejects.toThrow(/main\.json has mode 640.*run: chmod 600 .*main\.json/)
})

test('a folder that others may enter is refused, with the fix', async () => {
  const rig = await aLoginRig('dropbox')
  rig.keep({ refreshToken: 'r' })
  chmodSync(rig.folder, 0o755)

  await expect(rig.account.look()).rejects.toThrow(/accounts has mode 755.*run: chmod 700/)
})

test.runIf(isRoot)('a file of another user is refused, with the fix', async () => {
  const rig = await aLoginRig('dropbox')
  rig.keep({ refreshToken: 'r' })
  chownSync(join(rig.folder, 'main.json'), 12345, 12345)

  await expect(rig.account.look()).rejects.toThrow(/belongs to user 12345, expected 0; run: sudo chown 0 /)
})

test.runIf(isRoot)(
  'what root writes belongs to the owner of the state folder, so that the service can read it',
  async () => {
    const rig = await aLoginRig('dropbox')
    const state = join(rig.folder, '..')
    chownSync(state, 12345, 12345)

    await loggedIn(rig)

    const { statSync } = await import('node:fs')
    const owners = ['', 'main.json', 'main.lock'].map((name) => statSync(join(rig.folder, name)).uid)
    expect(owners).toEqual([12345, 12345, 12345])
    expect((await rig.another().look()).state).toBe('logged-in')
  },
)

test('a link in its place is not followed', async () => {
  const rig = await aLoginRig('dropbox')
  rig.keep({ refreshToken: 'r' })
  const elsewhere = join(aFolder(), 'login')
  writeFileSync(elsewhere, '{"refreshToken":"r"}', { mode: 0o600 })
  unlinkSync(join(rig.folder, 'main.json'))
  symlinkSync(elsewhere, join(rig.folder, 'main.json'))

  await expect(rig.account.look()).rejects.toThrow('ELOOP')
})

test('a login lies sealed where the service manager gives a key, and nobody opens it without', async () => {
  const credentials = credentialsOf({ key: randomBytes(32) })
  const rig = await aLoginRig('dropbox', { credentials })

  await loggedIn(rig)
  const text = readFileSync(join(rig.folder, 'main.json'), 'utf8')
  const unsealed = await aLoginRig('dropbox')
  mkdirSync(unsealed.folder, { mode: 0o700 })
  writeFileSync(join(unsealed.folder, 'main.json'), text, { mode: 0o600 })

  expect(text).toMatch(/^\{"sealed":1/)
  expect(text).not.toMatch(/refresh-|access-|owner/)
  expect(await rig.another().look()).toMatchObject({ state: 'logged-in', user: 'owner@example.com' })
  await expect(unsealed.account.look()).rejects.toThrow('is sealed, and its key is not here')
})

test('a sealed login opens with its own key and in its own place only', async () => {
  const rig = await aLoginRig('dropbox', { credentials: credentialsOf({ key: randomBytes(32) }) })
  await loggedIn(rig)
  const text = readFileSync(join(rig.folder, 'main.json'), 'utf8')
  writeFileSync(join(rig.folder, 'other.json'), text, { mode: 0o600 })
  const stranger = await aLoginRig('dropbox', { credentials: credentialsOf({ key: randomBytes(32) }) })
  mkdirSync(stranger.folder, { mode: 0o700 })
  writeFileSync(join(stranger.folder, 'main.json'), text, { mode: 0o600 })

  await expect(rig.another({ name: 'other' }).look()).rejects.toThrow('sealed with another key')
  await expect(stranger.account.look()).rejects.toThrow('sealed with another key')
})

test('a plain login is sealed with its next renewal once there is a key', async () => {
  const rig = await aLoginRig('onedrive', { credentials: credentialsOf({ key: randomBytes(32) }) })
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })

  await rig.account.credentials().bearer(signal)

  expect(rig.kept()).toMatchObject({ sealed: 1 })
})

test('a key that can be guessed is refused', async () => {
  const rig = await aLoginRig('dropbox', { credentials: credentialsOf({ key: 'short' }) })

  await expect(loggedIn(rig)).rejects.toThrow('the credential "key" has 5 bytes, expected at least 16')
})

test('F104: a credential seeds the login, and rotation never needs it again', async () => {
  const credentials = credentialsOf({})
  const rig = await aLoginRig('box', { credentials })
  const seed = rig.emulator.auth.login().refreshToken
  writeFileSync(join(credentials, 'fanfold_main.login'), `${seed}\n`)

  const first = await rig.account.credentials().bearer(signal)
  await rig.account.renew(signal)
  const later = rig.another()

  expect(first).toMatch(/^access-/)
  expect(rig.kept()['refreshToken']).not.toBe(seed)
  // The credential is spent by now: whoever used it again would be refused.
  await later.renew(signal)
  expect(await later.credentials().bearer(signal)).not.toBe(first)
})

test('F104: a logout is not undone by the credential, and a new credential is taken', async () => {
  const credentials = credentialsOf({})
  const rig = await aLoginRig('dropbox', { credentials })
  const seedWith = (token: string): void =>
    writeFileSync(join(credentials, 'fanfold_main.login'), JSON.stringify({ refreshToken: token }))
  seedWith(rig.emulator.auth.login().refreshToken)
  await rig.account.credentials().bearer(signal)

  await rig.account.logout(signal)
  await expect(rig.another().credentials().bearer(signal)).rejects.toThrow('there is no login yet')
  seedWith(rig.emulator.auth.login().refreshToken)

  expect(await rig.another().credentials().bearer(signal)).toMatch(/^access-/)
})

test('the secret of an app may come as a credential', async () => {
  const rig = await aLoginRig('box', {
    some: { clientSecretFile: undefined },
    credentials: credentialsOf({ 'main.secret': 'emulatedappsecret\n' }),
  })

  await loggedIn(rig)

  expect(rig.kept()).toHaveProperty('refreshToken')
})
