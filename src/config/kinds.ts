/** Which keys a target of each kind has, and whether what they name fits: said of values that nobody checked yet, like all ties between keys. */
import { entryIn, textIn } from './document.ts'
import { suggestion, type Where } from './problems.ts'

export interface Fault {
  readonly where: Where
  readonly message: string
}

const directoryKeys = ['path']
const cloudKeys = ['account', 'folder', 'endpoint']

export function kindFaults(value: unknown): Fault[] {
  const targets = entryIn(value, 'targets')
  if (!Array.isArray(targets)) return []
  const accounts = accountsIn(value)
  const faults = targets.flatMap((target: unknown, at) => {
    const where = ['targets', at]
    const kind = textIn(target, 'kind')
    if (kind === 'directory')
      return [...missing(target, where, 'path', 'a folder'), ...strangers(target, where, kind, cloudKeys)]
    if (kind !== 'dropbox') return []
    return [
      ...missing(target, where, 'account', 'the name of an account of the list "accounts"'),
      ...unknownAccount(target, where, accounts),
      ...strangers(target, where, kind, directoryKeys),
    ]
  })
  return [...faults, ...sharedFolders(targets)]
}

function missing(target: unknown, where: Where, key: string, what: string): Fault[] {
  if (entryIn(target, key) !== undefined) return []
  return [{ where: [...where, key], message: `is missing: expected ${what}` }]
}

function strangers(target: unknown, where: Where, kind: string, keys: readonly string[]): Fault[] {
  return keys
    .filter((key) => entryIn(target, key) !== undefined)
    .map((key) => ({ where: [...where, key], message: `a target of kind ${kind} has no "${key}"; leave it out` }))
}

function accountsIn(value: unknown): string[] {
  const accounts = entryIn(value, 'accounts')
  if (!Array.isArray(accounts)) return []
  return accounts.flatMap((account: unknown) => textIn(account, 'name') ?? [])
}

function unknownAccount(target: unknown, where: Where, accounts: readonly string[]): Fault[] {
  const name = textIn(target, 'account')
  if (name === undefined || accounts.includes(name)) return []
  const message = `there is no account "${name}"; ${accounts.length === 0 ? 'add it to "accounts"' : suggestion(name, accounts)}`
  return [{ where: [...where, 'account'], message }]
}

/** One folder for two targets: they would write over each other. Clouds do not tell `Docs` from `docs`. */
function sharedFolders(targets: readonly unknown[]): Fault[] {
  const places = targets.map((target) => {
    const account = textIn(target, 'account')
    const names = (textIn(target, 'folder') ?? '').toLowerCase().split('/')
    return account === undefined
      ? undefined
      : `${account}:/${names.filter((name) => name !== '').join('/')}/`.replace('//', '/')
  })
  return places.flatMap((place, at) => {
    const other = places.slice(0, at).findIndex((earlier) => isNested(earlier, place))
    if (other < 0) return []
    const message = `targets[${other}] uses this folder too, or one inside of it or around it: give each its own`
    return [{ where: ['targets', at, 'folder'], message }]
  })
}

function isNested(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && (one.startsWith(other) || other.startsWith(one))
}
