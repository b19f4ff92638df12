/** A Debian of its own with a real systemd, made on the spot: debootstrap, Debian's nodejs, systemd-nspawn --boot. Needs root. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const tree = fileURLToPath(new URL('../../', import.meta.url))
const mirror = process.env['FANFOLD_DEBIAN_MIRROR'] ?? 'http://deb.debian.org/debian'
/** No systemd here that could keep a unit for the container; nspawn then ends at a reboot and leaves the new start to us. */
const isAlone = !existsSync('/run/systemd/system')
const bootMsMax = 120_000
const outputBytesMax = 64 * 2 ** 20

export interface Said {
  readonly code: number
  readonly text: string
}

export interface Container {
  /** Its root folder, seen from here. */
  readonly root: string
  /** Runs a shell command inside, to its end. */
  run(command: string): Promise<Said>
  /** The same. @throws where it ends with anything but 0. */
  must(command: string): Promise<string>
  until(command: string, withinMs?: number): Promise<void>
  /** Process id, as this machine counts, of the first process inside whose command line has `word`. */
  pidOf(word: string): number
  reboot(): Promise<void>
  remove(): Promise<void>
}

/** Why no container can be made here; undefined where one can. */
export function whyNoContainer(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can boot a container'
  const missing = ['debootstrap', 'systemd-nspawn', 'unshare', 'nsenter'].filter((tool) => !isThere(tool))
  return missing.length === 0 ? undefined : `missing: ${missing.join(', ')}`
}

function isThere(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, tool)))
}

