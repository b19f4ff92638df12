/** From the text of a configuration file to a Config, or to every problem in it at once. The rules that tie one key to another live here. */
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { assert } from '../base/errors.ts'
import { readText, type ConfigText } from './document.ts'
import { clashesOf, type Place } from './places.ts'
import { ConfigError, showGot, showKey, suggestion, type Problem, type Where } from './problems.ts'
import { assembleNotify, assembleStatus } from './outlets.ts'
import { fileSchema, type FileValue } from './schema.ts'
import type { AccountConfig, Config, SourceConfig, TargetConfig } from './settings.ts'
import { accountFaults } from './accounts.ts'
import { kindFaults } from './kinds.ts'
import { entryIn, textIn } from './document.ts'

/** @param file absolute. @throws ConfigError with all problems, in the order of the file. */
export function parseConfig(file: string, text: string): Config {
  const source = readText(file, text)
  if (source.problems.length > 0) throw new ConfigError(source.problems)
  const parsed = fileSchema.safeParse(source.value ?? {}, { reportInput: true })
  const shape = parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, source))
  const problems = [...shape, ...tiesOf(source, dirname(file))]
  if (!parsed.success || problems.length > 0) throw new ConfigError(inOrder(problems))
  return assemble(file, parsed.data)
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((one, other) => one.line - other.line || one.column - other.column)
}

function problemsOf(issue: z.core.$ZodIssue, source: ConfigText): Problem[] {
  const where = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code !== 'unrecognized_keys') return [{ ...source.problemAt(where, messageOf(issue)), key: showKey(where) }]
  // The message of this one is the list of known keys.
  const known = issue.message.split(' ')
  return issue.keys.map((key) => {
    const place = [...where, key]
    const message = `unknown key; ${suggestion(key, known)}`
    return { ...source.problemAt(place, message, { atKey: true }), key: showKey(place) }
  })
}

/** What was expected goes with what came; a message that tells more than that stands alone. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (!issue.message.startsWith('expected')) return issue.message
  return issue.input === undefined ? `is missing: ${issue.message}` : `${issue.message}, got ${showGot(issue.input)}`
}

/** A named entry of a list, read leniently, so that a wrong key elsewhere does not hide what is wrong between entries. */
interface Named {
  readonly role: 'source' | 'target' | 'account'
  readonly where: Where
  readonly name: string | undefined
  readonly path: string | undefined
  readonly at: string | undefined
  readonly selected: readonly unknown[]
}

/** What is wrong between one key and another. */
function tiesOf(source: ConfigText, base: string): Problem[] {
  const sources = namedOf(source.value, 'source')
  const targets = namedOf(source.value, 'target')
  const found = [
    ...repeatedNames(sources, source),
    ...repeatedNames(targets, source),
    ...unknownSources(sources, targets),
    ...mixedSources(sources, targets),
    ...repeatedNames(namedOf(source.value, 'account'), source),
    ...kindFaults(source.value),
    ...accountFaults(source.value),
    ...clashesOf(placesOf(source.value, [...sources, ...targets], base), (where) => source.lineOf(where)),
  ]
  return found.map(({ where, message }) => ({ ...source.problemAt(where, message), key: showKey(where) }))
}

function repeatedNames(entries: readonly Named[], source: ConfigText): { where: Where; message: string }[] {
  const first = new Map<string, Named>()
  return entries.flatMap((entry) => {
    if (entry.name === undefined) return []
    const earlier = first.get(entry.name)
    if (earlier === undefined) first.set(entry.name, entry)
    if (earlier === undefined) return []
    const line = source.lineOf([...earlier.where, 'name'])
    const message = `the ${entry.role} name "${entry.name}" is taken in line ${line}; give each its own`
    return [{ where: [...entry.where, 'name'], message }]
  })
}

/** Two sources at one target may hold equal paths: only {source} keeps their copies apart. */
function mixedSources(sources: readonly Named[], targets: readonly Named[]): { where: Where; message: string }[] {
  return targets.flatMap(({ where, at, selected }) => {
    const count = selected.length === 0 ? sources.length : selected.length
    if (at === undefined || at.includes('{source}') || count < 2) return []
    const message = `${count} sources go to this target: without {source} their copies could overwrite each other; add it`
    return [{ where: [...where, 'at'], message }]
  })
}

function unknownSources(sources: readonly Named[], targets: readonly Named[]): { where: Where; message: string }[] {
  const known = sources.flatMap(({ name }) => (name === undefined ? [] : [name]))
  return targets.flatMap((target) =>
    target.selected.flatMap((name, at) => {
      if (typeof name !== 'string' || known.includes(name)) return []
      const message = `there is no source "${name}"; ${suggestion(name, known)}`
      return [{ where: [...target.where, 'select', 'sources', at], message }]
    }),
  )
}

