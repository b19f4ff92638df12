/**
 * The pace of one account: requests and uploads per interval, bytes per second and per day, requests per month, hours of work, and what the other side's
 * "too much" makes of them. Totals of everything that goes there. What is sent, and what a refusal means for a delivery, is not its concern.
 *
 * Short waits are waited out here, in the order of asking. Long ones (outside the hours, the day's bytes spent, a long pause) are answered
 * at once by a PaceClosed, so that nothing is held open meanwhile; `verdict` says the same to whoever asks before beginning.
 * An abort ends waiting at once; work that began is its own to end.
 */
import { abortReason, type Clock } from '../base/clock.ts'
import { localDay, localMonth, msUntilNextDay, msUntilNextMonth } from '../base/local-time.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { Tasks } from '../base/tasks.ts'
import { showBytes, type Rate } from '../base/units.ts'
import type { Pace as PaceConfig } from '../config/config.ts'
import { Budget } from './budget.ts'
import { ByteBucket } from './byte-bucket.ts'
import { Naps } from './naps.ts'
import { Penalty, shareStepMs, type StoredPause } from './penalty.ts'
import { shareOf, SlidingWindow } from './sliding-window.ts'
import { TargetError } from './target.ts'
import { called, Turns } from './turns.ts'
import { closed, longest, outsideHours, refuseClosed, type Verdict } from './verdict.ts'

/** The limits; how many deliveries are under way at once is the lane's. */
export type PaceSettings = Omit<PaceConfig, 'concurrency'>

/** What has to outlive the process. */
export interface PaceRecord {
  /** Local, `2026-11-20`, and the bytes that may have gone on it. */
  readonly day: string
  readonly bytes: number
  /** Local, `2026-11`, and the requests that may have been made in it. */
  readonly month: string
  readonly requests: number
  readonly pause: StoredPause | undefined
}

export interface PaceStore {
  load(): PaceRecord | undefined
  /** Resolves once a crash cannot lose it. Later calls win over earlier ones. */
  save(record: PaceRecord): Promise<void>
}

export interface PaceParts {
  /** Whose pace this is, for messages. */
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: PaceStore
  /** A pause could not be written down. */
  readonly onFailure: (error: Error) => void
}

export interface PaceSnapshot {
  /** In force now; below the configured ones while the account recovers from a penalty. */
  readonly requests: Rate | undefined
  readonly uploads: Rate | undefined
  readonly bytesPerSecond: number | undefined
  /** Part of the rates in use, 1 when nothing is wrong. */
  readonly share: number
  /** Requests, uploads and pieces that wait for their turn. */
  readonly waiting: number
  readonly verdict: Verdict
  readonly pause: { readonly waitMs: number; readonly reason: string } | undefined
  readonly daily: { readonly usedBytes: number; readonly leftBytes: number } | undefined
  /** Counted with a limit and without. */
  readonly monthly: { readonly month: string; readonly requests: number; readonly most: number | undefined }
}

export interface Pace {
  /** Runs one call to the other side when its turn comes. @throws PaceClosed where a penalty lasts longer than a wait is held. */
  request<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  /** Runs one call that begins a copy: an upload and a request in one. @throws PaceClosed also outside the hours and on a spent day. */
  upload<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  /** Waits until so many bytes may go. To be called with small pieces, a second's worth at most. @throws PaceClosed when the day is spent. */
  bytes(count: number, signal: AbortSignal): Promise<void>
  /** The other side said "too much": all wait, then go on slower. @param retryAfterMs what it asked for. */
  penalise(penalty: { readonly retryAfterMs: number | undefined; readonly reason: string }): void
  /** New limits, in force at once: for what waits, too. What runs is not disturbed. */
  change(settings: PaceSettings): void
  verdict(): Verdict
  snapshot(): PaceSnapshot
  /** Gives back what the day did not use and ends whatever waits. */
  close(): Promise<void>
}

