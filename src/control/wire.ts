/** The edge between a daemon and who asks it: bodies, answers and paths as they cross the socket, parsed on both sides. */
import { z } from 'zod'
import { decodeName, encodeName, remotePath } from '../base/path.ts'
import type { CopyAt, Restorable, Wanted, Wish } from '../restore/restore.ts'
import type {
  Approved,
  Held,
  HistoryLine,
  LoggedOut,
  LoginAsked,
  LoginBegun,
  LoginChecked,
  LoginProgress,
  PageAccess,
  ParkedLine,
  PathVerdict,
  Plan,
  Reloaded,
  Resynced,
  ResyncRequest,
  Retried,
  Status,
} from './desk.ts'

/** Raised when a question or an answer changes its shape, so that an old client says so instead of misreading. */
export const apiVersion = '1'
export const apiHeader = 'fanfold-api'

/** The largest question: a resync that names every target many times over. */
export const bodyBytesMax = 64 * 1024
/** More lines than a person reads and a terminal keeps; the answer stays below some 3 MB. */
export const historyLinesMax = 10_000

/** More parked files than a person reads. */
export const parkedLinesMax = 1000

/** Names per question; a configuration has at most 64 targets. */
const namesMax = 1000
/** Linux takes no longer path in one call (PATH_MAX). Unit: characters. */
const pathLengthMax = 4096

const count = z.number().min(0)

const names = z.array(z.string().max(pathLengthMax)).max(namesMax)

export const resyncBody: z.ZodType<ResyncRequest> = z.strictObject({
  targets: names.default([]),
  source: z.string().max(pathLengthMax).nullable().default(null),
  glob: z.string().max(pathLengthMax).nullable().default(null),
  verify: z.boolean().default(false),
})

/** Names of targets; none: all. */
export const targetsBody: z.ZodType<{ targets: readonly string[] }> = z.strictObject({ targets: names.default([]) })

const source = z.object({
  name: z.string(),
  state: z.string(),
  files: count,
  watched: count,
  reason: z.string().nullable(),
  settling: count,
  removalsHeld: z.boolean(),
  lastScanMs: count.nullable(),
})

const parkedLine = z.object({
  source: z.string(),
  path: z.string(),
  size: count,
  reason: z.string(),
  attempts: count,
  ageMs: count,
  nextTryMs: count.nullable(),
})

const target = z.object({
  name: z.string(),
  kind: z.string(),
  state: z.string(),
  waiting: count,
  active: count,
  delivered: count,
  parked: count,
  leaving: count,
  bytesWaiting: count,
  oldestMs: count.nullable(),
  reason: z.string().nullable(),
  offering: count,
  listing: count.nullable(),
  verified: z.object({ at: z.string(), checked: count, differences: count }).nullable(),
  altered: count,
  bytesSent: count,
  sending: z.array(z.object({ path: z.string(), bytesDone: count, size: count })),
  failed: z.array(parkedLine),
  requests: z.object({ month: z.string(), requests: count, most: count.nullable() }).nullable(),
  space: z.object({ usedBytes: count, freeBytes: count.nullable() }).nullable(),
})

export const statusAnswer: z.ZodType<Status> = z.object({
  healthy: z.boolean(),
  reasons: z.array(z.string()),
  causes: z.array(z.string()),
  oldestMs: count.nullable(),
  journal: z.object({ state: z.enum(['open', 'state-disk-full']), reason: z.string().nullable() }),
  sources: z.array(source),
  targets: z.array(target),
  accounts: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      state: z.string(),
      user: z.string().nullable(),
      endsAt: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
})

/** An address with an answer in it; clouds' codes are long. Unit: characters. */
const answerLengthMax = 16_384
const accountName = z.string().max(pathLengthMax)

export const loginBody: z.ZodType<LoginAsked> = z.strictObject({
  account: accountName,
  manner: z.enum(['browser', 'paste', 'device']),
  redirectUri: z.string().max(pathLengthMax).nullable().default(null),
  port: z.int().min(1).max(65_535).nullable().default(null),
  acceptsOther: z.boolean().default(false),
})

export const loginAnswerBody = z.strictObject({
  ticket: z.string().max(pathLengthMax),
  text: z.string().max(answerLengthMax),
})
export const accountBody = z.strictObject({ account: accountName })

export const loginBegunAnswer: z.ZodType<LoginBegun> = z.object({
  ticket: z.string(),
  manner: z.enum(['browser', 'paste', 'device', 'service']),
  address: z.string().nullable(),
  userCode: z.string().nullable(),
  againInMs: count.nullable(),
  endsInMs: count,
  reason: z.string().nullable(),
})

export const loginProgressAnswer: z.ZodType<LoginProgress> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('done'), account: z.string(), user: z.string().nullable() }),
  z.object({ kind: z.literal('pending'), againInMs: count }),
  z.object({ kind: z.literal('stray'), reason: z.string() }),
])

export const loginCheckedAnswer: z.ZodType<LoginChecked> = z.object({
  account: z.string(),
  user: z.string().nullable(),
  endsAt: z.string().nullable(),
  notice: z.string().nullable(),
  isSealed: z.boolean().nullable(),
})

export const loggedOutAnswer: z.ZodType<LoggedOut> = z.object({ account: z.string(), left: z.string().nullable() })

export const resyncAnswer: z.ZodType<Resynced> = z.object({
  offered: z.array(z.object({ target: z.string(), files: count })),
})