function placesOf(value: unknown, entries: readonly Named[], base: string): Place[] {
  const state = textIn(value, 'state')
  const places: Place[] =
    state === undefined
      ? []
      : [{ role: 'state', where: ['state'], title: 'the state folder', path: resolve(base, state) }]
  for (const { role, where, name, path } of entries) {
    if (path === undefined || role === 'account') continue
    const title = name === undefined ? `this ${role}` : `${role} "${name}"`
    places.push({ role, where: [...where, 'path'], title, path: resolve(base, path) })
  }
  return places
}

function namedOf(value: unknown, role: Named['role']): Named[] {
  const entries = entryIn(value, `${role}s`)
  if (!Array.isArray(entries)) return []
  return entries.map((entry: unknown, at) => {
    const selected = entryIn(entryIn(entry, 'select'), 'sources')
    return {
      role,
      where: [`${role}s`, at],
      name: textIn(entry, 'name'),
      path: textIn(entry, 'path'),
      at: textIn(entry, 'at'),
      selected: Array.isArray(selected) ? selected : [],
    }
  })
}

function assemble(file: string, value: FileValue): Config {
  const base = dirname(file)
  const accounts = value.accounts.map((account) => assembleAccount(base, account, value.targets))
  return {
    file,
    state: resolve(base, value.state),
    stateOnNetwork: value['state-on-network'],
    node: { id: value.node.id ?? hostId(hostname()), roles: [...new Set(value.node.roles)] },
    http: {
      proxy: value.http.proxy,
      caFile: value.http['ca-file'] === undefined ? undefined : resolve(base, value.http['ca-file']),
    },
    status: assembleStatus(base, value.status),
    notify: assembleNotify(base, value.notify),
    sources: value.sources.map((source) => assembleSource(base, source)),
    targets: value.targets.map((target) => assembleTarget(base, target, accounts)),
    accounts,
  }
}

function assembleSource(base: string, source: FileValue['sources'][number]): SourceConfig {
  return {
    name: source.name,
    path: resolve(base, source.path),
    // Where everything is taken back first, no built-in rule is asked.
    ignore: source['built-in-ignore'] ? source.ignore : ['!*', ...source.ignore],
    oneFileSystem: source['one-file-system'],
    settleMs: source.settle,
    unsettledMsMax: source['max-unsettled'],
    unsettled: source.unsettled,
    checkWriters: source['check-writers'],
    rescanMs: source.rescan,
    watch: source.watch,
  }
}

function assembleAccount(
  base: string,
  account: FileValue['accounts'][number],
  targets: FileValue['targets'],
): AccountConfig {
  const { service, name } = account
  const below = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(base, path))
  const secretEnds = account['client-secret-expires']
  // A gateway that a target goes through is the login's way, too.
  const ofTarget = targets.find((target) => target.account === name && target.endpoint !== undefined)?.endpoint
  return {
    name,
    kind: account.kind,
    clientId: account['client-id'] ?? '',
    clientSecretFile: below(account['client-secret-file']),
    access: account.access,
    tenant: account.tenant,
    endpoint: account.endpoint ?? ofTarget,
    service: service && {
      keyFile: below(service['key-file']),
      subject: service.subject,
      enterprise: service.enterprise,
    },
    loginLastsMs: account['login-lasts'],
    secretEndsAtMs: secretEnds === undefined ? undefined : Date.parse(`${secretEnds}T00:00:00Z`),
  }
}

function assembleTarget(
  base: string,
  target: FileValue['targets'][number],
  accounts: readonly AccountConfig[],
): TargetConfig {
  const common = commonOf(target)
  if (target.kind === 'directory') return { ...common, kind: 'directory', path: resolve(base, target.path ?? '') }
  const account = accounts.find(({ name }) => name === target.account)
  assert(account !== undefined, `target ${target.name} has no account although it was checked`)
  const folder = (target.folder ?? '').replace(/^\//, '')
  const { kind, drive, endpoint = account.endpoint } = target
  return { ...common, kind, account, folder, drive, endpoint }
}

function commonOf(target: FileValue['targets'][number]) {
  const { select, pace, verify } = target
  return {
    name: target.name,
    select: {
      sources: select.sources,
      include: select.include,
      exclude: select.exclude,
      sizeMin: select['min-size'],
      sizeMax: select['max-size'],
      newerThanMs: select['newer-than'],
    },
    at: target.at,
    onRemove: target['on-remove'],
    onConflict: target['on-conflict'],
    formerly: target.formerly,
    removeAfterMs: target['remove-after'],
    cooldownMs: target.cooldown,
    pace: {
      concurrency: pace.concurrency,
      requests: pace.requests,
      uploads: pace.uploads,
      bytesPerSecond: pace.bandwidth,
      dailyBytes: pace.daily,
      monthlyRequests: pace['monthly-requests'],
      hours: pace.hours,
    },
    verify: { everyMs: verify.every === 'never' ? undefined : verify.every, share: verify.share },
  }
}

/** A host's name in the letters that names have. */
export function hostId(host: string): string {
  const letters = host
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return letters.slice(0, 64) || 'node'
}
