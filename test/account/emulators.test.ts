/** The whole emulators have the same doors: a login made at each is known by name there, renewed, and taken back. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Account, CredentialsFolder, Handshakes, loginEndpoints } from '../../src/account/account.ts'
import { systemClock as clock } from '../../src/base/clock.ts'
import { silentLog as log } from '../../src/base/log.ts'
import { openTransport } from '../../src/target/transport/transport.ts'
import { aFolder } from '../builders.ts'
import { startEmulators } from '../emulator/emulators.ts'
import { decide, signal, unpaced } from './login-rig.ts'

test.each(['dropbox', 'google-drive', 'box', 'onedrive'] as const)('%s', async (kind) => {
  const folder = aFolder()
  const running = await startEmulators({ folder, names: [kind], driveType: 'personal', checksAnswers: true })
  onTestFinished(() => running.stop())
  const emulator = running.emulators.get(kind)
  const { clientId, clientSecret } = emulator?.auth.client ?? { clientId: '', clientSecret: '' }
  const clientSecretFile = join(folder, 'secret')
  writeFileSync(clientSecretFile, clientSecret)
  const config = { name: 'main', kind, clientId, clientSecretFile, endpoint: emulator?.url }
  const settings = { proxy: undefined, caFile: undefined, endpoints: loginEndpoints(config) }
  const transport = openTransport({ name: 'login', settings, pace: unpaced, credentials: undefined, clock, log })
  onTestFinished(() => transport.close())
  const credentials = new CredentialsFolder(undefined)
  const call: ConstructorParameters<typeof Account>[0]['call'] = (asked, until) => transport.request(asked, until)
  const account = new Account({ config, folder: join(folder, 'accounts'), credentials, call, clock, log })
  const handshakes = new Handshakes(clock)
  const ask = { manner: 'browser', redirectUri: 'http://localhost:53682/', acceptsOther: false } as const

  const { ticket, address } = await handshakes.begin(account, ask, signal)
  const done = await handshakes.finish(ticket, await decide(address), signal)
  const first = await account.credentials().bearer(signal)
  await account.renew(signal)
  const second = await account.credentials().bearer(signal)
  const user = await account.user(signal)
  const left = await account.logout(signal)

  expect(done).toEqual({ kind: 'done', account: 'main', user: expect.stringMatching(/\w/) as string })
  expect([second === first, user?.name]).toEqual([false, done.kind === 'done' ? done.user : ''])
  expect(left === undefined).toBe(kind !== 'onedrive')
  expect(emulator?.failures).toEqual([])
})
