/** What a grant lacks of what was asked for: people may untick things on the consent page, and clouds give less than is needed. */
import { OwnerError } from '../base/errors.ts'
import type { AccountConfig } from '../config/config.ts'
import { scopesOf } from './cloud-login.ts'
import type { Granted } from './token-call.ts'

/** @throws OwnerError that names what is lacking. A service has what its administrator gave it. */
export function refusePartial(config: AccountConfig, { scope, refreshToken }: Granted): void {
  if (config.service !== undefined) return
  const again = `run "fanfold login ${config.name}" again and allow all it asks for`
  if (refreshToken === undefined)
    throw new OwnerError(`account ${config.name}: the cloud gave a login that lasts for an hour only; ${again}`)
  if (scope === undefined) return
  const given = scope.toLowerCase().split(' ')
  // Whether a login lasts shows in its tokens.
  const asked = scopesOf(config).scopes.filter((each) => each !== 'offline_access')
  const lacking = asked.filter((each) => !given.some((one) => isScope(one, each.toLowerCase())))
  if (lacking.length === 0) return
  throw new OwnerError(`account ${config.name}: the login lacks the permission ${lacking.join(' and ')}; ${again}`)
}

/** Microsoft puts its API's address in front of some. */
function isScope(given: string, asked: string): boolean {
  return given === asked || given === `https://graph.microsoft.com/${asked}`
}
