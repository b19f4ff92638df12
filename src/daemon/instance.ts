/**
 * Who this Fanfold is to those who share a target with it (F81): a name made once and kept beside the journal, so that a rebuilt journal
 * is no other Fanfold; and which targets its owner lets it take over.
 */
import { createHash, randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { errnoOf } from '../base/errors.ts'
import type { Claimant } from '../target/catalogue.ts'

const shape = z.object({ instance: z.string().min(1), takeOver: z.array(z.string()) })
type Kept = z.infer<typeof shape>

export class Instance {
  readonly #folder: string
  readonly #host: string
  readonly #seat: string
  #kept: Kept

  /** The state directory's lock is held. @throws ENOSPC where there is none yet, and no room for it. */
  constructor(folder: string, host: string) {
    this.#folder = folder
    this.#host = host
    this.#seat = createHash('sha256')
      .update(`${machineId()}\0${realpathSync(folder)}`)
      .digest('hex')
      .slice(0, 32)
    const kept = this.#read()
    this.#kept = kept ?? { instance: randomUUID(), takeOver: [] }
    if (kept === undefined) this.#write(this.#kept)
  }

  /** The next time that these targets are opened, they belong to this one, whoever had them. */
  takeOver(targets: readonly string[]): void {
    this.#write({ ...this.#kept, takeOver: [...new Set([...this.#kept.takeOver, ...targets])] })
  }

  claimantOf(target: string): Claimant {
    return {
      instance: this.#kept.instance,
      seat: this.#seat,
      host: this.#host,
      mayTakeOver: () => this.#kept.takeOver.includes(target),
      tookOver: () => this.#write({ ...this.#kept, takeOver: this.#kept.takeOver.filter((name) => name !== target) }),
    }
  }

  get #file(): string {
    return join(this.#folder, 'instance.json')
  }

  /** One that cannot be read is made anew: by its seat the targets know this one all the same. */
  #read(): Kept | undefined {
    try {
      return shape.parse(JSON.parse(readFileSync(this.#file, 'utf8')))
    } catch (thrown) {
      const errno = errnoOf(thrown)
      if (errno !== undefined && errno !== 'ENOENT') throw thrown
      return undefined
    }
  }

  #write(kept: Kept): void {
    const temporary = `${this.#file}.new`
    const fd = openSync(temporary, 'w', 0o600)
    try {
      writeSync(fd, JSON.stringify(kept))
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, this.#file)
    this.#kept = kept
  }
}

/** Source: machine-id(5). */
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim()
  } catch {
    // Not every container has one.
    return hostname()
  }
}
