/**
 * Info messages of a producing stage on their way past its events: first behind what its buffer held when they came, then behind what the
 * dispatcher held when they left the buffer. Delivers nothing by itself.
 */
import { Fifo } from './fifo.ts'

/** Info messages that one stage may owe its `handleInfo`, each somewhere behind events. They are never dropped, so one too many is refused where it is sent. */
export const infosWaitingMax = 1024

interface BehindBuffer {
  readonly message: unknown
  /** How many events have left the buffer once it has passed those before it. */
  readonly leftCount: number
}

interface BehindHolding {
  readonly message: unknown
  readonly hasPassed: () => boolean
}

export class InfoLine {
  readonly #behindBuffer = new Fifo<BehindBuffer>()
  readonly #behindHolding = new Fifo<BehindHolding>()

  get count(): number {
    return this.#behindBuffer.count + this.#behindHolding.count
  }

  /** @param leftCount the buffer's count of events that have left, once all it now holds are gone. */
  add(message: unknown, leftCount: number): void {
    this.#behindBuffer.push({ message, leftCount })
  }

  /** Buffered events that may be handed over before an info message has to be looked at. */
  eventsAhead(leftCount: number): number {
    const next = this.#behindBuffer.peek()
    return next === undefined ? Infinity : next.leftCount - leftCount
  }

  /** Moves on past the buffer. @param mark notes what the dispatcher holds and answers how to learn that it is gone. */
  passBuffer(leftCount: number, mark: () => () => boolean): void {
    for (let next = this.#behindBuffer.peek(); next !== undefined; next = this.#behindBuffer.peek()) {
      if (next.leftCount > leftCount) return
      this.#behindBuffer.shift()
      this.#behindHolding.push({ message: next.message, hasPassed: mark() })
    }
  }

  /** The next message that has passed all it stood behind. */
  takePassed(): { readonly message: unknown } | undefined {
    return this.#behindHolding.peek()?.hasPassed() === true ? this.#behindHolding.shift() : undefined
  }

  clear(): void {
    this.#behindBuffer.clear()
    this.#behindHolding.clear()
  }
}

/** @throws TypeError where nobody would hear the message. @throws RangeError where too many are on their way. */
export function checkInfo(handleInfo: unknown, waitingCount: number): void {
  if (handleInfo === undefined) throw new TypeError('info: expected a stage with handleInfo')
  if (waitingCount >= infosWaitingMax)
    throw new RangeError(`info: expected at most ${infosWaitingMax} messages on their way, got one more`)
}
