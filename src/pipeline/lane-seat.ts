/** What outlives the lives of a target's lane: its configuration, what it takes and where that goes, and which life it has now. */
import type { Clock } from '../base/clock.ts'
import { joinPath, remotePath, type RemotePath } from '../base/path.ts'
import type { TargetConfig } from '../config/config.ts'
import type { Declaration, Journal, Remover } from '../journal/journal.ts'
import type { Reason } from '../stage/stage.ts'
import type { ReadableTarget } from '../target/target.ts'
import type { Lane } from './lane.ts'
import type { PaceSnapshot } from '../target/pace.ts'
import type { LaneOrder } from './lane-order.ts'
import { layoutOf, ownFolder, placeAt } from './remote-path.ts'
import { selector } from './selector.ts'
import type { LanePace } from './slots.ts'

/** What of a configuration a lane takes over while it goes on. */
type Ordered = Pick<TargetConfig, 'select' | 'at' | 'onRemove' | 'onConflict'> & {
  readonly pace: Pick<TargetConfig['pace'], 'concurrency'>
}

export interface OrderParts {
  readonly clock: Clock
  /** This host's name, for templates. */
  readonly host: string
}

export interface LaneSeatParts extends OrderParts {
  readonly journal: Journal
}

/** Less than this says nothing about what a target takes. Unit: ms. */
const busyMsMin = 1000
/** A lane that failed so often in a row leaves nothing to wait for. */
const failuresUntilIdle = 3

/** What one life was opened with. */
interface SeatOpened {
  readonly target: ReadableTarget
  readonly pace: LanePace
}

export class LaneSeat {
  readonly name: string
  readonly targetId: number
  readonly #parts: LaneSeatParts
  #config: TargetConfig
  #order: LaneOrder
  #lane: Lane | undefined
  #opened: SeatOpened | undefined
  #bytesSentBefore = 0
  #busyMsBefore = 0
  #failures = 0
  #lastFailure: string | undefined

  constructor(config: TargetConfig, parts: LaneSeatParts) {
    this.name = config.name
    this.#parts = parts
    this.#config = config
    this.#order = laneOrder(config, parts)
    this.targetId = parts.journal.declareTarget(config.name, declarationOf(config)).id
  }

  get config(): TargetConfig {
    return this.#config
  }

  get order(): LaneOrder {
    return this.#order
  }

  /** How this target deals with copies of removed files; undefined where it keeps them. */
  get remover(): Remover | undefined {
    const { onRemove, removeAfterMs: graceMs } = this.#config
    return onRemove === 'keep' ? undefined : { targetId: this.targetId, graceMs }
  }

  /** Undefined between two lives. */
  get lane(): Lane | undefined {
    return this.#lane
  }

  /** The target while its lane has it open: for reading beside what the lane does. */
  get reading(): ReadableTarget | undefined {
    return this.#lane?.state.kind === 'running' ? this.#opened?.target : undefined
  }

  /** Over all lives. */
  get bytesSent(): number {
    return this.#bytesSentBefore + (this.#lane?.traffic.bytesSent ?? 0)
  }

  /** What its target took while it had work; undefined before it had any. */
  get bytesPerSecond(): number | undefined {
    const busyMs = this.#busyMsBefore + (this.#lane?.traffic.busyMs ?? 0)
    return busyMs < busyMsMin ? undefined : (this.bytesSent / busyMs) * 1000
  }

  /** Why the last life ended, while there is no other yet. */
  get lastFailure(): string | undefined {
    return this.#lane === undefined ? this.#lastFailure : undefined
  }

  /** Requests made to its account this month; undefined between two lives. */
  get requests(): PaceSnapshot['monthly'] | undefined {
    return this.#opened?.pace.snapshot().monthly
  }

  /** A new life begins, with a target and a pace of its own. @param onEnd told once, when it is over. */
  begin(lane: Lane, opened: SeatOpened, onEnd: (reason: Reason) => void): Lane {
    this.#lane = lane
    this.#opened = opened
    const ended = (reason: Reason): void => {
      this.#lane = undefined
      this.#opened = undefined
      this.#bytesSentBefore += lane.traffic.bytesSent
      this.#busyMsBefore += lane.traffic.busyMs
      if (reason instanceof Error) this.#lastFailure = reason.message
      this.#failures = reason instanceof Error && lane.traffic.bytesSent === 0 ? this.#failures + 1 : 1
      onEnd(reason)
    }
    // `stopped` never rejects.
    lane.stopped.then(ended, ended)
    return lane
  }

  /**
   * Takes over what can change while the lane goes on. @returns false where it cannot, because the copies go somewhere else now.
   */
  adopt(config: TargetConfig): boolean {
    const { host } = this.#parts
    if (placeOf(config, host) !== placeOf(this.#config, host)) return false
    this.#parts.journal.declareTarget(config.name, declarationOf(config))
    this.#config = config
    this.#order = laneOrder(config, this.#parts)
    this.#lane?.changePace(config.pace)
    this.#lane?.offer()
    return true
  }

  get isIdle(): boolean {
    return this.#lane?.isIdle ?? this.#failures >= failuresUntilIdle
  }
}

export function laneOrder({ select, at, pace, onRemove, onConflict }: Ordered, { clock, host }: OrderParts): LaneOrder {
  const asideAt = (fileId: number): RemotePath => remotePath(joinPath(ownFolder(at, host), `fanfold-moves-${fileId}`))
  const order = { selector: selector(select, clock), placeAt: placeAt(at, host), layout: layoutOf(at, host), asideAt }
  return { ...order, slotsMax: pace.concurrency, onRemove, onConflict }
}

/** What the journal compares a target with, so that it notices when another configuration calls for another offer. */
export function declarationOf(target: TargetConfig): Declaration {
  const place =
    target.kind === 'directory' ? target.path : `${target.account.name}:${target.drive ?? ''}/${target.folder}`
  const { kind, formerly } = target
  return { kind, selector: JSON.stringify([target.select, target.at]), place, formerly }
}

/** The order that a declaration was made of. Its text was written by `declarationOf` only. */
export function declaredOrder({ selector: text }: Declaration, parts: OrderParts): LaneOrder {
  const [select, at] = JSON.parse(text) as [TargetConfig['select'], string]
  return laneOrder({ select, at, onRemove: 'keep', onConflict: 'park', pace: { concurrency: 1 } }, parts)
}

/** Whatever of a configuration a running lane cannot change. */
function placeOf(config: TargetConfig, host: string): string {
  return JSON.stringify({
    ...config,
    select: null,
    at: ownFolder(config.at, host),
    onRemove: null,
    onConflict: null,
    removeAfterMs: null,
    pace: null,
    verify: null,
    formerly: null,
  })
}
