/** One child of a supervisor: how it is started, watched and stopped in time. When it is restarted is the supervisor's concern. */
import { orAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { asError } from '../base/errors.ts'
import { type Reason, showReason } from './life.ts'
import { checkFunction, checkKnown, parseCount, parseWord } from './options.ts'
import { traces } from './trace.ts'

/** Anything that runs until it ends or is stopped: every stage, every supervisor, and what is written like them. */
export interface Child {
  /** Resolves with the reason when it is over; never rejects. */
  readonly stopped: Promise<Reason>
  /** Ends it in order. It need not wait for the end. */
  stop(reason?: Reason): unknown
  /** Ends it at once; called where `stop` did not within the deadline. */
  kill?(): void
}

/**
 * `permanent`: whenever it ends. `transient`: unless it ended `normal` or `shutdown`. `temporary`: never. One that is not restarted is forgotten.
 */
export type Restart = 'permanent' | 'transient' | 'temporary'

export interface ChildOptions {
  /** Unique among its sisters. */
  readonly name: string
  /** Called again for every restart. An abort means that nobody waits for it any more; what it still returns is stopped. */
  readonly start: (signal: AbortSignal) => Child | Promise<Child>
  /** Default `permanent`. */
  readonly restart?: Restart
  /** How long it may take to start; unit: ms, default 30 000. */
  readonly startMs?: number
  /** How long it may take to stop before it is killed or, where it has no `kill`, left behind; unit: ms, default 5000. */
  readonly stopMs?: number
}

const startMsDefault = 30_000
const stopMsDefault = 5000

/** @throws TypeError on an unknown or impossible option. */
export function checkChild(options: ChildOptions): void {
  checkKnown('child', options, ['name', 'start', 'restart', 'startMs', 'stopMs'])
  if (typeof options.name !== 'string' || options.name === '')
    throw new TypeError('name: expected a name for each child')
  checkFunction('start', options.start)
  parseWord('restart', options.restart ?? 'permanent', ['permanent', 'transient', 'temporary'])
  parseCount('startMs', options.startMs ?? startMsDefault, 1)
  parseCount('stopMs', options.stopMs ?? stopMsDefault, 0)
}

export class ChildSlot {
  readonly name: string
  readonly #options: ChildOptions
  readonly #clock: Clock
  readonly #supervisor: string
  #child: Child | undefined
  /** It ended by itself and nobody has dealt with that yet. */
  #endedFor: Reason | undefined

  constructor(options: ChildOptions, supervisor: string, clock: Clock) {
    this.name = options.name
    this.#options = options
    this.#supervisor = supervisor
    this.#clock = clock
  }

  /** Undefined while it is not running. */
  get child(): Child | undefined {
    return this.#endedFor === undefined ? this.#child : undefined
  }

  /** Also where it has ended by itself and nobody has dealt with that yet. */
  get lastChild(): Child | undefined {
    return this.#child
  }

  get isTemporary(): boolean {
    return this.#options.restart === 'temporary'
  }

  /** It has ended by itself in a way that asks for a restart. */
  get needsRestart(): boolean {
    return this.#endedFor !== undefined && this.#wantsRestartAfter(this.#endedFor)
  }

  /** It has ended by itself and stays away. */
  get hasEndedForGood(): boolean {
    return this.#endedFor !== undefined && !this.#wantsRestartAfter(this.#endedFor)
  }

  #wantsRestartAfter(reason: Reason): boolean {
    switch (this.#options.restart ?? 'permanent') {
      case 'permanent':
        return true
      case 'transient':
        return reason !== 'normal' && reason !== 'shutdown'
      case 'temporary':
        return false
    }
  }

  /** @throws what its `start` threw, or that it took too long. */
  async start(signal: AbortSignal): Promise<Child> {
    const tooLate = new AbortController()
    const timer = this.#clock.after(this.#options.startMs ?? startMsDefault, () =>
      tooLate.abort(new Error(`${this.name} did not start in time`)),
    )
    const either = AbortSignal.any([signal, tooLate.signal])
    const starting = Promise.resolve().then(() => this.#options.start(either))
    try {
      const child = await orAbort(starting, either)
      this.#child = child
      this.#endedFor = undefined
      this.#trace('started')
      return child
    } catch (thrown) {
      // It may come up all the same, and nobody would know of it. If it fails after that, it has no one to tell.
      if (either.aborted) starting.then((child) => child.stop('shutdown')).catch(() => {})
      throw asError(thrown)
    } finally {
      timer.clear()
    }
  }

  /** @returns false where this child was stopped on purpose or has been replaced, so that its end is no news. */
  noteEnd(child: Child, reason: Reason): boolean {
    if (this.#child !== child) return false
    this.#endedFor = reason
    this.#trace('ended', showReason(reason))
    return true
  }

  isCurrent(child: Child): boolean {
    return this.#child === child
  }

  /** It is over and dealt with. */
  forget(): void {
    this.#child = undefined
    this.#endedFor = undefined
  }

  /** Resolves once it is over, or has used up its time. Never rejects: a child that fails to stop in order is one that has used up its time. */
  async stop(reason: Reason): Promise<void> {
    const child = this.child
    this.forget()
    if (child === undefined) return
    const isInTime = await this.#stopInTime(child, reason)
    if (isInTime) return
    this.#trace('overdue')
    try {
      child.kill?.()
    } catch {
      // One that cannot even be killed is left behind, as one that has no kill: its sisters must not wait for it.
    }
  }

  #stopInTime(child: Child, reason: Reason): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#options.stopMs ?? stopMsDefault, () => resolve(false))
      const answer = (isInTime: boolean): void => {
        timer.clear()
        resolve(isInTime)
      }
      child.stopped.then(
        () => answer(true),
        () => answer(true),
      )
      Promise.resolve()
        .then(() => child.stop(reason))
        .catch(() => answer(false))
    })
  }

  #trace(event: 'started' | 'ended' | 'overdue', reason = ''): void {
    if (traces.isOn) traces.write({ kind: 'child', stage: this.#supervisor, peer: this.name, event, reason })
  }
}
