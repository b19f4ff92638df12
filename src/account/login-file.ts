/**
 * Where one login lies: a file that only its owner may read, always whole, whatever is killed when; sealed where there is a key. A lock keeps
 * two processes from renewing it at once. Asks no cloud anything.
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open, rename, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { errnoOf, OwnerError } from '../base/errors.ts'
import { tryLock } from '../base/libc.ts'
import { isSealed, type Seal } from './seal.ts'

const text = z.string().min(1).optional()
const time = z.number().optional()

const stored = z.object({
  /** Not there for a service, which needs none, and after a logout. */
  refreshToken: text,
  /** The one before, until the one above has worked (F76). */
  previousRefreshToken: text,
  accessToken: text,
  /** By this machine's clock, as all times here. Unit: ms since 1970. */
  expiresAtMs: time,
  /** A token that is good once was sent, and no answer is kept yet. */
  isRenewing: z.boolean().optional(),
  /** When its owner consented. */
  madeAtMs: time,
  renewedAtMs: time,
  /** The end that the cloud told. */
  endsAtMs: time,
  scope: z.string().optional(),
  user: z.object({ id: z.string(), name: z.string() }).optional(),
  /** Of the credential it was taken from, so that it is taken once. */
  seed: text,
})

export type StoredLogin = Readonly<z.output<typeof stored>>

export interface LoginPlace {
  /** Absolute; inside the state folder, whose owner is ours. */
  readonly folder: string
  readonly account: string
  readonly seal: () => Promise<Seal | undefined>
}

const folderMode = 0o700
const fileMode = 0o600
/** What group and others may do with it: nothing. */
const strangersMode = 0o077
/** A login is a few KiB. Unit: bytes. */
const fileBytesMax = 65_536
/** Between two tries for a lock that another process holds. Unit: ms. */
const lockAgainMs = 50
/** A renewal takes seconds; whoever holds the lock longer hangs. Unit: ms. */
const lockMsMax = 120_000

export class LoginFile {
  readonly path: string
  readonly #place: LoginPlace

  constructor(place: LoginPlace) {
    this.#place = place
    this.path = join(place.folder, `${place.account}.json`)
  }

  /** undefined where there is none. @throws OwnerError for one that cannot be read, or that others can. */
  async read(): Promise<StoredLogin | undefined> {
    const { folder, account, seal } = this.#place
    const found = await this.#text()
    if (found === undefined) return undefined
    await this.#refuseOpen(folder, 'folder')
    const key = isSealed(found) ? await seal() : undefined
    if (isSealed(found) && key === undefined)
      throw new OwnerError(
        `${this.path} is sealed, and its key is not here; only the service has it: start that, and let it do this`,
      )
    try {
      return stored.parse(JSON.parse(key === undefined ? found : key.open(found, account)))
    } catch {
      // Not its own words: they may hold a piece of the file.
      const why = key === undefined ? 'it is no login' : 'it was sealed with another key'
      throw new OwnerError(`${this.path} cannot be read (${why}); remove it and log in again`)
    }
  }

  /** Resolves once a crash cannot lose it. */
  async write(login: StoredLogin): Promise<void> {
    const { folder, account, seal } = this.#place
    await this.#makeFolder()
    const plain = JSON.stringify(login)
    const key = await seal()
    const temporary = `${this.path}.new`
    await this.#synced(temporary, (file) => file.writeFile(key === undefined ? plain : key.close(plain, account)))
    await rename(temporary, this.path)
    const opened = await open(folder, 'r')
    try {
      await opened.sync()
    } finally {
      await opened.close()
    }
  }

  /** Whether what lies there is sealed; undefined where nothing does. */
  async isSealed(): Promise<boolean | undefined> {
    const found = await this.#text()
    return found === undefined ? undefined : isSealed(found)
  }

  /** Runs `work` while no other process does. @throws OwnerError when another one hangs. */
  async locked<T>(work: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
    await this.#makeFolder()
    const path = join(this.#place.folder, `${this.#place.account}.lock`)
    const file = await open(path, 'a', fileMode)
    try {
      await this.#giveToOwner(file)
      for (let waitedMs = 0; !tryLock(file.fd); waitedMs += lockAgainMs) {
        if (waitedMs >= lockMsMax) throw new OwnerError(`${path} is held by another process for too long; end that one`)
        await clock.sleep(lockAgainMs, signal)
      }
      return await work()
    } finally {
      await file.close()
    }
  }

  async #text(): Promise<string | undefined> {
    let file: FileHandle
    try {
      // A link could lead anywhere.
      file = await open(this.path, constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return undefined
      const step = await this.#step('file')
      throw new OwnerError(`${this.path} cannot be read (${errnoOf(thrown) ?? 'unknown'}); ${step}`)
    }
    try {
      const { mode, uid, size } = await file.stat()
      await this.#refuse(this.path, 'file', { mode, uid })
      if (size > fileBytesMax)
        throw new OwnerError(`${this.path} is no login (${size} bytes); remove it and log in again`)
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  }

  async #refuseOpen(path: string, what: 'folder' | 'file'): Promise<void> {
    const { mode, uid } = await lstat(path)
    await this.#refuse(path, what, { mode, uid })
  }

  async #refuse(path: string, what: 'folder' | 'file', found: { mode: number; uid: number }): Promise<void> {
    const owner = await this.#owner()
    if (found.uid !== owner)
      throw new OwnerError(`${path} belongs to user ${found.uid}, expected ${owner}; run: sudo chown ${owner} ${path}`)
    if ((found.mode & strangersMode) === 0) return
    const mode = (found.mode & 0o777).toString(8)
    const right = what === 'folder' ? '700' : '600'
    throw new OwnerError(
      `${path} has mode ${mode}, so that others may read a login; run: chmod ${right} ${path}, and log in anew if somebody may have`,
    )
  }

  /** Whose logins are: ours, or where root looks after somebody else's, that one's. */
  async #owner(): Promise<number> {
    const self = process.geteuid?.() ?? 0
    if (self !== 0) return self
    const state = await lstat(dirname(this.#place.folder)).catch(() => undefined)
    return state?.uid ?? self
  }

  async #step(what: 'file'): Promise<string> {
    const owner = await this.#owner()
    return `a login is a ${what} of user ${owner} alone: let that user do this (sudo -u), or move it away and log in again`
  }

  async #makeFolder(): Promise<void> {
    const { folder } = this.#place
    try {
      const made = await mkdir(folder, { recursive: true, mode: folderMode })
      if (made === undefined) {
        await this.#refuseOpen(folder, 'folder')
        return
      }
      const file = await open(folder, 'r')
      try {
        await this.#giveToOwner(file)
      } finally {
        await file.close()
      }
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EACCES') throw thrown
      throw new OwnerError(`${folder} cannot be made (EACCES); ${await this.#step('file')}`, { cause: thrown })
    }
  }

  async #giveToOwner(file: FileHandle): Promise<void> {
    const owner = await this.#owner()
    if (owner === process.geteuid?.()) return
    const { gid } = await lstat(dirname(this.#place.folder))
    await file.chown(owner, gid)
  }

  async #synced(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
    const file = await open(path, 'w', fileMode)
    try {
      await this.#giveToOwner(file)
      await work(file)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}
