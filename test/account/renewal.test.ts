/** A login lives on: renewed once for all processes, ahead of its end, and never lost where the provider lets us keep it. */
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LoginKeeper } from '../../src/account/account.ts'
import type { Fields, Log } from '../../src/base/log.ts'
import { silentLog } from '../../src/base/log.ts'
import { ManualClock } from '../manual-clock.ts'
import { aLoginRig, decide, signal } from './login-rig.ts'

const dayMs = 24 * 3_600_000

/** An hour goes by, and whoever keeps logins has done his round and waits for the next: nothing else has a timer then. */
async function hourOf(clock: ManualClock): Promise<void> {
  const isAtRest = (): boolean => clock.timerCount === 1
  while (!isAtRest()) await settled(1)
  clock.advance(3_600_000)
  do await settled(3)
  while (!isAtRest())
}
const settled = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function warnings(): { readonly log: Log; readonly said: string[] } {
  const said: string[] = []
  const warn = (event: string, fields?: Fields): void => void said.push(`${event}: ${String(fields?.['reason'])}`)
  return { log: { ...silentLog, warn }, said }
}

test('F75: a token that ends soon is replaced while it is still good, and nobody waits', async () => {
  const clock = new ManualClock(Date.now())
  const rig = await aLoginRig('dropbox', { clock })
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
  const first = await rig.account.credentials().bearer(signal)

  clock.advance(3_600_000 - 4 * 60_000)
  const still = await rig.account.credentials().bearer(signal)
  await rig.account.close()
  const next = await rig.account.credentials().bearer(signal)

  expect([still === first, next === first]).toEqual([true, false])
  expect(rig.emulator.recorder.count('token')).toBe(2)
})

test('F76: two processes never spend one single-use token twice', async () => {
  const rig = await aLoginRig('box')
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
  const processes = Array.from({ length: 5 }, () => rig.another())

  const tokens = await Promise.all(processes.map((account) => account.credentials().bearer(signal)))

  expect(new Set(tokens).size).toBe(1)
  expect(rig.emulator.recorder.count('token')).toBe(1)
})

test('F76: the one before is kept until the new one worked, and heals a login whose new one does not', async () => {
  const rig = await aLoginRig('onedrive')
  const old = rig.emulator.auth.login().refreshToken
  rig.keep({ refreshToken: old })
  await rig.account.renew(signal)
  expect(rig.kept()['previousRefreshToken']).toBe(old)
  rig.emulator.auth.revoke(String(rig.kept()['refreshToken']))

  await rig.another().renew(signal)

  expect(rig.kept()['accessToken']).toMatch(/^access-/)
})

test('F77: a login that was taken back is asked for once, and found again without a restart', async () => {
  const rig = await aLoginRig('dropbox')
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
  rig.emulator.auth.revokeAll()

  const bearer = (): Promise<string> => rig.account.credentials().bearer(signal)
  await expect(bearer()).rejects.toThrow('account main: the login was taken back; run "fanfold login main"')
  await expect(bearer()).rejects.toThrow('run "fanfold login main"')
  expect(rig.emulator.recorder.count('token')).toBe(1)
  expect(rig.account.facts.state).toBe('needs-login')
  const ask = { manner: 'browser', redirectUri: 'http://localhost:53682/', acceptsOther: false } as const
  const other = rig.another()
  const { ticket, address } = await rig.handshakes.begin(other, ask, signal)
  await rig.handshakes.finish(ticket, await decide(address), signal)

  expect(await bearer()).toMatch(/^access-/)
})

test('F76: whoever ends waits for a renewal that is under way: its answer is the only copy of a login', async () => {
  const rig = await aLoginRig('box')
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
  rig.emulator.fault({ route: 'token', fault: { do: 'delay', when: 'after', ms: 500 } })
  const bearer = rig.account.credentials().bearer(signal)
  await rig.emulator.recorder.until((recorder) => recorder.count('token') === 1, AbortSignal.timeout(20_000))

  await rig.account.close()

  expect(rig.kept()['accessToken']).toBe(await bearer)
})

test('F76: a token for which the disk has no room is kept once it has, and not asked for again', async () => {
  const rig = await aLoginRig('box')
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
  const inTheWay = join(rig.folder, 'main.json.new')
  const work = (): void => mkdirSync(inTheWay)
  rig.emulator.fault({ route: 'token', fault: { do: 'call', when: 'after', work } })

  const failed = rig.account.credentials().bearer(signal)
  await expect(failed).rejects.toThrow('EISDIR')
  rmdirSync(inTheWay)
  const token = await rig.account.credentials().bearer(signal)

  expect([rig.kept()['accessToken'], rig.emulator.recorder.count('token')]).toEqual([token, 1])
})

