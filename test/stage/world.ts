/** A random world of stages for the property test: joins, leaves, asks, slow and failing handlers; and what must be true of it at any time. */
import type { Random } from '../../src/base/random.ts'
import {
  broadcastDispatcher,
  consumer,
  demandDispatcher,
  type Dispatcher,
  partitionDispatcher,
  producer,
  type Producer,
  producerConsumer,
  type Subscription,
} from '../../src/stage/stage.ts'
import type { Eater, Kind, Made, Outlet, Passing, Reader } from './folk.ts'
import { gate, nextRound, range } from './watched.ts'

const outletsMax = 5
const partitions = 3
const queueSizeMax = 20
const kinds: readonly Kind[] = ['demand', 'broadcast', 'partition']
const eatersMax = 8

export class World {
  readonly #random: Random
  readonly #mayDie: boolean
  readonly #outlets: Outlet[] = []
  readonly #eaters: Eater[] = []
  /** Those a new subscription may be made for. */
  #liveEaters: Eater[] = []
  #openReaders: Reader[] = []
  readonly #readerOf = new Map<Subscription, Reader>()
  readonly #passings: Passing[] = []
  readonly #gates: (() => void)[] = []
  /** Per origin: events made so far, the demand not yet answered, and how it answers. */
  readonly #made: number[] = []
  readonly #debts: number[] = []
  #isFinishing = false
  readonly faults: string[] = []
  handledCount = 0

  constructor(random: Random, mayDie: boolean) {
    this.#random = random
    this.#mayDie = mayDie
    for (let origin = 0; origin < 2; origin++) this.#outlets.push(this.#source(origin))
  }

