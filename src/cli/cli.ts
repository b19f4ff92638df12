/** The command line: which commands there are, what they take, and what their failures tell the shell. Each command is loaded when it is called. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { asError, FanfoldError } from '../base/errors.ts'
import { logForm, prefixOf } from '../base/log-form.ts'
import { typedWords } from './arguments.ts'
import type { CheckFlags } from './check.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import type { FactFlags } from './flags.ts'
import type { HistoryFlags } from './history.ts'
import type { DoctorFlags } from './doctor.ts'
import type { InstallFlags } from './install.ts'
import type { LoginFlags } from './login.ts'
import type { QuickstartFlags } from './quickstart.ts'
import type { RestoreFlags } from './restore.ts'
import type { ResyncFlags } from './resync.ts'
import type { RunFlags } from './run.ts'
import type { StatusFlags } from './status.ts'
import type { VerifyFlags } from './verify.ts'

/** As many as the daemon gives in one answer. */
const historyLimitMax = 10_000

export async function runCli(words: readonly string[] = typedWords()): Promise<ExitCode> {
  let code: ExitCode = exitCode.done
  const program = buildProgram((ended) => (code = ended))
  try {
    await program.parseAsync(words, { from: 'user' })
    return code
  } catch (thrown) {
    return explain(thrown)
  }
}

/** Says what went wrong and answers its exit code. Commander has printed its own errors already. */
async function explain(thrown: unknown): Promise<ExitCode> {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCode.done : exitCode.usage
  const error = asError(thrown)
  if (!(error instanceof FanfoldError)) {
    complain(`fanfold: ${error.stack ?? error.message}`)
    return exitCode.failed
  }
  const { ConfigError } = await import('../config/config.ts')
  if (error instanceof ConfigError) {
    complain(error.message)
    return exitCode.config
  }
  complain(`fanfold: ${error.message}`)
  const { AskError } = await import('../control/client.ts')
  return error instanceof AskError ? exitCode.usage : exitCode.failed
}

/** In systemd's journal each line is marked as an error. */
function complain(text: string): void {
  const prefix = prefixOf('error', logForm(process.env))
  process.stderr.write(text.replace(/^/gm, prefix) + '\n')
}

type End = (code: ExitCode) => void

function buildProgram(end: End): Command {
  const program = new Command('fanfold')
    .description('Watches folders and keeps a proven copy of every selected file at several places at once.')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help for the usage)')
    .addHelpText(
      'after',
      examples(
        ['fanfold quickstart', 'see it work with sample files'],
        ['fanfold check --config fanfold.yaml', 'what a configuration means'],
        ['fanfold run --config fanfold.yaml', 'the daemon in the foreground'],
        ['fanfold status --watch', 'every lane, live'],
      ) + '\nExit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.',
    )
  addDaemonCommands(program, end)
  addAskCommands(program, end)
  addOrderCommands(program, end)
  addVerification(program, end)
  addApproval(program, end)
  addRestore(program, end)
  addConfigCommands(program, end)
  addLoginCommands(program, end)
  addServiceCommands(program, end)
  return program
}

function addDaemonCommands(program: Command, end: End): void {
  withConfig(program.command('run'))
    .description(
      'run the daemon in the foreground; logs go to standard error as JSON lines, in systemd’s journal in words',
    )
    .option(
      '--until-idle',
      'deliver everything that can be delivered, then exit; 1 if anything is parked or still owed',
    )
    .addHelpText(
      'after',
      examples(
        ['fanfold run', 'until SIGTERM or Ctrl-C; a second one ends at once'],
        ['fanfold run --until-idle', 'one pass, for cron'],
        ['FANFOLD_LOG=text fanfold run', 'logs in words; FANFOLD_LOG=json for JSON lines in the journal, too'],
      ),
    )
    .action(async (flags: RunFlags) => end(await (await import('./run.ts')).run(flags)))
  program
    .command('quickstart')
    .description('make sample files and four directory targets, and show them being filled')
    .option(
      '--folder <folder>',
      'where to put it (default: the package, or the current folder where that is read-only)',
    )
    .addHelpText('after', examples(['fanfold quickstart', 'Ctrl-C ends; a second start uses what is there']))
    .action(async (flags: QuickstartFlags) => end(await (await import('./quickstart.ts')).quickstart(flags)))
  withFacts(program.command('check'))
    .description('check the configuration and say what it means; exits 78 with every problem where it is wrong')
    .option('--schema', 'print the JSON Schema of the file, for editors')
    .addHelpText(
      'after',
      examples(['fanfold check --config ./fanfold.yaml', ''], ['fanfold check --schema > fanfold.schema.json', '']),
    )
    .action(async (flags: CheckFlags) => end(await (await import('./check.ts')).check(flags)))
}

