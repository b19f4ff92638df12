// Fanfold beside rclone at one emulated cloud, through the proxy under its real names, with a latency before each answer:
// node test/bench/clouds.mjs [--cloud dropbox] [--latency 20] [--files 2000] [--mib 1024] [--runs 3] [--profile DIR]
// To be run after `node config/dev/setup.mjs emulator`. `--profile` leaves CPU profiles of Fanfold there. 0 files or MiB leave that part out.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** `rclone`: its name for the kind, and what its remote needs besides the login. */
const clouds = {
  // Each refresh token is good once: whoever works next goes on with the last one.
  box: { kind: 'box', rclone: { type: 'box' }, rotates: true },
  dropbox: { kind: 'dropbox', rclone: { type: 'dropbox' } },
  // rclone's own pace there is for the real service: a call in 100 ms.
  'google-drive': { kind: 'google-drive', rclone: { type: 'drive', scope: 'drive', pacer_min_sleep: '1ms' } },
  onedrive: {
    kind: 'onedrive',
    rclone: { type: 'onedrive' },
    remoteOf: ({ driveId, driveType }) => ({ drive_id: driveId, drive_type: driveType }),
    accountLines: ', access: files',
  },
}

const { values } = parseArgs({
  options: {
    cloud: { type: 'string', default: 'dropbox' },
    latency: { type: 'string', default: '20' },
    files: { type: 'string', default: '2000' },
    mib: { type: 'string', default: '1024' },
    runs: { type: 'string', default: '3' },
    profile: { type: 'string' },
  },
})
const cloud = clouds[values.cloud]
if (cloud === undefined) throw new Error(`no cloud "${values.cloud}"; there are: ${Object.keys(clouds).join(', ')}`)
const runs = Number(values.runs)
const mebibyte = 2 ** 20
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const emulatorProgram = fileURLToPath(new URL('../emulator/dist/main.js', import.meta.url))
const scratch = mkdtempSync(join(process.env.FANFOLD_BENCH_DIR ?? tmpdir(), 'fanfold-clouds-'))
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]

