/** The built program as its user has it: a configuration file, real folders, child processes, the control socket. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { connect } from '../../src/control/client.ts'
import type { Status, TargetStatus } from '../../src/control/control.ts'
import { aFolder } from '../builders.ts'

export const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

export interface Bench {
  readonly folder: string
  readonly inbox: string
  readonly config: string
  /** Folder of a target. */
  copies(target: string): string
}

/** Lines of YAML below `targets: - name: …`, per target. */
export type TargetLines = Readonly<Record<string, string>>

/** A configuration with one source `inbox` and directory targets below `copies/`. */
export function aBench(targets: TargetLines, sourceLines = 'settle: 200ms'): Bench {
  const folder = aFolder()
  const bench: Bench = {
    folder,
    inbox: join(folder, 'inbox'),
    config: join(folder, 'fanfold.yaml'),
    copies: (target) => join(folder, 'copies', target),
  }
  mkdirSync(bench.inbox)
  writeConfig(bench, targets, sourceLines)
  return bench
}

export function writeConfig(bench: Bench, targets: TargetLines, sourceLines = 'settle: 200ms'): void {
  const indented = (lines: string): string =>
    lines
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => `    ${line.trim()}\n`)
      .join('')
  const entries = Object.entries(targets).map(
    ([name, lines]) =>
      `  - name: ${name}\n    kind: directory\n    path: ./copies/${name}\n    at: '{path}'\n${indented(lines)}`,
  )
  const source = `  - name: inbox\n    path: ./inbox\n${indented(sourceLines)}`
  writeFileSync(bench.config, `state: ./state\nsources:\n${source}targets:\n${entries.join('')}`)
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command to its end as another user: what root may read proves nothing. */
export async function fanfoldAs(
  user: { uid: number; gid: number } | undefined,
  config: string,
  ...words: string[]
): Promise<Ended> {
  return collect(
    spawn(process.execPath, [program, ...words, '--config', config], { stdio: ['ignore', 'pipe', 'pipe'], ...user }),
  )
}

/** Of this moment. */
export async function aFreePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** What lies at a cloud is a copy, and not the note that says whose place it is (F81). */
export function isCopy({ kind, path }: { readonly kind: string; readonly path: string }): boolean {
  return kind === 'file' && !path.endsWith('/.fanfold-owner')
}

/** Runs one command to its end. */
export async function fanfold(bench: Bench, ...words: string[]): Promise<Ended> {
  return fanfoldAs(undefined, bench.config, ...words)
}

async function collect(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}

export interface RunningDaemon {
  readonly child: ChildProcess
  readonly pid: number
  /** Everything it said so far on stderr. */
  log(): string
  status(): Promise<Status>
  /** Resolves with the first status for which `isThere` holds. @throws the last status when that takes too long. */
  until(isThere: (status: Status) => boolean, withinMs?: number): Promise<Status>
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** Starts `fanfold run` and waits until it answers. Ended with the test. */
export async function startDaemon(bench: Bench, environment: NodeJS.ProcessEnv = {}): Promise<RunningDaemon> {
  const child = spawn(process.execPath, [program, 'run', '--config', bench.config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const daemon: RunningDaemon = {
    child,
    pid: child.pid ?? 0,
    log: () => log,
    status: async () => {
      const signal = AbortSignal.timeout(10_000)
      return (await connect(join(bench.folder, 'state', 'control.sock'), signal)).status(signal)
    },
    until: (isThere, withinMs = 45_000) => until(daemon, isThere, withinMs),
    end: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
      return child.exitCode
    },
  }
  onTestFinished(async () => {
    await daemon.end('SIGKILL')
  })
  await daemon.until(() => true)
  return daemon
}

async function until(daemon: RunningDaemon, isThere: (status: Status) => boolean, withinMs: number): Promise<Status> {
  const deadline = performance.now() + withinMs
  let last: unknown = 'never answered'
  while (performance.now() < deadline) {
    if (daemon.child.exitCode !== null)
      throw new Error(`the daemon ended with ${daemon.child.exitCode}: ${daemon.log()}`)
    try {
      const status = await daemon.status()
      if (isThere(status)) return status
      last = status
    } catch (thrown) {
      last = thrown
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`not so within ${withinMs} ms; last: ${JSON.stringify(last)} ${String(last)}\n${daemon.log()}`)
}

export function targetOf(status: Status, name: string): TargetStatus {
  const target = status.targets.find((candidate) => candidate.name === name)
  if (target === undefined) throw new Error(`no target ${name} in ${JSON.stringify(status)}`)
  return target
}

/** Nothing owed, nothing settling, every source seen through. */
export function isAtRest(status: Status): boolean {
  const isQuiet = status.targets.every(
    ({ waiting, active, offering }) => waiting === 0 && active === 0 && offering === 0,
  )
  return isQuiet && status.sources.every(({ settling, state }) => settling === 0 && state !== 'scanning')
}
