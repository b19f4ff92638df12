/**
 * A lane: one target's spool and uploader. The spool is a producer that claims deliveries from the journal for as many as the
 * uploader asked; the uploader asks for as many as it has free slots. A lane waits for nobody but its own target.
 *   opening   the target was not reached yet                      -> running | paused
 *   running   claims and delivers                                 -> paused when the target as a whole cannot work
 *   paused    claims nothing, probes with a growing delay         -> running when the target can be opened again
 *   stopped   for good
 */
import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import type { Clock, Timer } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { showPath, type RemotePath } from '../base/path.ts'
import type { Random } from '../base/random.ts'
import { Tasks } from '../base/tasks.ts'
import type { Digest } from '../digest/digest.ts'
import { everything, type Accepted, type Delivery, type Journal, type Outcome } from '../journal/journal.ts'
import { consumer, producer, type Consumer, type Producer, type Source, type Subscription } from '../stage/stage.ts'
import { TargetError, type Target, type TargetState } from '../target/target.ts'
import { attempt } from './attempt.ts'
import { pathRules, type Selector } from './selector.ts'

export interface LaneConfig {
  readonly name: string
  readonly kind: string
  readonly target: Target
  /** Deliveries under way at once. */
  readonly slots: number
  readonly selector: Selector
  readonly placeAt: (delivery: Pick<Delivery, 'source' | 'path' | 'mtimeNs'>) => RemotePath
}

export interface LaneParts {
  readonly journal: Journal
  readonly digest: Digest
  readonly rootOf: (source: string) => string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The journal broke under this lane: nothing may go on. */
  readonly onFailure: (error: Error) => void
}

export type PauseState = 'opening' | TargetState

export type LaneState =
  | { readonly kind: 'running' }
  | { readonly kind: 'paused'; readonly state: PauseState; readonly reason: string; readonly probes: number }
  | { readonly kind: 'stopped' }

export interface Sending {
  readonly path: string
  readonly bytesDone: number
  readonly size: number
}

/** A target that cannot work is tried again after this, doubling. Unit: ms. */
const probeFirstMs = 500
const probeLongestMs = 30_000
/** Files offered again in one transaction: less than 10 ms of the main loop. */
const offerMax = 250
/** Outcomes on their way to disk, per lane; beyond it no new work is asked for. */
const uncommittedMax = 500
/** Work that is due later than this is not waited for when somebody asks whether the lane is idle. Unit: ms. */
const idleHorizonMs = 10_000
/** What is due may be under way still: looking for it more often than this would be busy waiting. Unit: ms. */
const wakeMsMin = 100
/** What is listed as under way. */
const sendingShownMax = 16

export class Lane {
  readonly name: string
  readonly kind: string
  readonly #config: LaneConfig
  readonly #parts: LaneParts
  readonly #targetId: number
  readonly #queue: PQueue
  readonly #spool: Producer<Delivery>
  readonly #uploader: Consumer<Delivery>
  readonly #subscription: Subscription
  readonly #arrivals: Consumer<Accepted>
  readonly #tasks: Tasks
  /** Aborted when the drain's grace is over: ends attempts under way. */
  readonly #hurry = new AbortController()
  readonly #sending = new Map<number, Sending>()
  #state: LaneState = { kind: 'paused', state: 'opening', reason: 'not reached yet', probes: 0 }
  #unmetDemand = 0
  #freedSlots = 0
  #isAsking = false
  #uncommitted = 0
  #pauseMs = probeFirstMs
  #isOffering = false
  #offerAgain = false
  #dueTimer: Timer | undefined
  #bytesSent = 0
  #probeNow: AbortController | undefined

