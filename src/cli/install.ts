/** `fanfold install` and `fanfold uninstall`: puts the service's files in place, or takes them away. Starts nothing and deletes no data. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { directoriesOf, type Config } from '../config/config.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import type { ConfigFlags } from './flags.ts'
import { takeSteps, type Step } from './steps.ts'
import { isSystemdRunning, systemctl, systemdVersion, type Scope } from './systemd.ts'
import { systemTerminal } from './terminal.ts'
import {
  dropInText,
  firstConfig,
  isHidden,
  packagedText,
  packagedUnit,
  thisProgram,
  unitName,
  unitPlace,
  type UnitPlace,
} from './unit.ts'

export interface InstallFlags extends ConfigFlags {
  readonly user?: boolean
  readonly dryRun?: boolean
  /** A folder that stands for `/`: files are put below it, and nothing is run. */
  readonly root?: string
}

export async function install(flags: InstallFlags): Promise<ExitCode> {
  const place = placeOf(flags)
  const { configFile, isFirst } = configOf(flags, place)
  const config = await readOrFirst(configFile, isFirst, place, flags.root ?? '')
  const program = thisProgram()
  const unit = dropInText({ ...place, configFile }, { config, program, systemdVersion: systemdVersion() })
  const steps: Step[] = [
    ...(isFirst ? [{ kind: 'file', path: configFile, text: firstConfig(place) } as const] : []),
    ...systemSteps(place, flags),
    { kind: 'file', path: place.unitFile, text: packagedUnit(place.scope) },
    { kind: 'file', path: place.dropInFile, text: unit },
    ...reloadSteps(place.scope, flags),
  ]
  const terminal = systemTerminal()
  takeSteps(steps, terminal, { root: flags.root ?? '', isDry: flags.dryRun === true })
  for (const line of nextSteps(place, configFile, isFirst)) terminal.print(line)
  for (const line of warnings(config, place)) terminal.remark(`fanfold: ${line}`)
  return exitCode.done
}

export function uninstall(flags: InstallFlags): Promise<ExitCode> {
  const place = placeOf(flags)
  const { scope, dropInFile, unitFile, sysusersFile } = place
  const isKnown = existsSync(join(flags.root ?? '', unitFile))
  const steps: Step[] = [
    ...(isKnown && canRun(flags)
      ? [{ kind: 'run', words: systemctl(scope, 'disable', '--now', unitName) } as const]
      : []),
    ...[dropInFile, unitFile, ...(sysusersFile === undefined ? [] : [sysusersFile])].map(
      (path) => ({ kind: 'remove', path }) as const,
    ),
    ...(isKnown ? reloadSteps(scope, flags) : []),
  ]
  const terminal = systemTerminal()
  takeSteps(steps, terminal, { root: flags.root ?? '', isDry: flags.dryRun === true })
  const kept = [place.configFile, place.stateFolder, ...(scope === 'system' ? [`the user ${place.user}`] : [])]
  terminal.print(`kept: ${kept.join(', ')}; the copies at the targets`)
  return Promise.resolve(exitCode.done)
}

function placeOf(flags: InstallFlags): UnitPlace {
  return unitPlace(flags.user === true ? 'user' : 'system', process.env)
}

/** The configuration that the service will use: the one that is named, else its own place. */
function configOf(flags: InstallFlags, place: UnitPlace): { configFile: string; isFirst: boolean } {
  const configFile = resolve(flags.config ?? place.configFile)
  return { configFile, isFirst: flags.config === undefined && !existsSync(join(flags.root ?? '', configFile)) }
}

/** @throws ConfigError: what cannot be started is not installed either. */
async function readOrFirst(file: string, isFirst: boolean, place: UnitPlace, root: string): Promise<Config> {
  const { parseConfig, readConfig } = await import('../config/config.ts')
  return isFirst ? parseConfig(file, firstConfig(place)) : { ...readConfig(join(root, file)), file }
}

function systemSteps({ sysusersFile, credentialsFolder }: UnitPlace, flags: InstallFlags): Step[] {
  if (sysusersFile === undefined || credentialsFolder === undefined) return []
  const user: Step = { kind: 'run', words: ['systemd-sysusers', sysusersFile] }
  return [
    { kind: 'folder', path: credentialsFolder, mode: 0o700 },
    { kind: 'file', path: sysusersFile, text: packagedText('fanfold.sysusers') },
    // Needs no running systemd: in an image the user is made as well.
    ...(flags.root === undefined ? [user] : []),
  ]
}

function canRun(flags: InstallFlags): boolean {
  return flags.root === undefined && isSystemdRunning()
}

function reloadSteps(scope: Scope, flags: InstallFlags): Step[] {
  return canRun(flags) ? [{ kind: 'run', words: systemctl(scope, 'daemon-reload') }] : []
}

function nextSteps(place: UnitPlace, configFile: string, isFirst: boolean): string[] {
  const { scope, user } = place
  const flag = scope === 'user' ? ' --user' : ''
  const sudo = (words: string): string => (scope === 'user' ? words : `sudo ${words}`)
  return [
    'next:',
    ...(isFirst ? [`  edit ${configFile}, then: ${sudo(`fanfold install${flag}`)}`] : []),
    `  ${sudo(systemctl(scope, 'enable', '--now', unitName).join(' '))}`,
    ...(scope === 'user' && !isLingering(user)
      ? [`  loginctl enable-linger ${user}    # else the service ends when you log out`]
      : []),
    `  ${sudo(`fanfold doctor${flag}`)}`,
  ]
}

/** F107: a user's services run on after the last logout only where this was asked for. */
export function isLingering(user: string): boolean {
  return existsSync(join('/var/lib/systemd/linger', user))
}

function warnings(config: Config, { scope }: UnitPlace): string[] {
  if (scope === 'user') return []
  return [...config.sources, ...directoriesOf(config)].flatMap(({ name, path }) =>
    isHidden(path) && !existsSync(path)
      ? [`${name}: ${path} is not there; below /home the service sees only what was there when it started`]
      : [],
  )
}
