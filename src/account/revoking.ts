/** Takes a login back at the cloud, as far as that has a way to. Keeps nothing and forgets nothing. */
import { asError } from '../base/errors.ts'
import type { AccountConfig } from '../config/config.ts'
import type { Call } from '../target/transport/transport.ts'
import { cloudLogin } from './cloud-login.ts'
import type { StoredLogin } from './login-file.ts'
import { formCall, type Caller } from './token-call.ts'

export interface RevokingParts {
  readonly config: AccountConfig
  readonly call: Caller
  readonly secret: string | undefined
}

/** @returns what its owner has to do at the cloud himself, in words; undefined where nothing is left */
export async function revoked(
  { config, call, secret }: RevokingParts,
  login: Pick<StoredLogin, 'refreshToken' | 'accessToken'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { revoke, title } = cloudLogin(config)
  if ('at' in revoke) return `${title} has no way for a program to take a login back; do it at ${revoke.at}`
  const token = revoke.how === 'form' ? (login.refreshToken ?? login.accessToken) : login.accessToken
  if (token === undefined) return undefined
  const question: Call =
    revoke.how === 'bearer'
      ? { method: 'POST', url: revoke.url, headers: { authorization: `Bearer ${token}` }, expect: 'any' }
      : formCall(revoke.url, {
          token,
          client_id: config.clientId,
          ...(secret === undefined ? {} : { client_secret: secret }),
        })
  const step = `take it back at ${title} yourself, where connected apps are listed`
  try {
    const { status, content } = await call({ ...question, expect: 'any' }, signal)
    if (content.kind === 'stream') content.stream.resume()
    return status < 300 ? undefined : `${title} did not take the login back (${status}); ${step}`
  } catch (thrown) {
    return `${title} was not asked to take the login back: ${asError(thrown).message}; ${step}`
  }
}
