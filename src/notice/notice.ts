/**
 * The door of the notice room: tells the owner what goes wrong without being asked. Once per cause and once when all is well again, over
 * restarts; a dead-man's ping only while all is well (F111); how things stand once a day. What is wrong is the status's to say.
 */
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import { localDay } from '../base/local-time.ts'
import type { Log } from '../base/log.ts'
import { Tasks } from '../base/tasks.ts'
import type { HttpConfig, NotifyConfig, Recipient } from '../config/config.ts'
import type { Status } from '../control/control.ts'
import { Causes, type News } from './causes.ts'
import { keepTold, toldIn, type Told } from './memory.ts'
import { nameOf, ping, tell, type Message } from './telling.ts'

/** Between two looks at the status. Unit: ms. */
const lookMs = 5_000
/** Who could not be told is tried again after this, doubling to the last. Unit: ms. */
const againMsFirst = 30_000
const againMsMost = 600_000

export interface NoticeParts {
  readonly status: () => Status
  /** Resolves to whether watch and journal answer; waits as long as they do not. */
  readonly isAnswering: () => Promise<boolean>
  /** This machine's name. */
  readonly node: string
  /** Where it is kept what was told. */
  readonly file: string
  readonly http: HttpConfig
  readonly note: (event: string, detail: string) => void
  readonly clock: Clock
  readonly log: Log
}

const silence: NotifyConfig = { ping: undefined, onRed: undefined, onGreen: undefined, digestMinute: undefined }

export class Notices {
  readonly #parts: NoticeParts
  readonly #causes: Causes
  #config: NotifyConfig = silence
  #told: Told
  #tasks: Tasks | undefined
  #againMs = 0
  #failures = 0
  #isPingFailing = false

  constructor(parts: NoticeParts) {
    this.#parts = parts
    this.#told = toldIn(parts.file)
    this.#causes = new Causes(this.#told.causes, parts.clock.monotonicMs())
  }

  /** Tells as `config` says from now on. */
  async change(config: NotifyConfig): Promise<void> {
    await this.close()
    this.#config = config
    const { log } = this.#parts
    const tasks = new Tasks((task, error) => log.error('task failed', { task, error: error.message }))
    this.#tasks = tasks
    const { ping: pinged, onRed, onGreen } = config
    if (onRed !== undefined || onGreen !== undefined) tasks.run('look', (signal) => this.#keepLooking(signal))
    if (pinged !== undefined) tasks.run('ping', (signal) => this.#keepPinging(pinged, signal))
  }

  async close(): Promise<void> {
    await this.#tasks?.stop()
    this.#tasks = undefined
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#parts.clock.sleep(lookMs, signal)
      const status = this.#parts.status()
      const nowMs = this.#parts.clock.monotonicMs()
      const news = this.#causes.look(status.causes, nowMs)
      if (nowMs < this.#againMs) continue
      if (news.kind !== 'none') await this.#tellNews(news, status, signal)
      await this.#tellDay(status, signal)
    }
  }

  async #tellNews(news: Exclude<News, { kind: 'none' }>, status: Status, signal: AbortSignal): Promise<void> {
    const recipient = news.kind === 'red' ? this.#config.onRed : this.#config.onGreen
    const fresh = news.kind === 'red' ? news.fresh : []
    if (!(await this.#tell(recipient, this.#message(news.kind, status, fresh), signal))) return
    this.#causes.tell(news, this.#parts.clock.monotonicMs())
    this.#keep({ ...this.#told, causes: this.#causes.told })
  }

  async #tellDay(status: Status, signal: AbortSignal): Promise<void> {
    const { digestMinute, onRed } = this.#config
    const wallMs = this.#parts.clock.wallMs()
    const at = new Date(wallMs)
    const day = localDay(wallMs)
    if (digestMinute === undefined || day === this.#told.digestDay) return
    if (at.getHours() * 60 + at.getMinutes() < digestMinute) return
    if (await this.#tell(onRed, this.#message('digest', status, []), signal))
      this.#keep({ ...this.#told, digestDay: day })
  }

  /** Answers whether it is told; nobody to tell is as good. */
  async #tell(recipient: Recipient | undefined, message: Message, signal: AbortSignal): Promise<boolean> {
    if (recipient === undefined) return true
    const { note, log, clock, http } = this.#parts
    try {
      await tell(recipient, message, http, signal)
      this.#failures = 0
      note('told', `${nameOf(recipient)}: ${message.text}`)
      return true
    } catch (thrown) {
      if (signal.aborted) throw thrown
      const reason = `${nameOf(recipient)} could not be told (${message.event}): ${asError(thrown).message}`
      // Once for each row of failures; the tries between are no news.
      if (this.#failures === 0) note('tell-failed', reason)
      log.warn('not told', { reason })
      this.#againMs = clock.monotonicMs() + Math.min(againMsMost, againMsFirst * 2 ** Math.min(this.#failures, 30))
      this.#failures++
      return false
    }
  }

  #message(event: Message['event'], { healthy, reasons, causes, targets }: Status, fresh: readonly string[]): Message {
    const { node, clock } = this.#parts
    const at = new Date(clock.wallMs()).toISOString()
    const verdict = healthy ? 'everything is safe' : `not everything is safe: ${reasons.join('; ')}`
    const lanes = targets.map(
      ({ name, state, delivered, waiting, active, parked }) =>
        `${name} ${state}: ${delivered} delivered, ${waiting + active} on the way, ${parked} parked`,
    )
    const text = `Fanfold on ${node}: ${[verdict, ...(event === 'digest' ? lanes : [])].join('\n')}`
    return { event, text, node, at, healthy, reasons, causes, fresh }
  }

  #keep(told: Told): void {
    this.#told = told
    try {
      keepTold(this.#parts.file, told)
    } catch (thrown) {
      // It holds until the daemon ends; after that it may be said once more.
      this.#parts.log.warn('what was told is not kept', { reason: asError(thrown).message })
    }
  }

  async #keepPinging({ to, everyMs }: NonNullable<NotifyConfig['ping']>, signal: AbortSignal): Promise<void> {
    const { clock, status, isAnswering } = this.#parts
    // Nothing is green at once, and nobody should wait a day for the first.
    await clock.sleep(Math.min(lookMs, everyMs), signal)
    for (;;) {
      if (status().healthy && (await isAnswering())) await this.#ping(to, signal)
      await clock.sleep(everyMs, signal)
    }
  }

  async #ping(to: Parameters<typeof ping>[0], signal: AbortSignal): Promise<void> {
    const { http, log, note } = this.#parts
    try {
      await ping(to, http, signal)
      if (this.#isPingFailing) note('told', 'the ping arrives again')
      this.#isPingFailing = false
    } catch (thrown) {
      if (signal.aborted) throw thrown
      const reason = `the ping does not arrive: ${asError(thrown).message}`
      if (!this.#isPingFailing) note('tell-failed', reason)
      if (!this.#isPingFailing) log.warn('ping failed', { reason })
      this.#isPingFailing = true
    }
  }
}
