/** What each answer of OneDrive means for the lane: one table, no other file decides. */
import { z } from 'zod'
import { type AnswerRule, type AnswerTable, refusalError } from '../answer-table.ts'
import { type Next, TargetError } from '../target.ts'

const retry: Next = { kind: 'retry' }
const park: Next = { kind: 'park' }
const restart: Next = { kind: 'restart-session' }
const full: Next = { kind: 'pause-target', state: 'full' }
const readOnly: Next = { kind: 'pause-target', state: 'read-only' }
const needsLogin: Next = { kind: 'pause-target', state: 'needs-login' }
const paused: Next = { kind: 'pause-target', state: 'paused' }

const again = 'it is tried again'
const alone = 'it goes on by itself'
const retryCommand = 'then run "fanfold retry"'
const report = `this is a mistake of Fanfold: report it, ${retryCommand}`
const name = `OneDrive refuses the name: rename the file at its source, ${retryCommand}`
const wayClear = `something of that name is in the way: move it away at OneDrive, ${retryCommand}`
const anew = 'the upload is begun anew'

/**
 * `{login}` is the command that ends a login's trouble. Words are the codes of an answer, the innermost first. Before them stands `url` or
 * `session` where the address carried its own right: its 401 says nothing of the login, its 404 nothing of a folder. Source: "Error responses" of the OneDrive API, and reports of other clients.
 */
export const answers: AnswerTable = new Map<string, AnswerRule>([
  ['400', { next: park, step: report }],
  [
    '* pathIsTooLong',
    { next: park, step: `the path is too long for OneDrive: shorten the names of its folders, ${retryCommand}` },
  ],
  ['* invalidPath', { next: park, step: name }],
  ['400 invalidRequest', { next: park, step: `${name}; if the name is an ordinary one, report it` }],
  ['* pagingToken', { next: retry, step: 'the listing is begun anew' }],
  ['401 url', { next: restart, step: `the right to go on ended; ${anew}` }],
  ['403 url', { next: restart, step: `the right to go on ended; ${anew}` }],
  ['401 rps', { next: retry, step: again }],
  ['401', { next: needsLogin, step: 'the login ended: run "{login}"' }],
  ['403', { next: park, step: `the login may not write there: see its rights at OneDrive, ${retryCommand}` }],
  ['* serviceReadOnly', { next: readOnly, step: `OneDrive takes no changes now; ${alone}` }],
  [
    '* notAllowed',
    { next: readOnly, step: `the owner or a rule of the organisation allows no changes there; ${alone}` },
  ],
  ['* malwareDetected', { next: park, step: 'OneDrive takes it for malware and gives no bytes of it' }],
  ['404', { next: retry, step: again }],
  ['404 session', { next: retry, step: anew }],
  ['408', { next: retry, step: again }],
  ['409', { next: retry, step: again }],
  [
    '409 uploadOpen',
    { next: retry, step: 'an upload of that name is open there and ends by itself within a quarter of an hour' },
  ],
  ['409 nameAlreadyExists', { next: park, step: wayClear }],
  ['410', { next: retry, step: 'the listing is begun anew' }],
  ['411', { next: park, step: report }],
  ['412', { next: park, step: `somebody changed it: remove it yourself, ${retryCommand}` }],
  ['413', { next: park, step: report }],
  [
    '* maxFileSizeExceeded',
    { next: park, step: `OneDrive takes no file so large: select smaller files, ${retryCommand}` },
  ],
  ['416', { next: retry, step: 'it goes on where OneDrive is' }],
  ['423', { next: retry, step: `somebody has it open or checked out; ${again}` }],
  ['429', { next: { kind: 'wait', waitMs: 5000 }, step: alone }],
  ['503', { next: { kind: 'wait', waitMs: 5000 }, step: alone }],
  ['509', { next: { kind: 'wait', waitMs: 60_000 }, step: alone }],
  ['5xx', { next: retry, step: again }],
  ['507', { next: full, step: `free space there (its recycle bin and old versions count too) or buy more; ${alone}` }],
  ['* quotaLimitReached', { next: full, step: `free space there or buy more; ${alone}` }],
  ['* provisioningNotAllowed', { next: paused, step: 'the account has no OneDrive: sign in at onedrive.com once' }],
])

/** An answer of OneDrive that is no success, with its codes for those who can do something about it. */
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

export function isRefused(thrown: unknown, ...statuses: readonly number[]): thrown is Refused {
  return thrown instanceof Refused && statuses.includes(thrown.status)
}

export interface Answered {
  readonly what: string
  readonly account: string
  readonly status: number
  /** As parsed; text where it was no JSON. */
  readonly body: unknown
  readonly retryAfterMs: number | undefined
  /** The address carried its own right. */
  readonly isUrl?: boolean
}

export function refused({ what, account, status, body, retryAfterMs, isUrl = false }: Answered): Refused {
  const ofUrl = isUrl ? wordsOfUrl.get(status) : undefined
  const words = [...(ofUrl === undefined ? [] : [ofUrl]), ...wordsOf(body)]
  const { next, message } = refusalError(answers, { what, status, words, retryAfterMs })
  return new Refused(next, message.replaceAll('{login}', `fanfold login ${account}`), { status, words })
}

const wordsOfUrl: ReadonlyMap<number, string> = new Map([
  [401, 'url'],
  [403, 'url'],
  [404, 'session'],
])

interface Fault {
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly innerError?: Fault | undefined
  readonly innererror?: Fault | undefined
}

/** Both spellings of what is inside occur. */
const faultShape: z.ZodType<Fault> = z.lazy(() =>
  z.looseObject({
    code: z.string().optional(),
    message: z.string().optional(),
    innerError: faultShape.optional(),
    innererror: faultShape.optional(),
  }),
)
const bodyShape = z.looseObject({ error: faultShape })

/** What only the text tells. */
const tellingTexts: readonly (readonly [RegExp, string])[] = [
  [/invalid paging token/i, 'pagingToken'],
  [/unable to initialize rps/i, 'rps'],
  [/currently being uploaded|upload session already exists/i, 'uploadOpen'],
]
/** Nobody nests them deeper. */
const depthMax = 8

/** The innermost code first. */
function wordsOf(body: unknown): string[] {
  const words: string[] = []
  let fault: Fault | undefined = bodyShape.safeParse(body).data?.error
  for (let depth = 0; fault !== undefined && depth < depthMax; depth++) {
    const { code, message = '' } = fault
    const told = tellingTexts.filter(([text]) => text.test(message)).map(([, word]) => word)
    words.unshift(...told, ...(code === undefined ? [] : [code]))
    fault = fault.innerError ?? fault.innererror
  }
  return words
}