  /** One random thing happens, and what must hold at once is checked. */
  async step(): Promise<void> {
    const dice = this.#random()
    if (dice < 0.08) this.#join()
    else if (dice < 0.12) this.#leave()
    else if (dice < 0.14) this.#die()
    else if (dice < 0.15 && this.#outlets.length < outletsMax) this.#outlets.push(this.#middle())
    else if (dice < 0.45) this.#make()
    else if (dice < 0.65) this.#ask()
    else if (dice < 0.8) this.#gates.splice(this.#below(this.#gates.length), 1)[0]?.()
    else await nextRound()
    this.#checkBuffers()
  }

  /** Lets everything flow: nothing waits for a gate, and everybody who would hold others back has gone. */
  async finish(): Promise<void> {
    this.#isFinishing = true
    for (const eater of this.#eaters)
      for (const reader of eater.readers) if (reader.window === undefined || eater.isDead) reader.subscription.cancel()
    for (const outlet of this.#outlets)
      for (const partition of outlet.kind === 'partition' ? range(0, partitions - 1) : [undefined])
        this.#read(this.#eater(false), outlet, { partition, askCount: 1_000_000 })
    for (let quietRounds = 0; quietRounds < 8; quietRounds++) {
      if (this.#gates.length > 0) quietRounds = 0
      for (const open of this.#gates.splice(0)) open()
      await nextRound()
    }
    this.#checkBuffers()
    for (const { stage } of this.#outlets)
      if (stage.bufferedCount + heldIn(stage) > 0)
        this.faults.push(`${stage.bufferedCount} + ${heldIn(stage)} events left in ${stage.name}`)
    this.#checkComplete()
    await Promise.all([...this.#outlets, ...this.#eaters].map(({ stage }) => stage.stop()))
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  #pick<T>(things: readonly T[]): T {
    const thing = things[this.#below(things.length)]
    if (thing === undefined) throw new Error('nothing to pick from')
    return thing
  }

  #dispatcher(kind: Kind): () => Dispatcher<Made> {
    switch (kind) {
      case 'demand':
        return demandDispatcher({ start: this.#below(3) })
      case 'broadcast':
        return broadcastDispatcher()
      case 'partition':
        return partitionDispatcher({
          partitions,
          queueSize: 1 + this.#below(queueSizeMax),
          hash: ({ seq }) => seq % partitions,
        })
    }
  }

  #source(origin: number): Outlet {
    this.#made.push(0)
    this.#debts.push(0)
    const kind = this.#pick(kinds)
    const guard = this.#alone(`source ${origin}`)
    const isAsync = this.#random() < 0.3
    const stage: Producer<Made> = producer<Made>({
      name: `source ${origin}`,
      dispatcher: this.#dispatcher(kind),
      bufferSize: Infinity,
      handleDemand: (demand, self) =>
        guard(isAsync && this.#random() < 0.5, () => {
          const count = this.#isFinishing ? 0 : Math.min(demand, this.#below(8))
          this.#debts[origin] = (this.#debts[origin] ?? 0) + demand - count
          // Numbered and emitted in one go: what an asynchronous handler returns arrives a little later, and may be overtaken by an emit.
          self.emit(this.#next(origin, count))
        }),
    })
    return { stage, kind, lastSeqs: [], origin }
  }

  #middle(): Outlet {
    const kind = this.#pick(kinds)
    const guard = this.#alone('middle')
    const isAsync = this.#random() < 0.5
    const from = this.#pick(this.#outlets.slice(0, 2))
    const seen: Made[] = []
    const stage = producerConsumer<Made, Made>({
      name: 'middle',
      dispatcher: this.#dispatcher(kind),
      handleEvents: (events) =>
        guard(isAsync && this.#random() < 0.5, () => {
          seen.push(...events)
          return events
        }),
    })
    const partition = this.#partition(from.kind)
    stage.subscribe(from.stage, {
      ...this.#window(),
      cancel: 'temporary',
      ...(partition === undefined ? {} : { partition }),
    })
    this.#passings.push({ from, to: stage, seen })
    return { stage, kind, lastSeqs: [], origin: undefined }
  }

  #next(origin: number, count: number): Made[] {
    const first = this.#made[origin] ?? 0
    this.#made[origin] = first + count
    return range(first, first + count - 1).map((seq) => ({ origin, seq }))
  }

  #window(): { maxDemand: number; minDemand: number } {
    const maxDemand = 1 + this.#below(12)
    return { maxDemand, minDemand: this.#below(maxDemand) }
  }

  /** Runs handlers of one stage, now or behind a gate, and reports any two that overlap. */
  #alone(name: string): <R>(waits: boolean, work: () => R) => R | Promise<R> {
    let running = 0
    const begin = (): void => {
      if (++running > 1) this.faults.push(`${name}: callbacks overlap`)
    }
    return (waits, work) => {
      begin()
      if (!waits) {
        running--
        return work()
      }
      const held = gate()
      this.#gates.push(() => held.open())
      return held.opened.then(() => {
        running--
        return work()
      })
    }
  }

  #eater(isSlow: boolean): Eater {
    const guard = this.#alone('consumer')
    const stage = consumer<Made>({
      handleEvents: (events, from) => guard(isSlow && this.#random() < 0.5, () => this.#seen(eater, events, from)),
    })
    const eater: Eater = { stage, readers: [], isDead: false }
    this.#eaters.push(eater)
    this.#liveEaters.push(eater)
    return eater
  }

  #join(): void {
    const free = this.#liveEaters.find((eater) => !eater.isDead && this.#random() < 0.3)
    this.#liveEaters = this.#liveEaters.filter(
      (eater) =>
        !eater.isDead && this.#openReaders.some((reader) => reader.eater === eater && reader.subscription.isOpen),
    )
    const eater = free ?? (this.#liveEaters.length < eatersMax ? this.#eater(this.#random() < 0.5) : undefined)
    if (eater !== undefined) this.#read(eater, this.#pick(this.#outlets))
  }

  /** @param how a window of its own or by hand, and a partition by chance, unless it is said. */
  #read(eater: Eater, from: Outlet, how?: { readonly partition: number | undefined; readonly askCount: number }): void {
    const window = this.#window()
    const isManual = how !== undefined || this.#random() < 0.4
    const partition = how === undefined ? this.#partition(from.kind) : how.partition
    const selector = from.kind === 'broadcast' && how === undefined ? this.#selector() : undefined
    const subscription = eater.stage.subscribe(from.stage, {
      ...window,
      cancel: 'temporary',
      mode: isManual ? 'manual' : 'automatic',
      ...(selector === undefined ? {} : { selector }),
      ...(partition === undefined ? {} : { partition }),
    })
    const reader: Reader = {
      from,
      eater,
      partition,
      subscription,
      seen: [],
      selector,
      pending: isManual ? 0 : window.maxDemand,
      window: isManual ? undefined : { max: window.maxDemand, min: window.minDemand },
    }
    eater.readers.push(reader)
    this.#openReaders.push(reader)
    this.#readerOf.set(subscription, reader)
    if (how !== undefined) this.#askFor(reader, how.askCount)
  }

  #partition(kind: Kind): number | undefined {
    return kind === 'partition' ? this.#below(partitions) : undefined
  }

  #selector(): ((event: Made) => boolean) | undefined {
    const divisor = 1 + this.#below(3)
    return this.#random() < 0.5 ? (event) => event.seq % divisor === 0 : undefined
  }

  #leave(): void {
    this.#openReader()?.subscription.cancel()
  }

  #die(): void {
    if (!this.#mayDie) return
    const eater = this.#liveEaters[this.#below(this.#liveEaters.length)]
    if (eater !== undefined) eater.isDead = true
  }

