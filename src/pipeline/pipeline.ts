/**
 * The pipeline: changes go in, are owed to every target that takes them, and each lane pays its own debts at its own pace. Lanes are
 * children of one supervisor: one that fails is started afresh alone, and lanes come, change and go while the others work on.
 */
import type { Clock } from '../base/clock.ts'
import { BrokenInvariant } from '../base/errors.ts'
import type { TargetConfig } from '../config/config.ts'
import {
  isDamage,
  type Change,
  type Facts,
  type FolderMove,
  type FolderPlace,
  type Remover,
} from '../journal/journal.ts'
import { supervise, type Reason, type StageSnapshot, type Supervisor } from '../stage/stage.ts'
import { slotsFirstOf } from '../target/catalogue.ts'
import type { Target } from '../target/target.ts'
import { FolderCheck } from './folder-check.ts'
import { Intake } from './intake.ts'
import { Lane, type LaneParts } from './lane.ts'
import { LaneSeat } from './lane-seat.ts'
import { RemovalBrake } from './removal-brake.ts'
import type { LanePace } from './slots.ts'
import { SurveyedTarget } from './surveyed-target.ts'

export type { Lane } from './lane.ts'
export type { LaneOrder } from './lane-order.ts'
export type { LaneState } from './lane-state.ts'
export { declarationOf, declaredOrder, laneOrder, type LaneSeat } from './lane-seat.ts'
export { ownFolder } from './remote-path.ts'
export { pathRules, selector } from './selector.ts'
export type { EndedAttempt } from './traffic.ts'
export { verification, type Difference, type Finding, type Tally, type VerifyWish } from './verification.ts'

/** What stands behind a target's configuration, with the pace that is around it already. */
export interface OpenedTarget {
  readonly target: Target
  readonly pace: LanePace
}

export interface PipelineParts extends LaneParts {
  /** Loads a kind of target. What it answers opens what stands behind a configuration, for one life of its lane, which closes it. */
  readonly openerOf: (kind: TargetConfig['kind']) => Promise<(config: TargetConfig) => OpenedTarget>
  /** This host's name, for templates. */
  readonly host: string
  readonly clock: Clock
  /** The journal broke: nothing may go on. */
  readonly onFailure: (error: Error) => void
}

/** A lane that fails begins anew after this, doubling with each failure. Unit: ms. */
const restartFirstMs = 1000
const restartLongestMs = 60_000
/** Failures within this count for the delay. Unit: ms. */
const restartsWithinMs = 600_000
/** Beyond the grace of its stop, which a lane keeps by itself. Unit: ms. */
const stopReserveMs = 10_000

export class Pipeline {
  readonly #parts: PipelineParts
  readonly #intake: Intake
  readonly #brake: RemovalBrake
  readonly #folders: FolderCheck
  readonly #seats = new Map<string, LaneSeat>()
  readonly #lanes: Promise<Supervisor>

