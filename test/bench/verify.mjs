// Requests, seconds and memory of verify and resync over many copies: node test/bench/verify.mjs [--kind directory|dropbox|…] [--files 100000]
// To be run after `node config/dev/setup.mjs emulator`. Small files, a hundred to a folder, since only their number counts. The copies are put
// there by their owner's hand, which takes a minute; `--deliver` has Fanfold deliver them and lose its journal. NODE_OPTIONS reach the program.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: 'directory' },
    files: { type: 'string', default: '100000' },
    deliver: { type: 'boolean', default: false },
  },
})
const files = Number(values.files)
const filesPerFolder = 100
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const emulatorProgram = fileURLToPath(new URL('../emulator/dist/main.js', import.meta.url))
const scratch = mkdtempSync(join(process.env.FANFOLD_BENCH_DIR ?? tmpdir(), 'fanfold-verify-'))
const config = join(scratch, 'fanfold.yaml')

async function startEmulator() {
  const child = spawn(process.execPath, [emulatorProgram, values.kind, '--dir', join(scratch, 'emulator')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const card = JSON.parse((await once(createInterface(child.stdout), 'line'))[0])
  const requests = async () => {
    const answer = await (await fetch(`${card[values.kind].url}/_emulator/requests?since=1000000000`)).json()
    return Object.values(answer.routes).reduce((sum, route) => sum + route.requests, 0)
  }
  return { child, login: card.tokens[values.kind], url: card[values.kind].url, requests }
}

/** Logins that see what others put there, where a kind has several. */
const access = { 'google-drive': ', access: all', onedrive: ', access: files' }

function configure(emulator) {
  const head = `state: ./state\nsources:\n  - { name: inbox, path: ./inbox }\ntargets:\n`
  if (emulator === undefined) {
    writeFileSync(config, `${head}  - { name: t, kind: directory, path: ./copies, at: '{path}' }\n`)
    return
  }
  const { url, login } = emulator
  writeFileSync(join(scratch, 'secret'), login.clientSecret ?? '', { mode: 0o600 })
  const place = `account: main, folder: Archive, endpoint: '${url}', at: '{path}'`
  const account = `name: main, kind: ${values.kind}, client-id: ${login.clientId}${access[values.kind] ?? ''}`
  const secret = ['dropbox', 'onedrive'].includes(values.kind) ? '' : ', client-secret-file: ./secret'
  writeFileSync(
    config,
    `${head}  - { name: t, kind: ${values.kind}, ${place} }\naccounts:\n  - { ${account}${secret} }\n`,
  )
  mkdirSync(join(scratch, 'state', 'accounts'), { recursive: true, mode: 0o700 })
  writeFileSync(join(scratch, 'state/accounts/main.json'), JSON.stringify({ refreshToken: login.refreshToken }), {
    mode: 0o600,
  })
}

function dropFiles() {
  for (let n = 0; n < files; n++) {
    const folder = join(scratch, 'inbox', `d${Math.floor(n / filesPerFolder)}`)
    if (n % filesPerFolder === 0) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `f${n}`), `content of ${n}`)
  }
}

/** Small enough for the emulator to answer between two of them. */
const filledAtOnce = 1000

/** As a delivery would have left it. */
async function fill(emulator) {
  if (emulator === undefined) {
    spawnSync('cp', ['-a', join(scratch, 'inbox'), join(scratch, 'copies')], { stdio: 'inherit' })
    return
  }
  for (let n = 0; n < files; n += filledAtOnce) {
    const objects = Array.from({ length: Math.min(filledAtOnce, files - n) }, (_, index) => {
      const path = `d${Math.floor((n + index) / filesPerFolder)}/f${n + index}`
      const modifiedMs = Math.floor(statSync(join(scratch, 'inbox', path)).mtimeMs)
      return { path: `/Archive/${path}`, content: `content of ${n + index}`, modifiedMs }
    })
    const body = JSON.stringify(objects)
    const answer = await fetch(`${emulator.url}/_emulator/objects`, { method: 'POST', body })
    if (!answer.ok) throw new Error(await answer.text())
  }
}

/** The most memory that a process ever had, MiB. */
function peakMib(pid) {
  const kib = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return kib === undefined ? 0 : Math.round(Number(kib) / 1024)
}

/** What a process used so far, seconds of a core. Linux counts them in hundredths. */
function cpuSeconds(pid) {
  // Behind the name, which may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function ran(...words) {
  const startMs = performance.now()
  const child = spawn(process.execPath, [program, ...words, '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let peak = 0
  let cpu = 0
  const look = setInterval(() => {
    try {
      peak = Math.max(peak, peakMib(child.pid))
      cpu = cpuSeconds(child.pid)
    } catch {
      // It has just ended.
    }
  }, 50)
  let said = ''
  child.stdout.on('data', (chunk) => (said = (said + chunk).slice(-20_000)))
  const [code] = await once(child, 'close')
  clearInterval(look)
  return { code, seconds: (performance.now() - startMs) / 1000, cpu, peak, said }
}

const emulator = values.kind === 'directory' ? undefined : await startEmulator()
try {
  configure(emulator)
  dropFiles()
  const asked = async () => emulator?.requests() ?? 0
  const show = async (what, before, { code, seconds, cpu, peak }) =>
    console.log(
      `${what}: ended with ${code}, ${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU, ${(await asked()) - before} requests, peak ${peak} MiB`,
    )

  if (values.deliver) await show(`delivery of ${files} files`, await asked(), await ran('run', '--until-idle'))
  else await fill(emulator)
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(scratch, `state/journal.sqlite${suffix}`), { force: true })
  await show('adoption after the loss of the journal', await asked(), await ran('run', '--until-idle'))
  await show('verify without a daemon', await asked(), await ran('verify'))
  const daemon = spawn(process.execPath, [program, 'run', '--config', config], { stdio: 'ignore' })
  const status = async () => JSON.parse((await ran('status', '--json')).said)
  const atRest = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode}`)
      // Before that a question would be answered by the command itself, and keep the daemon from starting.
      if (!existsSync(join(scratch, 'state/control.sock'))) continue
      const now = await status()
      const [source] = now.sources ?? []
      if (now.running && source?.state === 'watching' && now.targets[0].offering + now.targets[0].waiting === 0) return
    }
  }
  await atRest()
  const tell = (when) =>
    console.log(`daemon ${when}: ${cpuSeconds(daemon.pid).toFixed(1)} s of CPU, peak ${peakMib(daemon.pid)} MiB`)
  tell('at rest')
  await show('verify', await asked(), await ran('verify', '--json'))
  tell('after it')
  await show('resync', await asked(), await ran('resync', '--wait'))
  tell('after it')
  await show('resync that trusts no receipt', await asked(), await ran('resync', '--verify', '--wait'))
  tell('after it')
  if (emulator !== undefined) console.log(`emulator: ${cpuSeconds(emulator.child.pid).toFixed(1)} s of CPU`)
  daemon.kill('SIGTERM')
  await once(daemon, 'close')
} finally {
  emulator?.child.kill('SIGTERM')
  rmSync(scratch, { recursive: true, force: true })
}
