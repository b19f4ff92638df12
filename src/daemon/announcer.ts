/**
 * What the service manager hears of this daemon, and when. Decides nothing about the daemon itself.
 *
 * - `starting`: until the journal and the watches of all reachable roots stand; targets are waited for by nobody (F100).
 * - `running`: READY was said. STATUS follows what is owed; the sign of life is given only after watch thread and journal answered (F101).
 * - `reloading`: from `reloading()` to `reloaded()`.
 * - `stopping`: STOPPING was said, and the stop's time is extended for as long as it goes on.
 */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { Status } from '../control/control.ts'
import type { SourceState } from '../source/source.ts'
import type { Notifier } from './notify.ts'
import { statusLine } from './status-line.ts'

/** A root that was not even looked at by then lies on a dead disk, and nobody waits for it (F100). Unit: ms. */
const rootLookMsMax = 10_000
/** Watching a million folders takes seconds; one that takes longer than this hangs. Unit: ms. */
const standMsMax = 300_000
const standLookMs = 25
/** Time between two looks at what to say in STATUS, ms. */
const statusEveryMs = 2_000
/** While starting and stopping the manager is asked every so often for so much more time, ms. */
const extendEveryMs = 5_000
const extendByMs = 20_000
/** A drain ends after its grace; one that does not is ended by the manager. Unit: ms. */
const stopMsMax = 60_000
/** Signs of life per period of the watchdog: one may come late without harm. */
const alivePerPeriod = 4

export interface AnnouncedParts {
  readonly status: () => Status
  readonly sources: () => readonly SourceState[]
  /** The configuration file cannot be used as it stands now; the one before is in force. */
  readonly isConfigRefused: () => boolean
  /** The watch thread lives, or is not needed. */
  readonly isWatchAnswering: () => boolean
  /** Resolves when the journal's writer answered. */
  readonly journalAnswers: () => Promise<void>
}

export class Announcer {
  readonly #notifier: Notifier
  readonly #parts: AnnouncedParts
  readonly #clock: Clock
  readonly #log: Log
  readonly #tasks: Tasks
  readonly #saying: Tasks
  #said = ''
  #withheld = ''

  constructor(notifier: Notifier, parts: AnnouncedParts, { clock, log }: { clock: Clock; log: Log }) {
    this.#notifier = notifier
    this.#parts = parts
    this.#clock = clock
    this.#log = log
    const failed = (task: string, error: Error): void => log.error('task failed', { task, error: error.message })
    this.#tasks = new Tasks(failed)
    this.#saying = new Tasks(failed)
  }

  start(): void {
    this.#saying.run('status', async (signal) => {
      await this.#untilStanding(signal)
      this.#said = this.#line()
      this.#notifier.ready(this.#said)
      await this.#keepSaying(signal)
    })
    const { watchdogMs } = this.#notifier
    if (watchdogMs !== undefined) this.#tasks.run('watchdog', (signal) => this.#keepAlive(watchdogMs, signal))
  }

  /** A new configuration is being taken over; `reloaded` has to follow, whatever came of it. */
  reloading(): void {
    this.#notifier.reloading()
  }

  reloaded(): void {
    this.#said = this.#line()
    this.#notifier.ready(this.#said)
  }

  /** The drain begins: from now on only it is spoken of. */
  async stopping(): Promise<void> {
    this.#notifier.stopping(`stopping; ${this.#line()}`)
    await this.#saying.stop()
    this.#tasks.run('extend', (signal) => this.#extend(stopMsMax, signal))
  }

  async close(): Promise<void> {
    await this.#saying.stop()
    await this.#tasks.stop()
    this.#notifier.close()
  }

  async #untilStanding(signal: AbortSignal): Promise<void> {
    const startMs = this.#clock.monotonicMs()
    let extendedMs = startMs
    for (;;) {
      const nowMs = this.#clock.monotonicMs()
      const waitMsMax = this.#parts.sources().some(isWalking) ? standMsMax : rootLookMsMax
      if (this.#parts.sources().every(({ isStanding }) => isStanding) || nowMs - startMs >= waitMsMax) return
      if (nowMs - extendedMs >= extendEveryMs) {
        this.#notifier.extend(extendByMs)
        extendedMs = nowMs
      }
      await this.#clock.sleep(standLookMs, signal)
    }
  }

  async #keepSaying(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(statusEveryMs, signal)
      const line = this.#line()
      if (line !== this.#said) this.#notifier.status(line)
      this.#said = line
    }
  }

  /** Runs on the main loop, so that one that is blocked gives no sign either. */
  async #keepAlive(watchdogMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const silence = await this.#silence()
      if (silence === '') this.#notifier.alive()
      else if (silence !== this.#withheld) this.#log.error('watchdog not fed', { reason: silence })
      this.#withheld = silence
      await this.#clock.sleep(watchdogMs / alivePerPeriod, signal)
    }
  }

  /** Who does not answer; empty when all do. A journal that never answers keeps this waiting, and that is an answer too. */
  async #silence(): Promise<string> {
    if (!this.#parts.isWatchAnswering()) return 'the watch thread does not answer'
    try {
      await this.#parts.journalAnswers()
      return ''
    } catch (thrown) {
      return `the journal does not answer: ${asError(thrown).message}`
    }
  }

  async #extend(msMax: number, signal: AbortSignal): Promise<void> {
    for (let extendedMs = 0; extendedMs < msMax; extendedMs += extendEveryMs) {
      this.#notifier.extend(extendByMs)
      await this.#clock.sleep(extendEveryMs, signal)
    }
  }

  #line(): string {
    return statusLine(this.#parts.status(), this.#parts.isConfigRefused())
  }
}

/** Its root is there, and folder after folder comes under watch. */
function isWalking({ isStanding, watched }: SourceState): boolean {
  return !isStanding && watched > 0
}