function addAskCommands(program: Command, end: End): void {
  withFacts(program.command('status'))
    .description('show sources and targets, with or without a running daemon; exits 0 when healthy, 1 when not')
    .option('-w, --watch', 'go on, live on a terminal')
    .addHelpText(
      'after',
      examples(['fanfold status', ''], ['fanfold status --watch', ''], ['fanfold status --json | jq .healthy', '']),
    )
    .action(async (flags: StatusFlags) => end(await (await import('./status.ts')).status(flags)))
  withFacts(program.command('page'))
    .description('print the address of the status page of the running daemon, with the token that lets it act')
    .addHelpText('after', examples(['fanfold page', ''], ['xdg-open "$(fanfold page)"', '']))
    .action(async (flags: FactFlags) => end(await (await import('./page.ts')).page(flags)))
  withFacts(program.command('why'))
    .description('say for each target whether it has a file, and which rule or failure decided it')
    .argument('<path>', 'a file, or a path below a source')
    .addHelpText('after', examples(['fanfold why /srv/papers/letter.pdf', ''], ['fanfold why letter.pdf', '']))
    .action(async (path: string, flags: FactFlags) => end(await (await import('./why.ts')).why(path, flags)))
  withFacts(program.command('history'))
    .description('list what happened, newest last')
    .argument('[path]', 'only of this file')
    .option('--limit <lines>', `at most so many lines, up to ${historyLimitMax}`, lineCount, 100)
    .addHelpText('after', examples(['fanfold history', ''], ['fanfold history letter.pdf --limit 20', '']))
    .action(async (path: string | undefined, flags: HistoryFlags) =>
      end(await (await import('./history.ts')).history(path, flags)),
    )
}

function addOrderCommands(program: Command, end: End): void {
  withFacts(program.command('resync'))
    .description(
      'offer files to targets again: finds what is missing or different there, sends only that, deletes nothing',
    )
    .argument('[target...]', 'names of targets (default: all)')
    .option('--source <name>', 'only files of this source')
    .option('--path <glob>', 'only paths below the sources that match')
    .option('--verify', 'trust no receipt: compare content at the target')
    .option('--dry-run', 'only say what would be sent')
    .option('--wait', 'wait until it is done; exits 1 where something stays open')
    .addHelpText(
      'after',
      examples(['fanfold resync', ''], ["fanfold resync nas --source papers --path '2026/**' --verify --wait", '']),
    )
    .action(async (targets: string[], flags: ResyncFlags) =>
      end(await (await import('./resync.ts')).resync(targets, flags)),
    )
  withFacts(program.command('retry'))
    .description('try parked and postponed deliveries again now')
    .argument('[target...]', 'names of targets (default: all)')
    .addHelpText('after', examples(['fanfold retry', ''], ['fanfold retry nas', '']))
    .action(async (targets: string[], flags: FactFlags) =>
      end(await (await import('./retry.ts')).retry(targets, flags)),
    )
}

