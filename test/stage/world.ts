/** A random world of stages for the property test: joins, leaves, asks, slow and failing handlers; and what must be true of it at any time. */
import type { Random } from '../../src/base/random.ts'
import {
  broadcastDispatcher,
  consumer,
  type Consumer,
  demandDispatcher,
  type Dispatcher,
  type HandOut,
  producer,
  type Producer,
  producerConsumer,
  type Subscription,
} from '../../src/stage/stage.ts'
import { gate, nextRound, range } from './watched.ts'

/** Made by source number `origin`, as its number `seq`, from 0 without gaps. */
export interface Made {
  readonly origin: number
  readonly seq: number
}

/** One subscription of a consumer, with what it saw. */
interface Reader {
  readonly from: Outlet
  readonly subscription: Subscription
  readonly seen: Made[]
  readonly selector: ((event: Made) => boolean) | undefined
  /** Events asked for and not handled, worked out anew from the rule of S11. */
  pending: number
  readonly window: { readonly max: number; readonly min: number } | undefined
}

interface Outlet {
  readonly stage: HandOut<Made>
  readonly isBroadcast: boolean
  /** Undefined for a middle. */
  readonly origin: number | undefined
}

/** What a middle took from its source; it hands on all of it. */
interface Passing {
  readonly from: Outlet
  readonly to: HandOut<Made>
  readonly seen: Made[]
}

interface Eater {
  readonly stage: Consumer<Made>
  readonly readers: Reader[]
  isDead: boolean
}

const outletsMax = 5
const eatersMax = 8

export class World {
  readonly #random: Random
  readonly #mayDie: boolean
  readonly #outlets: Outlet[] = []
  readonly #eaters: Eater[] = []
  readonly #passings: Passing[] = []
  readonly #gates: (() => void)[] = []
  /** Per origin: events made so far, the demand not yet answered, and how it answers. */
  readonly #made: number[] = []
  readonly #debts: number[] = []
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
    for (const eater of this.#eaters)
      for (const reader of eater.readers) if (reader.window === undefined) reader.subscription.cancel()
    for (const outlet of this.#outlets) this.#read(this.#eater(false), outlet, 1_000_000)
    for (let round = 0; round < 200; round++) {
      for (const open of this.#gates.splice(0)) open()
      await nextRound()
    }
    this.#checkBuffers()
    for (const { stage } of this.#outlets)
      if (stage.bufferedCount > 0) this.faults.push(`${stage.bufferedCount} events left in ${stage.name}`)
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

  #dispatcher(isBroadcast: boolean): () => Dispatcher<Made> {
    return isBroadcast ? broadcastDispatcher() : demandDispatcher({ start: this.#below(3) })
  }

  #source(origin: number): Outlet {
    this.#made.push(0)
    this.#debts.push(0)
    const isBroadcast = this.#random() < 0.5
    const guard = this.#alone(`source ${origin}`)
    const isAsync = this.#random() < 0.3
    const stage: Producer<Made> = producer<Made>({
      name: `source ${origin}`,
      dispatcher: this.#dispatcher(isBroadcast),
      bufferSize: Infinity,
      handleDemand: (demand, self) =>
        guard(isAsync && this.#random() < 0.5, () => {
          const count = Math.min(demand, this.#below(8))
          this.#debts[origin] = (this.#debts[origin] ?? 0) + demand - count
          // Numbered and emitted in one go: what an asynchronous handler returns arrives a little later, and may be overtaken by an emit.
          self.emit(this.#next(origin, count))
        }),
    })
    return { stage, isBroadcast, origin }
  }

  #middle(): Outlet {
    const isBroadcast = this.#random() < 0.5
    const guard = this.#alone('middle')
    const isAsync = this.#random() < 0.5
    const from = this.#pick(this.#outlets.slice(0, 2))
    const seen: Made[] = []
    const stage = producerConsumer<Made, Made>({
      name: 'middle',
      dispatcher: this.#dispatcher(isBroadcast),
      handleEvents: (events) =>
        guard(isAsync && this.#random() < 0.5, () => {
          seen.push(...events)
          return events
        }),
    })
    stage.subscribe(from.stage, { ...this.#window(), cancel: 'temporary' })
    this.#passings.push({ from, to: stage, seen })
    return { stage, isBroadcast, origin: undefined }
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
    return eater
  }

  #join(): void {
    const free = this.#eaters.find((eater) => !eater.isDead && this.#random() < 0.3)
    const live = this.#eaters.filter((eater) => !eater.isDead && eater.readers.some((r) => r.subscription.isOpen))
    const eater = free ?? (live.length < eatersMax ? this.#eater(this.#random() < 0.5) : undefined)
    if (eater !== undefined) this.#read(eater, this.#pick(this.#outlets))
  }

  /** @param askCount undefined: a window of its own, or by hand. */
  #read(eater: Eater, from: Outlet, askCount?: number): void {
    const window = this.#window()
    const isManual = askCount !== undefined || this.#random() < 0.4
    const divisor = 1 + this.#below(3)
    const selector =
      from.isBroadcast && askCount === undefined && this.#random() < 0.5
        ? (event: Made): boolean => event.seq % divisor === 0
        : undefined
    const subscription = eater.stage.subscribe(from.stage, {
      ...window,
      cancel: 'temporary',
      mode: isManual ? 'manual' : 'automatic',
      ...(selector === undefined ? {} : { selector }),
    })
    const reader: Reader = {
      from,
      subscription,
      seen: [],
      selector,
      pending: isManual ? 0 : window.maxDemand,
      window: isManual ? undefined : { max: window.maxDemand, min: window.minDemand },
    }
    eater.readers.push(reader)
    if (askCount !== undefined) this.#askFor(reader, askCount)
  }

  #leave(): void {
    this.#openReader()?.subscription.cancel()
  }

  #die(): void {
    if (!this.#mayDie) return
    const eater = this.#eaters[this.#below(this.#eaters.length)]
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
    const open = this.#eaters.flatMap((eater) => eater.readers).filter((reader) => reader.subscription.isOpen)
    return open[this.#below(open.length)]
  }

  #seen(eater: Eater, events: readonly Made[], from: Subscription): void {
    if (eater.isDead) throw new Error('fails as it was told to')
    const reader = eater.readers.find(({ subscription }) => subscription === from)
    if (reader === undefined) return void this.faults.push('events of an unknown subscription')
    this.handledCount += events.length
    this.#checkChunk(reader, events)
    reader.seen.push(...events)
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
    this.#countDown(reader.subscription, events.length)
  }

  #countDown(from: Subscription, count: number): void {
    for (const reader of this.#eaters.flatMap((eater) => eater.readers)) {
      if (reader.subscription !== from) continue
      reader.pending -= count
      if (reader.window !== undefined && reader.pending <= reader.window.min) reader.pending = reader.window.max
    }
  }

  #checkBuffers(): void {
    for (const { stage } of this.#outlets)
      if (stage.bufferedCount > 0 && stage.wantedCount > 0)
        this.faults.push(`${stage.name}: ${stage.bufferedCount} buffered beside ${stage.wantedCount} wanted`)
  }

  #checkComplete(): void {
    for (const outlet of this.#outlets) {
      const readers = this.#eaters.flatMap((eater) => eater.readers.filter((reader) => reader.from === outlet))
      for (const reader of readers) this.#checkOrder(reader)
      if (outlet.isBroadcast) for (const reader of readers) this.#checkGapless(reader)
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