/** A pause up to this is waited out with the work in hand; a longer one lets go of it. Unit: ms. */
const heldMsMax = 30_000
/** What was seen working is looked for so far back, for an account that has no limit of its own. Unit: ms. */
const seenMs = 10_000
/** Bytes of a day written down ahead at once. */
const byteSteps = { stepMin: 2 ** 20, stepMax: 64 * 2 ** 20 }
/** Requests of a month written down ahead at once: what a process that is killed may lose, or counted too little where there is no limit. */
const requestSteps = { stepMin: 20, stepMax: 500 }
/** An account that was hardly used was not seen to take little. Unit: requests per second. */
const seenMin = 2

export function openPace(settings: PaceSettings, parts: PaceParts): Pace {
  return new AccountPace(settings, parts)
}

class AccountPace implements Pace {
  readonly #parts: PaceParts
  readonly #naps: Naps
  readonly #tasks: Tasks
  /** Whoever's turn it is waits for the limit, the others for the turn. */
  readonly #requestTurns = new Turns()
  readonly #uploadTurns = new Turns()
  readonly #byteTurns = new Turns()
  readonly #requestsBegan = new SlidingWindow()
  readonly #uploadsBegan = new SlidingWindow()
  readonly #bucket: ByteBucket
  readonly #day: Budget
  readonly #month: Budget
  readonly #penalty: Penalty
  #settings: PaceSettings
  /** Requests that an account without a limit was seen to take, once it said "too much". */
  #learned: Rate | undefined
  #isClosed = false

