/** Which keys a target of each kind has, and whether what they name fits: said of values that nobody checked yet, like all ties between keys. */
import { entryIn, textIn } from './document.ts'
import { suggestion, type Where } from './problems.ts'
import type { CloudKind } from './settings.ts'

export interface Fault {
  readonly where: Where
  readonly message: string
}

/** All that can be logged in to. */
export const cloudKinds = ['box', 'dropbox', 'google-drive', 'onedrive'] as const satisfies readonly CloudKind[]
/** Those of them that a target can be. */
export const availableClouds = ['box', 'dropbox', 'google-drive', 'onedrive'] as const satisfies readonly CloudKind[]

const directoryKeys = ['path']
const cloudKeys = ['account', 'folder', 'endpoint', 'drive']
/** Clouds whose accounts hold several drives. */
const driveKinds: ReadonlySet<string> = new Set<CloudKind>(['google-drive', 'onedrive'])

export function kindFaults(value: unknown): Fault[] {
  const targets = entryIn(value, 'targets')
  if (!Array.isArray(targets)) return []
  const accounts = accountsIn(value)
  const faults = targets.flatMap((target: unknown, at) => {
    const where = ['targets', at]
    const kind = textIn(target, 'kind')
    if (kind === 'directory')
      return [...missing(target, where, 'path', 'a folder'), ...strangers(target, where, kind, cloudKeys)]
    // What is no kind at all is said where kinds are listed.
    if (kind === undefined || !availableClouds.some((known) => known === kind)) return []
    return [
      ...missing(target, where, 'account', 'the name of an account of the list "accounts"'),
      ...strangeAccount(target, where, kind, accounts),
      ...strangers(target, where, kind, driveKinds.has(kind) ? directoryKeys : [...directoryKeys, 'drive']),
      ...(kind === 'onedrive' ? [...refusedNames(target, where), ...missingDrive(value, target, where)] : []),
    ]
  })
  return [...faults, ...sharedFolders(targets), ...formerNames(targets)]
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

/** What OneDrive takes for no name of a folder. Copies' names are spelled otherwise there; a folder that is chosen here can be chosen well. */
const refusedName = /["*:<>?|]|^[ ~]|\.$|^\.lock$|_vti_|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

function refusedNames(target: unknown, where: Where): Fault[] {
  const names = (textIn(target, 'folder') ?? '').split('/')
  const refused = names.find((name) => refusedName.test(name))
  if (refused === undefined) return []
  return [{ where: [...where, 'folder'], message: `OneDrive has no folder called "${refused}"; choose another name` }]
}

/** A program that logs in as itself has no drive of its own. */
function missingDrive(value: unknown, target: unknown, where: Where): Fault[] {
  const accounts = entryIn(value, 'accounts')
  const name = textIn(target, 'account')
  const account: unknown = Array.isArray(accounts)
    ? accounts.find((candidate: unknown) => name !== undefined && textIn(candidate, 'name') === name)
    : undefined
  const drive = textIn(target, 'drive')
  if (entryIn(account, 'service') === undefined || (drive !== undefined && drive !== 'app-folder')) return []
  return [
    {
      where: [...where, 'drive'],
      message: `expected the id of a drive: the service "${name ?? ''}" has none of its own`,
    },
  ]
}

/** Kinds by names. */
function accountsIn(value: unknown): ReadonlyMap<string, string | undefined> {
  const accounts = entryIn(value, 'accounts')
  if (!Array.isArray(accounts)) return new Map()
  return new Map(
    accounts.flatMap((account: unknown) => {
      const name = textIn(account, 'name')
      return name === undefined ? [] : [[name, textIn(account, 'kind')] as const]
    }),
  )
}

function strangeAccount(
  target: unknown,
  where: Where,
  kind: string,
  accounts: ReadonlyMap<string, string | undefined>,
): Fault[] {
  const name = textIn(target, 'account')
  if (name === undefined) return []
  const names = [...accounts.keys()]
  const message = accounts.has(name)
    ? otherKind(name, kind, accounts.get(name))
    : `there is no account "${name}"; ${names.length === 0 ? 'add it to "accounts"' : suggestion(name, names)}`
  return message === undefined ? [] : [{ where: [...where, 'account'], message }]
}

function otherKind(name: string, kind: string, ofAccount: string | undefined): string | undefined {
  if (ofAccount === undefined || ofAccount === kind) return undefined
  return `the account "${name}" is of kind ${ofAccount}; name one of kind ${kind}`
}

/** A name that is in use has a queue of its own. */
function formerNames(targets: readonly unknown[]): Fault[] {
  const names = targets.map((target) => textIn(target, 'name'))
  const formers = targets.map((target) => textIn(target, 'formerly'))
  return formers.flatMap((former, at) => {
    if (former === undefined) return []
    const isUsed = names.includes(former) || formers.indexOf(former) < at
    if (!isUsed) return []
    const message = `"${former}" is the name of another target, now or before; a target takes over a name that no other has`
    return [{ where: ['targets', at, 'formerly'], message }]
  })
}

/** One folder for two targets: they would write over each other. Clouds do not tell `Docs` from `docs`. */
function sharedFolders(targets: readonly unknown[]): Fault[] {
  const places = targets.map((target) => {
    const account = textIn(target, 'account')
    const names = (textIn(target, 'folder') ?? '').toLowerCase().split('/')
    return account === undefined
      ? undefined
      : `${account}:${textIn(target, 'drive') ?? ''}/${names.filter((name) => name !== '').join('/')}/`.replace(
          '//',
          '/',
        )
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
