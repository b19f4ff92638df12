/** A producer whose events come out of an iterable, as many as are asked for. */
import { Tasks } from '../base/tasks.ts'
import type { Reason } from './life.ts'
import { checkFunctions, parseWord } from './options.ts'
import { producer, type Producer, type ProducerOptions } from './producer.ts'
import type { Subscription } from './subscription.ts'

export interface FromIterableOptions<T> extends Omit<ProducerOptions<T>, 'handleDemand'> {
  /** `stop`: stops `normal` once the last subscriber has left. Default `continue`. */
  readonly onCancel?: 'continue' | 'stop'
}

/** What both kinds of iterable come down to. */
interface Items<T> {
  /** Takes up to `count` items more: answers them, or emits them as they come. */
  pull(count: number, to: Producer<T>): readonly T[] | undefined
  /** Lets go of the iterator, unless it has ended by itself. */
  release(): Promise<void>
}

/** Items an asynchronous iterable may bring in one round of the event loop before timers and sockets have their turn. */
const itemsPerRoundMax = 256

/**
 * Takes exactly as many items as are asked for, and stops `normal` behind the last one. A synchronous iterable is read in the callback, so it must
 * not be slow; what an asynchronous one brings goes on in the same round of the event loop, also where more was asked for. If the iterator throws,
 * what it brought before is handed on and the stage stops with that error. Stopped early, the stage calls the iterator's `return()` once.
 * @throws TypeError on something that cannot be iterated, and on an unknown or impossible option.
 */
export function fromIterable<T>(
  iterable: Iterable<T> | AsyncIterable<T>,
  options: FromIterableOptions<T> = {},
): Producer<T> {
  const { onCancel = 'continue', ...producerOptions } = options
  if ('handleDemand' in options)
    throw new TypeError('fromIterable: expected no handleDemand, since the items are the demand’s answer')
  parseWord('onCancel', onCancel, ['continue', 'stop'])
  // A failure of `release` comes when the stage is over and changes nothing; one of `pull` stops it.
  const tasks: Tasks = new Tasks((_, error) =>
    tasks.run('stop', async () => {
      await stage.stop(error)
    }),
  )
  const items = openItems(iterable, tasks)
  const stage: Producer<T> = producer({
    name: 'fromIterable',
    ...producerOptions,
    ...(onCancel === 'stop' ? leaveWithLast(options, () => stage) : {}),
    handleDemand: (demand, self) => items.pull(demand, self),
  })
  tasks.run('release', async () => {
    await stage.stopped
    await items.release()
  })
  return stage
}

/** The subscribers are counted on their way through the caller's own callbacks. */
function leaveWithLast<T>(
  { handleSubscribe, handleCancel }: FromIterableOptions<T>,
  stage: () => Producer<T>,
): Pick<ProducerOptions<T>, 'handleSubscribe' | 'handleCancel'> {
  checkFunctions({ handleSubscribe, handleCancel })
  let subscribers = 0
  return {
    handleSubscribe(from: Subscription) {
      subscribers++
      return handleSubscribe?.(from)
    },
    async handleCancel(from: Subscription, reason: Reason) {
      await handleCancel?.(from, reason)
      if (--subscribers === 0) stage().end()
    },
  }
}

function openItems<T>(iterable: Iterable<T> | AsyncIterable<T>, tasks: Tasks): Items<T> {
  const given: unknown = iterable
  if (typeof given === 'string' || (typeof given === 'object' && given !== null)) {
    if (isLater(iterable)) return new LaterItems(iterable[Symbol.asyncIterator](), tasks)
    if (Symbol.iterator in Object(iterable)) return new ReadyItems(iterable[Symbol.iterator]())
  }
  throw new TypeError(`fromIterable: expected an iterable or an async iterable, got ${typeof given}`)
}

function isLater<T>(iterable: Iterable<T> | AsyncIterable<T>): iterable is AsyncIterable<T> {
  return typeof iterable === 'object' && Symbol.asyncIterator in iterable
}

class ReadyItems<T> implements Items<T> {
  readonly #iterator: Iterator<T>
  #isDone = false

  constructor(iterator: Iterator<T>) {
    this.#iterator = iterator
  }

  pull(count: number, to: Producer<T>): readonly T[] {
    const items: T[] = []
    try {
      while (items.length < count && this.#takeOne(items));
    } catch (thrown) {
      this.#isDone = true
      to.emit(items)
      throw thrown
    }
    if (this.#isDone) to.end()
    return items
  }

  release(): Promise<void> {
    if (!this.#isDone) this.#iterator.return?.()
    this.#isDone = true
    return Promise.resolve()
  }

  #takeOne(items: T[]): boolean {
    const next = this.#iterator.next()
    if (next.done === true) this.#isDone = true
    else items.push(next.value)
    return !this.#isDone
  }
}

/** Pulled outside of any callback, so that a source that hangs does not keep the stage from stopping. */
class LaterItems<T> implements Items<T> {
  readonly #iterator: AsyncIterator<T>
  readonly #tasks: Tasks
  #wantedCount = 0
  #isPulling = false
  #isDone = false
  /** What has come in this round of the event loop. */
  #fresh: T[] = []

  constructor(iterator: AsyncIterator<T>, tasks: Tasks) {
    this.#iterator = iterator
    this.#tasks = tasks
  }

  pull(count: number, to: Producer<T>): undefined {
    this.#wantedCount += count
    if (this.#isPulling || this.#isDone) return
    this.#isPulling = true
    this.#tasks.run('pull', () => this.#pull(to))
  }

  async release(): Promise<void> {
    if (this.#isDone) return
    this.#isDone = true
    await this.#iterator.return?.()
  }

  async #pull(to: Producer<T>): Promise<void> {
    try {
      while (this.#wantedCount > 0 && !this.#isDone) await this.#takeOne(to)
    } catch (thrown) {
      this.#isDone = true
      throw thrown
    } finally {
      this.#isPulling = false
      this.#handOn(to)
    }
    if (this.#isDone) to.end()
  }

  async #takeOne(to: Producer<T>): Promise<void> {
    const next = await this.#iterator.next()
    if (this.#isDone) return
    if (next.done === true) {
      this.#isDone = true
      return
    }
    this.#wantedCount--
    this.#fresh.push(next.value)
    if (this.#fresh.length === 1) setImmediate(() => this.#handOn(to))
    if (this.#fresh.length >= itemsPerRoundMax) await new Promise((resolve) => setImmediate(resolve))
  }

  #handOn(to: Producer<T>): void {
    const items = this.#fresh
    this.#fresh = []
    to.emit(items)
  }
}
