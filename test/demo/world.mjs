// The demo's world: a folder of its own, the emulators of the clouds, the daemon, and ways to look at all of them.
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connect } from '../../dist/control/client.js'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const emulatorProgram = fileURLToPath(new URL('../emulator/dist/main.js', import.meta.url))

/** Emulators as they are named on their command line. `chunkBytes`: what a large upload may have to send again after a kill. */
export const clouds = {
  dropbox: { kind: 'dropbox', chunkBytes: 16 * 2 ** 20 },
  'google-drive': { kind: 'google-drive', chunkBytes: 16 * 2 ** 20 },
  // Four files a second are what Box bears; its emulator bears more.
  box: { kind: 'box', chunkBytes: 32 * 2 ** 20, pace: 'requests: 1000/s, uploads: 1000/s' },
  onedrive: { kind: 'onedrive', chunkBytes: 10 * 2 ** 20 },
}

const directories = ['disk', 'stick']

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export const hashOf = (content) => createHash('sha256').update(content).digest('hex')

export async function aWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'fanfold-demo-'))
  const inbox = join(folder, 'inbox')
  mkdirSync(inbox)
  for (const name of directories) mkdirSync(join(folder, name))
  const emulators = await startEmulators(folder)
  const targets = [
    ...directories.map((name) => directoryTarget(folder, name)),
    ...Object.keys(clouds).map(cloudTarget(emulators)),
  ]
  writeConfig(folder, emulators.card)
  const world = { folder, inbox, targets, daemon: undefined, end: () => endOf(world, emulators) }
  return world
}

async function endOf(world, { child }) {
  await endDaemon(world, 'SIGTERM')
  child.kill('SIGTERM')
  if (child.exitCode === null) await once(child, 'close')
  rmSync(world.folder, { recursive: true, force: true })
}

async function startEmulators(folder) {
  const words = [emulatorProgram, ...Object.keys(clouds), '--dir', join(folder, 'clouds'), '--check']
  // Our end of its input tells it when we are gone, whatever ends us.
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close').then(([code]) => Promise.reject(new Error(`the emulators ended with ${code}`)))
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended])
  ended.catch(() => {})
  return { child, card: JSON.parse(line) }
}

function writeConfig(folder, card) {
  const accounts = join(folder, 'state/accounts')
  mkdirSync(accounts, { recursive: true, mode: 0o700 })
  const lines = ['state: ./state', 'sources:', '  - { name: inbox, path: ./inbox, settle: 200ms }', 'targets:']
  for (const name of directories) lines.push(`  - { name: ${name}, kind: directory, path: ./${name}, at: '{path}' }`)
  for (const [name, { kind, pace = '' }] of Object.entries(clouds))
    lines.push(
      `  - { name: ${name}, kind: ${kind}, account: my-${name}, folder: Archive, at: '{path}', pace: { ${pace} } }`,
    )
  lines.push('accounts:')
  for (const [name, { kind }] of Object.entries(clouds)) {
    const { refreshToken, clientId, clientSecret } = card.tokens[name]
    writeFileSync(join(accounts, `my-${name}.json`), JSON.stringify({ refreshToken }), { mode: 0o600 })
    writeFileSync(join(folder, `${name}.secret`), clientSecret, { mode: 0o600 })
    lines.push(`  - { name: my-${name}, kind: ${kind}, client-id: ${clientId}, client-secret-file: ./${name}.secret }`)
  }
  // Under the clouds' real names, which the proxy leads to the emulators.
  lines.push(`http: { proxy: '${card.proxy}', ca-file: '${card.ca}' }`, '')
  writeFileSync(join(folder, 'fanfold.yaml'), lines.join('\n'))
}

/** A target as the demo looks at it: not through Fanfold. */
function directoryTarget(folder, name) {
  const root = join(folder, name)
  const hashes = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => hashOf(readFileSync(join(entry.parentPath, entry.name))))
  return { name, cloud: undefined, hashes: () => Promise.resolve(hashes()) }
}

const cloudTarget =
  ({ card }) =>
  (name) => {
    const ask = async (method, path, body) => {
      const response = await fetch(`${card[name].url}/_emulator/${path}`, {
        method,
        body: body && JSON.stringify(body),
      })
      if (!response.ok) throw new Error(`${name}: ${method} ${path}: ${await response.text()}`)
      return response
    }
    const hashes = async () => {
      const objects = await (await ask('GET', 'objects')).json()
      const found = []
      for (const { path, kind } of objects) {
        // The note that says whose place it is, is no copy.
        if (kind !== 'file' || path.endsWith('/.fanfold-owner')) continue
        const object = await ask('GET', `object?path=${encodeURIComponent(path)}`)
        found.push(hashOf(Buffer.from(await object.arrayBuffer())))
      }
      return found
    }
    const requests = async () => (await ask('GET', 'requests')).json()
    return {
      name,
      cloud: {
        chunkBytes: clouds[name].chunkBytes,
        requests,
        fail: () =>
          ask('POST', 'faults', {
            route: '*',
            count: 'all',
            fault: { do: 'answer', status: 503, body: 'out of order' },
          }),
        heal: () => ask('DELETE', 'faults'),
        pace: (bytesPerSecond) => ask('POST', 'pace', { bytesPerSecond }),
        sentBytes: async () => (await requests()).records.reduce((sum, { requestBytes }) => sum + requestBytes, 0),
      },
      hashes,
    }
  }

export async function startDaemon(world) {
  const child = spawn(process.execPath, [program, 'run', '--config', join(world.folder, 'fanfold.yaml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk) => (log += chunk))
  world.daemon = { child, log: () => log }
  await until(world, 'it answers', () => true)
}

export async function endDaemon(world, signal) {
  const child = world.daemon?.child
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill(signal)
  await closed
}

async function status(world) {
  const signal = AbortSignal.timeout(5000)
  return (await connect(join(world.folder, 'state/control.sock'), signal)).status(signal)
}

/** The first status for which `holds`. @throws Error with the last one, and what the daemon said. */
export async function until(world, what, holds, withinMs = 40_000) {
  let last
  for (const start = performance.now(); performance.now() - start < withinMs; await sleep(20)) {
    if (world.daemon.child.exitCode !== null) break
    try {
      last = await status(world)
      if (await holds(last)) return last
    } catch (thrown) {
      if (thrown?.code === undefined && thrown?.name !== 'AskError' && last !== undefined) throw thrown
    }
  }
  throw new Error(`waited for ${what}; last seen: ${JSON.stringify(last)}\n${world.daemon.log()}`)
}

export const targetOf = (seen, name) => seen.targets.find((target) => target.name === name)

export function isAtRest(seen) {
  const isQuiet = seen.targets.every(({ waiting, active, offering }) => waiting === 0 && active === 0 && offering === 0)
  return isQuiet && seen.sources.every(({ settling, state }) => settling === 0 && state !== 'scanning')
}

export async function fanfold(world, ...words) {
  const { stdout } = await run(process.execPath, [program, ...words, '--config', join(world.folder, 'fanfold.yaml')])
  return stdout
}
