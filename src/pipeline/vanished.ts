/**
 * Whether a file that the journal believes in its place is gone from there: a hint of what its source will say in a moment, never a reason to conclude
 * anything. One look at a time into each source, so that one whose storage does not answer holds up one thread of this process and nobody for long.
 */
import { lstat } from 'node:fs/promises'
import { orAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fsPath, type SourcePath } from '../base/path.ts'

/** A look that takes longer is no help to anybody. Unit: ms. */
const lookMsMax = 1_000

export class Vanished {
  readonly #rootOf: (source: string) => string
  readonly #clock: Clock
  /** The last look into each source. */
  readonly #last = new Map<string, Promise<boolean>>()
  /** Sources that owe an answer for too long: nothing is asked there before it comes. */
  readonly #silent = new Set<string>()

  /** @param rootOf absolute folder of a source. */
  constructor(rootOf: (source: string) => string, clock: Clock) {
    this.#rootOf = rootOf
    this.#clock = clock
  }

  /** Is the file certainly not there now, although its source is? An abort ends the wait, not the look. */
  isGone(source: string, path: SourcePath, signal: AbortSignal): Promise<boolean> {
    if (this.#silent.has(source)) return Promise.resolve(false)
    return orAbort(this.#asked(source, path), signal)
  }

  #asked(source: string, path: SourcePath): Promise<boolean> {
    const look = (this.#last.get(source) ?? Promise.resolve(false)).then(() => this.#look(source, path))
    this.#last.set(source, look)
    return new Promise((resolve) => {
      const timer = this.#clock.after(lookMsMax, () => {
        this.#silent.add(source)
        resolve(false)
      })
      // `look` never rejects.
      look.then(
        (isGone) => {
          timer.clear()
          this.#silent.delete(source)
          if (this.#last.get(source) === look) this.#last.delete(source)
          resolve(isGone)
        },
        () => {},
      )
    })
  }

  async #look(source: string, path: SourcePath): Promise<boolean> {
    const root = this.#rootOf(source)
    return (await isThere(root)) === true && (await isThere(`${root}/${path}`)) === false
  }
}

/** Undefined where that cannot be told. */
async function isThere(path: string): Promise<boolean | undefined> {
  try {
    await lstat(fsPath(path))
    return true
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
    return code === 'ENOENT' || code === 'ENOTDIR' ? false : undefined
  }
}
