/**
 * A lane: one life of one target's spool and uploader. The spool is a producer that claims deliveries from the journal for as many as
 * the uploader asked; the uploader asks for as many as it has free slots. A lane waits for nobody but its own target. The states of
 * its target are those of `lane-state.ts`.
 *
 * A lane is a supervisor's child: it ends in order when it is stopped, and with the error when something in it throws. However it
 * ends, what was under way is put back into the journal's spool, and a fresh lane with a fresh target goes on from there.
 */
import { setMaxListeners } from 'node:events'
import PQueue from 'p-queue'
import type { Clock, Timer } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { Tasks } from '../base/tasks.ts'
import type { Digest } from '../digest/digest.ts'
import { isLarge, type Accepted, type Delivery, type Journal, type Outcome } from '../journal/journal.ts'
import {
  consumer,
  producer,
  type Child,
  type Consumer,
  type Producer,
  type Reason,
  type Source,
  type Subscription,
} from '../stage/stage.ts'
import { attempt, type AttemptParts, type Ending } from './attempt.ts'
import { FolderMoving } from './folder-moving.ts'
import type { LaneOrder } from './lane-order.ts'
import { tellOfFailure, tellOfLane } from './lane-words.ts'
import { nextLaneState, type LaneEvent, type LaneState } from './lane-state.ts'
import { Offering } from './offering.ts'
import { opened } from './opening.ts'
import { PlaceTurns } from './place-turns.ts'
import { Probing } from './probing.ts'
import type { Selector } from './selector.ts'
import { Slots, type LanePace } from './slots.ts'
import { isDone, Streak } from './streak.ts'
import type { SurveyedTarget } from './surveyed-target.ts'
import { restWhenQuiet } from './tidying.ts'
import { Traffic, type TrafficParts } from './traffic.ts'

export interface LaneConfig {
  readonly name: string
  readonly targetId: number
  readonly target: SurveyedTarget
  readonly pace: LanePace
  /** How many deliveries at once are worth it has to be found out, from these on up to the configured number; undefined: all of those. */
  readonly slotsFirst: number | undefined
  readonly order: () => LaneOrder
  /** Why its owner stopped it; null where it may work. */
  readonly heldBecause: string | null
}

export interface LaneParts extends TrafficParts {
  readonly journal: Journal
  readonly digest: Digest
  readonly rootOf: (source: string) => string
  readonly onStale: AttemptParts['onStale']
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** How long attempts under way may go on once the lane is asked to stop. Unit: ms. */
  readonly stopGraceMs: number
}

/** Outcomes on their way to disk, per lane; beyond it no new work is asked for. */
const uncommittedMax = 500
/** What an uploader asks for at most; how much of that is claimed is for the slots to say. The configuration allows no more. */
const demandMax = 256
/** A pace that is closed is asked again at least so often, since its clock may be set. Unit: ms. */
const closedLookMs = 60_000
/** Work that is due later than this is not waited for when somebody asks whether the lane is idle. Unit: ms. */
const idleHorizonMs = 10_000
/** What is due may be under way still: looking for it more often than this would be busy waiting. Unit: ms. */
const wakeMsMin = 100

export class Lane implements Child {
  readonly name: string
  readonly stopped: Promise<Reason>
  readonly #config: LaneConfig
  readonly #parts: LaneParts
  readonly #queue: PQueue
  readonly #spool: Producer<Delivery>
  readonly #uploader: Consumer<Delivery>
  readonly #subscription: Subscription
  readonly #arrivals: Consumer<Accepted>
  readonly stages: readonly [Producer<Delivery>, Consumer<Delivery>, Consumer<Accepted>]
  readonly offering: Offering
  readonly #tasks: Tasks
  readonly #probing: Probing
  readonly #slots: Slots
  readonly #streak = new Streak()
  /** Aborted when the grace of the stop is over: ends attempts under way. */
  readonly #hurry = new AbortController()
  readonly #turns = new PlaceTurns(this.#hurry.signal)
  readonly #folders: FolderMoving
  readonly traffic: Traffic
  #resolveStopped: (reason: Reason) => void = () => {}
  #ending: Promise<void> | undefined
  #state: LaneState = { kind: 'opening' }
  #unmetDemand = 0
  #freedSlots = 0
  #isGoingOn = false
  #uncommitted = 0
  #dueTimer: Timer | undefined