function addVerification(program: Command, end: End): void {
  withFacts(program.command('verify'))
    .description(
      'compare the copies at targets with what was delivered, with or without a daemon; exits 1 on a difference',
    )
    .argument('[target...]', 'names of targets (default: all)')
    .option('--source <name>', 'only files of this source')
    .option('--path <glob>', 'only paths below the sources that match')
    .option('--download', 'read every copy back and compare its content')
    .option('--repair', 'send again what is missing or different, and move back what was renamed; deletes nothing')
    .addHelpText(
      'after',
      examples(
        ['fanfold verify', 'what is missing, different, renamed or extra'],
        ['fanfold verify nas --download --repair', 'down to the last byte'],
        ['fanfold verify --json | jq \'select(.kind == "difference")\'', ''],
      ),
    )
    .action(async (targets: string[], flags: VerifyFlags) =>
      end(await (await import('./verify.ts')).verify(targets, flags)),
    )
}

function addApproval(program: Command, end: End): void {
  withFacts(program.command('approve'))
    .description(
      'say that the removals of a source are meant: copies that were held back follow their files, and a disk that is not mounted any more is gone for good',
    )
    .argument('<source>', 'name of the source')
    .addHelpText('after', examples(['fanfold approve papers', '']))
    .action(async (source: string, flags: FactFlags) =>
      end(await (await import('./approve.ts')).approve(source, flags)),
    )
}

function addRestore(program: Command, end: End): void {
  withFacts(program.command('restore'))
    .description(
      'bring files back into a folder, proven by their hash, with their names and times; what is there is not fetched again',
    )
    .argument('<target>', 'name of a target, or "best" for all of them, the healthy and fast ones first')
    .argument('[glob]', 'only paths below the sources that match (default: all)')
    .requiredOption('--to <folder>', 'where to put them; made where it is missing', folderName)
    .option('--source <name>', 'only files of this source')
    .option('--removed', 'files that are gone from their source, too')
    .option('--force', 'replace other files that stand there')
    .option('--bare', 'ask no journal: take what lies at the target')
    .option('--dry-run', 'fetch and write nothing, only say what would be')
    .addHelpText(
      'after',
      examples(
        ['fanfold restore best --to /srv/restored', 'everything, from wherever it can be had'],
        ["fanfold restore nas '2026/**' --source papers --to .", ''],
        ['fanfold restore best /srv/papers/letter.pdf --to /tmp', 'one file'],
        ['fanfold restore drive --dry-run --to /srv/restored', 'what would be fetched'],
      ),
    )
    .action(async (from: string, glob: string | undefined, flags: RestoreFlags) =>
      end(await (await import('./restore.ts')).restore(from, glob, flags)),
    )
}

function folderName(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('expected a folder')
}

function addConfigCommands(program: Command, end: End): void {
  withFacts(program.command('plan'))
    .description('show what the configuration file would change at the targets, before a reload or restart does it')
    .addHelpText('after', examples(['fanfold plan', ''], ['fanfold plan --json', '']))
    .action(async (flags: FactFlags) => end(await (await import('./plan.ts')).plan(flags)))
  withFacts(program.command('reload'))
    .description('have the running daemon take over its configuration file; what is unchanged is not disturbed')
    .addHelpText('after', examples(['fanfold plan && fanfold reload', '']))
    .action(async (flags: FactFlags) => end(await (await import('./reload.ts')).reload(flags)))
  for (const [verb, purpose, argument] of [
    ['pause', 'stop targets until they are resumed, over restarts; what is under way finishes', '[target...]'],
    ['resume', 'let paused targets go on', '[target...]'],
    ['take-over', 'write to targets that belong to another Fanfold, which is gone for good', '<target...>'],
  ] as const) {
    withFacts(program.command(verb))
      .description(purpose)
      .argument(argument, `names of targets${argument.startsWith('[') ? ' (default: all)' : ''}`)
      .addHelpText('after', examples([`fanfold ${verb} nas`, '']))
      .action(async (targets: string[], flags: FactFlags) =>
        end(await (await import('./hold.ts')).hold(verb, targets, flags)),
      )
  }
}