  /** Declares the targets, so that no change is accepted before everybody who may take it is known. */
  constructor(targets: readonly TargetConfig[], parts: PipelineParts) {
    this.#parts = parts
    for (const config of targets) this.#declare(config)
    parts.journal.othersLeft()
    const selection = (facts: Facts): number[] => this.#takers(facts)
    const removers = (): Remover[] => this.seats.flatMap(({ remover }) => (remover === undefined ? [] : [remover]))
    this.#brake = new RemovalBrake(parts.clock)
    this.#folders = new FolderCheck({ journal: parts.journal, seats: () => this.seats })
    const places = (move: FolderMove): FolderPlace[] => this.#folders.places(move)
    this.#intake = new Intake({ ...parts, selection, removers, places, brake: this.#brake })
    this.#lanes = supervise({
      name: 'lanes',
      restartsMax: Infinity,
      restartsWithinMs,
      restartDelayMs: (restarts) => Math.min(restartLongestMs, restartFirstMs * 2 ** Math.min(restarts - 1, 30)),
      clock: parts.clock,
    })
  }

  #takers(facts: Facts): number[] {
    const ids: number[] = []
    for (const seat of this.#seats.values()) if (seat.order.selector(facts).takes) ids.push(seat.targetId)
    return ids
  }

  #declare(config: TargetConfig): LaneSeat {
    const { journal, clock, host } = this.#parts
    const seat = new LaneSeat(config, { journal, clock, host })
    this.#seats.set(config.name, seat)
    return seat
  }

  /** Starts a lane for every target that was declared. */
  async start(): Promise<void> {
    for (const seat of this.#seats.values()) await this.#startLane(seat)
  }

  async #startLane(seat: LaneSeat): Promise<void> {
    const lanes = await this.#lanes
    await lanes.add({
      name: seat.name,
      restart: 'transient',
      stopMs: this.#parts.stopGraceMs + stopReserveMs,
      start: () => this.#beginLane(seat),
    })
  }

  async #beginLane(seat: LaneSeat): Promise<Lane> {
    const open = await this.#parts.openerOf(seat.config.kind)
    // As it is now: a reload may have changed it meanwhile, though never its kind.
    const { name, targetId, config } = seat
    const { target, pace } = open(config)
    const heldBecause = this.#parts.journal.heldBecause(name)
    const order = (): LaneSeat['order'] => seat.order
    const slotsFirst = slotsFirstOf(config.kind)
    const surveyed = new SurveyedTarget(target, { ...this.#parts, name })
    const parts = { name, targetId, target: surveyed, pace, slotsFirst, order, heldBecause }
    const lane = new Lane(parts, this.#intake.accepted, this.#parts)
    return seat.begin(lane, { target, pace }, (reason) => this.#laneEnded(seat, reason))
  }

  /** What broke in one lane is its own affair, unless it is the ground that all of them stand on. */
  #laneEnded(seat: LaneSeat, reason: Reason): void {
    if (!(reason instanceof Error)) return
    this.#parts.log.error('lane failed', { target: seat.name, error: reason.stack ?? reason.message })
    if (reason instanceof BrokenInvariant || isDamage(reason)) this.#parts.onFailure(reason)
    else this.#parts.journal.note({ source: null, target: seat.name, event: 'lane-failed', detail: reason.message })
  }

  get seats(): readonly LaneSeat[] {
    return [...this.#seats.values()]
  }

  seat(name: string): LaneSeat | undefined {
    return this.#seats.get(name)
  }

  async #add(config: TargetConfig): Promise<void> {
    const seat = this.#declare(config)
    try {
      await this.#startLane(seat)
    } catch (thrown) {
      this.#leave(seat)
      throw thrown
    }
  }

  #leave({ name }: LaneSeat): void {
    this.#seats.delete(name)
    this.#parts.journal.undeclareTarget(name)
  }

  /** A target leaves: what is under way finishes or is kept for later; what it is owed stays in the journal. */
  async remove(name: string): Promise<void> {
    const seat = this.#seats.get(name)
    if (seat === undefined) return
    this.#leave(seat)
    await (await this.#lanes).remove(name)
  }

  /**
   * A target's configuration is another one: only where it stands somewhere else now does its lane begin anew. Or a target joins: what
   * the journal knows is offered to it behind live changes.
   */
  async change(config: TargetConfig): Promise<void> {
    const seat = this.#seats.get(config.name)
    if (seat === undefined) return this.#add(config)
    if (seat.adopt(config)) return
    await this.remove(config.name)
    await this.#add(config)
  }

  /** The owner says that the removals of a source are meant. Answers how many copies were held back. */
  approve(source: string): number {
    this.#brake.approved(source)
    const copies = this.#parts.journal.approve(source)
    for (const { lane } of this.#seats.values()) lane?.nudge()
    return copies
  }

  /** May a folder that was renamed be taken as one move, see FolderCheck? */
  mayMoveFolder(move: FolderMove): Promise<boolean> {
    return this.#folders.mayMove(move)
  }

  /** Takes settled changes; resolves once they are in the journal with all that they owe. At most some 1,000 a call. */
  take(changes: readonly Change[]): Promise<void> {
    return this.#intake.take(changes)
  }

  /** Accepts nothing in detail until `release`: the state disk has no room for it. Deliveries go on. */
  hold(): void {
    this.#intake.hold()
  }

  release(): void {
    this.#intake.release()
  }

  /** Of what every change passes, and of each lane. */
  get stages(): readonly StageSnapshot[] {
    const lanes = this.seats.flatMap(({ lane }) => lane?.stages ?? [])
    return [...this.#intake.stages, ...lanes.map((stage) => stage.snapshot())]
  }

  get isIdle(): boolean {
    return this.#intake.waitingCount === 0 && this.seats.every((seat) => seat.isIdle)
  }

  /** Records what was taken, then stops every lane side by side. */
  async stop(): Promise<void> {
    await this.#intake.stop()
    const lives = this.seats.flatMap(({ lane }) => (lane === undefined ? [] : [lane]))
    await Promise.all(lives.map((lane) => lane.stop()))
    await (await this.#lanes).stop()
  }
}
