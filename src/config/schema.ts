/** The shape of the configuration file, key by key: what editors complete and what the parser accepts. Knows no file and no place in it. */
import { z } from 'zod'
import { parseHours } from '../base/local-time.ts'
import { parseBytes, parseBytesPerSecond, parsePercent, parseRate } from '../base/units.ts'
import { amount, block, duration, expected, list, pathText, ruled } from './keys.ts'
import { availableClouds, cloudKinds } from './kinds.ts'
import { notifyBlock, statusBlock } from './outlets.ts'
import { suggestion } from './problems.ts'

/** Each has its own root to watch and compare every 5 s; more are better given as one folder. */
const sourcesMax = 1000
/** Each is one lane with its own connection and threads' work. */
const targetsMax = 64
/** More than targets would be of no use. */
const accountsMax = targetsMax
/** Rules of one list: every path is tried against each. */
const rulesMax = 1000
/** Deliveries of one target under way at once: each holds one or two open files, of which a process has 1024. */
const concurrencyMax = 256
/** Less would not hold one piece of a large copy, which then could never go. Unit: bytes. */
const dailyBytesMin = 64 * 2 ** 20
/** One large file takes some hundred calls. */
const monthlyRequestsMin = 1000
/** Names stand in tables, log lines and file names. Unit: characters. */
const nameLengthMax = 64

const atFields = ['source', 'path', 'name', 'ext', 'host', 'yyyy', 'mm', 'dd']
const availableKinds = ['directory', ...availableClouds] as const

const nameText = z
  .string(expected('a name of a-z, 0-9, "_" and "-"'))
  .regex(/^[a-z0-9_-]+$/, expected('a name of a-z, 0-9, "_" and "-"'))
  .max(nameLengthMax, expected(`a name of at most ${nameLengthMax} characters`))

const folderText = pathText('a folder')

/** What keeps a gitignore rule from doing what its writer meant; such rules never fail, they just match nothing. */
function ruleFault(text: string): string | undefined {
  const bare = text.replace(/\\./g, 'x')
  if (text.startsWith('#')) return 'gitignore reads this as a remark; write "\\#" for a name that begins with "#"'
  if (bare.endsWith('\\')) return 'this rule ends in a lone "\\", which no name matches'
  if (/\[[^\]]*$/.test(bare)) return 'this rule is broken: a "[" stays open; write "\\[" for the character itself'
  if (/\{[^{}]*,[^{}]*\}/.test(bare)) return 'gitignore rules know no {a,b}; write one rule for each'
  if (bare.split('/').some((name) => name === '.' || name === '..'))
    return 'this rule can never match: paths are counted from the source\'s root and have no "." or ".."'
  return undefined
}

const ruleText = (what: string) =>
  ruled(what, (text) => (text.trim() === '' || /[\0\n]/.test(text) ? `expected ${what}` : ruleFault(text)))

const globText = ruleText('a gitignore rule, such as "**/*.pdf"')
const ignoreText = ruleText('a gitignore rule, such as "*.bak"')

const atText = ruled('a template, such as "{source}/{path}"', (text) => {
  const fields = [...text.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? '')
  const unknown = fields.find((field) => !atFields.includes(field))
  if (unknown !== undefined) return `there is no field {${unknown}}; ${suggestion(unknown, atFields)}`
  const rest = text.replace(/\{[^{}]*\}/g, 'x')
  if (/[{}]/.test(rest)) return 'a brace is open; fields are written {path}'
  if (rest.split('/').some((name) => name === '' || name === '.' || name === '..') || rest.includes('\0'))
    return 'expected a path below the target: no leading or double "/", no "." and no ".."'
  if (!fields.includes('path')) return 'without {path} two files could go to the same place, one over the other; add it'
  return undefined
})

const size = amount('a size with a unit, such as 10MiB', parseBytes)
const rate = amount('a rate, such as 10/s or 600/min', parseRate)
const bandwidth = amount('a bandwidth with a unit, such as 20MiB/s or 8Mbit/s', parseBytesPerSecond)

const daily = amount('a size of at least 64MiB, such as 700GiB', parseBytes, (bytes) => bytes >= dailyBytesMin)
const hours = amount('times of the local day in quotes, such as "22:00-06:00"', parseHours)

const hourMs = 3_600_000

