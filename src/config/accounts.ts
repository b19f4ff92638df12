/** Which keys an account of each cloud has, and which go together: said of values that nobody checked yet, like all ties between keys. */
import { entryIn, textIn } from './document.ts'
import { cloudKinds, type Fault } from './kinds.ts'
import type { Where } from './problems.ts'
import type { Access, CloudKind } from './settings.ts'

interface AccountRule {
  readonly access: readonly Access[]
  /** Keys of the block `service` that it has. */
  readonly service: readonly string[]
}

const rules: Readonly<Record<CloudKind, AccountRule>> = {
  // What a login sees is said where the app is registered.
  dropbox: { access: ['least'], service: [] },
  box: { access: ['least'], service: ['key-file', 'subject', 'enterprise'] },
  'google-drive': { access: ['least', 'all'], service: ['key-file', 'subject'] },
  onedrive: { access: ['least', 'files', 'all'], service: [] },
}

export function accountFaults(value: unknown): Fault[] {
  const accounts = entryIn(value, 'accounts')
  if (!Array.isArray(accounts)) return []
  return accounts.flatMap((account: unknown, at) => {
    const kind = textIn(account, 'kind')
    const known = cloudKinds.find((name) => name === kind)
    // What is no kind at all is said where kinds are listed.
    if (kind === undefined || known === undefined) return []
    const rule = rules[known]
    return faultsOf(account, ['accounts', at], kind, rule)
  })
}

function faultsOf(account: unknown, where: Where, kind: string, rule: AccountRule): Fault[] {
  const service = entryIn(account, 'service')
  const access = textIn(account, 'access')
  const found: Fault[] = []
  if (access !== undefined && ['files', 'all'].includes(access) && !rule.access.some((known) => known === access))
    found.push({ where: [...where, 'access'], message: `an account of kind ${kind} has no "${access}"; leave it out` })
  if (entryIn(account, 'tenant') !== undefined && kind !== 'onedrive')
    found.push({ where: [...where, 'tenant'], message: `an account of kind ${kind} has no "tenant"; leave it out` })
  if (service === undefined) return [...found, ...missingId(account, where)]
  return [...found, ...serviceFaults(account, service, where, kind, rule)]
}

function missingId(account: unknown, where: Where): Fault[] {
  if (entryIn(account, 'client-id') !== undefined) return []
  return [missing(where, 'client-id', 'the id of an app that you registered at the cloud')]
}

function serviceFaults(account: unknown, service: unknown, where: Where, kind: string, rule: AccountRule): Fault[] {
  const inService = [...where, 'service']
  const strangers = ['key-file', 'subject', 'enterprise']
    .filter((key) => entryIn(service, key) !== undefined && !rule.service.includes(key))
    .map((key) => ({ where: [...inService, key], message: `a service of kind ${kind} has no "${key}"; leave it out` }))
  if (kind === 'dropbox')
    return [{ where: inService, message: 'Dropbox has no logins for services; leave it out and log in as a person' }]
  if (kind === 'google-drive' && entryIn(service, 'key-file') === undefined)
    return [...strangers, missing(inService, 'key-file', 'the key file of the service account')]
  if (kind === 'onedrive' && entryIn(account, 'tenant') === undefined)
    return [...strangers, missing(where, 'tenant', 'the tenant in which the app is registered')]
  // Box's key file names the enterprise by itself.
  const isNamed = ['subject', 'enterprise', 'key-file'].some((key) => entryIn(service, key) !== undefined)
  if (kind === 'box' && !isNamed)
    return [...strangers, missing(inService, 'enterprise', 'the number of an enterprise, or a subject')]
  return entryIn(service, 'key-file') === undefined ? [...strangers, ...missingId(account, where)] : strangers
}

function missing(where: Where, key: string, what: string): Fault {
  return { where: [...where, key], message: `is missing: expected ${what}` }
}