/** Boots a container in which the package of this tree is installed. FANFOLD_CONTAINER names one made before, to try tests with. */
export async function aContainer(): Promise<Container> {
  const given = process.env['FANFOLD_CONTAINER']
  // Its users have to get through its root folder, and nobody here into it.
  const root = given ?? join(mkdtempSync(join(tmpdir(), 'fanfold-container-')), 'debian')
  const removeFiles = (): void => {
    if (given === undefined) rmSync(dirname(root), { recursive: true, force: true })
  }
  let booted: Booted
  try {
    if (given === undefined) await make(root)
    booted = await boot(root)
  } catch (thrown) {
    removeFiles()
    throw thrown
  }
  const run = (command: string): Promise<Said> => inside(booted.leader, command)
  const container: Container = {
    root,
    run,
    async must(command) {
      const { code, text } = await run(command)
      if (code !== 0) throw new Error(`"${command}" ended with ${code}:\n${text}`)
      return text
    },
    async until(command, withinMs = 30_000) {
      const deadlineMs = performance.now() + withinMs
      for (let said = await run(command); said.code !== 0; said = await run(command)) {
        if (performance.now() > deadlineMs) throw new Error(`not so within ${withinMs} ms: ${command}\n${said.text}`)
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    },
    pidOf: (word) => pidOf(booted.leader, word),
    async reboot() {
      const { child, leader } = booted
      const closed = once(child, 'close')
      await run('systemctl reboot')
      if (isAlone) await closed
      booted = isAlone ? await boot(root) : { child, leader: await leaderOf(child, leader) }
    },
    async remove() {
      const closed = once(booted.child, 'close')
      booted.child.kill('SIGTERM')
      const isLate = await Promise.race([
        closed.then(() => false),
        new Promise((resolve) => setTimeout(resolve, 60_000, true)),
      ])
      if (isLate === true) booted.child.kill('SIGKILL')
      await closed
      removeFiles()
    },
  }
  return container
}

async function make(root: string): Promise<void> {
  const base = ['systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd', 'ca-certificates', 'procps']
  await must('debootstrap', '--variant=minbase', `--include=${base.join(',')}`, 'stable', root, mirror)
  // What the power may take is made anew: nobody waits for the disk.
  writeFileSync(join(root, 'etc/dpkg/dpkg.cfg.d/unsafe'), 'force-unsafe-io\n')
  await must(...nspawn(root, `apt-get update -qq && ${aptInstall} nodejs npm`))
  const packed = (await must('npm', 'pack', '--silent', '--pack-destination', root, tree)).trim()
  // This machine's way to the registry is the container's.
  const registry = (await must('npm', 'config', 'get', 'registry')).trim()
  const settings = [`npm_config_registry=${registry}`, ...(await nativePart(root))]
  const authorities = process.env['NODE_EXTRA_CA_CERTS']
  if (authorities !== undefined) {
    cpSync(authorities, join(root, 'root/authorities.pem'))
    settings.push('npm_config_cafile=/root/authorities.pem')
  }
  await must(...nspawn(root, `env ${settings.join(' ')} npm install --global /${basename(packed)}`))
}

const aptInstall = 'DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends'

/**
 * The one package that has to fit Node: its installer looks for a ready-made binary in a folder of the machine first, and there lies
 * the one of this tree. Where Debian's Node is of another make, it is fetched or compiled as for every user.
 */
async function nativePart(root: string): Promise<readonly string[]> {
  const abi = (await must(...nspawn(root, 'node --print process.versions.modules'))).trim()
  if (abi !== process.versions.modules) {
    await must(...nspawn(root, `${aptInstall} libnode-dev g++ make python3`))
    return ['npm_config_nodedir=/usr/include/nodejs']
  }
  const module = join(tree, 'node_modules/better-sqlite3')
  const { version } = JSON.parse(readFileSync(join(module, 'package.json'), 'utf8')) as { version: string }
  const name = `better-sqlite3-v${version}-node-v${abi}-${process.platform}-${process.arch}.tar.gz`
  mkdirSync(join(root, 'root/prebuilds'))
  await must('tar', '-C', module, '-czf', join(root, 'root/prebuilds', name), 'build/Release/better_sqlite3.node')
  return ['npm_config_better_sqlite3_local_prebuilds=/root/prebuilds']
}

/** The nspawn around it, and its first process as this machine counts. */
interface Booted {
  readonly child: ChildProcess
  readonly leader: number
}

/** Runs one command in the container without booting it. */
function nspawn(root: string, command: string): readonly [string, ...string[]] {
  return ['unshare', '--mount', 'sh', '-c', `${unified} && exec "$@"`, 'sh', ...spawnWords(root), 'sh', '-c', command]
}

/** A systemd of today wants the one hierarchy of control groups, whatever this machine has. */
const unified = 'umount --recursive /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup'

function spawnWords(root: string): string[] {
  const words = ['systemd-nspawn', '--quiet', `--directory=${root}`, '--register=no', '--console=pipe']
  return isAlone ? [...words, '--keep-unit'] : words
}

async function boot(root: string): Promise<Booted> {
  const words = ['--mount', 'sh', '-c', `${unified} && exec "$@"`, 'sh', ...spawnWords(root), '--boot']
  const child = spawn('unshare', words, { stdio: 'ignore' })
  try {
    return { child, leader: await leaderOf(child, 0) }
  } catch (thrown) {
    child.kill('SIGKILL')
    throw thrown
  }
}

/** The container's first process, once its systemd has started everything; another one than before after a reboot. */
async function leaderOf(child: ChildProcess, before: number): Promise<number> {
  const deadlineMs = performance.now() + bootMsMax
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null) throw new Error(`the container ended with ${child.exitCode} while it booted`)
    const [leader] = childrenOf(child.pid ?? 0)
    if (leader !== undefined && leader !== before) {
      const { text } = await inside(leader, 'systemctl is-system-running')
      if (/^(running|degraded)/.test(text)) return leader
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`the container did not boot within ${bootMsMax} ms`)
}

function childrenOf(pid: number): number[] {
  return processes().filter((each) => /\) \S (\d+)/.exec(textOf(`/proc/${each}/stat`))?.[1] === String(pid))
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function inside(leader: number, command: string): Promise<Said> {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const words = [`--target=${leader}`, '--all', '--', 'env', '-i', path, 'HOME=/root', 'sh', '-c', command]
  return said('nsenter', words)
}

function pidOf(leader: number, word: string): number {
  const space = readlinkSync(`/proc/${leader}/ns/pid`)
  const found = processes().find((pid) => isIn(space, pid) && textOf(`/proc/${pid}/cmdline`).includes(word))
  if (found === undefined) throw new Error(`no process in the container has "${word}" in its command line`)
  return found
}

function isIn(space: string, pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === space
  } catch {
    // It ended meanwhile.
    return false
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

async function must(name: string, ...words: string[]): Promise<string> {
  const { code, text } = await said(name, words)
  if (code !== 0) throw new Error(`${name} ${words.join(' ')} ended with ${code}:\n${text.slice(-4000)}`)
  return text
}

function said(name: string, words: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(name, words, { cwd: tree, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, text: code === 0 ? stdout : stdout + stderr })
    })
  })
}