export const heldAnswer: z.ZodType<Held> = z.object({ targets: z.array(z.string()) })

export const approveBody = z.strictObject({ source: z.string().max(pathLengthMax) })
export const approveAnswer: z.ZodType<Approved> = z.object({
  source: z.string(),
  wasHeld: z.boolean(),
  mounts: z.array(z.string()),
  copies: count,
})

export const reloadAnswer: z.ZodType<Reloaded> = z.object({ changes: z.array(z.string()) })

const amount = z.object({ files: count, bytes: count })

export const planAnswer: z.ZodType<Plan> = z.object({
  targets: z.array(
    z.object({
      name: z.string(),
      isNew: z.boolean(),
      isElsewhere: z.boolean(),
      enter: amount,
      leave: amount,
      move: amount,
      durationMs: count.nullable(),
    }),
  ),
  removedTargets: z.array(z.string()),
  newSources: z.array(z.string()),
  removedSources: z.array(z.string()),
})

export const retryAnswer: z.ZodType<Retried> = z.object({ retried: count })

const verdict = z.object({
  target: z.string(),
  state: z.string(),
  reason: z.string(),
  attempts: count,
  nextTryMs: z.number().nullable(),
  at: z.string().nullable(),
})

export const whyAnswer: z.ZodType<readonly PathVerdict[]> = z.array(
  z.object({
    source: z.string(),
    path: z.string(),
    file: z.string(),
    reason: z.string(),
    size: count.nullable(),
    sha256: z.string().nullable(),
    targets: z.array(verdict),
  }),
)

export const parkedAnswer: z.ZodType<readonly ParkedLine[]> = z.array(parkedLine)

export const pageAnswer: z.ZodType<PageAccess> = z.object({
  address: z.string().nullable(),
  reason: z.string().nullable(),
  token: z.string(),
})

export const historyAnswer: z.ZodType<readonly HistoryLine[]> = z.array(
  z.object({
    at: z.string(),
    source: z.string().nullable(),
    path: z.string().nullable(),
    target: z.string().nullable(),
    event: z.string(),
    detail: z.string(),
  }),
)

export const wishBody: z.ZodType<Wish> = z.strictObject({
  from: z.string().max(pathLengthMax),
  source: z.string().max(pathLengthMax).nullable().default(null),
  glob: z.string().max(pathLengthMax).nullable().default(null),
  withRemoved: z.boolean().default(false),
  isBare: z.boolean().default(false),
})

const nanoseconds = z
  .string()
  .regex(/^-?\d{1,20}$/)
  .transform(BigInt)
/** A place below a target's root. */
const place = z.string().transform((text, context) => {
  try {
    return remotePath(text)
  } catch {
    context.issues.push({ code: 'custom', message: 'expected a path below a root', input: text })
    return z.NEVER
  }
})

const copyAt: z.ZodType<CopyAt> = z.object({
  target: z.string(),
  entry: z
    .object({
      path: place,
      remoteId: z.string(),
      revision: z.string(),
      size: count,
      mtimeNs: nanoseconds,
      sha256: z.string().nullable(),
    })
    .transform(({ sha256, ...entry }) => ({ ...entry, sha256: sha256 ?? undefined, contentHash: undefined })),
})

export const copyBody = z.strictObject({ copy: copyAt, start: z.int().min(0) })

const wanted: z.ZodType<Wanted> = z.object({
  source: z.string().nullable(),
  path: z.string(),
  size: count,
  mtimeNs: nanoseconds,
  sha256: z.string().nullable(),
  copies: z.array(copyAt),
})

export const restorableItem: z.ZodType<Restorable> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('begin'), isBare: z.boolean(), targets: z.array(z.string()), files: count.nullable() }),
  z.object({ kind: z.literal('file'), file: wanted }),
  z.object({ kind: z.literal('unlisted'), target: z.string(), reason: z.string() }),
])

/** As JSON has it: whole numbers beyond its own are texts. */
export function copyJson({ target, entry }: CopyAt): unknown {
  return { target, entry: { ...entry, sha256: entry.sha256 ?? null, mtimeNs: String(entry.mtimeNs) } }
}

export function restorableJson(item: Restorable): unknown {
  if (item.kind !== 'file') return item
  const { mtimeNs, copies, ...file } = item.file
  return { kind: item.kind, file: { ...file, mtimeNs: String(mtimeNs), copies: copies.map(copyJson) } }
}

export const helloAnswer = z.object({ api: z.string() })
export const errorAnswer = z.object({ error: z.string() })

/** A path in a query string: its bytes, each percent-encoded unless harmless, so that names that are no UTF-8 cross unharmed (F17). */
export function encodeQueryPath(path: string): string {
  let text = ''
  for (const byte of encodeName(path)) {
    const character = String.fromCharCode(byte)
    text += /[A-Za-z0-9/._-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`
  }
  return text
}

/** The values of a raw query string, percent-decoded to bytes and read as names. "+" stands for itself. */
export function decodeQuery(query: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const part of query === '' ? [] : query.split('&')) {
    const equals = part.indexOf('=')
    const key = equals < 0 ? part : part.slice(0, equals)
    values.set(decodePercent(key), equals < 0 ? '' : decodePercent(part.slice(equals + 1)))
  }
  return values
}

function decodePercent(text: string): string {
  const latin1 = Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return decodeName(Buffer.from(latin1, 'latin1'))
}
