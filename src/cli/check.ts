/** `fanfold check`: whether a configuration can be used, and what it means. Starts and changes nothing. */
import { showHours } from '../base/local-time.ts'
import { showBytes, showDuration, type Rate } from '../base/units.ts'
import type { Config, SourceConfig, TargetConfig } from '../config/config.ts'
import { exitCode, type ExitCode } from './exit-code.ts'
import type { FactFlags } from './flags.ts'
import { harmless, renderLine, span, type Line } from './spans.ts'
import { systemTerminal } from './terminal.ts'

export interface CheckFlags extends FactFlags {
  readonly schema?: boolean
}

export async function check(flags: CheckFlags): Promise<ExitCode> {
  const { fileJsonSchema, findConfig, readConfig, warningsOf } = await import('../config/config.ts')
  const terminal = systemTerminal()
  if (flags.schema === true) {
    terminal.print(JSON.stringify(fileJsonSchema(), null, 2))
    return exitCode.done
  }
  const config = readConfig(findConfig(flags.config, process.env))
  const warnings = warningsOf(config)
  if (flags.json === true) terminal.print(JSON.stringify({ config, warnings }, withoutSecrets, 2))
  else for (const line of configLines(config)) terminal.print(renderLine(line, Infinity, terminal.hasColour))
  for (const warning of warnings) terminal.remark(`fanfold: warning: ${harmless(warning)}`)
  return exitCode.done
}

/** A hook's URL lets whoever knows it speak in our name. */
function withoutSecrets(key: string, value: unknown): unknown {
  return key === 'url' && typeof value === 'string' ? 'a URL that is not shown' : value
}

export function configLines(config: Config): Line[] {
  return [
    [span(`${harmless(config.file)} is valid`, 'good')],
    fact('state', config.state),
    fact('node', `${config.node.id} (${config.node.roles.join(', ')})`),
    ...outletLines(config),
    ...config.sources.flatMap(sourceLines),
    ...config.targets.flatMap(targetLines),
  ]
}

function outletLines({ status: { listen }, notify }: Config): Line[] {
  const told = [
    ...(notify.ping === undefined ? [] : [`pings every ${showDuration(notify.ping.everyMs)} while all is well`]),
    ...(notify.onRed === undefined ? [] : ['tells what goes wrong']),
    ...(notify.onGreen === undefined ? [] : ['tells when all is well again']),
    ...(notify.digestMinute === undefined ? [] : ['tells each day how things stand']),
  ]
  const page = listen?.kind === 'tcp' ? `${listen.host}:${listen.port}` : (listen?.path ?? '')
  return [
    ...(listen === undefined ? [] : [fact('page', page)]),
    ...(told.length === 0 ? [] : [fact('notify', told.join(', '))]),
  ]
}

function sourceLines(source: SourceConfig): Line[] {
  return [
    [],
    [span(`source ${source.name}`, 'bold')],
    fact('path', source.path),
    fact(
      'watch',
      `${source.watch}, settled after ${showDuration(source.settleMs)}, compared every ${showDuration(source.rescanMs)}`,
    ),
    ...(source.checkWriters ? [fact('settled', 'once no program has it open for writing')] : []),
    fact('ignore', ignoreWords(source.ignore)),
  ]
}

function ignoreWords(rules: readonly string[]): string {
  return rules[0] === '!*' ? rules.slice(1).join('  ') || 'nothing' : ['built-in rules', ...rules].join('  ')
}

function targetLines(target: TargetConfig): Line[] {
  return [
    [],
    [span(`target ${target.name}`, 'bold')],
    fact(target.kind, placeWords(target)),
    fact('takes', selectWords(target.select)),
    fact('at', target.at),
    fact('on remove', onRemoveWords(target)),
    fact('if changed', onConflictWords[target.onConflict]),
    ...(target.cooldownMs === 0 ? [] : [fact('cooldown', `a file at most once in ${showDuration(target.cooldownMs)}`)]),
    fact('pace', paceWords(target.pace)),
    fact('verify', verifyWords(target.verify)),
  ]
}

function placeWords(target: TargetConfig): string {
  if (target.kind === 'directory') return target.path
  return `${target.folder === '' ? 'all it sees' : target.folder}, account ${target.account.name}`
}

function fact(name: string, value: string): Line {
  return [span(`  ${name.padEnd(10)} `, 'dim'), span(harmless(value))]
}

export function selectWords(select: TargetConfig['select']): string {
  const words = [select.sources === undefined ? 'files of every source' : `files of ${select.sources.join(', ')}`]
  if (select.include.length > 0) words.push(`matching ${select.include.join(' or ')}`)
  if (select.exclude.length > 0) words.push(`not matching ${select.exclude.join(' or ')}`)
  if (select.sizeMin > 0) words.push(`of ${showBytes(select.sizeMin)} or more`)
  if (select.sizeMax !== undefined) words.push(`of ${showBytes(select.sizeMax)} or less`)
  if (select.newerThanMs !== undefined) words.push(`changed within ${showDuration(select.newerThanMs)}`)
  return words.join(', ')
}

function verifyWords({ everyMs, share }: TargetConfig['verify']): string {
  if (everyMs === undefined) return 'only when asked'
  const read = share === 0 ? '' : `, reading ${showPercent(share)} of the contents`
  return `every ${showDuration(everyMs)}${read}`
}

function showPercent(share: number): string {
  return `${Number((share * 100).toFixed(3))}%`
}

function paceWords(pace: TargetConfig['pace']): string {
  const words = [`${pace.concurrency} at once`]
  if (pace.requests !== undefined) words.push(`${rateWords(pace.requests)} requests`)
  if (pace.uploads !== undefined) words.push(`${rateWords(pace.uploads)} uploads`)
  if (pace.bytesPerSecond !== undefined) words.push(`${showBytes(pace.bytesPerSecond)}/s`)
  if (pace.dailyBytes !== undefined) words.push(`${showBytes(pace.dailyBytes)} a day`)
  if (pace.monthlyRequests !== undefined) words.push(`${pace.monthlyRequests.toLocaleString('en')} requests a month`)
  if (pace.hours !== undefined) words.push(`from ${showHours(pace.hours).replaceAll('-', ' to ')}`)
  return words.join(', ')
}

function rateWords(rate: Rate): string {
  return `${rate.count} per ${showDuration(rate.intervalMs)}`
}

const onConflictWords: Readonly<Record<TargetConfig['onConflict'], string>> = {
  overwrite: 'what somebody else wrote in its place is written over',
  'keep-both': 'what somebody else wrote in its place is kept beside it',
  park: 'what somebody else wrote in its place stays until you say so',
}

function onRemoveWords({ onRemove, removeAfterMs }: TargetConfig): string {
  if (onRemove === 'keep') return 'keep the copy'
  return `${onRemove === 'trash' ? 'the copy goes to the trash' : 'the copy is deleted'} after ${showDuration(removeAfterMs)}`
}
