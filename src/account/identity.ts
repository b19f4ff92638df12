/** Who a login is: one call of the cloud's API with an access token, which proves that the token is good. Keeps nothing. */
import { z } from 'zod'
import type { AccountConfig, CloudKind } from '../config/config.ts'
import type { Answer, Call } from '../target/transport/transport.ts'
import { accountError, needsLogin } from './refusal.ts'
import type { Caller } from './token-call.ts'

export interface User {
  /** The cloud's own, which never changes. */
  readonly id: string
  /** As its owner knows it. */
  readonly name: string
}

interface Question {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly parse: (value: unknown) => User
}

const dropboxUser = z.object({ account_id: z.string(), email: z.string() })
const googleAbout = z.object({
  user: z.object({ permissionId: z.string(), emailAddress: z.string().optional(), displayName: z.string().optional() }),
})
const boxUser = z.object({ id: z.string(), login: z.string().optional(), name: z.string().optional() })
const identity = z.object({
  user: z.object({ displayName: z.string().optional(), id: z.string().optional() }).optional(),
})
const drive = z.object({ id: z.string(), owner: identity.optional() })
const appFolder = z.object({
  parentReference: z.object({ driveId: z.string() }),
  createdBy: identity.optional(),
})

const questions: Readonly<Record<CloudKind, Question>> = {
  dropbox: {
    method: 'POST',
    url: 'https://api.dropboxapi.com/2/users/get_current_account',
    parse: (value) => {
      const { account_id: id, email: name } = dropboxUser.parse(value)
      return { id, name }
    },
  },
  'google-drive': {
    method: 'GET',
    url: 'https://www.googleapis.com/drive/v3/about?fields=user(permissionId,emailAddress,displayName)',
    parse: (value) => {
      const { permissionId: id, emailAddress, displayName } = googleAbout.parse(value).user
      return { id, name: emailAddress ?? displayName ?? id }
    },
  },
  box: {
    method: 'GET',
    url: 'https://api.box.com/2.0/users/me?fields=id,login,name',
    parse: (value) => {
      const { id, login, name } = boxUser.parse(value)
      return { id, name: login ?? name ?? id }
    },
  },
  onedrive: {
    method: 'GET',
    url: 'https://graph.microsoft.com/v1.0/me/drive',
    parse: (value) => {
      const { id, owner } = drive.parse(value)
      // Personal accounts spell one drive's id in small and in large letters.
      return { id: id.toLowerCase(), name: owner?.user?.displayName ?? id }
    },
  },
}

/** A login that may see its own folder only may not ask for the drive around it. */
const ownFolder: Question = {
  method: 'GET',
  url: 'https://graph.microsoft.com/v1.0/me/drive/special/approot',
  parse: (value) => {
    const { parentReference, createdBy } = appFolder.parse(value)
    return { id: parentReference.driveId.toLowerCase(), name: createdBy?.user?.displayName ?? parentReference.driveId }
  },
}

/** undefined for an app of its own at Microsoft, which is no user. @throws TargetError */
export async function userOf(
  config: AccountConfig,
  accessToken: string,
  call: Caller,
  signal: AbortSignal,
): Promise<User | undefined> {
  const { kind, service, access } = config
  if (kind === 'onedrive' && service !== undefined) return undefined
  const question = kind === 'onedrive' && (access ?? 'least') === 'least' ? ownFolder : questions[kind]
  const answer = await call(callOf(question, accessToken), signal)
  if (answer.status === 200 && answer.content.kind === 'json') return parsed(config, question, answer.content.value)
  throw refusedOf(config, answer)
}

function callOf({ method, url }: Question, accessToken: string): Call {
  return { method, url, headers: { authorization: `Bearer ${accessToken}` }, expect: 'json' }
}

function parsed(config: AccountConfig, question: Question, value: unknown): User {
  try {
    return question.parse(value)
  } catch (cause) {
    const next = { kind: 'retry' } as const
    throw Object.assign(accountError(config, next, 'the cloud does not say whose login it is; try again'), { cause })
  }
}

function refusedOf(config: AccountConfig, { status, retryAfterMs }: Answer): Error {
  const said = `the cloud refuses to say whose login it is (${status})`
  if (status === 401) return needsLogin(config, `${said}; run "fanfold login ${config.name}"`)
  if (status === 403) return needsLogin(config, `${said}; run "fanfold login ${config.name}" and allow all it asks for`)
  const waits = retryAfterMs === undefined ? {} : { againInMs: retryAfterMs }
  return accountError(config, { kind: 'pause-target', state: 'paused', ...waits }, `${said}; try again later`)
}
