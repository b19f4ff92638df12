/**
 * Knows whether the journal's disk takes writes, and asks it again and again while it does not. What is to be written is not its concern.
 *   open    writes are tried                              -> closed by the first one that the disk does not take
 *   closed  a small write is tried after a growing delay  -> open when it is on disk
 */
import { onAbort } from '../base/abort.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { errnoOf, FanfoldError } from '../base/errors.ts'
import { isDamage } from './soundness.ts'

/** The journal's disk takes no more bytes. Nothing is lost and nothing is half written: what failed can be tried again as it is. */
export class JournalFull extends FanfoldError {
  readonly action = 'wait'

  constructor(file: string, cause: unknown) {
    const code = errnoOf(cause) ?? 'unknown reason'
    super(
      `the state disk is full: ${file} cannot be written (${code}); free space on its file system, Fanfold then goes on by itself`,
      { cause },
    )
  }
}

/** SQLite's and the kernel's words for a disk, or a quota, without room. A page of the shared index counts: it is allocated, too. */
const fullCodes: ReadonlySet<string> = new Set([
  'SQLITE_FULL',
  'SQLITE_IOERR_WRITE',
  'SQLITE_IOERR_SHMSIZE',
  'SQLITE_IOERR_TRUNCATE',
  'ENOSPC',
  'EDQUOT',
])

export function isFull(thrown: unknown): boolean {
  const code = errnoOf(thrown)
  return thrown instanceof JournalFull || (code !== undefined && fullCodes.has(code))
}

/** First delay between two tries, doubling. Unit: ms. */
const tryFirstMs = 50
/** Longest: what an owner who freed space waits at most. Unit: ms. */
const tryLongestMs = 2_000
/** A gate that stayed open as long as this begins with the first delay again; else a disk that takes small writes only would be tried without pause. Unit: ms. */
const steadyMs = 10_000

interface WriteGateParts {
  readonly file: string
  readonly clock: Clock
  /** Writes a little, durably. */
  readonly probe: () => void
  /** A write met damage. */
  readonly onDamage: (thrown: unknown) => void
}

export class WriteGate {
  readonly #parts: WriteGateParts
  readonly #waiting = new Set<() => void>()
  #full: JournalFull | undefined
  #isEnding = false
  #delayMs = tryFirstMs
  #openedMs = -Infinity
  #timer: Timer | undefined

  constructor(parts: WriteGateParts) {
    this.#parts = parts
  }

  /** What closed the gate; undefined while it is open. */
  get full(): JournalFull | undefined {
    return this.#full
  }

  /** Nobody waits any more: what the disk does not take fails. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** Runs a write. @throws JournalFull where the disk has no room for it. */
  run<T>(write: () => T): T {
    try {
      return write()
    } catch (thrown) {
      if (isDamage(thrown)) this.#parts.onDamage(thrown)
      if (!isFull(thrown)) throw thrown
      throw this.#close(thrown)
    }
  }

  #close(cause: unknown): JournalFull {
    const full = new JournalFull(this.#parts.file, cause)
    if (this.#full !== undefined || this.#isEnding) return full
    this.#full = full
    if (this.#parts.clock.monotonicMs() - this.#openedMs > steadyMs) this.#delayMs = tryFirstMs
    this.#tryLater()
    return full
  }

  #tryLater(): void {
    this.#timer = this.#parts.clock.after(this.#delayMs, () => this.#try())
    this.#delayMs = Math.min(tryLongestMs, this.#delayMs * 2)
  }

  #try(): void {
    try {
      this.#parts.probe()
    } catch {
      // Whatever it is now, it is no room yet; a failure of another kind meets whoever writes next.
      this.#tryLater()
      return
    }
    this.#full = undefined
    this.#openedMs = this.#parts.clock.monotonicMs()
    this.#letGo()
  }

  #letGo(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }

  /** Calls `go` once when the gate opens, or when nobody is to wait any more. */
  whenMoved(go: () => void): void {
    this.#waiting.add(go)
  }

  /** Resolves while or when the gate is open. @throws JournalFull when waiting ended without, the signal's reason when aborted. */
  async whenOpen(signal: AbortSignal): Promise<void> {
    while (this.#full !== undefined) {
      if (this.#isEnding) throw this.#full
      await this.#nextMove(signal)
    }
    signal.throwIfAborted()
  }

  #nextMove(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        stopListening()
        resolve()
      }
      const stopListening = onAbort(signal, (reason) => {
        this.#waiting.delete(go)
        reject(reason)
      })
      this.#waiting.add(go)
    })
  }

  /** Runs a verb that writes at once, and as often as the disk has no room for it again when it has. */
  async patiently<T>(verb: () => T, signal: AbortSignal): Promise<T> {
    for (;;) {
      await this.whenOpen(signal)
      try {
        return verb()
      } catch (thrown) {
        if (!(thrown instanceof JournalFull) || this.#isEnding) throw thrown
      }
    }
  }

  /** Ends all waiting: the program has to end, and what could not be written is found out anew at the next start. */
  endWaiting(): void {
    this.#isEnding = true
    this.#timer?.clear()
    this.#letGo()
  }
}
