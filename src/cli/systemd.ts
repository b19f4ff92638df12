/** The machine's systemd as commands need it: whether it runs, which version, and its tools. Decides nothing. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** systemd's tools answer at once; a stop of the service drains for up to a minute. Unit: ms. */
const answerMsMax = 90_000

export interface ToolAnswer {
  /** undefined where the tool is not there or did not answer. */
  readonly code: number | undefined
  readonly text: string
}

/** Source: sd_booted(3). */
export function isSystemdRunning(): boolean {
  return existsSync('/run/systemd/system')
}

export function runTool([name = '', ...words]: readonly string[]): ToolAnswer {
  const ended = spawnSync(name, words, { encoding: 'utf8', timeout: answerMsMax, stdio: ['ignore', 'pipe', 'pipe'] })
  return {
    code: ended.error === undefined ? (ended.status ?? undefined) : undefined,
    text: ended.stdout + ended.stderr,
  }
}

/** 0 where there is none. */
export function systemdVersion(): number {
  const { code, text } = runTool(['systemctl', '--version'])
  return code === 0 ? Number(/^systemd (\d+)/.exec(text)?.[1] ?? 0) : 0
}

export type Scope = 'system' | 'user'

export function systemctl(scope: Scope, ...words: readonly string[]): readonly string[] {
  return ['systemctl', ...(scope === 'user' ? ['--user'] : []), ...words]
}

/** Properties of the unit as systemd has it now; empty where it cannot be asked. */
export function showUnit(scope: Scope, unit: string, properties: readonly string[]): ReadonlyMap<string, string> {
  const { code, text } = runTool(systemctl(scope, 'show', unit, `--property=${properties.join(',')}`))
  if (code !== 0) return new Map()
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}
