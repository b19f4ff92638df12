/** `fanfold login` and `logout` as their owner has them: the built program, with and without a daemon, at emulated consent pages. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { decide, typeCode } from '../account/login-rig.ts'
import { loginEmulator, type LoginEmulator } from '../emulator/core/login-server.ts'
import type { LoginKind } from '../emulator/core/login-profiles.ts'
import { aDropbox, type Rig } from '../emulator/dropbox-rig.ts'
import { aBench, aFreePort, type Bench, type Ended, fanfold, program, startDaemon, targetOf } from './rig.ts'

/** A command that talks while it runs. */
interface Running {
  /** Resolves with the first text on standard error that fits. */
  told(pattern: RegExp): Promise<string>
  type(line: string): void
  readonly ended: Promise<Ended>
}

function talk(bench: Bench, ...words: string[]): Running {
  const child = spawn(process.execPath, [program, ...words, '--config', bench.config], { stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()))
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
  return {
    ended,
    type: (line) => void child.stdin.write(`${line}\n`),
    async told(pattern) {
      for (let tries = 0; tries < 500; tries++) {
        const found = pattern.exec(stderr)?.[0]
        if (found !== undefined) return found
        if (child.exitCode !== null) break
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      throw new Error(`never told ${String(pattern)}: ${stderr}`)
    },
  }
}

const address = /^http:\/\/127\.0\.0\.1:\S+$/m

interface DropboxBench extends Bench {
  readonly rig: Rig
  readonly port: number
}

async function aDropboxBench(): Promise<DropboxBench> {
  const rig = await aDropbox()
  const port = await aFreePort()
  rig.emulator.provider.pages.consent.redirects.add(`http://localhost:${port}/`)
  const bench = aBench({ unused: '' })
  const { url, auth } = { url: rig.emulator.url, auth: rig.emulator.auth }
  const target = `  - { name: cloud, kind: dropbox, account: main, endpoint: '${url}', at: '{path}' }\n`
  writeFileSync(
    bench.config,
    `state: ./state\nsources:\n  - { name: inbox, path: ./inbox, settle: 200ms }\ntargets:\n${target}` +
      `accounts:\n  - { name: main, kind: dropbox, client-id: ${auth.client.clientId} }\n`,
  )
  return { ...bench, rig, port }
}

async function aCloudBench(kind: LoginKind): Promise<Bench & { readonly emulator: LoginEmulator }> {
  const emulator = loginEmulator(kind)
  await emulator.start()
  onTestFinished(() => emulator.stop())
  const bench = aBench({ nas: '' })
  writeFileSync(join(bench.folder, 'secret'), emulator.auth.client.clientSecret)
  const account = `{ name: main, kind: ${kind}, client-id: emulatedapp, client-secret-file: secret, endpoint: '${emulator.url}' }`
  writeFileSync(bench.config, `${readFileSync(bench.config, 'utf8')}accounts:\n  - ${account}\n`)
  return { ...bench, emulator }
}

/** The browser: goes where it is sent. */
async function browse(page: string, decision: Parameters<typeof decide>[1] = {}): Promise<string> {
  const reply = await fetch(await decide(page, decision))
  return `${reply.status} ${await reply.text()}`
}

describe('a browser', () => {
  test('F77: heals a lane that needs a login, without a restart', async () => {
    const bench = await aDropboxBench()
    writeFileSync(join(bench.inbox, 'x'), 'x')
    const daemon = await startDaemon(bench)
    const before = await daemon.until((seen) => targetOf(seen, 'cloud').state === 'needs-login')

    const login = talk(bench, 'login', 'main', '--port', String(bench.port))
    const page = await browse(await login.told(address))
    const ended = await login.ended
    await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 1)

    expect(before.accounts).toMatchObject([
      { name: 'main', state: 'needs-login', reason: expect.stringContaining('fanfold login main') as string },
    ])
    expect(page).toMatch(/^200 .*Logged in as owner@example\.com/)
    expect([ended.code, ended.stdout]).toEqual([0, 'logged in to main as owner@example.com\n'])
    expect((await daemon.status()).accounts).toMatchObject([{ state: 'logged-in', user: 'owner@example.com' }])
  })

  test('logs in without a daemon, and the next start has the login', async () => {
    const bench = await aDropboxBench()
    writeFileSync(join(bench.inbox, 'x'), 'x')

    const login = talk(bench, 'login', 'main', '--port', String(bench.port))
    await browse(await login.told(address))
    const ended = await login.ended
    const run = await fanfold(bench, 'run', '--until-idle')

    expect([ended.code, run.code]).toEqual([0, 0])
    expect(bench.rig.emulator.provider.owner.read('/x')?.toString()).toBe('x')
  })

  test('is told when its answer belongs to another attempt, and the right one is still taken', async () => {
    const bench = await aDropboxBench()
    const login = talk(bench, 'login', 'main', '--port', String(bench.port))
    const page = await login.told(address)
    const forged = await fetch(`http://localhost:${bench.port}/?code=abcd&state=wrong`)
    const strange = await fetch(`http://localhost:${bench.port}/favicon.ico`)

    await browse(page)

    expect([forged.status, await forged.text()]).toEqual([
      400,
      expect.stringContaining('its state is another') as string,
    ])
    expect(strange.status).toBe(404)
    expect((await login.ended).code).toBe(0)
  })

  test('is told that nothing was changed when its owner refuses', async () => {
    const bench = await aDropboxBench()
    const login = talk(bench, 'login', 'main', '--port', String(bench.port))

    const page = await browse(await login.told(address), { decision: 'deny' })
    const ended = await login.ended

    expect(page).toMatch(/^400 .*was not allowed/)
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('nothing was changed') as string])
  })

  test('cannot come back where another program listens, and the other ways are named', async () => {
    const bench = await aDropboxBench()
    const server = createServer().listen(bench.port, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())

    const ended = await fanfold(bench, 'login', 'main', '--port', String(bench.port))

    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/another program listens there.*--port.*--paste/) as string,
    ])
  })

  test('of another user than before is refused, until that is said to be meant', async () => {
    const bench = await aDropboxBench()
    const attempt = async (user: string, ...flags: string[]): Promise<Ended> => {
      const login = talk(bench, 'login', 'main', '--port', String(bench.port), ...flags)
      await browse(await login.told(address), { user })
      return login.ended
    }
    await attempt('owner')

    const refused = await attempt('somebody')
    const meant = await attempt('somebody', '--other-user')

    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--other-user') as string])
    expect([meant.code, meant.stdout]).toEqual([0, 'logged in to main as somebody@example.com\n'])
  })
})

