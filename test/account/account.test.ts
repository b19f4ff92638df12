/** An account's login: had once for all, kept before it is used, and asked for where there is none. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { Account, type Caller, CredentialsFolder } from '../../src/account/account.ts'
import { silentLog } from '../../src/base/log.ts'
import type { AccountConfig } from '../../src/config/config.ts'
import { TargetError } from '../../src/target/target.ts'
import type { Answer } from '../../src/target/transport/transport.ts'
import { aFolder } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'

const signal = new AbortController().signal
const config: AccountConfig = { name: 'main', kind: 'dropbox', clientId: 'app', clientSecretFile: undefined }

let folder: string
let file: string
let clock: ManualClock

beforeEach(() => {
  folder = join(aFolder(), 'accounts')
  file = join(folder, 'main.json')
  clock = new ManualClock(1_000_000)
})

function anAccount(call: Caller, some: Partial<AccountConfig> = {}): Account {
  const credentials = new CredentialsFolder(undefined)
  return new Account({ config: { ...config, ...some }, folder, credentials, call, clock, log: silentLog })
}

function keepLogin(login: object): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(file, JSON.stringify(login), { mode: 0o600 })
}

function answer(status: number, value: unknown): Answer {
  return { status, headers: {}, retryAfterMs: undefined, content: { kind: 'json', value } }
}

/** The token endpoint: notes the forms it was sent. */
function aCloud(reply: (n: number) => Answer): { readonly call: Caller; readonly forms: URLSearchParams[] } {
  const forms: URLSearchParams[] = []
  return {
    forms,
    call: (call) => {
      const body = call.body?.()
      forms.push(new URLSearchParams(body instanceof Uint8Array ? Buffer.from(body).toString() : ''))
      expect([call.bearer, new URL(call.url).search]).toEqual([false, ''])
      return Promise.resolve(reply(forms.length))
    },
  }
}

const granting = (n: number): Answer => answer(200, { access_token: `access-${n}`, expires_in: 14_400 })

async function failureOf(work: Promise<unknown>): Promise<TargetError> {
  const thrown: unknown = await work.catch((error: unknown) => error)
  if (thrown instanceof TargetError) return thrown
  throw new Error(`expected a TargetError, got ${String(thrown)}`)
}

test('an access token is had with the refresh token, which travels in the body', async () => {
  keepLogin({ refreshToken: 'refresh' })
  const cloud = aCloud(granting)

  const token = await anAccount(cloud.call).credentials().bearer(signal)

  expect(token).toBe('access-1')
  expect(Object.fromEntries(cloud.forms[0] ?? [])).toEqual({
    grant_type: 'refresh_token',
    refresh_token: 'refresh',
    client_id: 'app',
  })
})

test('the app’s secret goes along where there is one', async () => {
  keepLogin({ refreshToken: 'refresh' })
  const clientSecretFile = join(aFolder(), 'secret')
  writeFileSync(clientSecretFile, 'hush\n')
  const cloud = aCloud(granting)

  await anAccount(cloud.call, { clientSecretFile }).credentials().bearer(signal)

  expect(cloud.forms[0]?.get('client_secret')).toBe('hush')
})

test('F75: however many ask, over however many transports, one renewal is made', async () => {
  keepLogin({ refreshToken: 'refresh' })
  const cloud = aCloud(granting)
  const account = anAccount(cloud.call)
  const [one, other] = [account.credentials(), account.credentials()]

  const tokens = await Promise.all([one.bearer(signal), other.bearer(signal), one.bearer(signal)])
  const later = await Promise.all([one.renew('access-1', signal), other.renew('access-1', signal)])

  expect(tokens).toEqual(['access-1', 'access-1', 'access-1'])
  expect(later).toEqual(['access-2', 'access-2'])
  expect(cloud.forms.length).toBe(2)
})

test('a token is used until shortly before its end, also after a restart', async () => {
  keepLogin({ refreshToken: 'refresh' })
  const cloud = aCloud(granting)
  await anAccount(cloud.call).credentials().bearer(signal)

  const kept = await anAccount(cloud.call).credentials().bearer(signal)
  clock.setWall(1_000_000 + 14_390_000)
  const fresh = await anAccount(cloud.call).credentials().bearer(signal)

  expect([kept, fresh]).toEqual(['access-1', 'access-2'])
})

test('F76: a token is kept, for its owner only, before anybody has it', async () => {
  keepLogin({ refreshToken: 'old' })
  const cloud = aCloud((n) =>
    answer(200, { access_token: `access-${n}`, expires_in: 14_400, refresh_token: `refresh-${n}` }),
  )

  await anAccount(cloud.call).credentials().bearer(signal)

  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    refreshToken: 'refresh-1',
    accessToken: 'access-1',
    expiresAtMs: 15_400_000,
    renewedAtMs: 1_000_000,
    previousRefreshToken: 'old',
  })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(existsSync(`${file}.new`)).toBe(false)
})

test('F76: a token that cannot be kept is not used', async () => {
  keepLogin({ refreshToken: 'old' })
  mkdirSync(`${file}.new`)

  const bearer = anAccount(aCloud(granting).call).credentials().bearer(signal)

  await expect(bearer).rejects.toThrow('EISDIR')
})

describe('F77: the owner is asked for a login, by its command,', () => {
  const needed = { kind: 'pause-target', state: 'needs-login' }

  test('where there is none; it is found without a restart', async () => {
    const credentials = anAccount(aCloud(granting).call).credentials()

    const failure = await failureOf(credentials.bearer(signal))
    keepLogin({ refreshToken: 'refresh' })

    expect(failure.next).toEqual(needed)
    expect(failure.message).toBe('account main: there is no login yet; run "fanfold login main"')
    expect(await credentials.bearer(signal)).toBe('access-1')
  })

  test('where it was taken back, and the cloud is not asked again with it', async () => {
    keepLogin({ refreshToken: 'refresh' })
    const cloud = aCloud((n) => (n === 1 ? answer(400, { error: 'invalid_grant' }) : granting(n)))
    const credentials = anAccount(cloud.call).credentials()

    const failure = await failureOf(credentials.bearer(signal))
    const again = await failureOf(credentials.bearer(signal))
    keepLogin({ refreshToken: 'another' })

    expect([failure.next, again.next, cloud.forms.length]).toEqual([needed, needed, 1])
    expect(await credentials.bearer(signal)).toBe('access-2')
  })
})

test('a cloud in trouble is waited for, and an app that it does not know is the owner’s concern', async () => {
  keepLogin({ refreshToken: 'refresh' })

  const trouble = await failureOf(
    anAccount(aCloud(() => answer(503, {})).call)
      .credentials()
      .bearer(signal),
  )
  const stranger = await failureOf(
    anAccount(aCloud(() => answer(401, { error: 'invalid_client' })).call)
      .credentials()
      .bearer(signal),
  )

  expect(trouble.next).toEqual({ kind: 'pause-target', state: 'paused' })
  expect(stranger.message).toContain('check client-id and client-secret-file')
})

test('no message repeats what stands in a file that is no login', async () => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(file, '{"refreshToken": "very-secret', { mode: 0o600 })

  const bearer = anAccount(aCloud(granting).call).credentials().bearer(signal)

  await expect(bearer).rejects.toThrow(/^((?!very-secret).)*log in again$/)
})
