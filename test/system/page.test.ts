/** The status page as people meet it: headless Chromium in front of a daemon, with targets that fail and heal. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import { chromium, type Browser, type Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { aBench, fanfold, isAtRest, startDaemon, writeConfig, type Bench } from '../e2e/rig.ts'
import { aLane, aStatus, smallDesk } from '../control/small-desk.ts'
import { anyPort, served } from '../page/rig.ts'

/** Debian's. */
const executablePath = '/usr/bin/chromium'
/** Where pictures are left for somebody to look at; nowhere where it is not given. */
const pictures = process.env['FANFOLD_PICTURES']

interface Look {
  readonly page: Page
  /** Errors on the console, and requests to anywhere but the page's own host. */
  readonly faults: string[]
}

async function aBrowser(): Promise<Browser> {
  // Root, as which the proof runs, has no sandbox of Chromium's.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
  onTestFinished(() => browser.close())
  return browser
}

async function aLook(
  browser: Browser,
  address: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Look> {
  const page = await (await browser.newContext({ viewport: { width: 1180, height: 900 }, ...options })).newPage()
  const faults: string[] = []
  // A daemon that is away is told by the page; the browser's own line about it is no fault of the page.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('net::ERR_')) faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(address).host) faults.push(`asked ${request.url()}`)
  })
  await page.goto(address)
  return { page, faults }
}

/** Serious findings of axe, as one line each. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const found: unknown = await page.evaluate('axe.run()')
  const { violations } = found as { violations: { id: string; impact: string; nodes: { html: string }[] }[] }
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

function withPage(bench: Bench): void {
  writeFileSync(bench.config, `${readFileSync(bench.config, 'utf8')}status: { listen: '127.0.0.1:0' }\n`)
}

async function linkOf(bench: Bench): Promise<string> {
  return (await fanfold(bench, 'page')).stdout.trim()
}

test('a person sees that a target fails and heals, searches a file, retries what is parked, and looks on over a restart', async () => {
  const bench = aBench({ nas: '', stick: '' })
  withPage(bench)
  mkdirSync(bench.copies('nas'), { recursive: true })
  // A file in the place of the target's folder: the disk is not there.
  writeFileSync(bench.copies('stick'), '')
  const daemon = await startDaemon(bench)
  const browser = await aBrowser()
  const { page, faults } = await aLook(browser, await linkOf(bench))
  const verdict = page.locator('#verdict-words')
  const stick = page.locator('#lanes > li', { hasText: 'stick' })

  // Files are dropped; one target takes them, the other is missing.
  for (let n = 0; n < 20; n++) writeFileSync(join(bench.inbox, `letter-${n}.pdf`), Buffer.alloc(20_000, n))
  // A name that one of the targets cannot take: a folder stands in its place.
  mkdirSync(join(bench.copies('nas'), 'blocked.txt', 'by-a-folder'), { recursive: true })
  writeFileSync(join(bench.inbox, 'blocked.txt'), 'blocked')
  await page.getByText('target stick is missing').waitFor()
  expect(await verdict.textContent()).toBe('Not everything is safe')
  await page
    .getByText(/create the folder .* again if it was meant to go/)
    .first()
    .waitFor()
  expect(await page.evaluate('location.hash')).toBe('')
  await picture(page, 'missing')

  // It heals, and is asked again by its button.
  rmSync(bench.copies('stick'))
  mkdirSync(bench.copies('stick'))
  await stick.getByRole('button', { name: 'pause stick' }).click()
  await stick.getByText('held', { exact: true }).waitFor()
  await stick.getByRole('button', { name: 'resume stick' }).click()
  await stick.getByText('running', { exact: true }).waitFor()
  await stick.getByText('100 % of 21').waitFor()

  // What is parked says why, and is tried again when the way is free.
  const nas = page.locator('#lanes > li', { hasText: 'nas' })
  await nas.getByText('1 file parked').waitFor()
  await nas.locator('.parked li', { hasText: 'blocked.txt' }).waitFor()
  rmSync(join(bench.copies('nas'), 'blocked.txt'), { recursive: true })
  await nas.getByRole('button', { name: 'try all again that is parked at nas' }).click()
  await page.getByText('Everything is safe').waitFor()
  await page.getByText('nas: tried again now: 1').waitFor()
  expect((await fetch(new URL('/health', page.url()))).status).toBe(200)
  expect(readFileSync(join(bench.copies('nas'), 'blocked.txt'), 'utf8')).toBe('blocked')

  // By keyboard: where is a file?
  await page.getByLabel('Path, whole or below a source').focus()
  await page.keyboard.type('letter-3.pdf')
  await page.keyboard.press('Enter')
  await page.locator('#search-answer li', { hasText: 'stick' }).getByText('delivered').waitFor()
  expect(await barriers(page)).toEqual([])
  await picture(page, 'search')

  // A configuration is taken over, then the daemon is restarted, while the page is open.
  const { port } = new URL(page.url())
  writeConfig(bench, { nas: '', stick: '', third: '' })
  writeFileSync(bench.config, `${readFileSync(bench.config, 'utf8')}status: { listen: '127.0.0.1:${port}' }\n`)
  await fanfold(bench, 'reload')
  await page.locator('#lanes > li', { hasText: 'third' }).waitFor({ timeout: 20_000 })
  await daemon.end('SIGTERM')
  await page.getByText('The daemon does not answer').waitFor()
  const again = await startDaemon(bench)
  await again.until(isAtRest)
  await page.locator('#reach', { hasText: /^Live$/ }).waitFor({ timeout: 20_000 })
  await page.getByText('Everything is safe').waitFor()
  expect(faults).toEqual([])
  await again.end('SIGTERM')
}, 120_000)

const sending = Array.from({ length: 16 }, (_, n) => ({
  path: `photos/2026/summer/img-${n}.raw`,
  bytesDone: n * 6e6,
  size: 1e8,
}))

test('a thousand copies under way are shown and followed', async () => {
  const busy = { active: 16, waiting: 800, bytesWaiting: 3e9, oldestMs: 5_000, sending }
  const targets = Array.from({ length: 64 }, (_, n) => aLane({ name: `target-${n}`, ...busy }))
  const { page: server, desk } = await served(anyPort, smallDesk(aStatus({ targets })))
  const { page, faults } = await aLook(await aBrowser(), server.access().address ?? '')
  const rows = page.locator('#lanes .sending li')
  await rows.nth(1023).waitFor({ state: 'attached' })

  // All but the last move on, and one by one they are other copies.
  const next = sending.map(({ path, size }, n) => ({ path: n === 0 ? 'photos/new.raw' : path, bytesDone: 99e6, size }))
  desk.now = aStatus({ targets: targets.map((lane) => ({ ...lane, sending: next })) })
  await rows.filter({ hasText: 'new.raw' }).nth(63).waitFor({ state: 'attached' })

  expect(await rows.count()).toBe(1024)
  expect(faults).toEqual([])
}, 60_000)

/** Of everything something: what waits, what fails, what ends. */
const busyDay = (): ReturnType<typeof aStatus> => {
  const [source] = aStatus().sources
  const reason = 'very many files went: 812 of 1204 within a minute; "fanfold approve papers" lets the copies follow'
  const user = { user: 'anna@example.org', reason: null }
  return aStatus({
    healthy: false,
    causes: ['source papers held', 'target office needs-login'],
    reasons: [reason, 'target office is needs-login'],
    oldestMs: 125_000,
    sources:
      source === undefined
        ? []
        : [
            { ...source, removalsHeld: true, reason },
            { ...source, name: 'photos' },
          ],
    targets: [
      aLane({ active: 4, waiting: 812, bytesWaiting: 3e9, oldestMs: 125_000, sending: sending.slice(3, 7) }),
      aLane({ name: 'drive', kind: 'google-drive', parked: 3, space: { usedBytes: 9e9, freeBytes: 6e9 } }),
      aLane({ name: 'office', kind: 'box', state: 'needs-login', waiting: 9, reason: 'run "fanfold login office"' }),
      aLane({ name: 'stick', state: 'held', reason: 'paused by its owner; "fanfold resume" lets it go on' }),
    ],
    accounts: [
      { name: 'main', kind: 'google-drive', state: 'logged-in', endsAt: '2099-01-01T00:00:00.000Z', ...user },
      {
        name: 'office',
        kind: 'box',
        state: 'needs-login',
        endsAt: null,
        user: null,
        reason: 'run "fanfold login office"',
      },
    ],
  })
}