describe('without a browser', () => {
  test.each(['google-drive', 'box', 'onedrive'] as const)(
    'the address that the browser could not open is pasted: %s',
    async (kind) => {
      const bench = await aCloudBench(kind)
      const login = talk(bench, 'login', 'main', '--paste')
      const answer = await decide(await login.told(address))

      login.type('https://example.com/something/else')
      await login.told(/its state is another/)
      login.type(answer)
      const ended = await login.ended

      expect([ended.code, ended.stdout]).toEqual([0, expect.stringContaining('logged in to main as owner') as string])
    },
  )

  test('the code that Dropbox shows is pasted', async () => {
    const bench = await aDropboxBench()
    const login = talk(bench, 'login', 'main', '--paste')

    login.type(await decide(await login.told(address)))

    expect((await login.ended).code).toBe(0)
  })

  test.each(['google-drive', 'onedrive'] as const)('a code is typed elsewhere: %s', async (kind) => {
    const bench = await aCloudBench(kind)
    bench.emulator.provider.pages.devices.intervalS = 0.05
    const login = talk(bench, 'login', 'main', '--device')
    const page = await login.told(address)
    const code = /[A-Z]{4}-[A-Z]{4}/.exec(await login.told(/type this code there: \S+/))?.[0] ?? ''

    expect(await typeCode(page, code)).toBe(200)
    expect((await login.ended).code).toBe(0)
  })

  test('Box has no such codes, and the way it has is named', async () => {
    const ended = await fanfold(await aCloudBench('box'), 'login', 'main', '--device')

    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('use --paste') as string])
  })
})

test('a login is proved by a call, and a logout ends it at the cloud and here', async () => {
  const bench = await aCloudBench('box')
  const login = talk(bench, 'login', 'main', '--paste')
  login.type(await decide(await login.told(address)))
  await login.ended

  const good = await fanfold(bench, 'login', 'main', '--check', '--json')
  const out = await fanfold(bench, 'logout', 'main')
  const gone = await fanfold(bench, 'login', 'main', '--check')

  expect([good.code, JSON.parse(good.stdout)]).toEqual([
    0,
    expect.objectContaining({ account: 'main', user: 'owner@example.com', isSealed: false }),
  ])
  expect([out.code, out.stdout, out.stderr]).toEqual([0, 'logged out of main\n', ''])
  expect(bench.emulator.recorder.count('/oauth2/revoke')).toBe(1)
  expect([gone.code, gone.stderr]).toEqual([
    1,
    'fanfold: account main: there is no login yet; run "fanfold login main"\n',
  ])
})