const source = block({
  name: nameText.meta({ description: 'What this source is called in commands, tables and target paths.' }),
  path: folderText.meta({ description: 'The folder to watch. A relative path is relative to this file.' }),
  ignore: list(ignoreText, rulesMax)
    .default([])
    .meta({ description: 'gitignore rules for what is left out; a .fanfoldignore file inside the tree works too.' }),
  'built-in-ignore': z
    .boolean(expected('true or false'))
    .default(true)
    .meta({ description: 'Leave out half-done downloads, editor locks and desktop droppings.' }),
  'one-file-system': z
    .boolean(expected('true or false'))
    .default(false)
    .meta({ description: 'Leave out file systems that are mounted inside of the folder, and keep their copies.' }),
  settle: duration('a duration with a unit between 0s and 1h, such as 2s', 0, hourMs)
    .prefault('2s')
    .meta({ description: 'How long a file must rest before it counts as complete, where its closing cannot be seen.' }),
  'max-unsettled': duration('a duration with a unit between 1s and 30d, such as 10m', 1000, 30 * 24 * hourMs)
    .prefault('10m')
    .meta({
      description: 'How long a file may go on changing before the status names it, and before a snapshot of it.',
    }),
  unsettled: z.enum(['wait', 'snapshot'], expected('wait or snapshot')).default('wait').meta({
    description:
      'What becomes of a file that never rests: waited for, or copied as it is each time that long has passed, if it holds still while it is read.',
  }),
  'check-writers': z.boolean(expected('true or false')).default(false).meta({
    description:
      'Look through the open files of all programs before a file counts as complete, and wait while one has it open for writing.',
  }),
  rescan: duration('a duration with a unit between 1s and 30d, such as 1h', 1000, 30 * 24 * hourMs)
    .prefault('1h')
    .meta({ description: 'Time between two comparisons of the whole folder with what is known.' }),
  watch: z
    .enum(['auto', 'inotify', 'poll'], expected('auto, inotify or poll'))
    .default('auto')
    .meta({ description: 'How changes are noticed; auto polls where the file system tells nothing.' }),
})

const select = block({
  sources: list(nameText, sourcesMax)
    .min(1, expected('at least one source; leave the key out for all'))
    .optional()
    .meta({ description: 'Names of sources; all where left out.' }),
  include: list(globText, rulesMax)
    .default([])
    .meta({ description: 'gitignore rules over the path below the source; a file has to match. All where left out.' }),
  exclude: list(globText, rulesMax)
    .default([])
    .meta({ description: 'gitignore rules over the path below the source; a file that matches is left out.' }),
  'min-size': size.prefault('0B').meta({ description: 'Smallest file taken.' }),
  'max-size': size.optional().meta({ description: 'Largest file taken; no bound where left out.' }),
  'newer-than': duration('a duration with a unit, such as 30d', 1000, 1000 * 366 * 24 * hourMs)
    .optional()
    .meta({ description: 'Longest time since the last modification.' }),
}).superRefine((lines, context) => {
  const most = lines['max-size']
  if (most === undefined || lines['min-size'] <= most) return
  const message = `expected at least min-size (${lines['min-size']} bytes); no file would be taken otherwise`
  context.addIssue({ code: 'custom', path: ['max-size'], message, input: `${most} bytes` })
})

const pace = block({
  concurrency: z
    .int(expected('a whole number'))
    .min(1, expected(`a whole number from 1 to ${concurrencyMax}`))
    .max(concurrencyMax, expected(`a whole number from 1 to ${concurrencyMax}`))
    .default(64)
    .meta({ description: 'Deliveries under way at once.' }),
  requests: rate.optional().meta({ description: 'Most calls to the target in a time, such as 10/s.' }),
  uploads: rate.optional().meta({ description: 'Most files begun in a time, such as 3/s.' }),
  bandwidth: bandwidth.optional().meta({ description: 'Most bytes in a time, such as 20MiB/s.' }),
  daily: daily
    .optional()
    .meta({ description: 'Most bytes in one local day, such as 700GiB; the rest waits for the next.' }),
  'monthly-requests': z
    .int(expected('a whole number'))
    .min(monthlyRequestsMin, expected(`a whole number of at least ${monthlyRequestsMin}, such as 45000`))
    .optional()
    .meta({ description: 'Most calls in one local month, for accounts that are licensed by them, such as 45000.' }),
  hours: hours
    .optional()
    .meta({ description: 'When copies may begin, local time, such as "22:00-06:00" or "22:00-06:00, 12:00-13:00".' }),
})

const verify = block({
  every: z
    .union(
      [z.literal('never'), duration('a duration', hourMs, 366 * 24 * hourMs)],
      expected('never, or a duration between 1h and 366d, such as 30d'),
    )
    .prefault('30d')
    .meta({
      description: 'How often the copies are compared with what was delivered, by a listing; never turns it off.',
    }),
  share: amount('a part between 0% and 100%, such as 3%', parsePercent)
    .prefault('0%')
    .meta({ description: 'Of how many copies the content is read back each time; another part each time.' }),
})

