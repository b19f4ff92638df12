/**
 * One stage's life: its callbacks one at a time, its end and the reason for it. What the callbacks are is its role's concern.
 *
 * - resting: no callback runs. A wake-up with something to do puts the stage in line for a turn.
 * - running: a callback runs or its promise is awaited; nothing else of this stage does. A stop waits for its end.
 * - ending: the reason is settled and handleStop runs or is awaited. The peers have not been told yet.
 * - over: stopped. Nothing runs any more.
 */
import { asError } from '../base/errors.ts'
import type { LifeSnapshot } from './snapshot.ts'
import { traces } from './trace.ts'
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
  /** The last callback, before the peers learn of the end. */
  handleStop(reason: Reason): Promise<void> | undefined
  /** The stage is over: lets go of its peers and of what it holds. */
  close(reason: Reason): void
}

/** What the time of a turn is put down to besides the stage itself. */
export interface Charged {
  busyMs: number
}

export class Life implements TurnTaker {
  readonly name: string
  readonly #role: Role
  #state: 'resting' | 'running' | 'ending' | 'over' = 'resting'
  #isInLine = false
  #reason: Reason | undefined
  #resolveStopped: (reason: Reason) => void = () => {}
  readonly stopped: Promise<Reason>
  /** Time taken by callbacks so far, ms. */
  busyMs = 0
  /** Set by a step whose time is somebody's. */
  charged: Charged | undefined
  #awaitedSinceMs = 0
  readonly #onSettled = (): void => {
    this.spent(turnLine.nowMs() - this.#awaitedSinceMs)
    this.#rest()
  }
  readonly #onFailed = (thrown: unknown): void => {
    this.#reason ??= asError(thrown)
    this.#onSettled()
  }

  constructor(name: string, role: Role) {
    this.name = name
    this.#role = role
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve
    })
  }

  /** False from the moment a stop is asked for, though a callback may still run. */
  get isLive(): boolean {
    return this.#reason === undefined
  }

  snapshot(): LifeSnapshot {
    return { name: this.name, isLive: this.isLive, busyMs: this.busyMs }
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
    this.charged = undefined
    let awaited: Promise<void> | undefined
    try {
      awaited = this.#role.step()
    } catch (thrown) {
      this.#reason ??= asError(thrown)
    }
    if (awaited === undefined) return this.#rest()
    this.#awaitedSinceMs = turnLine.nowMs()
    awaited.then(this.#onSettled, this.#onFailed)
  }

  spent(ms: number): void {
    this.busyMs += ms
    if (this.charged !== undefined) this.charged.busyMs += ms
  }

  #rest(): void {
    this.#state = 'resting'
    if (this.#reason !== undefined) return this.#end(this.#reason)
    if (this.#role.isFinished()) return this.#end('normal')
    this.wake()
  }

  #end(reason: Reason): void {
    this.#state = 'ending'
    this.#reason = reason
    let awaited: Promise<void> | undefined
    try {
      awaited = this.#role.handleStop(reason)
    } catch (thrown) {
      // The only place where a later reason replaces the first: nobody else would ever hear of this failure.
      return this.#finish(asError(thrown))
    }
    if (awaited === undefined) return this.#finish(reason)
    awaited.then(
      () => this.#finish(reason),
      (thrown: unknown) => this.#finish(asError(thrown)),
    )
  }

  #finish(reason: Reason): void {
    this.#state = 'over'
    this.#reason = reason
    if (traces.isOn) traces.write({ kind: 'stopped', stage: this.name, reason: showReason(reason) })
    this.#role.close(reason)
    this.#resolveStopped(reason)
  }
}

export function showReason(reason: Reason): string {
  return typeof reason === 'string' ? reason : reason.message
}

/** Tells a promise from what a synchronous handler returned, without making one. */
export function isPromiseLike<R>(result: R | PromiseLike<R>): result is PromiseLike<R> {
  return typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
}

/** The promise of a callback without a result, if it gave one. */
export function asPromise(awaited: Nothing): Promise<void> | undefined {
  return isPromiseLike(awaited) ? Promise.resolve(awaited) : undefined
}
