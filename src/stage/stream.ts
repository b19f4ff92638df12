/** The events of producers as an async iterable: the way out of stages into plain code. */
import { consumer } from './consumer.ts'
import { checkSubscription } from './inlet.ts'
import type { Reason } from './life.ts'
import { checkKnown, parseWord } from './options.ts'
import type { Source } from './outlet.ts'
import type { DemandMode } from './recorded-asks.ts'
import type { Cancel, SubscribeOptions, Subscription } from './subscription.ts'

/** A producer alone, or with the options of the subscription to it; `cancel` is `drain` unless it says otherwise. */
export type StreamSource<T> = Source<T> | readonly [Source<T>, SubscribeOptions<T>?]

interface Opening {
  setDemand(mode: DemandMode): void
}

interface Opened<T> {
  readonly source: Source<T>
  readonly options: SubscribeOptions<T>
}

export interface StreamOptions {
  /** Set once all subscriptions are made, so that no event passes a late one by. Default `forward`. */
  readonly demand?: DemandMode
  /** On which producers. Default: those of the subscriptions. */
  readonly producers?: readonly Opening[]
}

/**
 * Subscribes when the first event is asked for, and asks for more only once a chunk has been consumed. Several producers interleave by arrival. It ends
 * when all subscriptions have ended; if one of them ended otherwise than `normal` or `shutdown`, it then throws, unless that one is `temporary`. A
 * `permanent` one that ends, ends all at once. Leaving the loop cancels all subscriptions. Each iteration subscribes anew.
 * @throws TypeError at once on an unknown or impossible option.
 */
export function stream<T>(sources: readonly StreamSource<T>[], options: StreamOptions = {}): AsyncIterable<T> {
  checkKnown('stream', options, ['demand', 'producers'])
  const demand = parseWord('demand', options.demand ?? 'forward', ['forward', 'accumulate'])
  const openings = sources.map(openingOf)
  for (const opening of openings) checkSubscription(opening.source, opening.options)
  const producers = options.producers ?? openings.flatMap(({ source }) => (isOpening(source) ? [source] : []))
  const openAll = (): void => {
    for (const opening of producers) opening.setDemand(demand)
  }
  return { [Symbol.asyncIterator]: () => iterate(openings, openAll) }
}

function openingOf<T>(given: StreamSource<T>): Opened<T> {
  const [source, options = {}] = isPair(given) ? given : [given]
  return { source, options: { cancel: 'drain', ...options } }
}

function isPair<T>(given: StreamSource<T>): given is readonly [Source<T>, SubscribeOptions<T>?] {
  return Array.isArray(given)
}

function isOpening(source: object): source is Opening {
  return 'setDemand' in source
}

async function* iterate<T>(openings: readonly Opened<T>[], openAll: () => void): AsyncGenerator<T, void, undefined> {
  const desk = new Desk<T>(openings.length)
  const modes = new Map<Subscription, Cancel | undefined>()
  const stage = consumer<T>({
    name: 'stream',
    handleEvents: (events) => desk.put(events),
    handleCancel: (from, reason) => desk.lose(modes.get(from), reason),
    handleStop: (reason) => desk.stop(reason),
  })
  try {
    for (const { source, options } of openings) modes.set(stage.subscribe(source, options), options.cancel)
    openAll()
    for (let chunk = await desk.next(); chunk !== undefined; chunk = await desk.next()) yield* chunk
  } finally {
    // In this order: nobody is asked for more, nothing more is begun, and then what is begun may end.
    for (const subscription of modes.keys()) subscription.cancel()
    const stopped = stage.stop()
    desk.close()
    await stopped
  }
}

/** Where the stage lays down one chunk at a time and waits until it has been consumed. */
class Desk<T> {
  #openCount: number
  #chunk: readonly T[] | undefined
  #isOver = false
  #failure: Error | undefined
  #consumed: () => void = () => {}
  #wake: () => void = () => {}

  constructor(openCount: number) {
    this.#openCount = openCount
    this.#isOver = openCount === 0
  }

  put(events: readonly T[]): Promise<void> {
    this.#chunk = events
    this.#wake()
    return new Promise((resolve) => {
      this.#consumed = resolve
    })
  }

  /** The chunk before has been consumed. @returns undefined at the end. @throws what the end was due to. */
  async next(): Promise<readonly T[] | undefined> {
    this.#consumed()
    while (this.#chunk === undefined && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    const chunk = this.#chunk
    this.#chunk = undefined
    if (chunk === undefined && this.#failure !== undefined) throw this.#failure
    return chunk
  }

  /** A subscription has ended and what it brought is consumed. */
  lose(mode: Cancel | undefined, reason: Reason): void {
    if (mode !== 'temporary' && reason !== 'normal' && reason !== 'shutdown') this.#fail(reason)
    if (--this.#openCount === 0) this.#finish()
  }

  /** The stage has stopped by itself: a subscription that it could not live without has ended. */
  stop(reason: Reason): void {
    if (reason !== 'normal') this.#fail(reason)
    this.#finish()
  }

  /** Nobody reads on. */
  close(): void {
    this.#chunk = undefined
    this.#consumed()
  }

  #fail(reason: Reason): void {
    this.#failure ??= reason instanceof Error ? reason : new Error(`stream: its producer ended with ${reason}`)
  }

  #finish(): void {
    this.#isOver = true
    this.#wake()
  }
}
