/** Where one login lies: a file that only its owner may read, always whole, whatever is killed when. Asks no cloud anything. */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { errnoOf, OwnerError } from '../base/errors.ts'

const stored = z.object({
  refreshToken: z.string().min(1),
  accessToken: z.string().min(1).optional(),
  /** By this machine's clock; unit: ms. */
  expiresAtMs: z.number().optional(),
})

export interface StoredLogin {
  readonly refreshToken: string
  readonly accessToken?: string | undefined
  readonly expiresAtMs?: number | undefined
}

export class LoginFile {
  readonly #folder: string
  readonly #path: string

  constructor(folder: string, account: string) {
    this.#folder = folder
    this.#path = join(folder, `${account}.json`)
  }

  /** undefined where there is none. @throws OwnerError for one that cannot be read. */
  async read(): Promise<StoredLogin | undefined> {
    try {
      return stored.parse(JSON.parse(await readFile(this.#path, 'utf8')))
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return undefined
      // Not its own words: they may hold a piece of the file.
      const why = errnoOf(thrown) ?? 'it is no login'
      throw new OwnerError(`${this.#path} cannot be read (${why}); remove it and log in again`)
    }
  }

  /** Resolves once a crash cannot lose it. */
  async write(login: StoredLogin): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const temporary = `${this.#path}.new`
    await synced(temporary, 'w', (file) => file.writeFile(JSON.stringify(login)))
    await rename(temporary, this.#path)
    await synced(this.#folder, 'r', () => Promise.resolve())
  }
}

async function synced(
  path: string,
  flags: 'w' | 'r',
  work: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await work(file)
    await file.sync()
  } finally {
    await file.close()
  }
}
