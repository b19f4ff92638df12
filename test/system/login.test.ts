/** `fanfold login` with a real browser: headless Chromium walks from the printed address over the consent page back to this machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { aBench, aFreePort, program } from '../e2e/rig.ts'
import { loginEmulator } from '../emulator/core/login-server.ts'
import type { LoginKind } from '../emulator/core/login-profiles.ts'

/** Debian's. */
const executablePath = '/usr/bin/chromium'

interface Attempt {
  readonly page: Page
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** Runs the command and opens in the browser what it prints. */
async function anAttempt(kind: LoginKind): Promise<Attempt> {
  const emulator = loginEmulator(kind)
  await emulator.start()
  const bench = aBench({ nas: '' })
  writeFileSync(join(bench.folder, 'secret'), emulator.auth.client.clientSecret)
  const account = `{ name: main, kind: ${kind}, client-id: emulatedapp, client-secret-file: secret, endpoint: '${emulator.url}' }`
  writeFileSync(bench.config, `${readFileSync(bench.config, 'utf8')}accounts:\n  - ${account}\n`)
  // Its own port may be anybody's meanwhile.
  const port = await aFreePort()
  emulator.provider.pages.consent.redirects.add(`http://localhost:${port}/`)
  const words = ['login', 'main', '--port', String(port), '--config', bench.config]
  const child = spawn(process.execPath, [program, ...words], { stdio: 'pipe' })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()))
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString()
      const found = /^(http:\/\/127\.0\.0\.1:\S+)\n/m.exec(stderr)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('close', () => reject(new Error(`it ended without an address: ${stderr}`)))
  })
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
  // Root, as which the proof runs, has no sandbox of Chromium's.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await browser.close()
    await emulator.stop()
  })
  const page = await browser.newPage()
  await page.goto(address)
  return { page, ended }
}

test.each(['google-drive', 'box', 'dropbox', 'onedrive'] as const)(
  'a person who allows it is logged in: %s',
  async (kind) => {
    const { page, ended } = await anAttempt(kind)

    await page.click('#allow')
    await page.waitForURL(/^http:\/\/(localhost|127\.0\.0\.1):\d+\/\?code=/)
    const text = await page.textContent('body')
    const { code, stdout } = await ended

    expect(text).toMatch(/^Logged in as owner.*You may close this page\.$/)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^logged in to main as owner/) as string])
  },
  120_000,
)

test('a person who cancels is told that nothing was changed', async () => {
  const { page, ended } = await anAttempt('google-drive')

  await page.click('#deny')
  await page.waitForURL(/error=access_denied/)
  const text = await page.textContent('body')
  const { code, stderr } = await ended

  expect(text).toContain('was not allowed')
  expect([code, stderr]).toEqual([1, expect.stringContaining('nothing was changed') as string])
}, 120_000)

test('what a person unticks is missed at once', async () => {
  const { page, ended } = await anAttempt('dropbox')

  await page.uncheck('input[value="files.content.write"]')
  await page.click('#allow')
  const { code, stderr } = await ended

  expect([code, stderr]).toEqual([1, expect.stringContaining('lacks the permission files.content.write') as string])
}, 120_000)