const emulator = spawn(process.execPath, [emulatorProgram, values.cloud, '--dir', join(scratch, 'emulator')], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const card = JSON.parse((await once(createInterface(emulator.stdout), 'line'))[0])
const login = card.tokens[values.cloud]
const control = `${card[values.cloud].url}/_emulator`
await fetch(`${control}/pace`, { method: 'POST', body: JSON.stringify({ latencyMs: Number(values.latency) }) })

function source(name, files, bytes) {
  const folder = join(scratch, name)
  mkdirSync(folder)
  const piece = Buffer.alloc(Math.min(bytes, mebibyte))
  for (let n = 0; n < files; n++) {
    const below = join(folder, `d${Math.floor(n / 100)}`)
    mkdirSync(below, { recursive: true })
    const fd = openSync(join(below, `f${n}`), 'w')
    for (let at = 0; at < bytes; at += piece.length) {
      for (let place = 0; place < piece.length; place += 4096)
        piece.writeUInt32LE((n * 65_537 + (at + place) / 4096) >>> 0, place)
      writeSync(fd, piece)
    }
    closeSync(fd)
  }
  return folder
}

/** Wall and CPU seconds, of its threads and children too. */
async function timed(command, words, environment = {}) {
  const shell = ['-c', 'TIMEFORMAT="%R %U %S"; time "$0" "$@"', command, ...words]
  const child = spawn('bash', shell, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...environment },
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += chunk))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ${words.join(' ')}: ended with ${code}\n${said}`)
  const [wall, user, system] = said.trim().split('\n').at(-1).split(' ').map(Number)
  return { wall, cpu: user + system }
}

let folders = 0

async function rclone(from) {
  const remote = {
    ...cloud.rclone,
    ...cloud.remoteOf?.(login),
    client_id: login.clientId,
    client_secret: login.clientSecret,
    token: JSON.stringify({
      access_token: login.accessToken,
      token_type: 'bearer',
      refresh_token: login.refreshToken,
      expiry: cloud.rotates ? '2020-01-01T00:00:00Z' : '2099-01-01T00:00:00Z',
    }),
  }
  const file = join(scratch, 'rclone.conf')
  writeFileSync(file, ['[box]', ...Object.entries(remote).map(([key, value]) => `${key} = ${value}`), ''].join('\n'))
  const words = ['copy', '--config', file, '--transfers', '8', from, `box:rclone-${++folders}`]
  const taken = await timed('rclone', words, { HTTPS_PROXY: card.proxy, SSL_CERT_FILE: card.ca })
  const token = /^token = (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1]
  login.refreshToken = JSON.parse(token).refresh_token
  return taken
}

async function fanfold(from) {
  const folder = join(scratch, `fanfold-${++folders}`)
  mkdirSync(join(folder, 'state/accounts'), { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'state/accounts/main.json'), JSON.stringify({ refreshToken: login.refreshToken }), {
    mode: 0o600,
  })
  writeFileSync(join(folder, 'secret'), login.clientSecret, { mode: 0o600 })
  const lines = [
    'state: ./state',
    `sources:\n  - { name: bench, path: ${from}, settle: 100ms }`,
    `targets:\n  - { name: cloud, kind: ${cloud.kind}, account: main, folder: fanfold-${folders}, at: '{path}' }`,
    `accounts:\n  - { name: main, kind: ${cloud.kind}, client-id: ${login.clientId}, client-secret-file: ./secret${cloud.accountLines ?? ''} }`,
    `http: { proxy: '${card.proxy}', ca-file: '${card.ca}' }`,
    '',
  ]
  writeFileSync(join(folder, 'fanfold.yaml'), lines.join('\n'))
  const profile = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`]
  const words = ['run', '--until-idle', '--config', join(folder, 'fanfold.yaml')]
  const taken = await timed(process.execPath, [...profile, program, ...words])
  login.refreshToken = JSON.parse(readFileSync(join(folder, 'state/accounts/main.json'), 'utf8')).refreshToken
  return taken
}

/** In turn, so that both meet the same machine. */
async function compare(title, folder, { bytes, goals }) {
  const theirs = []
  const ours = []
  for (let round = 0; round < runs; round++) {
    theirs.push(await rclone(folder))
    ours.push(await fanfold(folder))
  }
  const wall = [theirs, ours].map((taken) => median(taken.map((one) => one.wall)))
  const cpu = [theirs, ours].map((taken) => median(taken.map((one) => one.cpu)))
  const gib = bytes / 2 ** 30
  console.log(`\n${title}, ${values.latency} ms before each answer, ${runs} runs each`)
  const row = (...cells) =>
    console.log(`  ${cells.map((cell, at) => String(cell).padEnd(at === 0 ? 40 : 14)).join('')}`)
  row('', 'median s', 'CPU s', 'CPU s/GiB')
  row('rclone copy --transfers 8', wall[0].toFixed(2), cpu[0].toFixed(2), (cpu[0] / gib).toFixed(2))
  row('fanfold run --until-idle', wall[1].toFixed(2), cpu[1].toFixed(2), (cpu[1] / gib).toFixed(2))
  row('rclone / fanfold', (wall[0] / wall[1]).toFixed(2), (cpu[0] / cpu[1]).toFixed(2), goals)
}

try {
  const files = Number(values.files)
  const bytes = Number(values.mib) * mebibyte
  const goals = { small: 'goal: at least 3.00 in time', large: 'goals: at least 1.00 in time, 0.67 in CPU' }
  if (files > 0)
    await compare(`${files} files of 4 KiB`, source('small', files, 4096), { bytes: files * 4096, goals: goals.small })
  if (bytes > 0)
    await compare(`one file of ${values.mib} MiB`, source('large', 1, bytes), { bytes, goals: goals.large })
} finally {
  emulator.kill('SIGTERM')
  await once(emulator, 'close')
  rmSync(scratch, { recursive: true, force: true })
}
