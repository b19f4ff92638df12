/** The doctor's look at the service: what its user may do, its unit files, its state folder, and whether it answers. */
import { directoriesOf } from '../config/config.ts'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { asError } from '../base/errors.ts'
import { showDuration } from '../base/units.ts'
import type { Status } from '../control/control.ts'
import { tryAccess, type Eyes, type Tried, type Wish } from './access.ts'
import { socketOf } from './desk-access.ts'
import { bad, good, warn, type Finding, type Patient } from './finding.ts'
import { isLingering } from './install.ts'
import { isSystemdRunning, runTool, showUnit, systemctl, systemdVersion, type Scope } from './systemd.ts'
import { dropInText, isHidden, packagedUnit, thisProgram, unitName, type UnitPlace } from './unit.ts'

/** What `systemd-analyze security` may say of the unit at most; it counts in tenths. */
const exposureTenthsMax = 15
/** A daemon that is well answers in milliseconds. Unit: ms. */
const answerMsMax = 10_000

interface Folder extends Wish {
  readonly title: string
}

export function accessFindings({ config, place }: Patient): readonly Finding[] {
  const folders: Folder[] = [
    ...config.sources.map(({ name, path }) => ({ title: `source ${name}`, path, need: 'read' }) as const),
    ...directoriesOf(config).map(({ name, path }) => ({ title: `target ${name}`, path, need: 'write' }) as const),
    { title: 'the state folder', path: config.state, need: 'write' },
  ]
  const eyes = eyesOf(place)
  if (typeof eyes === 'string') return [bad('access', eyes, installCommand(place))]
  const isSelf = place.scope === 'system' && eyes.user === null
  const remark = isSelf ? [warn('access', `looked at as you, not as ${place.user}`, 'sudo fanfold doctor')] : []
  const user = eyes.user === null ? 'you' : place.user
  const found = folders.map((folder) => accessFinding(folder, tryAccess(folder, eyes), { place, user }))
  return [...remark, ...found]
}

/** With whose eyes to look; in words, why the service has none. */
function eyesOf(place: UnitPlace): Eyes | string {
  if (place.scope === 'user' || process.getuid?.() !== 0) return { user: null, pid: undefined }
  const fields = runTool(['getent', 'passwd', place.user]).text.trim().split(':')
  const [, , uid, gid] = fields
  if (fields.length < 4) return `there is no user ${place.user}, as whom the service runs`
  const pid = Number(unitFacts(place.scope).get('MainPID') ?? 0)
  return { user: { uid: Number(uid), gid: Number(gid) }, pid: pid > 0 ? pid : undefined }
}

function accessFinding(
  { title, path, need }: Folder,
  tried: Tried,
  { place, user }: { place: UnitPlace; user: string },
): Finding {
  const verb = need === 'read' ? 'read' : 'write'
  if (tried.kind === 'silent')
    return bad('access', `${title}: ${path} gave no answer`, `is its disk alive? try: ls ${path}`)
  if (tried.kind === 'failed')
    return warn('access', `${title}: could not be tried: ${tried.reason}`, 'install util-linux, or run this as root')
  const { grant } = tried
  if (grant.answer === 'ok') return good('access', `${title}: ${user} can ${verb} ${path}`)
  const isHiddenNow = grant.answer === 'EROFS' || (grant.answer === 'ENOENT' && existsSync(path))
  if (isHiddenNow)
    return bad('access', `${title}: the unit does not let the service ${verb} ${path}`, restartCommand(place))
  if (grant.answer === 'ENOENT') return absentFinding({ title, path, need }, place)
  const at = grant.at ?? path
  return bad('access', `${title}: ${user} cannot ${verb} ${at} (${grant.answer})`, grantCommand(path, need, place))
}

function absentFinding({ title, path, need }: Folder, place: UnitPlace): Finding {
  const said = `${title}: ${path} is not there`
  if (need === 'read')
    return warn('access', `${said}; it is watched as soon as it appears`, `mkdir -p ${path}, or mount its disk`)
  if (path.startsWith(place.stateFolder)) return warn('access', said, 'the first start makes it')
  const owner = place.scope === 'system' ? `sudo install -d -o ${place.user} -g ${place.user} -m 0750` : 'mkdir -p'
  return bad('access', said, `${owner} ${path} && ${restartCommand(place)}; or mount its disk`)
}

function grantCommand(path: string, need: Wish['need'], { scope, user }: UnitPlace): string {
  if (scope === 'user') return `chmod -R u+rX${need === 'write' ? 'w' : ''} ${path}`
  const rights = need === 'write' ? 'rwX' : 'rX'
  const above = isHidden(path) ? '' : '; each folder above needs x as well'
  return `sudo setfacl -R -m u:${user}:${rights} -m d:u:${user}:${rights} ${path}${above}`
}

function installCommand({ scope }: UnitPlace): string {
  return scope === 'user' ? 'fanfold install --user' : 'sudo fanfold install'
}

function restartCommand(place: UnitPlace): string {
  const restart = systemctl(place.scope, 'restart', unitName).join(' ')
  return `${installCommand(place)} && ${place.scope === 'user' ? restart : `sudo ${restart}`}`
}

