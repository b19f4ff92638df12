/** A login whose tokens are good once, as the targets of one account use it at Box: the old access token ends with each rotation. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { Account, CredentialsFolder } from '../../src/account/account.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { remotePath } from '../../src/base/path.ts'
import { boxTarget } from '../../src/target/box/box.ts'
import type { LocalCopy, Receipt, Target } from '../../src/target/target.ts'
import { openTransport, type Transport, type TransportParts } from '../../src/target/transport/transport.ts'
import { aFolder } from '../builders.ts'
import type { BoxOptions } from '../emulator/box/box.ts'
import { aBox, type BoxRig } from '../emulator/box-rig.ts'
import { aCopy, aWork, failureOf, never } from '../target/contract.ts'
import { aFolderMemory } from '../target/box-fixture.ts'
import { openPace } from '../target/transport-fixture.ts'

interface Bench {
  readonly rig: BoxRig
  /** As another process has it: nothing but the file in common. */
  readonly account: () => Account
  readonly target: (account: Account) => Target
  readonly keptToken: () => string
}

const kept = z.object({ refreshToken: z.string() })

async function aBench(options: Partial<BoxOptions> = {}): Promise<Bench> {
  const rig = await aBox(options)
  const folder = join(aFolder(), 'accounts')
  const file = join(folder, 'main.json')
  const secretFile = join(aFolder(), 'secret')
  const { clientId, clientSecret } = rig.emulator.auth.client
  writeFileSync(secretFile, clientSecret)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(file, JSON.stringify({ refreshToken: rig.refreshToken }), { mode: 0o600 })
  const endpoints = { 'api.box.com': rig.emulator.url, 'upload.box.com': rig.emulator.url }
  const way = (credentials: TransportParts['credentials']): Transport => {
    const common = { name: 'cloud', settings: { endpoints }, pace: openPace(), clock: systemClock, log: silentLog }
    const transport = openTransport({ ...common, credentials })
    onTestFinished(() => transport.close())
    return transport
  }
  const config = { name: 'main', kind: 'box', clientId, clientSecretFile: secretFile } as const
  return {
    rig,
    account: () => {
      const calls = way(undefined)
      const call: Transport['request'] = (asked, signal) => calls.request(asked, signal)
      const credentials = new CredentialsFolder(undefined)
      return new Account({ config, folder, credentials, call, clock: systemClock, log: silentLog })
    },
    target: (account) => {
      const common = { name: 'cloud', account: 'main', folder: '', folders: aFolderMemory(), clock: systemClock }
      return boxTarget({ ...common, transport: way(account.credentials()) })
    },
    keptToken: () => kept.parse(JSON.parse(readFileSync(file, 'utf8'))).refreshToken,
  }
}

test('F75, F76: when it ends under many copies of two targets, one rotation serves them all', async () => {
  const { rig, account, target, keptToken } = await aBench()
  const one = account()
  const [first, second] = [target(one), target(one)]
  for (const each of [first, second]) await each.open(undefined, never)
  const folder = aFolder()
  const copies = await Promise.all(Array.from({ length: 12 }, (_, n) => aCopy(folder, `${n}`, { name: `${n}` })))
  const before = rig.emulator.recorder.count('oauth2/token')
  rig.emulator.fault({ route: 'files/upload', nth: 3, fault: { do: 'expire-token' } })

  const put = (copy: LocalCopy, n: number): Promise<Receipt> =>
    (n % 2 === 0 ? first : second).put(copy, remotePath(`${n}`), aWork(), never)
  await Promise.all(copies.map(put))

  expect(rig.emulator.provider.owner.list().length).toBe(12)
  expect(rig.emulator.recorder.count('oauth2/token')).toBe(before + 1)
  expect((await rig.token({ grant_type: 'refresh_token', refresh_token: keptToken() })).status).toBe(200)
})

test('F76: the new token is kept before the first call is made with the new access token', async () => {
  const { rig, account, target, keptToken } = await aBench()
  const seen: string[] = []
  const work = (): void => void seen.push(keptToken())
  rig.emulator.fault({ route: 'users/me', fault: { do: 'call', when: 'before', work } })

  await target(account()).open(undefined, never)

  expect(seen).toEqual([keptToken()])
  expect(seen[0]).not.toBe(rig.refreshToken)
})

test('F76: a rotation whose answer was lost is healed where Box still takes the token of before', async () => {
  const { rig, account, target } = await aBench({ graceMs: 60_000 })
  rig.emulator.fault({ route: 'oauth2/token', fault: { do: 'cut', when: 'after' } })

  await failureOf(target(account()).open(undefined, never))
  const identity = await target(account()).open(undefined, never)

  expect(identity.isSame).toBe(true)
})

test('F76, F77: where Box does not, the owner is told the command, once and without a storm', async () => {
  const { rig, account, target } = await aBench()
  rig.emulator.fault({ route: 'oauth2/token', fault: { do: 'cut', when: 'after' } })
  const one = account()

  await failureOf(target(one).open(undefined, never))
  const failures = [
    await failureOf(target(one).open(undefined, never)),
    await failureOf(target(one).open(undefined, never)),
  ]

  expect(failures.map(({ next }) => next)).toEqual([
    { kind: 'pause-target', state: 'needs-login' },
    { kind: 'pause-target', state: 'needs-login' },
  ])
  expect(failures[1]?.message).toContain('fanfold login main')
  expect(rig.emulator.recorder.count('oauth2/token')).toBeLessThanOrEqual(3)
})