test.each([
  ['light', {}],
  ['dark', { colorScheme: 'dark' as const }],
  ['phone', { viewport: { width: 390, height: 844 }, reducedMotion: 'reduce' as const }],
])(
  'everybody can read and use it, with a keyboard and with a reader: %s',
  async (name, options) => {
    const { page: server, desk } = await served(anyPort, smallDesk(busyDay()))
    const { address, token } = server.access()
    const { page, faults } = await aLook(await aBrowser(), `${address ?? ''}#token=${token}`, options)
    await page.getByText('3 files parked').waitFor()

    const isTooWide = await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')
    const found = await barriers(page)
    await picture(page, name)
    await page.getByRole('button', { name: 'let copies follow the removals of papers' }).press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'log in to office' }).press('Enter')
    await page.getByLabel('The address it ended at').fill('http://localhost:53682/?code=x')
    expect(await barriers(page)).toEqual([])
    await page.keyboard.press('Enter')
    await page.getByText('logged in to office as anna').waitFor()

    expect([isTooWide, found, faults]).toEqual([false, [], []])
    expect(desk.asked).toContainEqual(['answer', 't', 'http://localhost:53682/?code=x'])
    expect(desk.asked).not.toContainEqual(['approve', 'papers'])
  },
  60_000,
)

test('who comes without the token sees all and finds no button to act', async () => {
  const { page: server, desk } = await served()
  const { page, faults } = await aLook(await aBrowser(), server.access().address ?? '')
  await page.getByText('Everything is safe').waitFor()

  expect(await page.getByRole('button').allTextContents()).toEqual(['Look'])
  expect(await page.getByText('You may look.').isVisible()).toBe(true)
  expect(desk.asked.every((asked) => asked === 'status' || Array.isArray(asked))).toBe(true)
  expect(faults).toEqual([])
}, 60_000)
