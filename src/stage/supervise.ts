/**
 * Supervisor: starts children in order, restarts those that end although they should not, stops them in reverse order. What they do is theirs.
 *
 * - running: an end is answered by a restart, of that child or of its group, after the delay.
 * - stopping: entered by `stop`, or where restarts do not help any more. Nothing is started; children are stopped one after the other, last first.
 * - over: `stopped` has resolved.
 */
import { type Clock, systemClock } from '../base/clock.ts'
import { Tasks } from '../base/tasks.ts'
import { checkChild, type Child, type ChildOptions, ChildSlot } from './child.ts'
import { type Reason, showReason } from './life.ts'
import { checkFunctions, checkKnown, parseCount, parseCountOrInfinity, parseWord } from './options.ts'
import { Restarts } from './restarts.ts'
import { traces } from './trace.ts'
import { WorkLine } from './work-line.ts'

/**
 * `one_for_one`: children are independent. `rest_for_one`: each needs those before it, as a chain of stages does, producer first; with one that ends,
 * those behind it are restarted. `one_for_all`: each needs every other.
 */
export type Strategy = 'one_for_one' | 'rest_for_one' | 'one_for_all'

export interface RestartOptions {
  /**
   * Restarts within `restartsWithinMs`, at most; one more, and the supervisor stops its children and itself ends with an error. Default 3;
   * Infinity never gives up, and has to be given a `restartDelayMs`: what falls as soon as it starts would leave time for nothing else.
   */
  readonly restartsMax?: number
  /** Unit: ms, default 5000. */
  readonly restartsWithinMs?: number
  /**
   * How long to wait before a restart of the child that ended, or of its group, this one included in `restarts`: the child's own restarts within
   * `restartsWithinMs` under `one_for_one`, the supervisor's where children depend on each other. At most 1000 are told. Unit: ms. Default: not at all.
   */
  readonly restartDelayMs?: (restarts: number, childName: string) => number
  readonly clock?: Clock
}

export interface SuperviseOptions extends RestartOptions {
  /** Who this is, for people. Default `supervisor`. */
  readonly name?: string
  /** Default `one_for_one`. */
  readonly strategy?: Strategy
  readonly children?: readonly ChildOptions[]
  /** Children at one time, at most. Default 10 000. */
  readonly childrenMax?: number
}

export interface Supervisor extends Child {
  readonly name: string
  /** Names in order of start, those between two lives included. */
  readonly children: readonly string[]
  /** The child as it runs now; undefined between two lives and where there is none of that name. */
  child(name: string): Child | undefined
  /** Starts one more, last in order. Touches no other. @throws Error if the name is taken (`already_started`), it does not start, or there are too many. */
  add(child: ChildOptions): Promise<Child>
  /** Stops one for good and forgets it. Touches no other. @throws Error where there is none of that name. */
  remove(name: string, reason?: Reason): Promise<void>
  /** Stops all children, last first, each within its deadline, and then ends with `reason`. */
  stop(reason?: Reason): Promise<Reason>
}

const childrenMaxDefault = 10_000
const restartWords = ['restartsMax', 'restartsWithinMs', 'restartDelayMs', 'clock'] as const

/**
 * Starts all children, one after the other. If one does not start, those before it are stopped and its error is thrown.
 * @throws TypeError on an unknown or impossible option.
 */
export async function supervise(options: SuperviseOptions): Promise<Supervisor> {
  checkKnown('supervise', options, ['name', 'strategy', 'children', 'childrenMax', ...restartWords])
  checkFunctions({ restartDelayMs: options.restartDelayMs })
  const supervisor = new ChildSupervisor(options)
  try {
    for (const child of options.children ?? []) await supervisor.add(child)
  } catch (thrown) {
    await supervisor.stop('shutdown')
    throw thrown
  }
  return supervisor
}