/** Names that Dropbox and the like would spell otherwise are for files; a folder that is chosen here can be chosen well. */
const remoteFolderText = ruled('a folder at the cloud, such as Archive/office', (text) => {
  const names = text.replace(/^\//, '').split('/')
  const isPlain = names.every((name) => /^[^\\\p{C}]{1,255}$/u.test(name) && !/^\.{1,2}$| $/.test(name))
  return isPlain ? undefined : 'expected names with "/" between them, without "\\", "." and ".."'
})

function endpointFault(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return undefined
  return 'expected a URL with https: or http:, such as "https://gateway.example"'
}

const target = block({
  name: nameText.meta({ description: 'What this target is called in commands and tables.' }),
  formerly: nameText.optional().meta({
    description:
      'What this target was called before: its queue and what is known of its copies go over to the new name.',
  }),
  kind: z
    .enum(availableKinds, expected(`one of the kinds available in this version (${availableKinds.join(', ')})`))
    .meta({ description: 'What stands behind it: a directory, or a cloud.' }),
  path: folderText
    .optional()
    .meta({ description: 'Of a directory: the folder for the copies. A relative path is relative to this file.' }),
  account: nameText.optional().meta({ description: 'Of a cloud: an account of the list below.' }),
  folder: remoteFolderText.optional().meta({
    description: 'Of a cloud: the folder for the copies, such as Archive/office; all the login sees where left out.',
  }),
  drive: z
    .string(expected('the id of a drive'))
    .regex(/^[\w!-]{1,200}$/, expected('the id of a drive, as its address in a browser ends'))
    .optional()
    .meta({
      description:
        "Of Google Drive: the id of a shared drive; the account's own where left out. Of OneDrive: the id of a SharePoint library's drive, or " +
        "app-folder; where left out the app's folder for an account of the least access, else the account's own drive.",
    }),
  endpoint: ruled('a URL, such as "https://gateway.example"', endpointFault)
    .optional()
    .meta({ description: 'Of a cloud: another base URL in the place of its own, for gateways and tests.' }),
  select: select.prefault({}).meta({ description: 'Which files go there; all where left out.' }),
  at: atText
    .default('{source}/{path}')
    .meta({ description: `Where a copy goes below the target: ${atFields.map((field) => `{${field}}`).join(' ')}.` }),
  'on-remove': z.enum(['keep', 'trash', 'remove'], expected('keep, trash or remove')).default('keep').meta({
    description: "What happens to the copy when the file is removed at the source; trash is the target's own.",
  }),
  'on-conflict': z
    .enum(['overwrite', 'keep-both', 'park'], expected('overwrite, keep-both or park'))
    .default('overwrite')
    .meta({
      description:
        'What happens when somebody changed the copy at the target: it is written over (clouds keep the version before), put beside under another name, or stays until you say so.',
    }),
  'remove-after': duration('a duration with a unit between 0s and 365d, such as 24h', 0, 365 * 24 * hourMs)
    .prefault('24h')
    .meta({ description: 'How long a copy stays after its file went; nothing happens if that comes back meanwhile.' }),
  // Longer, and a file that is saved without end would make the target look late.
  cooldown: duration('a duration with a unit between 0s and 5m, such as 30s', 0, 5 * 60_000)
    .prefault('0s')
    .meta({
      description:
        'Shortest time between two copies of one file there, for what is saved again and again; the newest version always arrives.',
    }),
  verify: verify
    .prefault({})
    .meta({ description: 'Whether copies are still there and as they were is looked at by itself.' }),
  pace: pace.prefault({}).meta({
    description:
      'How hard this target may be used. Cloud targets of one account share all but concurrency and hours; the strictest counts.',
  }),
})

/** What keeps a text from naming a proxy. It may hold a password, so no message repeats it. */
function proxyFault(text: string): string | undefined {
  const fault = 'a proxy is written as a URL of host and port, such as "http://proxy.example:3128"'
  if (!URL.canParse(text)) return fault
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `${fault}; "http:" and "https:" are known`
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return `${fault}; leave out what follows the port`
  return undefined
}

const http = block({
  proxy: ruled('a URL, such as "http://proxy.example:3128"', proxyFault)
    .optional()
    .meta({ description: 'HTTP proxy for all clouds; may carry a login, as in http://name:password@host:port.' }),
  'ca-file': pathText('a file')
    .optional()
    .meta({ description: 'PEM file with certificates to trust besides the usual ones. Relative to this file.' }),
})

const roles = ['watch', 'upload'] as const

const node = block({
  id: nameText
    .optional()
    .meta({ description: "This machine's name among others; from the host's name where left out." }),
  roles: z
    .array(z.enum(roles, expected('watch or upload')), expected('a list of watch and upload'))
    .min(1, expected('at least one of watch and upload'))
    .max(roles.length, expected('each role once'))
    .default([...roles])
    .meta({ description: 'What this machine does.' }),
})

const appId = 'the id of an app that you registered at the cloud'

function dayFault(text: string): string | undefined {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`))
  return isDay ? undefined : 'expected a day in quotes, such as "2027-01-31"'
}

const service = block({
  'key-file': pathText('a file')
    .optional()
    .meta({ description: 'Key file (JSON) that Google or Box handed out. Relative to this file.' }),
  subject: z
    .string(expected('a user'))
    .regex(/^[\w.@+-]{1,200}$/, expected('a user: an address at Google, a number at Box'))
    .optional()
    .meta({ description: 'For whom the service acts: a user’s address at Google, a user’s number at Box.' }),
  enterprise: z
    .string(expected('the number of an enterprise, in quotes'))
    .regex(/^\d{1,20}$/, expected('the number of an enterprise, in quotes'))
    .optional()
    .meta({ description: 'Of Box: the enterprise of which this is the service account.' }),
})

const account = block({
  name: nameText.meta({ description: 'What this account is called by targets and commands.' }),
  kind: z
    .enum(cloudKinds, expected(`one of the kinds available in this version (${cloudKinds.join(', ')})`))
    .meta({ description: 'Whose account it is.' }),
  'client-id': z
    .string(expected(appId))
    .regex(/^[\w.-]{1,200}$/, expected(appId))
    .optional()
    .meta({ description: 'The id (app key) of an app that you registered at the cloud.' }),
  'client-secret-file': pathText('a file')
    .optional()
    .meta({ description: "File with the app's secret, where the cloud asks for one. Relative to this file." }),
  'client-secret-expires': ruled('a day, such as "2027-01-31"', dayFault)
    .optional()
    .meta({ description: "The day on which the app's secret ends, to be warned before, such as '2027-01-31'." }),
  access: z
    .enum(['least', 'files', 'all'], expected('least, files or all'))
    .default('least')
    .meta({ description: 'How much the login may see: as little as will do, all own files, or all shared ones too.' }),
  tenant: z
    .string(expected('a tenant'))
    .regex(/^[\w.-]{1,200}$/, expected('a tenant: its id or domain, or common, consumers or organizations'))
    .optional()
    .meta({ description: 'Of OneDrive: whose users may log in; all (common) where left out.' }),
  'login-lasts': duration('a duration with a unit between 1d and 10y, such as 7d', 24 * hourMs, 3660 * 24 * hourMs)
    .optional()
    .meta({ description: 'How long a login lasts at most, to be warned before: 7d for a Google app in testing.' }),
  endpoint: ruled('a URL, such as "https://gateway.example"', endpointFault)
    .optional()
    .meta({ description: 'Another base URL in the place of the cloud’s own, for gateways and tests.' }),
  service: service.optional().meta({ description: "A program's own login in the place of a person's." }),
})

export const fileSchema = block({
  state: folderText
    .default('/var/lib/fanfold')
    .meta({ description: 'Folder of journal, lock and control socket. A relative path is relative to this file.' }),
  'state-on-network': z
    .enum(['refuse', 'allow'], expected('refuse or allow'))
    .default('refuse')
    .meta({ description: 'Whether the state folder may be on network storage, where locks cannot be trusted.' }),
  node: node.prefault({}).meta({ description: 'Who this machine is.' }),
  http: http.prefault({}).meta({ description: 'How this machine reaches clouds; the environment is never asked.' }),
  status: statusBlock
    .prefault({})
    .meta({ description: 'Status page, health and metrics, for browsers and programs of this machine.' }),
  notify: notifyBlock.prefault({}).meta({ description: 'Who is told when something is wrong, and when all is well.' }),
  sources: list(source, sourcesMax, 'a list of sources')
    .min(1, expected('at least one source'))
    .meta({ description: 'The folders that are watched.' }),
  targets: list(target, targetsMax, 'a list of targets')
    .min(1, expected('at least one target'))
    .meta({ description: 'The places that get a copy.' }),
  accounts: list(account, accountsMax, 'a list of accounts')
    .default([])
    .meta({ description: 'Who we are at clouds; the logins themselves are kept in the state folder.' }),
})

export type FileValue = z.output<typeof fileSchema>

/** JSON Schema (draft 2020-12) of the file, for completion and checks in editors. */
export function fileJsonSchema(): Record<string, unknown> {
  return { title: 'Fanfold configuration', ...z.toJSONSchema(fileSchema, { io: 'input' }) }
}
