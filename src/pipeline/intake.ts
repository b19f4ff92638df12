/**
 * Intake: takes settled changes from the sources, has each batch recorded in one journal transaction with everything it owes,
 * and broadcasts what was accepted to the lanes whose selector takes it. An answer to `take` means: it is on disk.
 */
import {
  JournalFull,
  type Accepted,
  type Change,
  type FolderMove,
  type FolderPlace,
  type Journal,
  type Remover,
  type Selection,
} from '../journal/journal.ts'
import {
  broadcastDispatcher,
  consumer,
  producer,
  producerConsumer,
  type Consumer,
  type Producer,
  type ProducerConsumer,
  type Source,
  type StageSnapshot,
} from '../stage/stage.ts'
import type { RemovalBrake } from './removal-brake.ts'

/** Changes that may wait to be recorded. Beyond it `take` waits, and with it the scans: the watch thread collapses instead. */
const waitingMax = 10_000
/** Changes in one transaction: less than 10 ms of the main loop. */
const batchMax = 200

/** Waiting for room on the state disk is ended by the journal, when the program has to end. */
const never = new AbortController().signal

interface Batch {
  unrecorded: number
  readonly resolve: () => void
}

interface Arrival {
  readonly change: Change
  readonly batch: Batch
}

export interface IntakeParts {
  readonly journal: Journal
  readonly selection: Selection
  /** Targets that give up copies of removed files. */
  readonly removers: () => readonly Remover[]
  /** Where targets keep a folder's copies. */
  readonly places: (move: FolderMove) => readonly FolderPlace[]
  readonly brake: RemovalBrake
  /** The journal could not record: nothing may go on. */
  readonly onFailure: (error: Error) => void
}

export class Intake {
  readonly #parts: IntakeParts
  readonly #journal: Journal
  readonly #arrivals: Producer<Arrival>
  readonly #recorder: ProducerConsumer<Arrival, Accepted>
  readonly #counted: Consumer<Accepted>
  /** Resolves when recording has ended, for whatever reason. */
  readonly #ended: Promise<void>
  #failure: Error | undefined
  #waiting = 0
  #waitingForRoom: (() => void)[] = []
  /** Lets go of what is held back; undefined while nothing is. */
  #release: (() => void) | undefined
  #released: Promise<void> = Promise.resolve()

  constructor(parts: IntakeParts) {
    this.#parts = parts
    this.#journal = parts.journal
    // `take` keeps what waits below the bound, so that nothing is ever discarded.
    this.#arrivals = producer<Arrival>({ name: 'intake', bufferSize: waitingMax * 2 })
    this.#recorder = producerConsumer<Arrival, Accepted>({
      name: 'record',
      dispatcher: broadcastDispatcher<Accepted>(),
      handleEvents: (batch) => this.#record(batch),
    })
    this.#recorder.subscribe(this.#arrivals, { maxDemand: batchMax * 2, minDemand: batchMax, cancel: 'permanent' })
    // Demand of its own: changes are recorded also while no lane listens.
    this.#counted = consumer<Accepted>({ name: 'recorded', handleEvents: () => {} })
    this.#counted.subscribe(this.#recorder, { maxDemand: waitingMax, cancel: 'permanent' })
    this.#ended = this.#recorder.stopped.then((reason) => {
      if (!(reason instanceof Error)) return
      this.#failure = reason
      parts.onFailure(reason)
    })
  }

  /** What lanes subscribe to. */
  get stages(): readonly StageSnapshot[] {
    return [this.#arrivals, this.#recorder, this.#counted].map((stage) => stage.snapshot())
  }

  get accepted(): Source<Accepted> {
    return this.#recorder
  }

  /** Changes taken and not recorded yet. */
  get waitingCount(): number {
    return this.#waiting
  }

  #record(batch: readonly Arrival[]): readonly Accepted[] | Promise<readonly Accepted[]> {
    if (this.#release !== undefined) return this.#recordPatiently(batch)
    try {
      return this.#recordNow(batch)
    } catch (thrown) {
      if (thrown instanceof JournalFull) return this.#recordPatiently(batch)
      throw thrown
    }
  }

  /** Meanwhile nothing else is recorded, `take` fills up to its bound and then waits. */
  async #recordPatiently(batch: readonly Arrival[]): Promise<readonly Accepted[]> {
    while (this.#release !== undefined) await this.#released
    return this.#journal.patiently(() => this.#recordNow(batch), never)
  }

  /** Records nothing until `release`: what is taken meanwhile waits, up to the bound. */
  hold(): void {
    if (this.#release !== undefined) return
    this.#released = new Promise((resolve) => (this.#release = resolve))
  }

  release(): void {
    this.#release?.()
    this.#release = undefined
  }

  #recordNow(batch: readonly Arrival[]): readonly Accepted[] {
    const changes = batch.map((arrival) => arrival.change)
    const { selection, removers, places } = this.#parts
    const giving = removers()
    const accepted = this.#journal.record(changes, selection, { removers: giving, places })
    if (giving.length > 0) this.#watchRemovals(changes, accepted)
    this.#waiting -= batch.length
    for (const { batch: owner } of batch) if (--owner.unrecorded === 0) owner.resolve()
    const waiters = this.#waitingForRoom
    this.#waitingForRoom = []
    for (const go of waiters) go()
    return accepted.filter((answer) => answer !== undefined)
  }

  /** Their copies stay for a grace at least, so that the brake is never too late. */
  #watchRemovals(changes: readonly Change[], accepted: readonly (Accepted | undefined)[]): void {
    const removed = new Map<string, number>()
    changes.forEach(({ kind, source }, index) => {
      // Out of what a target takes is gone for that target, too.
      const isGone = kind === 'remove' || accepted[index]?.isGivenUp === true
      if (isGone) removed.set(source, (removed.get(source) ?? 0) + 1)
    })
    for (const [source, files] of removed) {
      const reason = this.#parts.brake.removed(source, files, this.#journal.fileCounts().get(source) ?? 0)
      if (reason !== undefined && this.#journal.brakeOf(source) === null) this.#journal.brake(source, reason)
    }
  }

  /** Resolves when all of it is in the journal. @throws what broke the journal. */
  async take(changes: readonly Change[]): Promise<void> {
    this.#checkFailure()
    while (this.#waiting + changes.length > waitingMax && this.#waiting > 0) {
      await Promise.race([new Promise<void>((resolve) => this.#waitingForRoom.push(resolve)), this.#ended])
      this.#checkFailure()
    }
    if (changes.length === 0) return
    this.#waiting += changes.length
    const written = new Promise<void>((resolve) => {
      const batch: Batch = { unrecorded: changes.length, resolve }
      this.#arrivals.emit(changes.map((change) => ({ change, batch })))
    })
    await Promise.race([written, this.#ended])
    this.#checkFailure()
  }

  #checkFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Records what was taken, then ends. */
  async stop(): Promise<void> {
    this.release()
    if (this.#failure === undefined) this.#arrivals.end()
    else await this.#arrivals.stop('shutdown')
    await this.#arrivals.stopped
    await this.#recorder.stop('shutdown')
    await this.#counted.stopped
    await this.#ended
  }
}