  #make(): void {
    const origin = this.#below(2)
    const debt = this.#debts[origin] ?? 0
    const count = this.#random() < 0.8 ? Math.min(debt, this.#below(10)) : this.#below(4)
    this.#debts[origin] = Math.max(0, debt - count)
    this.#outlets[origin]?.stage.emit(this.#next(origin, count))
  }

  #ask(): void {
    const reader = this.#openReader()
    if (reader?.window === undefined && reader !== undefined) this.#askFor(reader, this.#below(6))
  }

  #askFor(reader: Reader, count: number): void {
    reader.pending += count
    reader.subscription.ask(count)
  }

  #openReader(): Reader | undefined {
    this.#openReaders = this.#openReaders.filter((reader) => reader.subscription.isOpen)
    return this.#openReaders[this.#below(this.#openReaders.length)]
  }

  #seen(eater: Eater, events: readonly Made[], from: Subscription): void {
    if (eater.isDead) throw new Error('fails as it was told to')
    const reader = this.#readerOf.get(from)
    if (reader === undefined) return void this.faults.push('events of an unknown subscription')
    this.handledCount += events.length
    this.#checkChunk(reader, events)
    if (reader.partition !== undefined) this.#checkPartition(reader.from, reader.partition, events)
    for (const event of events) reader.seen.push(event)
    countDown(reader, events.length)
  }

  /** Whoever handles a partition, its order holds: nobody begins before the one before is done. */
  #checkPartition({ stage, lastSeqs }: Outlet, partition: number, events: readonly Made[]): void {
    for (const { seq } of events) {
      if (seq % partitions !== partition) this.faults.push(`${stage.name}: ${seq} in partition ${partition}`)
      if (seq <= (lastSeqs[partition] ?? -1)) this.faults.push(`${stage.name}: ${seq} after ${lastSeqs[partition]}`)
      lastSeqs[partition] = seq
    }
  }

  /** Never more than asked, never a larger chunk than agreed, nothing that should still lie in the buffer, nothing that was not selected. */
  #checkChunk({ window, from, ...reader }: Reader, events: readonly Made[]): void {
    const { origin, stage } = from
    if (reader.pending < events.length) this.faults.push('more events than asked for')
    if (window !== undefined && events.length > window.max - window.min) this.faults.push('a chunk too large')
    for (const event of events) {
      if (origin !== undefined && event.seq >= (this.#made[origin] ?? 0) - stage.bufferedCount)
        this.faults.push(`event ${event.seq} of ${stage.name} passed a buffered one`)
      if (reader.selector?.(event) === false) this.faults.push('an event that was not selected')
    }
  }

  #checkBuffers(): void {
    for (const { stage, kind } of this.#outlets) {
      if (stage.bufferedCount > 0 && stage.wantedCount > 0)
        this.faults.push(`${stage.name}: ${stage.bufferedCount} buffered beside ${stage.wantedCount} wanted`)
      if (kind === 'partition' && this.#random() < 0.05 && heldIn(stage) > partitions * queueSizeMax)
        this.faults.push(`${stage.name}: ${heldIn(stage)} events held in its queues`)
    }
  }

  #checkComplete(): void {
    for (const outlet of this.#outlets) {
      const readers = this.#eaters.flatMap((eater) => eater.readers.filter((reader) => reader.from === outlet))
      for (const reader of readers) this.#checkOrder(reader)
      if (outlet.kind === 'broadcast') for (const reader of readers) this.#checkGapless(reader)
      else this.#checkOnce(outlet, readers)
    }
  }

  #checkOrder({ seen, from }: Reader): void {
    for (let at = 1; at < seen.length; at++)
      if ((seen[at]?.seq ?? 0) <= (seen[at - 1]?.seq ?? 0))
        this.faults.push(`${from.stage.name}: ${seen[at]?.seq} after ${seen[at - 1]?.seq}`)
  }

  /** A source's broadcast reaches a subscription without a gap, and to the end as long as it is open, apart from what its selector rejects. */
  #checkGapless({ seen, from, selector, subscription }: Reader): void {
    const [first, last] = [seen[0], seen[seen.length - 1]]
    if (first === undefined || last === undefined || from.origin === undefined) return
    const end = subscription.isOpen ? (this.#made[from.origin] ?? 0) - 1 : last.seq
    const expected = range(first.seq, end)
      .map((seq) => ({ origin: first.origin, seq }))
      .filter((event) => selector?.(event) !== false)
    if (expected.length !== seen.length) this.faults.push(`${from.stage.name}: a gap between ${first.seq} and ${end}`)
  }

  /** By demand, each event is handled once by one subscriber; none is missing as long as nobody died with it. */
  #checkOnce(outlet: Outlet, readers: readonly Reader[]): void {
    const takers = [...readers, ...this.#passings.filter(({ from }) => from === outlet)]
    const seen = takers.flatMap((taker) => taker.seen.map((event) => event.seq))
    const { name } = outlet.stage
    if (new Set(seen).size !== seen.length) this.faults.push(`${name}: an event was handled twice`)
    const count = outlet.origin === undefined ? this.#passedBy(outlet) : (this.#made[outlet.origin] ?? 0)
    if (!this.#mayDie && seen.length !== count) this.faults.push(`${name}: ${seen.length} of ${count} events handled`)
  }

  #passedBy(outlet: Outlet): number {
    return this.#passings.find(({ to }) => to === outlet.stage)?.seen.length ?? 0
  }
}

function heldIn(stage: Outlet['stage']): number {
  return stage.snapshot().heldCount
}

function countDown(reader: Reader, count: number): void {
  reader.pending -= count
  if (reader.window !== undefined && reader.pending <= reader.window.min) reader.pending = reader.window.max
}
