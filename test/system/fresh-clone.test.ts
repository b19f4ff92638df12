/** What a new user does: clone, `npm start` in a terminal, Ctrl-C; install the package and use its command. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, afterAll, expect, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { aTerminal } from './terminal.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const installMsMax = 300_000
let clone = ''

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'fanfold-clone-'))
  execFileSync('git', ['clone', '--quiet', root, clone])
})
afterAll(() => rmSync(clone, { recursive: true, force: true }))

test(
  'npm start on a fresh clone sets up what is missing, archives the sample live, takes a dropped file, and Ctrl-C ends it with 0',
  { timeout: installMsMax + 60_000 },
  async () => {
    const terminal = await aTerminal(`cd ${clone} && npm start; echo "ended with $?"`)

    const started = await terminal.until(/drop a file here: (\S+)|ended with \d/, installMsMax)
    expect(started).not.toMatch(/ended with \d/)
    const copies = join(clone, 'quickstart/copies')
    await terminal.until(/everything\s+running .*100%/, 60_000)
    writeFileSync(join(clone, 'quickstart/inbox/dropped.txt'), 'dropped')
    await terminal.untilTrue(() => existsSync(join(copies, 'small-files/dropped.txt')), 10_000)
    await terminal.press('C-c')
    const screen = await terminal.until(/ended with (\d+)/, 40_000)

    expect(screen).toContain('ended with 0')
    expect(readFileSync(join(copies, 'everything/dropped.txt'), 'utf8')).toBe('dropped')
    expect(execFileSync('git', ['-C', clone, 'status', '--porcelain']).toString()).toBe('')
  },
)

test('a second npm start has nothing to set up', { timeout: 60_000 }, async () => {
  const builtMs = statSync(join(clone, 'dist/main.js')).mtimeMs
  const terminal = await aTerminal(`cd ${clone} && npm start; echo "ended with $?"`)

  await terminal.until(/drop a file here/, 20_000)
  await terminal.press('C-c')
  const screen = await terminal.until(/ended with (\d+)/, 40_000)

  expect(screen).toContain('ended with 0')
  expect(statSync(join(clone, 'dist/main.js')).mtimeMs).toBe(builtMs)
})

test('npm install --global gives the command fanfold, which archives', { timeout: installMsMax }, () => {
  const prefix = join(clone, 'installed')
  mkdirSync(prefix)
  execFileSync('npm', ['install', '--global', '--prefix', prefix, '.'], { cwd: clone, stdio: 'pipe' })
  const folder = join(clone, 'used')
  mkdirSync(join(folder, 'inbox'), { recursive: true })
  writeFileSync(join(folder, 'inbox/a'), 'a')
  const target = '{ name: nas, kind: directory, path: ./copies }'
  writeFileSync(
    join(folder, 'f.yaml'),
    `state: ./state\nsources: [{ name: inbox, path: ./inbox }]\ntargets: [${target}]\n`,
  )

  execFileSync(join(prefix, 'bin/fanfold'), ['run', '--until-idle', '--config', join(folder, 'f.yaml')], {
    stdio: 'pipe',
  })

  expect(readFileSync(join(folder, 'copies/inbox/a'), 'utf8')).toBe('a')
})
