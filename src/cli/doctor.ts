/** `fanfold doctor`: looks for what keeps the service from working, and says for each finding what to do. Changes nothing. */
import { resolve } from 'node:path'
import { exitCode, type ExitCode } from './exit-code.ts'
import { configOf, type FactFlags } from './flags.ts'
import { good, type Finding, type Patient } from './finding.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import type { Scope } from './systemd.ts'
import { systemTerminal, type Tone } from './terminal.ts'
import { unitPlace } from './unit.ts'

export interface DoctorFlags extends FactFlags {
  readonly user?: boolean
}

export async function doctor(flags: DoctorFlags): Promise<ExitCode> {
  const scope: Scope = flags.user === true ? 'user' : 'system'
  const place = unitPlace(scope, process.env)
  const named = flags.config ?? process.env['FANFOLD_CONFIG']
  const config = await configOf({ config: resolve(named === undefined || named === '' ? place.configFile : named) })
  const findings = await examine({ config, place })
  const terminal = systemTerminal()
  const isWell = findings.every(({ state }) => state !== 'bad')
  if (flags.json === true) terminal.print(JSON.stringify({ well: isWell, findings }, null, 2))
  else for (const line of findingLines(findings)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
  return isWell ? exitCode.done : exitCode.failed
}

async function examine(patient: Patient): Promise<readonly Finding[]> {
  const { accessFindings, serviceFindings } = await import('./service-checks.ts')
  const { loginFindings } = await import('./login-checks.ts')
  const { clockFindings, spaceFindings, watchFindings } = await import('./machine-checks.ts')
  return [
    good('configuration', `${patient.config.file} is valid`),
    ...watchFindings(patient),
    ...clockFindings(patient),
    ...spaceFindings(patient),
    ...accessFindings(patient),
    ...(await serviceFindings(patient)),
    ...(await loginFindings(patient)),
  ]
}

const tones: Readonly<Record<Finding['state'], Tone>> = { good: 'good', warn: 'warn', bad: 'bad' }

/** A line per finding, and below it the fix, whole, so that it can be copied. */
function findingLines(findings: readonly Finding[]): Line[] {
  const width = Math.max(...findings.map(({ check }) => check.length))
  return findings.flatMap(({ check, state, finding, fix }): Line[] => [
    [
      span(state.padEnd(4), tones[state]),
      span(`  ${check.padEnd(width)}  `, 'dim'),
      span(harmless(finding), state === 'good' ? 'plain' : 'bold'),
    ],
    ...(fix === null ? [] : [[span(`${' '.repeat(width + 8)}fix: `, 'dim'), span(harmless(fix))]]),
  ])
}
