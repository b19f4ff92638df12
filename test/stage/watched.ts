/** Stages that write down what happens to them, and ways to wait for it. */
import {
  consumer,
  type Consumer,
  type ConsumerOptions,
  producer,
  type Producer,
  type ProducerOptions,
  type Seat,
  type Subscription,
} from '../../src/stage/stage.ts'

/** Rounds of the event loop after which stages with synchronous handlers have long come to rest. */
const restRounds = 8
/** To wait for a condition before the test is given up. Unit: ms. */
const untilMsMax = 20_000

export function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Waits until everything that can happen without help has happened. */
export async function atRest(): Promise<void> {
  for (let round = 0; round < restRounds; round++) await nextRound()
}

export async function until(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + untilMsMax
  while (performance.now() < endMs) {
    if (isTrue()) return
    await nextRound()
  }
  throw new Error(`never came true: ${what}`)
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at)
}

/** A promise and the key to it: holds a handler until the test lets it go. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

export interface WatchedConsumer<T> {
  readonly stage: Consumer<T>
  readonly chunks: (readonly T[])[]
  readonly events: () => T[]
}

export function watchedConsumer<T>(
  options: Partial<ConsumerOptions<T>> = {},
  log?: string[],
  name = 'chunk',
): WatchedConsumer<T> {
  const chunks: (readonly T[])[] = []
  const stage = consumer<T>({
    ...options,
    handleEvents(events, from) {
      chunks.push(events)
      log?.push(`${name} ${events.join(',')}`)
      return options.handleEvents?.(events, from)
    },
  })
  return { stage, chunks, events: () => chunks.flat() }
}

/** A producer that only writes down what it is asked for; the test emits. */
export function watchedProducer<T>(
  options: ProducerOptions<T> = {},
  log?: string[],
): { readonly stage: Producer<T>; readonly asks: number[] } {
  const asks: number[] = []
  const stage = producer<T>({
    handleDemand(demand) {
      asks.push(demand)
      log?.push(`ask ${demand}`)
    },
    ...options,
  })
  return { stage, asks }
}

/** Answers every ask at once with as many consecutive numbers. */
export function countingProducer(
  first: number,
  options: ProducerOptions<number> = {},
): { readonly stage: Producer<number>; readonly asks: number[] } {
  const asks: number[] = []
  let next = first
  const stage = producer<number>({
    ...options,
    handleDemand(demand) {
      asks.push(demand)
      next += demand
      return range(next - demand, next - 1)
    },
  })
  return { stage, asks }
}

/** A seat driven by hand, for dispatchers without stages. */
export class HandSeat<T> implements Seat<T> {
  readonly occupant: object
  readonly selector: ((event: T) => boolean) | undefined
  readonly partition: string | number | undefined
  readonly custom: unknown = undefined
  /** Set by the test; nothing is handled here. */
  unhandledCount = 0
  readonly messages: (readonly T[])[] = []
  readonly failures: Error[] = []

  constructor(selector?: (event: T) => boolean, occupant: object = {}, partition?: string | number) {
    this.selector = selector
    this.occupant = occupant
    this.partition = partition
  }

  take(events: readonly T[]): void {
    this.messages.push(events)
  }

  fail(error: Error): void {
    this.failures.push(error)
  }
}

/** What a promise of a reason has come to, or `undefined` while it has not. */
export async function settledOr(promise: Promise<unknown>): Promise<unknown> {
  await atRest()
  return Promise.race([promise, Promise.resolve(undefined)])
}

export function manual(stage: Consumer<number>, source: Parameters<Consumer<number>['subscribe']>[0]): Subscription {
  return stage.subscribe(source, { mode: 'manual' })
}
