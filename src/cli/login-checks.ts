/** The doctor's look at clouds: whether they can be reached, what their clocks say, and whether each login is good. */
import { asError } from '../base/errors.ts'
import type { AccountConfig, Config } from '../config/config.ts'
import type { LoginChecked, LoginDesk } from '../control/control.ts'
import { bad, good, warn, type Finding, type Patient } from './finding.ts'
import { withLogins, withOwnLogins } from './login-access.ts'

/** A cloud that is well answers in a second. Unit: ms. */
const answerMsMax = 30_000

export async function loginFindings({ config, place }: Patient): Promise<readonly Finding[]> {
  if (config.accounts.length === 0) return []
  const reached = await reachFindings(config)
  const signal = AbortSignal.timeout(answerMsMax)
  try {
    const found = await withLogins(config, signal, async (desk) => {
      const findings: Finding[] = []
      for (const account of config.accounts) findings.push(...(await loginFinding(desk, account, place.scope)))
      return findings
    })
    return [...reached, ...found]
  } catch (thrown) {
    return [...reached, faultOf('login', 'logins', asError(thrown).message)]
  }
}

/** One question per cloud, without a login. */
async function reachFindings(config: Config): Promise<readonly Finding[]> {
  const places = new Map(config.accounts.map((account) => [`${account.kind} ${account.endpoint ?? ''}`, account]))
  return withOwnLogins(config, async (logins) => {
    const findings: Finding[] = []
    for (const { name } of places.values()) {
      try {
        const { host, clock } = await logins.reach(name, AbortSignal.timeout(answerMsMax))
        findings.push(good('cloud', `${host} answers`))
        if (clock !== null)
          findings.push(bad('clock', `by the clock of ${host}, ${clock}`, 'sudo timedatectl set-ntp true'))
      } catch (thrown) {
        findings.push(faultOf('cloud', name, asError(thrown).message))
      }
    }
    return findings
  })
}

async function loginFinding(desk: LoginDesk, account: AccountConfig, scope: 'system' | 'user'): Promise<Finding[]> {
  const { name } = account
  try {
    const found = await desk.checkLogin(name, AbortSignal.timeout(answerMsMax))
    const user = found.user === null ? '' : ` as ${found.user}`
    const notice = found.notice === null ? [] : [warn('login', `${name}: ${found.notice}`, `fanfold login ${name}`)]
    return [good('login', `${name}: logged in${user}`), ...notice, ...sealFindings(found, account, scope)]
  } catch (thrown) {
    return [faultOf('login', name, asError(thrown).message)]
  }
}

function sealFindings(
  { account, isSealed }: LoginChecked,
  { service }: AccountConfig,
  scope: 'system' | 'user',
): Finding[] {
  if (isSealed === null || service !== undefined) return []
  if (isSealed) return [good('seal', `${account}: the login is sealed with the service's key`)]
  // A user's service has no folder of credentials of its own.
  if (scope === 'user') return [good('seal', `${account}: the login lies in plain, for this user's eyes only`)]
  const key = '/etc/fanfold/credentials/key'
  const fix = `sudo sh -c 'umask 077; head -c 32 /dev/urandom > ${key}', restart the service, and log in again`
  return [warn('seal', `${account}: the login lies in plain: whoever copies the disk has it`, fix)]
}

/** Messages say the next step behind their last semicolon. */
function faultOf(check: string, name: string, message: string): Finding {
  const text = message.replace(`account ${name}: `, '')
  const end = text.lastIndexOf('; ')
  const [what, fix] = end < 0 ? [text, `fanfold login ${name}`] : [text.slice(0, end), text.slice(end + 2)]
  return bad(check, `${name}: ${what}`, /^run "(.*)"$/.exec(fix)?.[1] ?? fix)
}