test('doctor proves each login and whether its cloud answers, and says what to do', async () => {
  const bench = await aCloudBench('box')
  const findings = async (): Promise<
    readonly { check: string; state: string; finding: string; fix: string | null }[]
  > => {
    const { stdout } = await fanfold(bench, 'doctor', '--user', '--json')
    const { findings: all } = JSON.parse(stdout) as { findings: Awaited<ReturnType<typeof findings>> }
    return all.filter(({ check }) => ['login', 'cloud', 'seal', 'clock'].includes(check))
  }
  const host = new URL(bench.emulator.url).host

  const before = await findings()
  const login = talk(bench, 'login', 'main', '--paste')
  login.type(await decide(await login.told(address)))
  await login.ended
  const after = await findings()
  await bench.emulator.stop()
  const unreachable = await findings()

  expect(before).toContainEqual({ check: 'cloud', state: 'good', finding: `${host} answers`, fix: null })
  expect(before).toContainEqual({
    check: 'login',
    state: 'bad',
    finding: 'main: there is no login yet',
    fix: 'fanfold login main',
  })
  expect(
    after.filter(({ state, check }) => state === 'good' && check !== 'clock').map(({ finding }) => finding),
  ).toEqual([
    `${host} answers`,
    'main: logged in as owner@example.com',
    "main: the login lies in plain, for this user's eyes only",
  ])
  expect(unreachable).toContainEqual(
    expect.objectContaining({ check: 'cloud', state: 'bad', fix: 'it goes on by itself when the network is back' }),
  )
})

test('F78: a login that ends within a day makes the status unhealthy, with the command that helps', async () => {
  const bench = await aCloudBench('google-drive')
  const folder = join(bench.folder, 'state', 'accounts')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const now = Date.now()
  const login = { refreshToken: 'r', madeAtMs: now, renewedAtMs: now, endsAtMs: now + 20 * 3_600_000 }
  writeFileSync(join(folder, 'main.json'), JSON.stringify(login), { mode: 0o600 })
  const daemon = await startDaemon(bench)

  const status = await daemon.until(({ accounts, reasons }) => {
    return accounts[0]?.state === 'ends-today' && reasons.length === 1
  })
  const shown = await fanfold(bench, 'status')

  expect(status.accounts[0]?.endsAt).toBe(new Date(login.endsAtMs).toISOString())
  expect(status.reasons).toEqual([
    expect.stringMatching(/^account main: the login ends in \d+h; run "fanfold login main"$/),
  ])
  expect(shown.stdout).toMatch(/main: the login ends in \d+h; run "fanfold login main"/)
})

test('an account that the configuration does not have is a wrong word', async () => {
  const ended = await fanfold(await aCloudBench('box'), 'login', 'mian')

  expect([ended.code, ended.stderr]).toEqual([2, 'fanfold: no account is named "mian"; there are: main\n'])
})

test('nothing that a daemon writes or says holds a secret it was given', async () => {
  const bench = await aDropboxBench()
  const { emulator } = bench.rig
  const credentials = join(bench.folder, 'credentials')
  mkdirSync(credentials)
  const key = 'a key that nobody shall see anywhere'
  writeFileSync(join(credentials, 'fanfold_key'), key)
  writeFileSync(join(bench.folder, 'secret'), emulator.auth.client.clientSecret)
  const withSecret = 'client-id: emulatedappkey1, client-secret-file: secret'
  writeFileSync(bench.config, readFileSync(bench.config, 'utf8').replace('client-id: emulatedappkey1', withSecret))
  writeFileSync(join(bench.inbox, 'x'), 'x')
  const given: string[] = [key, emulator.auth.client.clientSecret]
  const noting = (grant: { readonly accessToken: string; readonly refreshToken: string } | undefined) => {
    if (grant !== undefined) given.push(grant.accessToken, grant.refreshToken)
    return grant
  }
  const { auth } = emulator
  const [exchange, refresh] = [auth.exchange.bind(auth), auth.refresh.bind(auth)]
  auth.exchange = (code, verifier) => {
    given.push(code, verifier ?? code)
    return noting(exchange(code, verifier)) as ReturnType<typeof exchange>
  }
  auth.refresh = (token) => noting(refresh(token)) as ReturnType<typeof refresh>
  const daemon = await startDaemon(bench, { CREDENTIALS_DIRECTORY: credentials, FANFOLD_DEBUG: '*' })

  const login = talk(bench, 'login', 'main', '--port', String(bench.port))
  await browse(await login.told(address))
  const ended = await login.ended
  await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 1)
  emulator.fault({ route: 'files/*', fault: { do: 'expire-token' } })
  writeFileSync(join(bench.inbox, 'y'), 'y')
  await daemon.until((seen) => targetOf(seen, 'cloud').delivered === 2)
  const asked = await Promise.all([
    fanfold(bench, 'status', '--json'),
    fanfold(bench, 'history', '--json'),
    fanfold(bench, 'login', 'main', '--check', '--json'),
  ])
  auth.revokeAll()
  const failed = await fanfold(bench, 'login', 'main', '--check')
  const [environment, words] = ['environ', 'cmdline'].map((name) =>
    readFileSync(`/proc/${daemon.pid}/${name}`, 'latin1'),
  )
  await daemon.end('SIGTERM')

  const said = [daemon.log(), ...[ended, failed, ...asked].flatMap(({ stdout, stderr }) => [stdout, stderr])]
  const state = join(bench.folder, 'state')
  const files = readdirSync(state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  const places = [...said, ...files, environment ?? '', words ?? '']
  expect([ended.code, failed.code, given.length > 6]).toEqual([0, 1, true])
  for (const secret of given) expect(places.some((text) => text.includes(secret))).toBe(false)
})
