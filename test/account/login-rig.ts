/** An account with its provider's doors before it: the built account room over a real transport, against the emulated consent and token pages. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Account, Handshakes, CredentialsFolder, loginEndpoints } from '../../src/account/account.ts'
import type { Clock } from '../../src/base/clock.ts'
import { systemClock } from '../../src/base/clock.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import type { AccountConfig } from '../../src/config/config.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { aFolder } from '../builders.ts'
import { loginEmulator, type LoginEmulator } from '../emulator/core/login-server.ts'
import type { LoginKind } from '../emulator/core/login-profiles.ts'

export const signal = new AbortController().signal

export const unpaced = {
  request: <T>(_signal: AbortSignal, work: () => Promise<T>): Promise<T> => work(),
  upload: <T>(_signal: AbortSignal, work: () => Promise<T>): Promise<T> => work(),
  bytes: (): Promise<void> => Promise.resolve(),
  penalise: (): void => {},
}

export interface LoginRig {
  readonly emulator: LoginEmulator
  readonly config: AccountConfig
  readonly handshakes: Handshakes
  readonly account: Account
  /** Another object for the same files, as another process has. */
  readonly another: (some?: Partial<AccountConfig>) => Account
  readonly folder: string
  /** What lies in the login's file. */
  readonly kept: () => Readonly<Record<string, unknown>>
  /** As a hand or an earlier version left it. */
  readonly keep: (login: object) => void
}

export interface RigOptions {
  readonly some?: Partial<AccountConfig>
  readonly clock?: Clock
  readonly log?: Log
  readonly credentials?: string
  readonly accessLifeMs?: number
}

export async function aLoginRig(kind: LoginKind, options: RigOptions = {}): Promise<LoginRig> {
  const { some = {}, clock = systemClock, log = silentLog } = options
  const emulator = loginEmulator(kind, options.accessLifeMs)
  await emulator.start()
  const folder = join(aFolder(), 'accounts')
  const secretFile = join(aFolder(), 'secret')
  writeFileSync(secretFile, emulator.auth.client.clientSecret)
  const config: AccountConfig = {
    name: 'main',
    kind,
    clientId: emulator.auth.client.clientId,
    clientSecretFile: secretFile,
    endpoint: emulator.url,
    ...some,
  }
  const another = (more: Partial<AccountConfig> = {}): Account => {
    const own = { ...config, ...more }
    const settings = { proxy: undefined, caFile: undefined, endpoints: loginEndpoints(own) }
    const transport = openTransport({ name: 'login', settings, pace: unpaced, credentials: undefined, clock, log })
    onTestFinished(() => transport.close())
    const credentials = new CredentialsFolder(options.credentials)
    const call: ConstructorParameters<typeof Account>[0]['call'] = (asked, until) => transport.request(asked, until)
    return new Account({ config: own, folder, credentials, call, clock, log })
  }
  onTestFinished(() => emulator.stop())
  const file = join(folder, 'main.json')
  return {
    emulator,
    config,
    handshakes: new Handshakes(clock),
    account: another(),
    another,
    folder,
    kept: () => JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, unknown>>,
    keep: (login) => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      writeFileSync(file, JSON.stringify(login), { mode: 0o600 })
    },
  }
}

export interface Decision {
  readonly decision?: 'allow' | 'deny'
  readonly user?: string
  /** Of the scopes asked for; all where left out. */
  readonly scopes?: readonly string[]
}

/** What a person does at the consent page. @returns where the browser is sent, or the code that the page shows */
export async function decide(
  address: string | undefined,
  { decision = 'allow', user = 'owner', scopes }: Decision = {},
): Promise<string> {
  const form = new URLSearchParams({ decision, user })
  if (scopes !== undefined) form.set('ticked', '')
  for (const scope of scopes ?? []) form.append('scope', scope)
  const reply = await fetch(address ?? '', { method: 'POST', body: form, redirect: 'manual' })
  const text = await reply.text()
  const target = reply.headers.get('location') ?? /value="([^"]+)"/.exec(text)?.[1]
  if (target === undefined) throw new Error(`the consent page said ${reply.status}: ${text}`)
  return target
}

/** Types a device's code. */
export async function typeCode(
  address: string | undefined,
  code: string,
  decision: 'allow' | 'deny' = 'allow',
): Promise<number> {
  return (await fetch(address ?? '', { method: 'POST', body: new URLSearchParams({ code, decision }) })).status
}
