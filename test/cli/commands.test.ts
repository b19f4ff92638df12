/** The program as the shell meets it: built, in a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { typedWords } from '../../src/cli/arguments.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { encodeName } from '../../src/base/path.ts'
import { serveDesk } from '../../src/control/control.ts'
import { aLane, aStatus, smallDesk, type SmallDesk } from '../control/small-desk.ts'

const root = new URL('../../', import.meta.url).pathname
const main = join(root, 'dist/main.js')
const commands = [
  'run',
  'quickstart',
  'check',
  'status',
  'why',
  'history',
  'resync',
  'retry',
  'install',
  'uninstall',
  'doctor',
  'login',
  'logout',
]

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

async function fanfold(
  words: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Ended> {
  const env = { PATH: process.env['PATH'], ...options.env }
  const child = spawn(process.execPath, [main, ...words], { env, cwd: options.cwd ?? root })
  onTestFinished(() => void child.kill('SIGKILL'))
  const text = { out: '', err: '' }
  child.stdout.on('data', (part) => (text.out += String(part)))
  child.stderr.on('data', (part) => (text.err += String(part)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...text }
}

async function tempFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'fanfold-cli-')))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function configured(): Promise<{ folder: string; config: string }> {
  const folder = await tempFolder()
  for (const name of ['state', 'papers']) await mkdir(join(folder, name))
  const config = join(folder, 'fanfold.yaml')
  const text =
    'state: state\nsources: [{ name: papers, path: papers }]\ntargets: [{ name: nas, kind: directory, path: nas }]\n'
  await writeFile(config, text)
  return { folder, config }
}

/** A daemon's socket with a small desk behind it. */
async function running(desk: SmallDesk = smallDesk()): Promise<{ folder: string; config: string; desk: SmallDesk }> {
  const place = await configured()
  const socket = join(place.folder, 'state/control.sock')
  const server = await serveDesk(desk, socket, { clock: systemClock, log: silentLog })
  onTestFinished(() => server.close())
  return { ...place, desk }
}

test('help lists every command with examples and exit codes', async () => {
  const { code, out } = await fanfold(['--help'])

  expect(code).toBe(0)
  for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  expect(out).toContain('Examples:\n')
  expect(out).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.')
})

test.each(commands)('help of %s has examples', async (command) => {
  const { code, out } = await fanfold([command, '--help'])

  expect(code).toBe(0)
  expect(out).toContain(`Usage: fanfold ${command}`)
  expect(out).toMatch(new RegExp(`Examples:\\n  (sudo )?fanfold ${command}`))
})

