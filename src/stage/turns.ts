/**
 * Whose turn it is: a line of stages that have something to do, one callback per turn, so that a chain of synchronous stages runs in a loop
 * and never recurses. Like the microtask queue it belongs to the thread, since any two chains may be joined at any time.
 *
 * - idle: nobody waits. The first to wake goes to woken.
 * - woken: a microtask will run the line; never the caller itself, so that `subscribe` and `emit` return before anything is handled.
 * - running: turns are taken until nobody waits (to idle) or the slice is used up (to spent).
 * - spent: the line waits for the next round of the event loop, however many promises settle until then.
 */
import { type Clock, systemClock } from '../base/clock.ts'
import { Fifo } from './fifo.ts'

/** Time the line may use up per round of the event loop, ms: timers and sockets wait this long, plus one callback, at most. */
const sliceMs = 4

export interface TurnTaker {
  /** Runs one callback at most. Must not throw. */
  takeTurn(): void
  /** How long that turn took. */
  spent(ms: number): void
}

class TurnLine {
  readonly #clock: Clock
  /** Bounded by the number of stages, since each stands in line once. */
  readonly #waiting = new Fifo<TurnTaker>()
  #state: 'idle' | 'woken' | 'running' | 'spent' = 'idle'
  #isSliceOpen = false
  #sliceEndsMs = 0
  /** The clock's last reading. One per turn both ends the slice and measures the turn. */
  #readMs = 0
  readonly #run = (): void => this.#takeTurns()
  readonly #nextRound = (): void => {
    this.#isSliceOpen = false
    if (this.#waiting.count > 0) this.#takeTurns()
    else this.#state = 'idle'
  }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nowMs(): number {
    return this.#clock.monotonicMs()
  }

  add(taker: TurnTaker): void {
    this.#waiting.push(taker)
    if (this.#state !== 'idle') return
    this.#state = 'woken'
    queueMicrotask(this.#run)
  }

  #takeTurns(): void {
    this.#state = 'running'
    // The slice outlives this run: promises that settle at once start one run after the other within the same round of the event loop.
    this.#readMs = this.nowMs()
    if (!this.#isSliceOpen) this.#openSlice()
    for (let taker = this.#waiting.shift(); taker !== undefined; taker = this.#waiting.shift()) {
      taker.takeTurn()
      const beganMs = this.#readMs
      this.#readMs = this.nowMs()
      taker.spent(this.#readMs - beganMs)
      if (this.#readMs < this.#sliceEndsMs) continue
      this.#state = 'spent'
      return
    }
    this.#state = 'idle'
  }

  #openSlice(): void {
    this.#isSliceOpen = true
    this.#sliceEndsMs = this.#readMs + sliceMs
    setImmediate(this.#nextRound)
  }
}

export const turnLine = new TurnLine(systemClock)
