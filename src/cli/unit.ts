/** The service's files: where each lies, and what the drop-in says for a configuration on this machine. Writes nothing. */
import { readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OwnerError } from '../base/errors.ts'
import { directoriesOf, type Config } from '../config/config.ts'
import type { Scope } from './systemd.ts'

export const unitName = 'fanfold.service'
/** systemd's RestartSteps= came with it. */
const restartStepsVersion = 254

/** Where the files of one installation lie. */
export interface UnitPlace {
  readonly scope: Scope
  /** Who the service runs as. */
  readonly user: string
  readonly unitFile: string
  readonly dropInFile: string
  /** undefined for a user's service: its user is there already. */
  readonly sysusersFile: string | undefined
  readonly configFile: string
  readonly stateFolder: string
  /** Each file in it is handed to the service as a credential; undefined for a user's service. */
  readonly credentialsFolder: string | undefined
}

export function unitPlace(scope: Scope, environment: NodeJS.ProcessEnv): UnitPlace {
  if (scope === 'system') {
    const units = '/etc/systemd/system'
    return {
      scope,
      user: 'fanfold',
      unitFile: join(units, unitName),
      dropInFile: join(units, `${unitName}.d`, '50-fanfold-install.conf'),
      sysusersFile: '/etc/sysusers.d/fanfold.conf',
      configFile: '/etc/fanfold/fanfold.yaml',
      stateFolder: '/var/lib/fanfold',
      credentialsFolder: '/etc/fanfold/credentials',
    }
  }
  const settings = folderOr(environment['XDG_CONFIG_HOME'], join(homedir(), '.config'))
  return {
    scope,
    user: userInfo().username,
    unitFile: join(settings, 'systemd/user', unitName),
    dropInFile: join(settings, 'systemd/user', `${unitName}.d`, '50-fanfold-install.conf'),
    sysusersFile: undefined,
    configFile: join(settings, 'fanfold/fanfold.yaml'),
    stateFolder: join(folderOr(environment['XDG_STATE_HOME'], join(homedir(), '.local/state')), 'fanfold'),
    credentialsFolder: undefined,
  }
}

function folderOr(given: string | undefined, otherwise: string): string {
  return given === undefined || !given.startsWith('/') ? otherwise : given
}

const packageFolder = fileURLToPath(new URL('../../', import.meta.url))

/** What the package brings: `fanfold.service`, `user/fanfold.service`, `fanfold.sysusers`. */
export function packagedText(name: string): string {
  return readFileSync(join(packageFolder, 'systemd', name), 'utf8')
}

export function packagedUnit(scope: Scope): string {
  return packagedText(scope === 'user' ? join('user', unitName) : unitName)
}

/** How this program is started: the Node that runs it now, and its main file. */
export interface Program {
  readonly node: string
  readonly main: string
}

export function thisProgram(): Program {
  return { node: process.execPath, main: join(packageFolder, 'dist/main.js') }
}

export interface DropInFacts {
  readonly config: Config
  readonly program: Program
  readonly systemdVersion: number
}

/** The drop-in: how the program is started, and for the system service which folders it sees and may write. */
export function dropInText(place: UnitPlace, { config, program, systemdVersion }: DropInFacts): string {
  const words = [program.node, program.main, 'run', '--config', config.file]
  return [
    `# Written by "fanfold install" from ${config.file}. After a change of folders there, run it again.`,
    '[Service]',
    'ExecStart=',
    `ExecStart=${words.map(execWord).join(' ')}`,
    ...(systemdVersion >= restartStepsVersion
      ? ['# Ever longer pauses between starts that fail.', 'RestartSteps=6', 'RestartMaxDelaySec=5min']
      : []),
    ...(place.scope === 'system' ? sandboxLines(place, config, program) : []),
    '',
  ].join('\n')
}

/** Bound is only what would be hidden otherwise: from a disk that is bound the service does not part when it is unmounted, and another one it never sees. */
function sandboxLines(place: UnitPlace, config: Config, program: Program): string[] {
  const programFolders = [dirname(dirname(program.node)), dirname(dirname(program.main)), dirname(config.file)]
  const written = config.state === place.stateFolder ? [] : [config.state]
  const { credentialsFolder } = place
  return [
    ...(credentialsFolder === undefined ? [] : [`LoadCredential=fanfold:${credentialsFolder}`]),
    ...programFolders.filter(isHidden).map((folder) => `BindReadOnlyPaths=${pathWord(folder)}`),
    '# Sources: seen, and never written.',
    ...config.sources.map(({ path }) => `${isHidden(path) ? 'BindReadOnlyPaths' : 'ReadOnlyPaths'}=${pathWord(path)}`),
    '# State and targets: all that may be written.',
    ...[...written, ...directoriesOf(config).map(({ path }) => path)].map(
      (path) => `${isHidden(path) ? 'BindPaths' : 'ReadWritePaths'}=${pathWord(path)}`,
    ),
  ]
}

/** The unit's ProtectHome= and PrivateTmp= put empty folders there. */
export function isHidden(path: string): boolean {
  return ['/home', '/root', '/run/user', '/tmp', '/var/tmp'].some((top) => path === top || path.startsWith(`${top}/`))
}

/** A path that need not exist (`-`), with what unit files give a meaning taken from it. Source: systemd.syntax(7), systemd.unit(5). */
function pathWord(path: string): string {
  return quoted(`-${path}`, path)
}

function execWord(word: string): string {
  return quoted(word.replaceAll('$', '$$$$'), word)
}

function quoted(word: string, path: string): string {
  if (/[\u0000-\u001f\u007f]/.test(path))
    throw new OwnerError(`${JSON.stringify(path)} has a control character, which no unit file can name; rename it`)
  const plain = word.replaceAll('%', '%%')
  return /^[\w./%$:@+=-]+$/.test(plain) && !word.slice(1).includes(':')
    ? plain
    : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A configuration that is valid at once and says what to do with it. */
export function firstConfig(place: UnitPlace): string {
  const base = place.scope === 'user' ? join(homedir(), 'Fanfold') : '/srv/fanfold'
  return `# What Fanfold watches and where copies go. Change it, then: fanfold check${place.scope === 'user' ? ` --config ${place.configFile}` : ''}
# Every key is explained in config/fanfold.example.yaml of the package.
state: ${yamlText(place.stateFolder)}
sources:
  - name: inbox
    path: ${yamlText(join(base, 'inbox'))}
targets:
  - name: archive
    kind: directory
    path: ${yamlText(join(base, 'archive'))}
`
}

/** JSON's text is YAML's, too. */
function yamlText(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : JSON.stringify(text)
}