  constructor(config: LaneConfig, targetId: number, accepted: Source<Accepted>, parts: LaneParts) {
    this.name = config.name
    this.kind = config.kind
    this.#config = config
    this.#parts = parts
    this.#targetId = targetId
    // One listener for each attempt under way and what it waits for: many, and all of them taken off again.
    setMaxListeners(0, this.#hurry.signal)
    this.#queue = new PQueue({ concurrency: config.slots })
    this.#tasks = new Tasks((_name, error) => parts.onFailure(error))
    this.#spool = producer<Delivery>({
      name: `spool ${config.name}`,
      bufferSize: config.slots,
      handleDemand: (demand) => {
        this.#unmetDemand += demand
        return this.#claim()
      },
    })
    this.#uploader = consumer<Delivery>({
      name: `uploader ${config.name}`,
      handleEvents: (deliveries) => {
        for (const delivery of deliveries) this.#begin(delivery)
      },
    })
    this.#subscription = this.#uploader.subscribe(this.#spool, {
      mode: 'manual',
      cancel: 'permanent',
      maxDemand: config.slots,
    })
    this.#arrivals = consumer<Accepted>({ name: `arrivals ${config.name}`, handleEvents: () => this.wake() })
    this.#arrivals.subscribe(accepted, { selector: ({ owedTo }) => owedTo.includes(targetId), cancel: 'permanent' })
    this.#watchStages()
  }

  /** A stage that ends by an error took the journal's error with it: there is nothing a lane could do better alone. */
  #watchStages(): void {
    for (const stage of [this.#spool, this.#uploader, this.#arrivals]) {
      this.#tasks.run('stage', async (signal) => {
        const reason = await stage.stopped
        if (reason instanceof Error && !signal.aborted) throw reason
      })
    }
  }

  start(): void {
    this.#tasks.run('probe', (signal) => this.#probe(0, signal))
    this.#subscription.ask(this.#config.slots)
    this.offer()
  }

  get state(): LaneState {
    return this.#state
  }

  get targetId(): number {
    return this.#targetId
  }

  get selector(): Selector {
    return this.#config.selector
  }

  get isOffering(): boolean {
    return this.#isOffering
  }

  get bytesSent(): number {
    return this.#bytesSent
  }

  get sending(): readonly Sending[] {
    return [...this.#sending.values()].slice(0, sendingShownMax)
  }

  /** There may be work: claims what the uploader has slots for. */
  wake(): void {
    if (this.#unmetDemand === 0) return
    const claimed = this.#claim()
    if (claimed.length > 0) this.#spool.emit(claimed)
  }

  #claim(): readonly Delivery[] {
    if (this.#state.kind !== 'running' || this.#unmetDemand === 0) return []
    const claimed = this.#parts.journal.claim(this.#targetId, this.#unmetDemand)
    this.#unmetDemand -= claimed.length
    if (this.#unmetDemand > 0) this.#wakeWhenDue()
    return claimed
  }

  #wakeWhenDue(): void {
    this.#dueTimer?.clear()
    const dueMs = this.#parts.journal.nextDueMs(this.#targetId)
    if (dueMs === null) return
    const delayMs = Math.max(wakeMsMin, dueMs - this.#parts.clock.wallMs())
    this.#dueTimer = this.#parts.clock.after(delayMs, () => this.wake())
  }

  #begin(delivery: Delivery): void {
    this.#tasks.run('delivery', async () => {
      const outcome = await this.#queue.add(() => this.#attempt(delivery))
      this.#uncommitted++
      this.#slotIsFree()
      await this.#parts.journal.finish(delivery, outcome)
      this.#uncommitted--
      this.#askForMore()
      if (outcome.kind !== 'delivered') this.#wakeWhenDue()
      await this.#restWhenQuiet()
    })
  }

  async #attempt(delivery: Delivery): Promise<Outcome> {
    if (this.#state.kind !== 'running') return { kind: 'released' }
    const { target, placeAt } = this.#config
    const entry = { path: showPath(delivery.path), bytesDone: 0, size: delivery.size }
    this.#sending.set(delivery.fileId, entry)
    const progress = (bytesDone: number): void => {
      this.#bytesSent += bytesDone - entry.bytesDone
      entry.bytesDone = bytesDone
    }
    const ending = await attempt(delivery, { ...this.#parts, target, placeAt, progress }, this.#hurry.signal)
    this.#sending.delete(delivery.fileId)
    if (ending.kind === 'target-paused') {
      this.#pause(ending.state, ending.reason)
      return { kind: 'interrupted' }
    }
    this.#noteEnding(delivery, ending.outcome)
    return ending.outcome
  }

  #noteEnding(delivery: Delivery, outcome: Outcome): void {
    if (outcome.kind === 'delivered') this.#pauseMs = probeFirstMs
    if (outcome.kind !== 'parked' && outcome.kind !== 'postponed') return
    const { source, path, attempts } = delivery
    const fields = { target: this.name, source, path: showPath(path), attempt: attempts + 1, reason: outcome.reason }
    this.#parts.log.warn(`delivery ${outcome.kind}`, fields)
  }

  /** Slots that become free in one turn are asked for together: a claim of 30 costs little more than a claim of one. */
  #slotIsFree(): void {
    this.#freedSlots++
    this.#askForMore()
  }

  #askForMore(): void {
    if (this.#isAsking || this.#freedSlots === 0 || this.#uncommitted > uncommittedMax) return
    this.#isAsking = true
    queueMicrotask(() => {
      const count = this.#freedSlots
      this.#isAsking = false
      this.#freedSlots = 0
      if (count > 0 && this.#state.kind !== 'stopped') this.#subscription.ask(count)
    })
  }

  #pause(state: PauseState, reason: string): void {
    if (this.#state.kind !== 'running') return
    this.#parts.log.warn('target paused', { target: this.name, reason })
    this.#parts.journal.note({ source: null, target: this.name, event: 'paused', detail: reason })
    this.#state = { kind: 'paused', state, reason, probes: 0 }
    const delayMs = this.#pauseMs
    this.#pauseMs = Math.min(probeLongestMs, this.#pauseMs * 2)
    this.#tasks.run('probe', (signal) => this.#probe(delayMs, signal))
  }

  /** Opens the target, again and again until it can be used. */
  async #probe(firstDelayMs: number, signal: AbortSignal): Promise<void> {
    let delayMs = firstDelayMs
    while (this.#state.kind === 'paused') {
      if (delayMs > 0) await this.#sleepUntilProbe(delayMs, signal)
      try {
        await this.#open(signal)
        return
      } catch (thrown) {
        if (signal.aborted) return
        this.#stillPaused(asError(thrown))
      }
      delayMs = Math.min(probeLongestMs, Math.max(probeFirstMs, delayMs * 2))
    }
  }

  async #sleepUntilProbe(delayMs: number, signal: AbortSignal): Promise<void> {
    const wakeUp = new AbortController()
    this.#probeNow = wakeUp
    try {
      await this.#parts.clock.sleep(delayMs, AbortSignal.any([signal, wakeUp.signal]))
    } catch (thrown) {
      if (signal.aborted) throw thrown
    }
    this.#probeNow = undefined
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { journal, log } = this.#parts
    const expected = journal.target(this.name).mark ?? undefined
    const { mark, isSame } = await this.#config.target.open(expected, signal)
    // In this order: killed between the two, the next start finds the new place again and offers once more.
    if (!isSame) journal.offerAgain(this.name, { ...everything, look: 'entry' })
    if (mark !== expected) journal.setMark(this.name, mark)
    if (this.#state.kind === 'stopped') return
    this.#state = { kind: 'running' }
    log.info('target running', { target: this.name })
    this.offer()
    this.wake()
  }

  #stillPaused(error: Error): void {
    if (this.#state.kind !== 'paused') return
    const next = error instanceof TargetError ? error.next : undefined
    const state = next?.kind === 'pause-target' ? next.state : 'paused'
    if (this.#state.reason !== error.message)
      this.#parts.log.warn('target cannot be used', { target: this.name, reason: error.message })
    this.#state = { kind: 'paused', state, reason: error.message, probes: this.#state.probes + 1 }
  }

  /** The owner asks: look at a paused target now, and do what waits. */
  nudge(): void {
    this.#pauseMs = probeFirstMs
    this.#probeNow?.abort(new Error('asked to probe now'))
    this.wake()
  }

  /** Offers what lies behind the target's cursor, in steps between which everything else goes on. */
  offer(): void {
    this.#offerAgain = true
    if (this.#isOffering) return
    this.#isOffering = true
    this.#tasks.run('offer', async (signal) => {
      while (this.#offerAgain && !signal.aborted) {
        this.#offerAgain = false
        await this.#offerAll(signal)
      }
      this.#isOffering = false
    })
  }

  async #offerAll(signal: AbortSignal): Promise<void> {
    const { journal, clock } = this.#parts
    while (journal.target(this.name).cursor < journal.head) {
      const { offer } = journal.target(this.name)
      const takes = offerVerdict(offer, this.#config.selector)
      const { owed } = journal.offer(this.name, offerMax, takes)
      if (owed > 0) this.wake()
      await clock.sleep(0, signal)
    }
  }

  /** Nothing under way, nothing that could begin soon: paused lanes are idle once a probe has failed. */
  get isIdle(): boolean {
    const { journal, clock } = this.#parts
    if (journal.activeCount(this.#targetId) > 0 || this.#isOffering || this.#uncommitted > 0) return false
    if (this.#state.kind === 'paused') return this.#state.probes > 0
    if (journal.counts(this.#targetId).waiting > 0) return false
    const dueMs = journal.nextDueMs(this.#targetId)
    return dueMs === null || dueMs - clock.wallMs() > idleHorizonMs
  }

  /** Tidies up once nothing is owed: before that, what lies about may be the begun upload that the next attempt goes on with. */
  async #restWhenQuiet(): Promise<void> {
    const { journal } = this.#parts
    if (journal.activeCount(this.#targetId) > 0) return
    const { waiting, postponed } = journal.counts(this.#targetId)
    if (waiting + postponed === 0) await this.#rest()
  }

  /** Tidies up behind the last delivery. What cannot be put away now is put away when the target is opened next. */
  async #rest(): Promise<void> {
    try {
      await this.#config.target.rest()
    } catch (thrown) {
      this.#parts.log.warn('target left untidy', { target: this.name, reason: asError(thrown).message })
    }
  }

  /** Takes no new work, lets attempts under way finish until the grace is over, then ends them. */
  async stop(graceMs: number): Promise<void> {
    this.#state = { kind: 'stopped' }
    this.#dueTimer?.clear()
    const grace = this.#parts.clock.after(graceMs, () => this.#hurry.abort(new Error('the grace of the drain is over')))
    await this.#queue.onIdle()
    grace.clear()
    await this.#arrivals.stop('shutdown')
    await this.#uploader.stop('shutdown')
    await this.#spool.stop('shutdown')
    await this.#tasks.stop()
    await this.#restWhenQuiet()
    await this.#config.target.close()
  }
}

function offerVerdict(
  offer: { readonly source: string | null; readonly glob: string | null },
  selector: Selector,
): (facts: Parameters<Selector>[0]) => 'take' | 'leave' | 'pass' {
  const isGlob = offer.glob === null ? undefined : pathRules([offer.glob])
  return (facts) => {
    if (offer.source !== null && offer.source !== facts.source) return 'pass'
    if (isGlob !== undefined && isGlob(facts.path) === undefined) return 'pass'
    return selector(facts).takes ? 'take' : 'leave'
  }
}