class ChildSupervisor implements Supervisor {
  readonly name: string
  readonly #strategy: Strategy
  readonly #childrenMax: number
  readonly #restarts: Restarts
  readonly #restartsWithinMs: number
  /** Of each child, for the delay; a chain counts as one. */
  readonly #ownRestarts = new WeakMap<ChildSlot, Restarts>()
  readonly #restartDelayMs: (restarts: number, childName: string) => number
  readonly #clock: Clock
  /** In order of start. */
  readonly #slots = new Map<string, ChildSlot>()
  /** Where children depend on each other, whatever is done to them is done in one line; else each has its own, so that none waits for another. */
  readonly #lines = new WeakMap<ChildSlot, WorkLine>()
  readonly #sharedLine = new WorkLine()
  readonly #tasks = new Tasks((_, error) => this.#giveUp(error))
  readonly #stop = new AbortController()
  readonly stopped: Promise<Reason>
  #resolveStopped: (reason: Reason) => void = () => {}

  constructor(options: SuperviseOptions) {
    this.name = options.name ?? 'supervisor'
    this.#strategy = parseWord('strategy', options.strategy ?? 'one_for_one', [
      'one_for_one',
      'rest_for_one',
      'one_for_all',
    ])
    this.#childrenMax = parseCount('childrenMax', options.childrenMax ?? childrenMaxDefault, 1)
    this.#clock = options.clock ?? systemClock
    this.#restartsWithinMs = parseCount('restartsWithinMs', options.restartsWithinMs ?? 5000, 1)
    const restartsMax = parseCountOrInfinity('restartsMax', options.restartsMax ?? 3)
    this.#restarts = new Restarts(restartsMax, this.#restartsWithinMs, this.#clock)
    if (restartsMax === Infinity && options.restartDelayMs === undefined)
      throw new TypeError('restartDelayMs: expected a function beside restartsMax Infinity, got undefined')
    this.#restartDelayMs = options.restartDelayMs ?? (() => 0)
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve
    })
  }

  get children(): readonly string[] {
    return [...this.#slots.keys()]
  }

  child(name: string): Child | undefined {
    return this.#slots.get(name)?.child
  }

  async add(options: ChildOptions): Promise<Child> {
    checkChild(options)
    this.#checkRoom(options.name)
    const slot = new ChildSlot(options, this.name, this.#clock)
    if (this.#strategy === 'one_for_one')
      this.#ownRestarts.set(slot, new Restarts(Infinity, this.#restartsWithinMs, this.#clock))
    this.#lines.set(slot, this.#strategy === 'one_for_one' ? new WorkLine() : this.#sharedLine)
    this.#slots.set(slot.name, slot)
    return this.#lineOf(slot).run(async () => {
      try {
        // A restart of the group that it has joined may have been before it in line and have started it; how that life ended is answered behind this.
        if (this.#slots.get(slot.name) !== slot) throw new Error('it ended before it could be used')
        return slot.lastChild ?? (await this.#start(slot))
      } catch (thrown) {
        this.#forget(slot)
        throw new Error(`${this.name}: ${slot.name} did not start`, { cause: thrown })
      }
    })
  }

  async remove(name: string, reason: Reason = 'shutdown'): Promise<void> {
    const slot = this.#slots.get(name)
    if (slot === undefined) throw new Error(`remove: expected a child of ${this.name}, got ${name}`)
    await this.#lineOf(slot).run(async () => {
      await slot.stop(reason)
      this.#forget(slot)
    })
  }

  stop(reason: Reason = 'normal'): Promise<Reason> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort(new Error(`${this.name} is stopping`))
      this.#tasks.run('stop', () => this.#stopAll(reason))
    }
    return this.stopped
  }

  #checkRoom(name: string): void {
    if (this.#stop.signal.aborted)
      throw new Error(`add: expected a running supervisor, got ${this.name}, which is stopping`)
    if (this.#slots.has(name)) throw new Error(`add: expected a free name, got ${name} (already_started)`)
    if (this.#slots.size >= this.#childrenMax)
      throw new Error(`add: expected at most ${this.#childrenMax} children of ${this.name}, got one more`)
  }

  #lineOf(slot: ChildSlot): WorkLine {
    return this.#lines.get(slot) ?? this.#sharedLine
  }

  #forget(slot: ChildSlot): void {
    slot.forget()
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name)
  }

  async #start(slot: ChildSlot): Promise<Child> {
    this.#stop.signal.throwIfAborted()
    const child = await slot.start(this.#stop.signal)
    this.#tasks.run(`watch ${slot.name}`, async () => {
      const reason = await child.stopped
      // Noted at once, so that of several that fell together the first in order is found.
      if (slot.noteEnd(child, reason)) await this.#lineOf(slot).run(() => this.#answerEnd(slot, child, reason))
    })
    return child
  }

  async #answerEnd(slot: ChildSlot, child: Child, reason: Reason): Promise<void> {
    if (this.#stop.signal.aborted || !slot.isCurrent(child)) return
    if (slot.hasEndedForGood) this.#forget(slot)
    else await this.#restart(this.#firstFallen() ?? slot, reason)
  }

  /** A chain falls from its first link on, whatever order the news come in. */
  #firstFallen(): ChildSlot | undefined {
    if (this.#strategy === 'one_for_one') return undefined
    return [...this.#slots.values()].find((slot) => slot.needsRestart)
  }

  async #restart(fallen: ChildSlot, reason: Reason): Promise<void> {
    const group = this.#groupOf(fallen)
    await this.#stopGroup(group)
    this.#ownRestarts.get(fallen)?.allowOne()
    if (!this.#restarts.allowOne()) this.#giveUp(reason)
    else await this.#startAfterDelay(group, fallen)
  }

  async #startAfterDelay(group: readonly ChildSlot[], fallen: ChildSlot): Promise<void> {
    const restarts = this.#ownRestarts.get(fallen) ?? this.#restarts
    const delayMs = this.#restartDelayMs(restarts.recentCount, fallen.name)
    if (delayMs <= 0) return this.#startGroup(group)
    this.#tasks.run('restart later', async () => {
      await this.#clock.sleep(delayMs, this.#stop.signal)
      await this.#lineOf(fallen).run(() => this.#startFallen(fallen))
    })
  }

  /** Others may have fallen, come and gone while the restart was waited for: whoever runs behind a gap by now is started again behind it. */
  async #startFallen(fallen: ChildSlot): Promise<void> {
    if (this.#strategy === 'one_for_one') return this.#startGroup([fallen])
    const slots = [...this.#slots.values()]
    const gap = slots.find((slot) => slot.child === undefined && !slot.hasEndedForGood)
    if (gap === undefined) return
    // One before it has fallen since, whose own restart is still to come and brings all behind it.
    if (this.#strategy === 'rest_for_one' && slots.indexOf(gap) < slots.indexOf(fallen)) return
    const group = this.#groupOf(gap)
    await this.#stopGroup(group)
    await this.#startGroup(group)
  }

  async #stopGroup(group: readonly ChildSlot[]): Promise<void> {
    for (const slot of group) {
      const isOnce = slot.isTemporary && slot.child !== undefined
      if (slot.hasEndedForGood || isOnce) await this.#end(slot)
    }
    for (const slot of [...group].reverse()) await slot.stop('shutdown')
  }

  async #end(slot: ChildSlot): Promise<void> {
    await slot.stop('shutdown')
    this.#forget(slot)
  }

  #groupOf(fallen: ChildSlot): readonly ChildSlot[] {
    const slots = [...this.#slots.values()]
    switch (this.#strategy) {
      case 'one_for_one':
        return [fallen]
      case 'rest_for_one':
        return slots.slice(slots.indexOf(fallen))
      case 'one_for_all':
        return slots
    }
  }

  /** One that does not start has ended again. Those removed meanwhile stay away. */
  async #startGroup(group: readonly ChildSlot[]): Promise<void> {
    for (const slot of group) {
      if (this.#slots.get(slot.name) !== slot || slot.child !== undefined) continue
      try {
        await this.#start(slot)
      } catch (thrown) {
        if (this.#stop.signal.aborted) return
        return this.#restart(slot, thrown instanceof Error ? thrown : String(thrown))
      }
    }
  }

  #giveUp(reason: Reason): void {
    if (this.#stop.signal.aborted) return
    const error = new Error(`${this.name}: restarting does not help, the last end was: ${showReason(reason)}`, {
      cause: reason,
    })
    if (traces.isOn) traces.write({ kind: 'stopped', stage: this.name, reason: error.message })
    this.#tasks.run('give up', async () => {
      await this.stop(error)
    })
  }

  async #stopAll(reason: Reason): Promise<void> {
    for (const slot of [...this.#slots.values()].reverse()) {
      await this.#lineOf(slot).run(() => slot.stop('shutdown'))
      this.#forget(slot)
    }
    this.#resolveStopped(reason)
  }
}
