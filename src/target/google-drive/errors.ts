/** What each answer of Google Drive means for the lane: one table, no other file decides. */
import { type AnswerRule, type AnswerTable, refusalError } from '../answer-table.ts'
import { type Next, TargetError } from '../target.ts'

const retry: Next = { kind: 'retry' }
const park: Next = { kind: 'park' }
const full: Next = { kind: 'pause-target', state: 'full' }
const needsLogin: Next = { kind: 'pause-target', state: 'needs-login' }
const paused: Next = { kind: 'pause-target', state: 'paused' }

/** A cap of a day ends within it, nobody knows when: looked at again now and then. Unit: ms. */
const dayCapMs = 3_600_000

const again = 'it is tried again'
const alone = 'it goes on by itself'
const retryCommand = 'then run "fanfold retry"'
const dayCap = `so much goes in a day and no more; ${alone}`
const tooFew = 'the login may too little: run "{login}" and allow all it asks for'

/** `{login}` is the command that ends a login's trouble. Source: Drive, "Resolve errors"; reports named in the words of each. */
export const answers: AnswerTable = new Map<string, AnswerRule>([
  ['400', { next: park, step: `this is a mistake of Fanfold: report it, ${retryCommand}` }],
  ['401', { next: needsLogin, step: 'the login ended: run "{login}"' }],
  ['403', { next: paused, step: 'the account or its plan does not allow this: see its rights at Google Drive' }],
  ['403 userRateLimitExceeded', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  ['403 rateLimitExceeded', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  ['403 sharingRateLimitExceeded', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  // Our word for it: Google has the reason of a rate, which would be tried again for hours.
  ['403 uploadCap', { next: { kind: 'wait', waitMs: dayCapMs }, step: dayCap }],
  ['403 dailyLimitExceeded', { next: { kind: 'wait', waitMs: dayCapMs }, step: dayCap }],
  ['403 quotaExceeded', { next: { kind: 'wait', waitMs: dayCapMs }, step: dayCap }],
  ['403 downloadQuotaExceeded', { next: { kind: 'wait', waitMs: dayCapMs }, step: dayCap }],
  [
    '403 storageQuotaExceeded',
    { next: full, step: `free space there or buy more (a service account has none of its own); ${alone}` },
  ],
  [
    '403 activeItemCreationLimitExceeded',
    { next: full, step: `the account has too many items; ${alone} when some go` },
  ],
  [
    '403 teamDriveFileLimitExceeded',
    { next: full, step: `the shared drive has too many items; ${alone} when some go` },
  ],
  [
    '403 numChildrenInNonRootLimitExceeded',
    { next: park, step: `the folder holds too many: spread its files over more folders, ${retryCommand}` },
  ],
  [
    '403 myDriveHierarchyDepthLimitExceeded',
    { next: park, step: `the folders are too deep: move them up at their source, ${retryCommand}` },
  ],
  ['403 insufficientFilePermissions', { next: paused, step: 'the account may not write there: see its rights' }],
  [
    '403 appNotAuthorizedToFile',
    { next: paused, step: 'it was made by another program: give the target its own folder' },
  ],
  ['403 insufficientPermissions', { next: needsLogin, step: tooFew }],
  ['403 ACCESS_TOKEN_SCOPE_INSUFFICIENT', { next: needsLogin, step: tooFew }],
  [
    '403 accessNotConfigured',
    { next: paused, step: 'switch on the Google Drive API in the project of your client-id' },
  ],
  ['403 domainPolicy', { next: paused, step: 'the administrators of the domain do not allow it: ask them' }],
  ['403 cannotDownloadAbusiveFile', { next: park, step: 'Google takes it for malware and gives it to nobody' }],
  ['404', { next: retry, step: again }],
  ['408', { next: retry, step: again }],
  ['409', { next: retry, step: again }],
  ['410', { next: retry, step: again }],
  ['412', { next: retry, step: again }],
  ['413', { next: park, step: `Google takes no file so large: select smaller files, ${retryCommand}` }],
  ['416', { next: retry, step: again }],
  ['429', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  ['5xx', { next: retry, step: again }],
])

/** An answer of Google that is no success, for those who can do something about it. */
export class Refused extends TargetError {
  readonly status: number
  readonly words: readonly string[]

  constructor(next: Next, message: string, said: Pick<Refused, 'status' | 'words'>) {
    super(next, message)
    this.status = said.status
    this.words = said.words
  }

  says(word: string): boolean {
    return this.words.includes(word)
  }
}

export interface Answered {
  readonly what: string
  readonly account: string
  readonly status: number
  /** As parsed; text where it was no JSON: upload servers and front ends have none. */
  readonly body: unknown
  readonly retryAfterMs: number | undefined
  /** Of a call that brings content. */
  readonly isUpload: boolean
}

export function refused({ what, account, status, body, retryAfterMs, isUpload }: Answered): Refused {
  const words = wordsOf(body, isUpload)
  const { next, message } = refusalError(answers, { what, status, words, retryAfterMs })
  return new Refused(next, message.replaceAll('{login}', `fanfold login ${account}`), { status, words })
}

/** Whether an answer that only its reason shows to be one asks for a slower pace. Others are known to the transport by their status. */
export function isRate({ status, words }: Pick<Refused, 'status' | 'words'>): boolean {
  return (
    status === 403 &&
    words.some((word) => /^(userR|r|sharingR)ateLimitExceeded$/.test(word)) &&
    !words.includes('uploadCap')
  )
}

/** Reasons, old and new form. */
function wordsOf(body: unknown, isUpload: boolean): string[] {
  const error = record(record(body)['error'])
  const [errors, details] = [listOf(error['errors']), listOf(error['details'])]
  const words = [...errors, ...details].map((one) => record(one)['reason']).filter((word) => typeof word === 'string')
  // The 750 GB of a day have the reason of a rate and its words with a dot. Source: rclone #3857.
  const isCap = isUpload && words.includes('userRateLimitExceeded') && error['message'] === 'User rate limit exceeded.'
  return isCap ? ['uploadCap', ...words] : words
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
