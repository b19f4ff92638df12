/** What each answer of Dropbox means for the lane: one table, no other file decides. */
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
const report = `this is a mistake of Fanfold: report it, ${retryCommand}`
const rights = `the account may not write there: see its rights at Dropbox, ${retryCommand}`
const wayClear = `move it away at Dropbox, ${retryCommand}`
const shared = `it is shared, or would be there: move it yourself at Dropbox, ${retryCommand}`
const name = `Dropbox refuses the name: rename the file at its source, ${retryCommand}`

/** `{login}` is the command that ends a login's trouble. Source: the Stone description, files and auth. */
export const answers: AnswerTable = new Map<string, AnswerRule>([
  ['400', { next: park, step: report }],
  ['401', { next: needsLogin, step: 'the login ended: run "{login}"' }],
  [
    '401 missing_scope',
    { next: needsLogin, step: 'the login may too little: run "{login}" and allow all it asks for' },
  ],
  ['401 user_suspended', { next: paused, step: 'the account is suspended: ask Dropbox' }],
  ['403', { next: paused, step: 'the account or its plan does not allow this: see its rights at Dropbox' }],
  ['408', { next: retry, step: again }],
  ['422', { next: retry, step: again }],
  ['429', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  ['5xx', { next: retry, step: again }],
  ['409 too_many_write_operations', { next: { kind: 'wait', waitMs: 1000 }, step: alone }],
  ['409 insufficient_space', { next: full, step: `free space there or buy more; ${alone}` }],
  ['409 insufficient_quota', { next: full, step: `free space there or buy more; ${alone}` }],
  ['409 conflict/file', { next: retry, step: again }],
  ['409 conflict/folder', { next: park, step: `a folder of that name is in the way: ${wayClear}` }],
  ['409 conflict/file_ancestor', { next: park, step: `a file is where a folder has to be: ${wayClear}` }],
  ['409 to/conflict/file', { next: park, step: `another file is in the way: ${wayClear}` }],
  ['409 path_write/conflict/file', { next: park, step: `somebody changed it: remove it yourself, ${retryCommand}` }],
  ['409 malformed_path', { next: park, step: name }],
  ['409 disallowed_name', { next: park, step: name }],
  ['409 no_write_permission', { next: park, step: rights }],
  ['409 team_folder', { next: park, step: rights }],
  ['409 operation_suppressed', { next: park, step: rights }],
  ['409 access_restricted', { next: park, step: rights }],
  ['409 restricted_content', { next: park, step: 'Dropbox withholds it for legal reasons' }],
  ['409 unsupported_file', { next: park, step: 'Dropbox gives no bytes of its own documents' }],
  ['409 too_large', { next: park, step: `Dropbox takes no file so large: select smaller files, ${retryCommand}` }],
  ['409 payload_too_large', { next: park, step: report }],
  ['409 too_many_files', { next: park, step: report }],
  ['409 cant_move_folder_into_itself', { next: park, step: report }],
  ['409 cant_move_shared_folder', { next: park, step: shared }],
  ['409 cant_nest_shared_folder', { next: park, step: shared }],
  ['409 cant_transfer_ownership', { next: park, step: shared }],
  ['409 cant_move_into_vault', { next: park, step: shared }],
  ['409 cant_move_into_family', { next: park, step: shared }],
  ['409 content_hash_mismatch', { next: retry, step: 'the bytes were damaged on their way; it is sent again' }],
  ['409 path/not_found', { next: retry, step: again }],
  ['409 from_lookup/not_found', { next: retry, step: again }],
  ['409 not_found', { next: restart, step: 'the upload began too long ago and is begun anew' }],
  ['409 closed', { next: restart, step: 'the upload is begun anew' }],
  ['409 not_closed', { next: restart, step: 'the upload is begun anew' }],
  ['409 incorrect_offset', { next: retry, step: 'it goes on where Dropbox is' }],
  ['409 reset', { next: retry, step: 'the listing is begun anew' }],
])

/** An answer of Dropbox that is no success, with its tags for those who can do something about it. */
export class Refused extends TargetError {
  readonly words: readonly string[]
  /** The innermost of the answer: what stands beside its last tag. */
  readonly detail: Readonly<Record<string, unknown>>

  constructor(next: Next, message: string, said: Pick<Refused, 'words' | 'detail'>) {
    super(next, message)
    this.words = said.words
    this.detail = said.detail
  }

  says(word: string): boolean {
    return this.words.includes(word)
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
  const error = record(body)['error']
  const { tags, detail } = tagsOf(error)
  const words = wordsOf(tags)
  const waitMs = retryAfterMs ?? secondsIn(record(error)['retry_after'])
  const { next, message } = refusalError(answers, { what, status, words, retryAfterMs: waitMs })
  return new Refused(next, message.replaceAll('{login}', `fanfold login ${account}`), { words, detail })
}

/** Unions are nested by their tags; a struct in between keeps the rest in `reason`. */
function tagsOf(error: unknown): { tags: string[]; detail: Record<string, unknown> } {
  const tags: string[] = []
  let detail = record(error)
  // No union of this API is deeper than four.
  for (let depth = 0; depth < 8; depth++) {
    const tag = detail['.tag']
    if (typeof tag === 'string') tags.push(tag)
    const inner = (typeof tag === 'string' ? detail[tag] : undefined) ?? detail['reason']
    if (typeof inner !== 'object' || inner === null) break
    detail = record(inner)
  }
  return { tags, detail }
}

/** `a/b/c` -> all of it first, then less and less: a/b/c, b/c, c, a/b, b, a. */
function wordsOf(tags: readonly string[]): string[] {
  const ends = tags.map((_, at) => tags.length - at)
  return ends.flatMap((end) => tags.slice(0, end).map((_, start) => tags.slice(start, end).join('/')))
}

function secondsIn(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value * 1000 : undefined
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