function unitFacts(scope: Scope): ReadonlyMap<string, string> {
  if (!isSystemdRunning()) return new Map()
  return showUnit(scope, unitName, [
    'ActiveState',
    'Result',
    'MainPID',
    'NeedDaemonReload',
    'UnitFileState',
    'NRestarts',
  ])
}

export async function serviceFindings(patient: Patient): Promise<readonly Finding[]> {
  const { place } = patient
  const isInstalled = existsSync(place.unitFile)
  return [
    ...(isInstalled ? unitFindings(patient) : [warn('unit', 'not installed as a service', installCommand(place))]),
    ...stateFindings(patient),
    ...(await answerFindings(patient, unitFacts(place.scope), isInstalled)),
    ...(place.scope === 'user' && isInstalled ? [lingerFinding(place.user)] : []),
  ]
}

function unitFindings({ config, place }: Patient): Finding[] {
  const expected = dropInText(place, { config, program: thisProgram(), systemdVersion: systemdVersion() })
  const isCurrent = textAt(place.unitFile) === packagedUnit(place.scope) && textAt(place.dropInFile) === expected
  const facts = unitFacts(place.scope)
  return [
    isCurrent
      ? good('unit', `${place.unitFile} fits the configuration`)
      : warn(
          'unit',
          `${place.unitFile} or its drop-in is not what this version writes for this configuration`,
          restartCommand(place),
        ),
    ...(facts.get('NeedDaemonReload') === 'yes'
      ? [warn('unit', 'systemd has not read the changed files yet', restartCommand(place))]
      : []),
    ...(place.scope === 'system' ? exposureFindings(place) : []),
  ]
}

function exposureFindings({ unitFile }: UnitPlace): Finding[] {
  const { code, text } = runTool(['systemd-analyze', 'security', '--offline=true', '--no-pager', unitFile])
  const exposure = Number(/exposure level for .*: ([\d.]+)/.exec(text)?.[1])
  if (code === undefined || Number.isNaN(exposure)) return []
  const said = `systemd-analyze rates its exposure ${exposure}`
  return exposure * 10 <= exposureTenthsMax
    ? [good('hardening', said)]
    : [
        warn(
          'hardening',
          `${said}, expected at most ${exposureTenthsMax / 10}`,
          `systemctl cat ${unitName} shows which drop-in opened it`,
        ),
      ]
}

/** A daemon that was run once as root leaves files that the service cannot open. */
function stateFindings({ config, place }: Patient): Finding[] {
  if (place.scope === 'user' || process.getuid?.() !== 0 || !existsSync(config.state)) return []
  const uid = parseInt(runTool(['id', '-u', place.user]).text, 10)
  // No such user: that is told by the look at permissions.
  if (Number.isNaN(uid)) return []
  const strange = ['', ...readdirSync(config.state)].filter((name) => ownerOf(join(config.state, name)) !== uid)
  const fix = `sudo chown -R ${place.user}: ${config.state}`
  return strange.length === 0
    ? [good('state', `${config.state} belongs to ${place.user}`)]
    : [bad('state', `${join(config.state, strange[0] ?? '')} does not belong to ${place.user}`, fix)]
}

function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid
}

async function answerFindings(
  { config, place }: Patient,
  facts: ReadonlyMap<string, string>,
  isInstalled: boolean,
): Promise<Finding[]> {
  const { connect, NotRunning } = await import('../control/client.ts')
  const signal = AbortSignal.timeout(answerMsMax)
  try {
    return healthFindings(await (await connect(socketOf(config), signal)).status(signal))
  } catch (thrown) {
    if (!(thrown instanceof NotRunning)) return [bad('daemon', asError(thrown).message, logCommand(place))]
  }
  const active = facts.get('ActiveState') ?? 'unknown'
  if (active === 'failed')
    return [bad('daemon', `the service failed (${facts.get('Result') ?? 'unknown'})`, logCommand(place))]
  if (active === 'active' || active === 'activating')
    return [bad('daemon', `the service is ${active} and does not answer at ${socketOf(config)}`, logCommand(place))]
  const start = systemctl(place.scope, 'enable', '--now', unitName).join(' ')
  return [
    bad('daemon', 'not running', isInstalled ? `${place.scope === 'user' ? '' : 'sudo '}${start}` : 'fanfold run'),
  ]
}

function logCommand({ scope }: UnitPlace): string {
  return scope === 'user' ? 'journalctl --user -u fanfold -n 50' : 'sudo journalctl -u fanfold -n 50'
}

function healthFindings({ healthy, oldestMs, sources, targets }: Status): Finding[] {
  const troubles = [...sources, ...targets].flatMap(({ name, state, reason }) =>
    reason === null ? [] : [warn('daemon', `${name} is ${state}: ${reason}`, `fanfold status`)],
  )
  const lag = oldestMs === null ? 'nothing waits' : `the oldest undelivered change is ${showDuration(oldestMs)} old`
  return [
    healthy
      ? good('daemon', `runs and is healthy; ${lag}`)
      : bad('daemon', `runs and is not healthy; ${lag}`, 'fanfold status'),
    ...troubles,
  ]
}

function lingerFinding(user: string): Finding {
  return isLingering(user)
    ? good('linger', `the service of ${user} outlives the last logout`)
    : warn('linger', `the service ends when ${user} logs out`, `loginctl enable-linger ${user}`)
}

function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