function addLoginCommands(program: Command, end: End): void {
  withFacts(program.command('login'))
    .description('log in to an account at a cloud, in a browser; with or without a running daemon')
    .argument('<account>', 'name of the account')
    .option('--paste', 'the browser is on another machine: paste what it shows')
    .option('--device', 'type a short code in any browser (Google, Microsoft)')
    .option('--check', 'only prove the login that is there, by a call to the cloud')
    .option('--other-user', 'another user than before is meant')
    .option('--port <port>', 'port of this machine that is registered with the app', portNumber)
    .addHelpText(
      'after',
      examples(
        ['fanfold login main', 'a browser on this machine'],
        ['fanfold login main --paste', 'a server without one'],
        ['fanfold login main --check', 'exits 1 when it is none any more'],
      ),
    )
    .action(async (account: string, flags: LoginFlags) => end(await (await import('./login.ts')).login(account, flags)))
  withFacts(program.command('logout'))
    .description('take a login back at the cloud and forget it; what is owed stays queued')
    .argument('<account>', 'name of the account')
    .addHelpText('after', examples(['fanfold logout main', '']))
    .action(async (account: string, flags: FactFlags) => end(await (await import('./login.ts')).logout(account, flags)))
}

function portNumber(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('expected a port from 1 to 65535')
}

function addServiceCommands(program: Command, end: End): void {
  withPlace(withConfig(program.command('install')))
    .description(
      'put the systemd service in place: unit, drop-in for the folders of the configuration, a first configuration',
    )
    .addHelpText(
      'after',
      examples(
        ['fanfold install --dry-run', 'everything that would be written and run'],
        ['sudo fanfold install', 'a service of the machine; again after a change of folders'],
        ['fanfold install --user', 'a service of your own'],
      ),
    )
    .action(async (flags: InstallFlags) => end(await (await import('./install.ts')).install(flags)))
  withPlace(program.command('uninstall'))
    .description('stop the service and take its files away; configuration, journal and copies stay')
    .addHelpText('after', examples(['fanfold uninstall --dry-run', ''], ['fanfold uninstall --user', '']))
    .action(async (flags: InstallFlags) => end(await (await import('./install.ts')).uninstall(flags)))
  withFacts(program.command('doctor'))
    .description(
      'look for what keeps the service from working, each finding with its fix; exits 1 when something is wrong',
    )
    .option('--user', 'the service of this user (default: of the machine)')
    .addHelpText(
      'after',
      examples(
        ['sudo fanfold doctor', 'as root it also looks with the eyes of the service'],
        ['fanfold doctor --user', ''],
        ['fanfold doctor --json | jq \'.findings[] | select(.state != "good")\'', ''],
      ),
    )
    .action(async (flags: DoctorFlags) => end(await (await import('./doctor.ts')).doctor(flags)))
}

function withPlace(command: Command): Command {
  return command
    .option('--user', 'a service of this user (default: of the machine)')
    .option('--dry-run', 'show everything, do nothing')
    .option('--root <folder>', 'put files below this folder and run nothing, for building an image')
}

function withConfig(command: Command): Command {
  return command.option(
    '-c, --config <file>',
    'configuration file (default: $FANFOLD_CONFIG, else /etc/fanfold/fanfold.yaml)',
  )
}

function withFacts(command: Command): Command {
  return withConfig(command).option('--json', 'print facts as JSON')
}

/** @param lines commands with what they are for. */
function examples(...lines: (readonly [command: string, purpose: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length))
  const rows = lines.map(([command, purpose]) => `  ${command.padEnd(width)}  ${purpose}`.trimEnd())
  return `\nExamples:\n${rows.join('\n')}\n`
}

function lineCount(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && count <= historyLimitMax) return count
  throw new InvalidArgumentError(`expected a whole number from 1 to ${historyLimitMax}`)
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed: unknown = JSON.parse(text)
  const version = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : undefined
  return typeof version === 'string' ? version : 'unknown'
}