test('help loads none of the large libraries', async () => {
  const folder = await tempFolder()
  const list = join(folder, 'loaded')
  const hooks = [
    `import { appendFileSync } from 'node:fs'`,
    `export async function load(url, context, next) {`,
    `  appendFileSync('${list}', url + '\\n')`,
    `  return next(url, context)`,
    `}`,
  ]
  await writeFile(join(folder, 'hooks.mjs'), hooks.join('\n'))
  const register = `import { register } from 'node:module'\nregister('file://${folder}/hooks.mjs')\n`
  await writeFile(join(folder, 'register.mjs'), register)

  const { code } = await fanfold(['--help'], { env: { NODE_OPTIONS: `--import file://${folder}/register.mjs` } })

  // Libraries may be files of their own, or joined with the program's.
  const loaded = (await readFile(list, 'utf8'))
    .trim()
    .split('\n')
    .filter((url) => url.startsWith('file:'))
  const text = (await Promise.all(loaded.map((url) => readFile(new URL(url), 'utf8')))).join('\n')
  expect(code).toBe(0)
  expect(text).toContain('commander.unknownOption')
  expect(text).not.toMatch(/\$ZodError|Map keys must be unique|HonoRequest|from ['"](better-sqlite3|koffi|pino)['"]/)
})

test.each([
  [['nosuch'], "error: unknown command 'nosuch'"],
  [['run', '--nosuch'], "error: unknown option '--nosuch'"],
  [['why'], "error: missing required argument 'path'"],
  [['history', '--limit', '0'], 'expected a whole number from 1 to 10000'],
  [['run', 'too', 'many'], 'error: too many arguments'],
  [[], 'Usage: fanfold'],
])('wrong usage exits 2: %j', async (words, message) => {
  const { code, out, err } = await fanfold(words)

  expect(code).toBe(2)
  expect(err).toContain(message)
  expect(out).toBe('')
})

test.each([['run'], ['check'], ['status'], ['why', 'x'], ['history'], ['resync'], ['retry']])(
  'a wrong configuration exits 78 with every problem on its line: %j',
  async (...words) => {
    const folder = await tempFolder()
    const file = join(folder, 'bad.yaml')
    await writeFile(file, 'sources: []\ntargets:\n  - { name: T, kind: directory, path: t }\n')

    const { code, out, err } = await fanfold([...words, '--config', file])

    expect(code).toBe(78)
    expect(out).toBe('')
    expect(err).toBe(
      `${file}:1:10: sources: expected at least one source, got a list\n` +
        `${file}:3:13: targets[0].name: expected a name of a-z, 0-9, "_" and "-", got "T"\n`,
    )
  },
)

test('the flag wins over the variable', async () => {
  const { config } = await configured()

  const byVariable = await fanfold(['check'], { env: { FANFOLD_CONFIG: config } })
  const byFlag = await fanfold(['check', '-c', '/nowhere.yaml'], { env: { FANFOLD_CONFIG: config } })

  expect(byVariable.code).toBe(0)
  expect(byFlag.code).toBe(78)
  expect(byFlag.err).toContain('/nowhere.yaml:1:1: there is no such file')
})

test('check says what a configuration means, and warns of what is missing', async () => {
  const { folder, config } = await configured()
  await rm(join(folder, 'papers'), { recursive: true })

  const { code, out, err } = await fanfold(['check', '--config', config])

  expect(code).toBe(0)
  expect(out).toContain(`${config} is valid\n`)
  expect(out).toContain(`\ntarget nas\n  directory  ${folder}/nas\n  takes      files of every source\n`)
  expect(err).toBe(
    `fanfold: warning: source "papers": ${folder}/papers is no folder now; it is watched as soon as it appears\n`,
  )
})

test('check --json and --schema print one document each', async () => {
  const { folder, config } = await configured()

  const facts = JSON.parse((await fanfold(['check', '--config', config, '--json'])).out) as unknown
  const schema = JSON.parse((await fanfold(['check', '--schema'])).out) as unknown

  expect(facts).toMatchObject({ config: { file: config, state: join(folder, 'state') }, warnings: [] })
  expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' })
})

test('F110: status exits 0 when healthy and 1 when not', async () => {
  const { config, desk } = await running()

  const well = await fanfold(['status', '--config', config])
  desk.now = aStatus({ healthy: false })
  const ill = await fanfold(['status', '--config', config])

  expect([well.code, ill.code]).toEqual([0, 1])
  expect(well.out).toMatch(/^healthy · oldest undelivered change: none\n/)
  expect(ill.out).toMatch(/^not healthy · /)
  expect(well.out).toMatch(/^nas +directory +running +1204 +0 +0 +0 +0 B +-$/m)
})

test('status --json prints the facts under their fixed names', async () => {
  const { config, desk } = await running(smallDesk(aStatus({ oldestMs: 7 })))

  const { code, out } = await fanfold(['status', '--config', config, '--json'])

  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({ ...desk.now, running: true })
})

test('status --watch on a pipe prints plain lines until it is asked to stop', async () => {
  const { config } = await running()
  const child = spawn(process.execPath, [main, 'status', '--watch', '--config', config], { stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (part) => (out += String(part)))

  await once(child.stdout, 'data')
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [number | null]

  expect(code).toBe(0)
  expect(out).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z healthy, oldest none \| nas running 1204\/1204 \(100%\) 0\.0 files\/s 0 B\/s\n/,
  )
})

test('colours come only when they are asked for on a pipe', async () => {
  const { config } = await running()

  const plain = await fanfold(['status', '--config', config])
  const forced = await fanfold(['status', '--config', config], { env: { FORCE_COLOR: '1' } })

  expect(plain.out).not.toContain('\u001b')
  expect(forced.out).toContain('\u001b[32mhealthy\u001b[0m')
})

test('resync hands its order on and prints what is offered', async () => {
  const { config, desk } = await running()
  const words = ['resync', 'nas', '--source', 'papers', '--path', '**/*.pdf', '--verify', '--config', config]

  const { code, out } = await fanfold(words)

  expect(code).toBe(0)
  expect(desk.asked).toEqual([{ targets: ['nas'], source: 'papers', glob: '**/*.pdf', verify: true }])
  expect(out).toBe('TARGET  FILES OFFERED\nnas                 3\n')
})

test('resync --wait ends when its lanes rest, and fails where something stays parked', async () => {
  const { config, desk } = await running(smallDesk(aStatus({ targets: [aLane({ offering: 3 })] })))

  const waiting = fanfold(['resync', '--wait', '--config', config])
  while (!desk.asked.includes('status')) await new Promise((resolve) => setImmediate(resolve))
  desk.now = aStatus({ targets: [aLane({ parked: 1, reason: 'EACCES' })] })
  const parked = await waiting
  desk.now = aStatus()
  const done = await fanfold(['resync', '--wait', '--config', config])

  expect(parked.code).toBe(1)
  expect(parked.err).toBe(
    'fanfold: the resync is not complete\n  nas (running): 0 to offer, 0 owed, 1 parked; EACCES\n',
  )
  expect(done.code).toBe(0)
})

test.each(['missing', 'needs-login'] as const)(
  'resync --wait does not wait for a target that is %s: somebody has to mend it first',
  async (state) => {
    const { config } = await running(smallDesk(aStatus({ targets: [aLane({ state, waiting: 9 })] })))

    const { code, err } = await fanfold(['resync', '--wait', '--config', config])

    expect(code).toBe(1)
    expect(err).toContain(`nas (${state}): 0 to offer, 9 owed, 0 parked`)
  },
)

test('a target that does not exist is wrong usage, with the names there are', async () => {
  const { config } = await running()

  const { code, err } = await fanfold(['resync', 'nowhere', '--config', config])

  expect(code).toBe(2)
  expect(err).toBe('fanfold: there is no target "nowhere"; known here: nas\n')
})

test('retry says how many are due again', async () => {
  const { config, desk } = await running()

  const { code, out } = await fanfold(['retry', 'nas', '--config', config])

  expect(code).toBe(0)
  expect(out).toBe('2 deliveries are due again\n')
  expect(desk.asked).toEqual([['nas']])
})

test('a daemon that fails to answer exits 1', async () => {
  const { config } = await running()

  const { code, err } = await fanfold(['retry', 'broken', '--config', config])

  expect(code).toBe(1)
  expect(err).toBe('fanfold: the daemon could not answer: the journal is on fire\n')
})

test('why prints one verdict per target; a path nobody holds exits 1', async () => {
  const { config, folder, desk } = await running()
  await writeFile(join(folder, 'papers/here.txt'), '')

  const known = await fanfold(['why', 'letter.txt', '--config', config])
  const unknown = await fanfold(['why', 'nothing.txt', '--config', config])
  await fanfold(['why', 'here.txt', '--config', config], { cwd: join(folder, 'papers') })

  expect(known.code).toBe(0)
  expect(known.out).toBe(
    'papers: letter.txt\n  present · 5 B\nTARGET  STATE   WHERE  REASON\nnas     parked  -      EACCES (attempts: 2)\n',
  )
  expect([unknown.code, unknown.out]).toEqual([1, 'no source holds nothing.txt\n'])
  expect(desk.asked).toEqual(['letter.txt', 'nothing.txt', join(folder, 'papers/here.txt')])
})

test('F17: a name that is no UTF-8 can be typed', async () => {
  const { config, desk } = await running()
  const shell = spawn('sh', [
    '-c',
    `exec "$0" "$@" "$(printf 'caf\\351.txt')"`,
    process.execPath,
    main,
    'why',
    '-c',
    config,
  ])
  onTestFinished(() => void shell.kill('SIGKILL'))

  await once(shell, 'close')

  expect(desk.asked).toEqual(['caf\udce9.txt'])
})

test('words without lost bytes are taken as they are', async () => {
  const folder = await tempFolder()
  await writeFile(join(folder, 'cmdline'), encodeName('node\0main.js\0why\0caf\udce9\0'))

  expect(typedWords(['why', 'plain'], '/nowhere')).toEqual(['why', 'plain'])
  expect(typedWords(['why', 'caf\ufffd'], '/nowhere')).toEqual(['why', 'caf\ufffd'])
  expect(typedWords(['why', 'caf\ufffd'], join(folder, 'cmdline'))).toEqual(['why', 'caf\udce9'])
})

test('history is printed newest last', async () => {
  const { config, desk } = await running()

  const { code, out } = await fanfold(['history', 'a.txt', '--limit', '5', '--config', config])

  expect(code).toBe(0)
  expect(desk.asked).toEqual([['a.txt', 5]])
  expect(out).toBe(
    [
      'TIME                      EVENT      SOURCE  PATH   TARGET  DETAIL',
      '2026-11-20T10:00:00.000Z  retry      papers  a.txt  nas     EIO',
      '2026-11-20T10:00:01.000Z  delivered  papers  a.txt  nas     5 bytes',
      '',
    ].join('\n'),
  )
})

test('a reader that had enough is no failure', async () => {
  const { config } = await running()
  const shell = spawn('sh', [
    '-c',
    '"$0" "$@"; echo "code $?" >&2',
    process.execPath,
    main,
    'check',
    '--schema',
    '-c',
    config,
  ])
  onTestFinished(() => void shell.kill('SIGKILL'))
  let err = ''
  shell.stderr.on('data', (part) => (err += String(part)))

  shell.stdout.destroy()
  await once(shell, 'close')

  expect(err).toBe('code 0\n')
})