  constructor(settings: PaceSettings, parts: PaceParts) {
    const { clock, store } = parts
    const stored = store.load()
    this.#parts = parts
    this.#settings = settings
    this.#naps = new Naps(clock)
    this.#tasks = new Tasks((_name, error) => parts.onFailure(error))
    this.#bucket = new ByteBucket(clock.monotonicMs())
    const write = (): Promise<void> => store.save(this.#record())
    const day = stored && { period: stored.day, amount: stored.bytes }
    this.#day = new Budget(day, clock.wallMs(), { ...byteSteps, periodOf: localDay, write })
    const month = stored && { period: stored.month, amount: stored.requests }
    this.#month = new Budget(month, clock.wallMs(), { ...requestSteps, periodOf: localMonth, write })
    this.#penalty = new Penalty(parts.random)
    if (stored?.pause !== undefined) this.#penalty.restore(stored.pause, clock.wallMs(), clock.monotonicMs())
  }

  request<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return called(work, (call) => this.#requestTurn(signal, false, call))
  }

  upload<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return called(work, (call) => this.#uploadTurn(signal, call))
  }

  async #uploadTurn(signal: AbortSignal, call: () => void): Promise<void> {
    refuseClosed(this.verdict())
    const isFree = this.#settings.uploads === undefined && this.#uploadTurns.count === 0
    if (isFree) return this.#requestTurn(signal, true, call)
    // It stays in its turn until it is let through as a request, so that uploads let through one by one do not begin in a bunch.
    await this.#uploadTurns.take(signal, async () => {
      await this.#waitOut(() => this.#uploadWaitMs(), 'upload', signal)
      await this.#requestTurn(signal, true, call)
    })
  }

  async #requestTurn(signal: AbortSignal, isUpload: boolean, call: () => void): Promise<void> {
    const waitMs = (): number => Math.max(this.#requestWaitMs(), isUpload ? this.#uploadWaitMs() : 0)
    const begin = (): void => {
      this.#noteBegin(isUpload)
      call()
    }
    const isLimited = this.#settings.monthlyRequests !== undefined || this.#isClosed || signal.aborted
    if (this.#requestTurns.count === 0 && waitMs() <= 0 && !isLimited) begin()
    else
      await this.#requestTurns.take(signal, async () => {
        await this.#waitOut(waitMs, isUpload ? 'upload' : 'request', signal)
        await this.#takeFromMonth()
        begin()
      })
  }

  async #takeFromMonth(): Promise<void> {
    const { clock } = this.#parts
    const { monthlyRequests } = this.#settings
    if (monthlyRequests === undefined) return
    if (!(await this.#month.take(1, monthlyRequests, () => clock.wallMs()))) refuseClosed(this.#spentMonth())
  }

  #noteBegin(isUpload: boolean): void {
    const { clock, store } = this.#parts
    const nowMs = clock.monotonicMs()
    this.#requestsBegan.note(nowMs)
    if (isUpload) this.#uploadsBegan.note(nowMs)
    const isCounted = this.#settings.monthlyRequests !== undefined
    if (!isCounted && this.#month.note(1, clock.wallMs()))
      this.#tasks.run('keep count', () => store.save(this.#record()))
  }

  /** Looked at again after each nap, since limits change and pauses begin while one waits. */
  async #waitOut(waitMs: () => number, what: 'request' | 'upload' | 'bytes', signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw abortReason(signal)
      if (this.#isClosed) throw new Error(`the pace of ${this.#parts.name} is closed`)
      if (what === 'upload') refuseClosed(this.verdict())
      if (what === 'request') refuseClosed(longest([this.#longPause(), this.#spentMonth()]))
      const leftMs = waitMs()
      if (leftMs <= 0) return
      await this.#naps.nap(Math.min(leftMs, shareStepMs), signal)
    }
  }

  #requestWaitMs(): number {
    const nowMs = this.#parts.clock.monotonicMs()
    return Math.max(this.#penalty.waitMs(nowMs), windowWaitMs(this.#requestsBegan, this.#rateOf('requests'), nowMs))
  }

  #uploadWaitMs(): number {
    return windowWaitMs(this.#uploadsBegan, this.#rateOf('uploads'), this.#parts.clock.monotonicMs())
  }

  /** The rate in force. */
  #rateOf(what: 'requests' | 'uploads'): Rate | undefined {
    const nowMs = this.#parts.clock.monotonicMs()
    const learned = what === 'requests' && !this.#penalty.isForgotten(nowMs) ? this.#learned : undefined
    const whole = this.#settings[what] ?? learned
    return whole === undefined ? undefined : shareOf(whole, this.#penalty.share(nowMs))
  }

  async bytes(count: number, signal: AbortSignal): Promise<void> {
    const { bytesPerSecond, dailyBytes } = this.#settings
    const isFree = bytesPerSecond === undefined && dailyBytes === undefined && this.#byteTurns.count === 0
    if (isFree) this.#day.note(count, this.#parts.clock.wallMs())
    else await this.#bytesTurn(count, signal)
  }

  #bytesTurn(count: number, signal: AbortSignal): Promise<void> {
    return this.#byteTurns.take(signal, async () => {
      await this.#waitOut(() => this.#bytesWaitMs(), 'bytes', signal)
      await this.#takeFromDay(count)
      this.#bucket.spend(count)
    })
  }

  #bytesWaitMs(): number {
    return this.#bucket.waitMs(this.#settings.bytesPerSecond, this.#parts.clock.monotonicMs())
  }

  async #takeFromDay(count: number): Promise<void> {
    const { clock, name } = this.#parts
    const { dailyBytes } = this.#settings
    if (dailyBytes === undefined) {
      this.#day.note(count, clock.wallMs())
      return
    }
    if (count > dailyBytes) {
      const message = `${name}: one piece of ${showBytes(count)} is more than a whole day may send (${showBytes(dailyBytes)}); raise "daily", then run "fanfold retry"`
      throw new TargetError({ kind: 'park' }, message)
    }
    if (!(await this.#day.take(count, dailyBytes, () => clock.wallMs()))) refuseClosed(this.#spentDay())
  }

  penalise({ retryAfterMs, reason }: { readonly retryAfterMs: number | undefined; readonly reason: string }): void {
    const { clock, log, name, store } = this.#parts
    const nowMs = clock.monotonicMs()
    const known = this.#penalty.isForgotten(nowMs) ? undefined : this.#learned
    this.#learned = known ?? this.#seenWorking(nowMs)
    const { waitMs, isNew, isLonger } = this.#penalty.add({ retryAfterMs, reason }, nowMs)
    if (isNew) log.warn('slowed down', { target: name, reason, waitMs: Math.ceil(waitMs) })
    if (isLonger) this.#tasks.run('keep pause', () => store.save(this.#record()))
    this.#naps.wakeAll()
  }

  /** Requests per second: the most of the last second and of the mean over a while, since the last second may have been a quiet one. */
  #seenWorking(nowMs: number): Rate {
    const lastSecond = this.#requestsBegan.countSince(nowMs - 1000)
    const mean = this.#requestsBegan.countSince(nowMs - seenMs) / (seenMs / 1000)
    return { count: Math.max(seenMin, lastSecond, Math.ceil(mean)), intervalMs: 1000 }
  }

  #record(): PaceRecord {
    const [day, month] = [this.#day.count, this.#month.count]
    const used = { day: day.period, bytes: day.amount, month: month.period, requests: month.amount }
    return { ...used, pause: this.#pauseToStore() }
  }

  #pauseToStore(): StoredPause | undefined {
    const waitMs = this.#penalty.waitMs(this.#parts.clock.monotonicMs())
    if (waitMs <= 0) return undefined
    return {
      untilMs: Math.ceil(this.#parts.clock.wallMs() + waitMs),
      waitMs: Math.ceil(waitMs),
      reason: this.#penalty.reason,
    }
  }

  change(settings: PaceSettings): void {
    if (settings.dailyBytes !== this.#settings.dailyBytes) this.#day.reopen()
    if (settings.monthlyRequests !== this.#settings.monthlyRequests) this.#month.reopen()
    // What passed until now pays at the bandwidth of until now.
    this.#bucket.pay(this.#settings.bytesPerSecond, this.#parts.clock.monotonicMs())
    this.#settings = settings
    this.#naps.wakeAll()
  }

  /** The reason that holds longest. */
  verdict(): Verdict {
    const hours = outsideHours(this.#settings.hours, this.#parts.clock.wallMs())
    return longest([this.#spentDay(), this.#spentMonth(), hours, this.#longPause()])
  }

  #spentDay(): Verdict {
    const { dailyBytes } = this.#settings
    const wallMs = this.#parts.clock.wallMs()
    if (dailyBytes === undefined || !this.#day.isSpent(dailyBytes, wallMs)) return { kind: 'open' }
    const reason = `the ${showBytes(dailyBytes)} of this day are spent`
    return closed({ why: 'daily', waitMs: msUntilNextDay(wallMs), reason }, wallMs)
  }

  #spentMonth(): Verdict {
    const { monthlyRequests } = this.#settings
    const wallMs = this.#parts.clock.wallMs()
    if (monthlyRequests === undefined || !this.#month.isSpent(monthlyRequests, wallMs)) return { kind: 'open' }
    const reason = `the ${monthlyRequests.toLocaleString('en')} requests of this month are spent (raise "monthly-requests" if the account has more)`
    return closed({ why: 'monthly', waitMs: msUntilNextMonth(wallMs), reason }, wallMs)
  }

  #longPause(): Verdict {
    const waitMs = this.#penalty.waitMs(this.#parts.clock.monotonicMs())
    if (waitMs <= heldMsMax) return { kind: 'open' }
    return closed({ why: 'penalty', waitMs, reason: this.#penalty.reason }, this.#parts.clock.wallMs())
  }

  snapshot(): PaceSnapshot {
    const { clock } = this.#parts
    const { bytesPerSecond, dailyBytes, monthlyRequests } = this.#settings
    const pauseMs = this.#penalty.waitMs(clock.monotonicMs())
    const usedBytes = this.#day.used(clock.wallMs())
    const turns = [this.#requestTurns, this.#uploadTurns, this.#byteTurns]
    return {
      requests: this.#rateOf('requests'),
      uploads: this.#rateOf('uploads'),
      bytesPerSecond,
      share: this.#penalty.share(clock.monotonicMs()),
      waiting: turns.reduce((sum, { count }) => sum + count, 0),
      verdict: this.verdict(),
      pause: pauseMs > 0 ? { waitMs: pauseMs, reason: this.#penalty.reason } : undefined,
      daily: dailyBytes === undefined ? undefined : { usedBytes, leftBytes: Math.max(0, dailyBytes - usedBytes) },
      monthly: { month: localMonth(clock.wallMs()), requests: this.#month.used(clock.wallMs()), most: monthlyRequests },
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#naps.wakeAll()
    await Promise.all([this.#requestTurns, this.#uploadTurns, this.#byteTurns].map((turns) => turns.idle()))
    await this.#tasks.settled()
    await this.#day.settle()
    await this.#month.settle()
  }
}

function windowWaitMs(began: SlidingWindow, rate: Rate | undefined, nowMs: number): number {
  return rate === undefined ? 0 : began.waitMs(rate, nowMs)
}