describe('Microsoft’s numbers are told in words', () => {
  test.each([
    ['AADSTS700082: The refresh token has expired due to inactivity.', 'not used for too long'],
    ['AADSTS50173: The provided grant has expired due to it being revoked.', 'change of the password'],
    ['AADSTS50076: Due to a configuration change you must use multi-factor authentication.', 'second factor'],
  ])('%s', async (description, words) => {
    const rig = await aLoginRig('onedrive')
    rig.keep({ refreshToken: 'r' })
    const body = JSON.stringify({ error: 'invalid_grant', error_description: description })
    rig.emulator.fault({ route: 'token', fault: { do: 'answer', status: 400, body } })

    await expect(rig.account.credentials().bearer(signal)).rejects.toThrow(words)
  })
})

test('a cloud in trouble is waited for, and the login is as good as before', async () => {
  const rig = await aLoginRig('box')
  rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken })
  rig.emulator.fault({ route: 'token', fault: { do: 'answer', status: 503, body: '{}' } })

  await expect(rig.account.credentials().bearer(signal)).rejects.toMatchObject({ next: { state: 'paused' } })

  expect(await rig.account.credentials().bearer(signal)).toMatch(/^access-/)
})

test('F47: a clock that is wrong by minutes is told as that', async () => {
  const { log, said } = warnings()
  const rig = await aLoginRig('dropbox', { clock: new ManualClock(Date.now() - 3 * 3_600_000), log })
  rig.keep({ refreshToken: 'never given' })

  await expect(rig.account.credentials().bearer(signal)).rejects.toThrow(
    /clock of this machine is 3h.* behind: set the clock/,
  )
  expect(said[0]).toMatch(/^clock differs: the clock is .* behind the server's; set it/)
})

describe('F78: whoever keeps logins', () => {
  test('renews one that nobody uses each week', async () => {
    const clock = new ManualClock(Date.now())
    const rig = await aLoginRig('onedrive', { clock })
    rig.keep({ refreshToken: rig.emulator.auth.login().refreshToken, renewedAtMs: clock.wallMs() })
    const stop = new AbortController()
    const keeping = new LoginKeeper({ accounts: () => [rig.account], clock, log: silentLog }).keep(stop.signal)

    const counts: number[] = []
    for (const days of [6.9, 0.2, 1]) {
      for (let hours = 0; hours < days * 24; hours++) {
        await hourOf(clock)
      }
      counts.push(rig.emulator.recorder.count('token'))
    }

    stop.abort(new Error('enough'))
    await expect(keeping).rejects.toThrow('enough')
    expect(counts).toEqual([0, 1, 1])
  })

  test('warns seven days and one day before an end, once each', async () => {
    const clock = new ManualClock(Date.now())
    const { log, said } = warnings()
    const rig = await aLoginRig('google-drive', { clock, some: { loginLastsMs: 8 * dayMs } })
    rig.keep({ refreshToken: 'r', madeAtMs: clock.wallMs(), renewedAtMs: clock.wallMs() + 100 * dayMs })
    const stop = new AbortController()
    const keeping = new LoginKeeper({ accounts: () => [rig.account], clock, log }).keep(stop.signal)

    for (let hours = 0; hours < 8 * 24 - 2; hours++) {
      await hourOf(clock)
    }

    stop.abort(new Error('enough'))
    await expect(keeping).rejects.toThrow('enough')
    expect(said).toEqual([
      expect.stringMatching(/^a login ends: the login ends in \d+d.*; run "fanfold login main"$/),
      expect.stringMatching(/^a login ends: the login ends in (1d|\d+h).*; run "fanfold login main"$/),
    ])
  })
})

test('F78: the nearest end that is known counts', async () => {
  const clock = new ManualClock(Date.UTC(2026, 10, 20))
  const endOf = async (
    kind: 'box' | 'dropbox' | 'google-drive',
    some: object,
    login: object,
  ): Promise<string | undefined> => {
    const rig = await aLoginRig(kind, { clock, some })
    rig.keep({ refreshToken: 'r', ...login })
    const { end } = await rig.account.look()
    return end === undefined ? undefined : `${end.of} ${new Date(end.atMs).toISOString().slice(0, 10)}`
  }
  const madeAtMs = clock.wallMs()

  expect(await endOf('dropbox', {}, { madeAtMs })).toBe(undefined)
  expect(await endOf('box', {}, { madeAtMs, renewedAtMs: madeAtMs + dayMs })).toBe('idle 2027-01-20')
  expect(await endOf('google-drive', {}, { madeAtMs, endsAtMs: madeAtMs + 7 * dayMs })).toBe('login 2026-11-27')
  expect(await endOf('box', { secretEndsAtMs: Date.UTC(2026, 11, 1) }, { madeAtMs })).toBe('secret 2026-12-01')
})
