/** What the service manager hands over with LoadCredential=: the key of the seal, secrets of apps, first logins. Only reads (F104). */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errnoOf, OwnerError } from '../base/errors.ts'
import { Seal } from './seal.ts'

/** Less can be guessed. Unit: bytes. */
const keyBytesMin = 16
/** No secret is longer. Unit: bytes. */
const secretBytesMax = 16_384

/** A first login: its refresh token. */
export interface Seed {
  readonly refreshToken: string
  /** By what it is known again without keeping it. */
  readonly fingerprint: string
}

const seedShape = z.object({ refreshToken: z.string().min(1) })

/** The unit loads a folder as `fanfold`, and systemd puts that in front of the names in it. */
const prefix = 'fanfold_'

export class CredentialsFolder {
  readonly #folder: string | undefined
  #seal: Promise<Seal | undefined> | undefined

  /** @param folder the value of $CREDENTIALS_DIRECTORY. */
  constructor(folder: string | undefined) {
    this.#folder = folder === '' ? undefined : folder
  }

  /** The seal, where `key` is among the credentials. */
  seal(): Promise<Seal | undefined> {
    this.#seal ??= this.#readSeal()
    return this.#seal
  }

  /** The secret of an account's app, where `NAME.secret` is among them. */
  secret(account: string): Promise<string | undefined> {
    return this.#text(`${account}.secret`)
  }

  /** The first login of an account, where `NAME.login` is among them: a refresh token, or a login's JSON. */
  async seed(account: string): Promise<Seed | undefined> {
    const text = await this.#text(`${account}.login`)
    if (text === undefined || text === '') return undefined
    const refreshToken = text.startsWith('{') ? tokenIn(text, account) : text
    return { refreshToken, fingerprint: createHash('sha256').update(refreshToken).digest('hex') }
  }

  async #readSeal(): Promise<Seal | undefined> {
    const bytes = await this.#bytes('key')
    if (bytes === undefined) return undefined
    if (bytes.length >= keyBytesMin) return new Seal(bytes)
    const step = `write a longer one: head -c 32 /dev/urandom > key`
    throw new OwnerError(`the credential "key" has ${bytes.length} bytes, expected at least ${keyBytesMin}; ${step}`)
  }

  async #text(name: string): Promise<string | undefined> {
    return (await this.#bytes(name))?.toString('utf8').trim()
  }

  async #bytes(name: string): Promise<Buffer | undefined> {
    if (this.#folder === undefined) return undefined
    const path = join(this.#folder, prefix + name)
    try {
      return (await readFile(path)).subarray(0, secretBytesMax)
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return undefined
      throw new OwnerError(`the credential ${path} cannot be read (${errnoOf(thrown) ?? 'unknown'}); check the unit`)
    }
  }
}

function tokenIn(text: string, account: string): string {
  try {
    return seedShape.parse(JSON.parse(text)).refreshToken
  } catch {
    // Not its own words: they may hold a piece of the secret.
    throw new OwnerError(
      `the credential "${account}.login" is no login; expected a refresh token, or {"refreshToken": …}`,
    )
  }
}
