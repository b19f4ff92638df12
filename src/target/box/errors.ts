/** What each answer of Box means for the lane: one table, no other file decides. */
import { type AnswerRule, type AnswerTable, refusalError } from '../answer-table.ts'
import { type Next, TargetError } from '../target.ts'

const retry: Next = { kind: 'retry' }
const park: Next = { kind: 'park' }
const restart: Next = { kind: 'restart-session' }
const full: Next = { kind: 'pause-target', state: 'full' }
const needsLogin: Next = { kind: 'pause-target', state: 'needs-login' }
const paused: Next = { kind: 'pause-target', state: 'paused' }

const again = 'it is tried again'
const alone = 'it goes on by itself'
const retryCommand = 'then run "fanfold retry"'
const report: AnswerRule = { next: park, step: `this is a mistake of Fanfold: report it, ${retryCommand}` }
const rights: AnswerRule = {
  next: park,
  step: `the account may not do this there: see its rights at Box, ${retryCommand}`,
}
const name: AnswerRule = {
  next: park,
  step: `Box refuses the name: rename the file at its source, ${retryCommand}`,
}
const tooLarge: AnswerRule = {
  next: park,
  step: `the account's plan takes no file so large: select smaller files, ${retryCommand}`,
}
const sessionOver: AnswerRule = { next: restart, step: 'the upload began too long ago and is begun anew' }

/** `{login}` is the command that ends a login's trouble. Source: Box, "Common errors" and the OpenAPI description; what rclone and Box's web client met. */
export const answers: AnswerTable = new Map<string, AnswerRule>([
  ['400', report],
  ['400 bad_digest', { next: retry, step: 'the bytes were damaged on their way; it is sent again' }],
  ['400 digest_mismatch', { next: restart, step: 'what arrived is not what was sent; it is sent again' }],
  ['400 parts_mismatch', { next: retry, step: 'Box does not see all parts yet; it is tried again' }],
  ['400 item_name_invalid', name],
  ['400 item_name_too_long', name],
  ['400 invalid_upload_session_id', sessionOver],
  [
    '400 terms_of_service_required',
    { next: paused, step: 'Box wants its terms accepted: log in at box.com and do so' },
  ],
  ['401', { next: needsLogin, step: 'the login ended: run "{login}"' }],
  ['403', rights],
  ['403 storage_limit_exceeded', { next: full, step: `empty the trash there, free space or buy more; ${alone}` }],
  ['403 file_size_limit_exceeded', tooLarge],
  [
    '403 insufficient_scope',
    { next: needsLogin, step: 'the login may too little: give the app the right to write, run "{login}"' },
  ],
  ['404', { next: retry, step: again }],
  ['405', rights],
  ['408', { next: retry, step: again }],
  ['409', { next: retry, step: again }],
  ['409 item_name_in_use', { next: retry, step: 'somebody else writes there; it is tried again' }],
  ['409 name_temporarily_reserved', { next: retry, step: 'somebody else uploads to this name; it is tried again' }],
  [
    '409 operation_blocked_temporary',
    { next: retry, step: 'Box still moves or removes that folder; it is tried again' },
  ],
  ['410', sessionOver],
  ['412', { next: retry, step: 'somebody changed it meanwhile; it is looked at again' }],
  ['413', tooLarge],
  ['416', { next: retry, step: 'it goes on where Box is' }],
  ['429', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  ['5xx', { next: retry, step: again }],
])

/** An answer of Box that is no success, with its word and its context for those who can do something about it. */
export class Refused extends TargetError {
  readonly status: number
  readonly code: string | undefined
  /** `context_info`. */
  readonly context: Readonly<Record<string, unknown>>

  constructor(next: Next, message: string, said: Pick<Refused, 'status' | 'code' | 'context'>) {
    super(next, message)
    this.status = said.status
    this.code = said.code
    this.context = said.context
  }
}

export interface Answered {
  readonly what: string
  readonly account: string
  readonly status: number
  /** As parsed; text where it was no JSON. */
  readonly body: unknown
  readonly retryAfterMs: number | undefined
}

export function refused({ what, account, status, body, retryAfterMs }: Answered): Refused {
  const { code: word, context_info: context } = record(body)
  const code = typeof word === 'string' ? word : undefined
  const words = code === undefined ? [] : [code]
  const { next, message } = refusalError(answers, { what, status, words, retryAfterMs })
  const told = message.replaceAll('{login}', `fanfold login ${account}`)
  return new Refused(next, told, { status, code, context: record(context) })
}

/** Whether what was asked for is gone, or was never there. */
export function isGone(thrown: unknown): thrown is Refused {
  return thrown instanceof Refused && thrown.status === 404
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
