/** Logging in at each provider's consent page: what ends well, and what its owner is told where it does not. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Manner } from '../../src/account/account.ts'
import { ManualClock } from '../manual-clock.ts'
import type { LoginKind } from '../emulator/core/login-profiles.ts'
import { aLoginRig, decide, type LoginRig, signal, typeCode } from './login-rig.ts'

const redirects = {
  dropbox: 'http://localhost:53682/',
  box: 'http://localhost:53682/',
  'google-drive': 'http://127.0.0.1:4711',
  onedrive: 'http://localhost:4711',
} as const
const kinds = Object.keys(redirects) as LoginKind[]
const users: Readonly<Record<LoginKind, string>> = {
  dropbox: 'owner@example.com',
  'google-drive': 'owner@example.com',
  box: 'owner@example.com',
  onedrive: 'owner',
}

function begin(rig: LoginRig, manner: Manner = 'browser', acceptsOther = false) {
  const redirectUri = redirects[rig.config.kind]
  return rig.handshakes.begin(rig.account, { manner, redirectUri, acceptsOther }, signal)
}

async function loggedIn(rig: LoginRig, user = 'owner'): Promise<void> {
  const { ticket, address } = await begin(rig)
  await rig.handshakes.finish(ticket, await decide(address, { user }), signal)
}

describe.each(kinds)('at %s', (kind) => {
  test('a browser’s answer becomes a login, kept for its owner only, and lanes have tokens at once', async () => {
    const rig = await aLoginRig(kind)
    const { ticket, address } = await begin(rig)

    const progress = await rig.handshakes.finish(ticket, await decide(address), signal)

    expect(progress).toEqual({ kind: 'done', account: 'main', user: users[kind] })
    expect(rig.kept()).toMatchObject({ refreshToken: expect.stringMatching(/^refresh-/) as string })
    expect(statSync(join(rig.folder, 'main.json')).mode & 0o777).toBe(0o600)
    expect(await rig.account.credentials().bearer(signal)).toMatch(/^access-/)
  })

  test('a consent that was refused changes nothing', async () => {
    const rig = await aLoginRig(kind)
    await loggedIn(rig)
    const before = rig.kept()
    const { ticket, address } = await begin(rig)

    const finished = rig.handshakes.finish(ticket, await decide(address, { decision: 'deny' }), signal)

    await expect(finished).rejects.toThrow(
      'account main: the login was not allowed (access_denied); nothing was changed',
    )
    expect(rig.kept()).toEqual(before)
  })

  test('an answer with another state is not taken, and the right one still is', async () => {
    const rig = await aLoginRig(kind)
    const { ticket, address } = await begin(rig)
    const answer = new URL(await decide(address))
    const forged = new URL(answer)
    forged.searchParams.set('state', 'another')

    const stray = await rig.handshakes.finish(ticket, forged.href, signal)
    const done = await rig.handshakes.finish(ticket, answer.href, signal)

    expect([stray.kind, done.kind]).toEqual(['stray', 'done'])
  })

  test('a code that was used already is worth nothing', async () => {
    const rig = await aLoginRig(kind)
    const { ticket, address } = await begin(rig)
    const answer = new URL(await decide(address))
    await rig.handshakes.finish(ticket, answer.href, signal)
    const second = await begin(rig)
    answer.searchParams.set('state', new URL(second.address ?? '').searchParams.get('state') ?? '')

    await expect(rig.handshakes.finish(second.ticket, answer.href, signal)).rejects.toThrow('the code was used before')
    await expect(rig.handshakes.finish(ticket, answer.href, signal)).rejects.toThrow('this attempt to log in is over')
  })

  test('a code that is too old is worth nothing', async () => {
    const rig = await aLoginRig(kind)
    const { ticket, address } = await begin(rig)
    const answer = await decide(address)
    rig.emulator.clock.advance(11 * 60_000)

    await expect(rig.handshakes.finish(ticket, answer, signal)).rejects.toThrow('is too old')
  })

  test('a wrong secret of the app is told as that', async () => {
    const wrong = join(import.meta.dirname, 'login-rig.ts')
    const rig = await aLoginRig(kind, { some: { clientSecretFile: wrong } })
    const { ticket, address } = await begin(rig)
    const answer = await decide(address)

    await expect(rig.handshakes.finish(ticket, answer, signal)).rejects.toThrow(
      'check client-id and client-secret-file',
    )
  })

  test('of two handshakes at once the later one counts', async () => {
    const rig = await aLoginRig(kind)
    const [first, second] = [await begin(rig), await begin(rig)]
    const [early, late] = [await decide(first.address), await decide(second.address)]

    await expect(rig.handshakes.finish(first.ticket, early, signal)).rejects.toThrow('another one was begun')
    expect((await rig.handshakes.finish(second.ticket, late, signal)).kind).toBe('done')
  })

  test('another user than before is refused, until that is meant', async () => {
    const rig = await aLoginRig(kind)
    await loggedIn(rig)
    const before = rig.kept()
    const one = await begin(rig)

    const refused = rig.handshakes.finish(one.ticket, await decide(one.address, { user: 'somebody' }), signal)

    await expect(refused).rejects.toThrow(/login of somebody.*before was of owner.*--other-user/)
    expect(rig.kept()).toEqual(before)
    const meant = await begin(rig, 'browser', true)
    const done = await rig.handshakes.finish(meant.ticket, await decide(meant.address, { user: 'somebody' }), signal)
    expect(done).toMatchObject({ kind: 'done', user: expect.stringContaining('somebody') as string })
  })

  test('another user is noticed although the login before came by hand', async () => {
    const rig = await aLoginRig(kind)
    rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
    const { ticket, address } = await begin(rig)

    const finished = rig.handshakes.finish(ticket, await decide(address, { user: 'somebody' }), signal)

    await expect(finished).rejects.toThrow('the one before was of owner')
  })

  test('a logout takes the login back there, and lanes are told that there is none', async () => {
    const rig = await aLoginRig(kind)
    await loggedIn(rig)
    const token = String(rig.kept()['refreshToken'])

    const left = await rig.account.logout(signal)

    expect(rig.kept()).toEqual({})
    // Microsoft has no way for a program to do so.
    expect([rig.emulator.auth.refresh(token) === undefined, left === undefined]).toEqual(
      kind === 'onedrive' ? [false, false] : [true, true],
    )
    await expect(rig.account.credentials().bearer(signal)).rejects.toThrow('there is no login yet')
  })
})

test('Dropbox shows a code where no browser can come back, and it is copied', async () => {
  const rig = await aLoginRig('dropbox')
  const ask = { manner: 'paste', redirectUri: undefined, acceptsOther: false } as const
  const { ticket, address } = await rig.handshakes.begin(rig.account, ask, signal)

  const stray = await rig.handshakes.finish(ticket, 'what?', signal)
  const progress = await rig.handshakes.finish(ticket, ` ${await decide(address)}\n`, signal)

  expect([stray.kind, progress.kind]).toEqual(['stray', 'done'])
})

test('a permission that its owner unticked is missed at once', async () => {
  const rig = await aLoginRig('dropbox')
  const { ticket, address } = await begin(rig)
  const answer = await decide(address, { scopes: ['account_info.read', 'files.metadata.read'] })

  await expect(rig.handshakes.finish(ticket, answer, signal)).rejects.toThrow(
    'lacks the permission files.metadata.write and files.content.read and files.content.write',
  )
})

test('the least is asked for, and more only where the configuration says so, with the reason', async () => {
  const least = await begin(await aLoginRig('google-drive'))
  const all = await begin(await aLoginRig('google-drive', { some: { access: 'all' } }))
  const folder = await begin(await aLoginRig('onedrive'))
  const scopeOf = ({ address }: { readonly address: string | undefined }): string | null =>
    new URL(address ?? '').searchParams.get('scope')

  expect([scopeOf(least), least.reason]).toEqual(['https://www.googleapis.com/auth/drive.file', undefined])
  expect([scopeOf(all), all.reason]).toEqual([
    'https://www.googleapis.com/auth/drive',
    expect.stringContaining('every file'),
  ])
  expect(scopeOf(folder)).toBe('Files.ReadWrite.AppFolder offline_access')
})

describe.each(['google-drive', 'onedrive'] as const)('a device at %s', (kind) => {
  test('is logged in once its code was typed', async () => {
    const rig = await aLoginRig(kind)
    const begun = await begin(rig, 'device')

    const early = await rig.handshakes.finish(begun.ticket, '', signal)
    await typeCode(begun.address, begun.userCode ?? '')
    const done = await rig.handshakes.finish(begun.ticket, '', signal)

    expect([begun.againInMs, early, done.kind]).toEqual([5000, { kind: 'pending', againInMs: 5000 }, 'done'])
  })

  test('goes on asking when the network comes and goes', async () => {
    const rig = await aLoginRig(kind)
    const begun = await begin(rig, 'device')
    await typeCode(begun.address, begun.userCode ?? '')
    rig.emulator.fault({ route: 'token', fault: { do: 'cut' } })

    const first = await rig.handshakes.finish(begun.ticket, '', signal)
    const second = await rig.handshakes.finish(begun.ticket, '', signal)

    expect([first.kind, second.kind]).toEqual(['pending', 'done'])
  })

  test('is told of a refusal, and of a code that nobody typed in time', async () => {
    const rig = await aLoginRig(kind)
    const denied = await begin(rig, 'device')
    await typeCode(denied.address, denied.userCode ?? '', 'deny')
    await expect(rig.handshakes.finish(denied.ticket, '', signal)).rejects.toThrow('was not allowed')

    const late = await begin(rig, 'device')
    rig.emulator.clock.advance(16 * 60_000)

    await expect(rig.handshakes.finish(late.ticket, '', signal)).rejects.toThrow('was not typed in time')
  })
})

test.each(['box', 'dropbox'] as const)('%s gives no codes to devices, and another way is named', async (kind) => {
  const rig = await aLoginRig(kind)

  await expect(begin(rig, 'device')).rejects.toThrow('gives no codes to devices; use --paste')
})

test('an attempt that nobody answers ends by its time', async () => {
  const clock = new ManualClock(Date.now())
  const rig = await aLoginRig('box', { clock })
  const { ticket, address, endsInMs } = await begin(rig)
  const answer = await decide(address)
  clock.advance(endsInMs + 1)

  await expect(rig.handshakes.finish(ticket, answer, signal)).rejects.toThrow('it took too long')
})
