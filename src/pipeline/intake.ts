/**
 * Intake: takes settled changes from the sources, has each batch recorded in one journal transaction with everything it owes,
 * and broadcasts what was accepted to the lanes whose selector takes it. An answer to `take` means: it is on disk.
 */
import type { Accepted, Change, Journal, Selection } from '../journal/journal.ts'
import {
  broadcastDispatcher,
  consumer,
  producer,
  producerConsumer,
  type Producer,
  type Source,
} from '../stage/stage.ts'

/** Changes that may wait to be recorded. Beyond it `take` waits, and with it the scans: the watch thread collapses instead. */
const waitingMax = 10_000
/** Changes in one transaction: some 10 ms of the main loop. */
const batchMax = 500

interface Batch {
  unrecorded: number
  readonly resolve: () => void
}

interface Arrival {
  readonly change: Change
  readonly batch: Batch
}

export interface Intake {
  /** Resolves when all of it is in the journal. @throws what broke the journal. */
  take(changes: readonly Change[]): Promise<void>
  /** What lanes subscribe to. */
  readonly accepted: Source<Accepted>
  /** Changes taken and not recorded yet. */
  readonly waitingCount: number
  stop(): Promise<void>
}

/** @param onFailure the journal could not record: nothing may go on. */
export function openIntake(journal: Journal, selection: Selection, onFailure: (error: Error) => void): Intake {
  let failure: Error | undefined
  let waiting = 0
  let room: (() => void)[] = []

  const arrivals: Producer<Arrival> = producer<Arrival>({ name: 'intake', bufferSize: waitingMax * 2 })
  const accepted = producerConsumer<Arrival, Accepted>({
    name: 'record',
    dispatcher: broadcastDispatcher<Accepted>(),
    handleEvents: (batch) => {
      const answers = journal.record(
        batch.map((arrival) => arrival.change),
        selection,
      )
      waiting -= batch.length
      for (const { batch: owner } of batch) if (--owner.unrecorded === 0) owner.resolve()
      const waiters = room
      room = []
      for (const go of waiters) go()
      return answers.filter((answer) => answer !== undefined)
    },
  })
  accepted.subscribe(arrivals, { maxDemand: batchMax * 2, minDemand: batchMax, cancel: 'permanent' })

  // Demand of its own: changes are recorded also while no lane listens.
  const recorded = consumer<Accepted>({ name: 'recorded', handleEvents: () => {} })
  recorded.subscribe(accepted, { maxDemand: waitingMax, cancel: 'permanent' })

  const failed = accepted.stopped.then((reason) => {
    if (!(reason instanceof Error)) return
    failure = reason
    onFailure(reason)
  })

  return {
    accepted,
    get waitingCount() {
      return waiting
    },
    async take(changes) {
      while (waiting + changes.length > waitingMax && waiting > 0 && failure === undefined) {
        await new Promise<void>((resolve) => room.push(resolve))
      }
      if (failure !== undefined) throw failure
      if (changes.length === 0) return
      waiting += changes.length
      const written = new Promise<void>((resolve) => {
        const batch: Batch = { unrecorded: changes.length, resolve }
        arrivals.emit(changes.map((change) => ({ change, batch })))
      })
      await Promise.race([written, failed])
      if (failure !== undefined) throw failure
    },
    async stop() {
      if (failure === undefined) arrivals.end()
      else await arrivals.stop('shutdown')
      await arrivals.stopped
      await accepted.stop('shutdown')
      await recorded.stopped
      await failed
    },
  }
}
