/**
 * One stage's life: its callbacks one at a time, its end and the reason for it. What the callbacks are is its role's concern.
 *
 * - resting: no callback runs. A wake-up with something to do puts the stage in line for a turn.
 * - running: a callback runs or its promise is awaited; nothing else of this stage does. A stop waits for its end.
 * - over: stopped. Nothing runs any more.
 */
import { asError } from '../base/errors.ts'
import { turnLine, type TurnTaker } from './turns.ts'

/** Why a stage stopped or a subscription closed: a word (`normal`, `shutdown`, `noproc`, `already_subscribed`, one's own) or the Error thrown. */
export type Reason = string | Error

/* eslint-disable @typescript-eslint/no-invalid-void-type -- handlers without a return statement have to fit */
/** What a callback without a result returns. */
export type Nothing = void | undefined | Promise<void>
/** What came out of a callback that makes events. The array is handed over and must not be changed afterwards. */
export type Events<T> = readonly T[] | void | undefined
/** What such a callback returns. */
export type Made<T> = Events<T> | Promise<Events<T>>
/* eslint-enable @typescript-eslint/no-invalid-void-type */

/** What a stage does, given its life. */
export interface Role {
  hasStep(): boolean
  /** Runs one callback to its end. An asynchronous one answers a promise that resolves once its result, too, has been dealt with. */
  step(): Promise<void> | undefined
  /** The stage rests: has it nothing left to live for? */
  isFinished(): boolean
  /** The stage is over: lets go of its peers and of what it holds. */
  close(reason: Reason): void
}

export class Life implements TurnTaker {
  readonly #role: Role
  #state: 'resting' | 'running' | 'over' = 'resting'
  #isInLine = false
  #reason: Reason | undefined
  #resolveStopped: (reason: Reason) => void = () => {}
  readonly stopped: Promise<Reason>
  readonly #onSettled = (): void => this.#rest()
  readonly #onFailed = (thrown: unknown): void => {
    this.#reason ??= asError(thrown)
    this.#rest()
  }

  constructor(role: Role) {
    this.#role = role
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve
    })
  }

  /** False from the moment a stop is asked for, though a callback may still run. */
  get isLive(): boolean {
    return this.#reason === undefined
  }

  /** Something may be there to do. */
  wake(): void {
    if (this.#isInLine || this.#state !== 'resting' || !this.#role.hasStep()) return
    this.#isInLine = true
    turnLine.add(this)
  }

  /** Ends the stage now, or after the callback that runs. The first reason wins. */
  stop(reason: Reason): void {
    this.#reason ??= reason
    if (this.#state === 'resting') this.#end(this.#reason)
  }

  /** The last of its work may just have gone: stops the stage if it only waited for that. */
  finishIfDone(): void {
    if (this.#state === 'resting' && this.#role.isFinished()) this.#end('normal')
  }

  takeTurn(): void {
    this.#isInLine = false
    if (this.#state !== 'resting') return
    this.#state = 'running'
    let awaited: Promise<void> | undefined
    try {
      awaited = this.#role.step()
    } catch (thrown) {
      this.#reason ??= asError(thrown)
    }
    if (awaited === undefined) this.#rest()
    else awaited.then(this.#onSettled, this.#onFailed)
  }

  #rest(): void {
    this.#state = 'resting'
    if (this.#reason !== undefined) return this.#end(this.#reason)
    if (this.#role.isFinished()) return this.#end('normal')
    this.wake()
  }

  #end(reason: Reason): void {
    this.#state = 'over'
    this.#reason = reason
    this.#role.close(reason)
    this.#resolveStopped(reason)
  }
}

/** Tells a promise from what a synchronous handler returned, without making one. */
export function isPromiseLike<R>(result: R | PromiseLike<R>): result is PromiseLike<R> {
  return typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
}

/** The promise of a callback without a result, if it gave one. */
export function asPromise(awaited: Nothing): Promise<void> | undefined {
  return isPromiseLike(awaited) ? Promise.resolve(awaited) : undefined
}