  constructor(config: LaneConfig, accepted: Source<Accepted>, parts: LaneParts) {
    this.name = config.name
    this.#config = config
    this.#parts = parts
    this.traffic = new Traffic(config.name, parts)
    this.stopped = new Promise((resolve) => (this.#resolveStopped = resolve))
    // One listener for each attempt under way and what it waits for: many, and all of them taken off again.
    setMaxListeners(0, this.#hurry.signal)
    this.#queue = new PQueue({ concurrency: demandMax })
    this.#slots = new Slots({
      clock: parts.clock,
      most: () => config.order().slotsMax,
      first: config.slotsFirst,
      bytesSent: () => this.traffic.bytesSent,
      onMore: () => this.#wake(),
    })
    this.#tasks = new Tasks((_name, error) => this.#end(error))
    this.#probing = new Probing(parts.clock, this.#tasks, (signal) => this.#look(signal))
    this.#spool = producer<Delivery>({
      name: `spool ${config.name}`,
      bufferSize: demandMax,
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
      maxDemand: demandMax,
    })
    this.#arrivals = consumer<Accepted>({ name: `arrivals ${config.name}`, handleEvents: () => this.#wake() })
    const { targetId } = config
    this.#arrivals.subscribe(accepted, { selector: ({ owedTo }) => owedTo.includes(targetId), cancel: 'permanent' })
    const isReached = (): boolean => this.#state.kind === 'running'
    this.#folders = new FolderMoving({
      ...{ ...parts, ...config, turns: this.#turns, tasks: this.#tasks, isReached },
      onTrouble: (trouble) => this.#happened({ kind: 'failed', ...trouble }),
      onDone: () => this.#wake(),
    })
    const selector = (): Selector => config.order().selector
    this.offering = new Offering({ ...parts, ...config, selector, isReached, onOwed: () => this.#wake() })
    this.stages = [this.#spool, this.#uploader, this.#arrivals]
    this.#watchStages()
    this.#start()
  }

  /** A stage that ends by an error takes its lane with it. */
  #watchStages(): void {
    for (const stage of this.stages) {
      this.#tasks.run('stage', async (signal) => {
        const reason = await stage.stopped
        if (reason instanceof Error && !signal.aborted) throw reason
      })
    }
  }

  #start(): void {
    this.#subscription.ask(demandMax)
    const { heldBecause } = this.#config
    if (heldBecause !== null) this.#happened({ kind: 'held', reason: heldBecause })
    else this.#probing.after(0)
    this.offer()
  }

  get state(): LaneState {
    return this.#state
  }

  /** The one place where the state changes. */
  #happened(event: LaneEvent): void {
    const before = this.#state
    const { state, effect } = nextLaneState(before, event)
    this.#state = state
    if (state !== before) tellOfLane(this.name, { before, state }, this.#parts)
    if (effect === 'none') return
    if (effect !== 'work') return this.#probing.after(effect.probeAfterMs)
    this.offer()
    this.#wake()
  }

  /** There may be work: claims what the uploader has slots for. */
  #wake(): void {
    if (this.#unmetDemand === 0) return
    const claimed = this.#claim()
    if (claimed.length > 0) this.#spool.emit(claimed)
  }

  #claim(): readonly Delivery[] {
    const free = this.#streak.isBroken ? this.#slots.freeOfOne : this.#slots.free
    const count = Math.min(this.#unmetDemand, free)
    if (this.#state.kind !== 'running' || count === 0 || !this.#isPaceOpen()) return []
    if (this.#folders.begin()) return []
    const claimed = this.#parts.journal.claim(this.#config.targetId, count, this.#slots.large)
    this.#unmetDemand -= claimed.length
    this.#slots.begin(claimed.length, claimed.filter(({ size }) => isLarge(size)).length)
    if (claimed.length < count) this.#wakeWhenDue()
    return claimed
  }

  /** Outside its hours, on a spent day and while a limit has to cool down, the target is paused and nothing is held open for it. */
  #isPaceOpen(): boolean {
    const verdict = this.#config.pace.verdict()
    if (verdict.kind === 'open') return true
    const againInMs = Math.min(verdict.waitMs, closedLookMs)
    this.#happened({ kind: 'failed', pause: 'paused', reason: verdict.reason, againInMs })
    return false
  }

  #wakeWhenDue(): void {
    this.#dueTimer?.clear()
    const dueMs = this.#parts.journal.nextDueMs(this.#config.targetId)
    if (dueMs === null || this.#ending !== undefined) return
    const delayMs = Math.max(wakeMsMin, dueMs - this.#parts.clock.wallMs())
    this.#dueTimer = this.#parts.clock.after(delayMs, () => this.#wake())
  }

  /** Alone at the places it touches, until its outcome is written: whoever comes next there sees what is true by then. */
  #begin(delivery: Delivery): void {
    const { receipt, movingTo } = delivery
    const places = [this.#config.order().placeAt(delivery), receipt?.path, movingTo].flatMap((one) => one ?? [])
    this.#tasks.run('delivery', async () => {
      await this.#turns.take(places, (signal) => this.#deliver(delivery, signal))
      await this.#restWhenQuiet()
    })
  }

  async #deliver(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const outcome = await this.#queue.add(() => this.#attempt(delivery, signal))
    const isOverloaded = outcome.kind === 'postponed' && outcome.isOverload === true
    this.#slots.end({ isLarge: isLarge(delivery.size), isOverloaded })
    this.#uncommitted++
    this.#freedSlots++
    this.#goOnSoon()
    await this.#parts.journal.finish(delivery, outcome)
    this.#uncommitted--
    // Also where no slot became free: a change that came during the attempt could not be claimed before.
    this.#goOnSoon()
    if (outcome.kind !== 'delivered') this.#wakeWhenDue()
  }

  #restWhenQuiet(): Promise<void> {
    return restWhenQuiet({ ...this.#parts, ...this.#config }, this.#hurry.signal)
  }

  async #attempt(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const { left } = this.#parts.journal.moves
    // Another file took its copy's place while it waited for its turn there: it is claimed anew, as things are now.
    if (this.#state.kind !== 'running' || signal.aborted || !left.isTrue(delivery)) return { kind: 'released' }
    const { target, order } = this.#config
    const passage = this.traffic.begin(delivery)
    const progress = (bytesDone: number): void => passage.progress(bytesDone)
    const { placeAt, asideAt, onRemove, onConflict } = order()
    const parts = { ...this.#parts, name: this.name, target, placeAt, asideAt, onRemove, onConflict, progress }
    const ending = await passage.until(attempt(delivery, parts, signal))
    if (ending.kind === 'target-paused') {
      this.#happened({ ...ending, kind: 'failed' })
      return { kind: 'interrupted' }
    }
    this.#noteEnding(delivery, ending)
    return ending.outcome
  }

  #noteEnding(delivery: Delivery, { outcome, isTargets }: Extract<Ending, { kind: 'outcome' }>): void {
    if (isDone(outcome)) this.#tookOne()
    if (outcome.kind !== 'parked' && outcome.kind !== 'postponed') return
    tellOfFailure(this.name, delivery, outcome, this.#parts.log)
    const trouble = isTargets === true ? this.#streak.failed(delivery.fileId, outcome.reason) : undefined
    if (trouble !== undefined) this.#happened({ kind: 'failed', ...trouble })
  }

  /** What waits for its time because the target failed as a whole comes now: F70. */
  #tookOne(): void {
    this.#happened({ kind: 'delivered' })
    if (!this.#streak.delivered()) return
    const { journal } = this.#parts
    this.#tasks.run('retry', async (signal) => {
      await journal.patiently(() => journal.retry(this.#config.targetId, 'postponed'), signal)
      this.#wake()
    })
  }

  /** Slots that become free in one turn are asked for together: a claim of 30 costs little more than a claim of one. */
  #goOnSoon(): void {
    if (this.#isGoingOn || this.#uncommitted > uncommittedMax) return
    this.#isGoingOn = true
    queueMicrotask(() => {
      this.#isGoingOn = false
      if (this.#ending !== undefined) return
      const count = this.#freedSlots
      this.#freedSlots = 0
      if (count > 0) this.#subscription.ask(count)
      else this.#wake()
    })
  }

  /** Opens the target, if it is still to be opened. Answers what to do with what came of it. */
  async #look(signal: AbortSignal): Promise<() => void> {
    if (this.#state.kind !== 'opening' && this.#state.kind !== 'paused') return () => {}
    const event = await opened({ ...this.#config, ...this.#parts }, signal)
    return () => this.#happened(event)
  }

  /** The owner asks: look at a paused target now, and do what waits. */
  nudge(): void {
    this.#happened({ kind: 'nudged' })
  }

  /** New limits, in force at once. */
  changePace(settings: Parameters<LanePace['change']>[0]): void {
    this.#config.pace.change(settings)
    this.nudge()
  }

  /** The owner stops the target: attempts under way finish, no other begins. */
  hold(reason: string): void {
    this.#happened({ kind: 'held', reason })
  }

  resume(): void {
    this.#happened({ kind: 'resumed' })
  }

  /** Offers what lies behind the target's cursor. */
  offer(): void {
    this.#tasks.run('offer', (signal) => this.offering.run(signal))
  }

  /** Nothing under way, nothing that could begin soon: a target that cannot be used leaves nothing to do. */
  get isIdle(): boolean {
    const { journal, clock } = this.#parts
    const { targetId } = this.#config
    if (journal.activeCount(targetId) > 0 || this.offering.isRunning || this.#uncommitted > 0) return false
    if (this.#state.kind === 'opening') return false
    if (this.#state.kind === 'paused') return this.#state.probes > 0
    if (this.#state.kind === 'held') return true
    if (this.#folders.isPending || journal.counts(targetId).waiting > 0) return false
    const dueMs = journal.nextDueMs(targetId)
    return dueMs === null || dueMs - clock.wallMs() > idleHorizonMs
  }

  /** Takes no new work, lets attempts under way finish until the grace is over, then ends them. Resolves when that is done. */
  stop(reason: Reason = 'shutdown'): Promise<Reason> {
    this.#end(reason)
    return this.stopped
  }

  /** Ends attempts under way at once. */
  kill(): void {
    this.#hurry.abort(new Error('asked to end at once'))
  }

  #end(reason: Reason): void {
    if (this.#ending !== undefined) return
    this.#happened({ kind: 'stopped' })
    this.#ending = this.#wound(reason).then(this.#resolveStopped)
  }

  /** Never rejects: what fails on the way out is the reason why it ended, where there was no better one. */
  async #wound(reason: Reason): Promise<Reason> {
    const isFailure = reason instanceof Error
    this.#dueTimer?.clear()
    this.#slots.stop()
    if (isFailure) this.kill()
    const grace = this.#parts.clock.after(this.#parts.stopGraceMs, () => this.kill())
    try {
      await this.#queue.onIdle()
      for (const stage of this.stages.toReversed()) await stage.stop('shutdown')
      await this.#tasks.stop()
      this.#parts.journal.release(this.#config.targetId)
      if (!isFailure) await this.#restWhenQuiet()
      await this.#config.target.close()
      await this.#config.pace.close()
      return reason
    } catch (thrown) {
      return isFailure ? reason : asError(thrown)
    } finally {
      grace.clear()
    }
  }
}
