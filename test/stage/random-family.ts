/** A supervisor with children who live at random, and what must hold of them: written down as faults where it does not. */
import {
  type Child,
  type ChildOptions,
  type Reason,
  type Strategy,
  supervise,
  type Supervisor,
} from '../../src/stage/stage.ts'
import type { Random } from '../../src/base/random.ts'
import { ManualClock } from '../manual-clock.ts'
import { atRest, nextRound } from './watched.ts'

interface Life {
  readonly name: string
  /** Position among all starts. */
  readonly order: number
  isOver: boolean
  end(reason: Reason): void
}

const namesMax = 8
const delaysMs = [0, 0, 10, 40]
/** More than the longest delay, so that at rest every restart has been made. */
const longMs = 50
/** Turns of clock and event loop after which even a child that fails to start several times is up. */
const restTurnsMax = 12

export class RandomFamily {
  readonly faults: string[] = []
  restartCount = 0
  readonly #strategy: Strategy
  readonly #random: Random
  readonly #clock = new ManualClock()
  /** The last life of each name. */
  readonly #lives = new Map<string, Life>()
  readonly #running = new Set<Life>()
  readonly #pending = new Set<Promise<void>>()
  #starts = 0
  #nextName = 0
  /** Names in the order of their ordered stop; undefined before it. */
  #stops: string[] | undefined
  /** Stopped at rest; else one whose start is given up may come up late, and is stopped while others are. */
  #isOrderly = false
  #isQuiet = false
  #tree: Supervisor | undefined

  constructor(strategy: Strategy, random: Random) {
    this.#strategy = strategy
    this.#random = random
  }

  async open(): Promise<void> {
    this.#isQuiet = true
    this.#tree = await supervise({
      ...{ strategy: this.#strategy, clock: this.#clock, restartsMax: Infinity },
      restartDelayMs: () => this.#pick(delaysMs) ?? 0,
      children: [1, 2, 3].map(() => this.#child()),
    })
    this.#isQuiet = false
  }

  async step(): Promise<void> {
    const chance = this.#random()
    if (chance < 0.35) this.#pick([...this.#running])?.end(new Error('fell'))
    else if (chance < 0.45) this.#pick([...this.#running])?.end('normal')
    else if (chance < 0.55) this.#add()
    else if (chance < 0.63) this.#remove()
    else if (chance < 0.75) this.#clock.advance(10)
    else await nextRound()
  }

  /** After all that was set off has come to its end: everybody runs, and those that depend on each other were started in order. */
  async rest(): Promise<void> {
    this.#isQuiet = true
    const tree = this.#opened()
    for (let turn = 0; turn < restTurnsMax; turn++) {
      this.#clock.advance(longMs)
      await atRest()
    }
    if (this.#pending.size > 0) this.#fault(`${this.#pending.size} adds or removes hang`)
    const lives = tree.children.map((name) => this.#lives.get(name))
    for (const [at, life] of lives.entries())
      if (life === undefined || life.isOver) this.#fault(`${tree.children[at] ?? '?'} does not run`)
    if (this.#running.size !== tree.children.length)
      this.#fault(`${this.#running.size} run, ${tree.children.length} are known`)
    const orders = lives.map((life) => life?.order ?? 0)
    const isInOrder = orders.every((order, at) => at === 0 || order > (orders[at - 1] ?? 0))
    if (this.#strategy !== 'one_for_one' && !isInOrder) this.#fault(`started in the order ${orders.join()}`)
    this.#isQuiet = false
  }

  /** Stops it wherever it is; what ran is stopped last first, and nothing is left. */
  async stop(isAtRest: boolean): Promise<void> {
    const tree = this.#opened()
    const expected = [...tree.children].reverse()
    this.#stops = []
    this.#isOrderly = isAtRest
    await tree.stop()
    await Promise.all(this.#pending)
    if (isAtRest && this.#stops.join() !== expected.join())
      this.#fault(`stopped in the order ${this.#stops.join()} instead of ${expected.join()}`)
    await atRest()
    if (this.#running.size > 0) this.#fault(`left running: ${[...this.#running].map(({ name }) => name).join()}`)
    if (tree.children.length > 0) this.#fault(`still known: ${tree.children.join()}`)
  }

  #opened(): Supervisor {
    if (this.#tree === undefined) throw new Error('not opened')
    return this.#tree
  }

  #child(): ChildOptions {
    const name = `c${this.#nextName++}`
    const restart = this.#pick(['permanent', 'permanent', 'transient', 'temporary'] as const) ?? 'permanent'
    return { name, restart, start: () => this.#start(name) }
  }

  async #start(name: string): Promise<Child> {
    this.#noteOverlap(name)
    await this.#dawdle()
    if (!this.#isQuiet && this.#random() < 0.2) throw new Error(`${name} cannot start`)
    this.#noteOverlap(name)
    if (this.#lives.has(name)) this.restartCount++
    return this.#live(name)
  }

  #live(name: string): Child {
    let resolve: (reason: Reason) => void = () => {}
    const stopped = new Promise<Reason>((settle) => (resolve = settle))
    const end = (reason: Reason): void => {
      life.isOver = true
      this.#running.delete(life)
      resolve(reason)
    }
    const life: Life = { name, order: this.#starts++, isOver: false, end }
    this.#lives.set(name, life)
    this.#running.add(life)
    return {
      stopped,
      stop: async (reason = 'normal') => {
        this.#noteStop(name)
        await this.#dawdle()
        end(reason)
      },
    }
  }

  #noteOverlap(name: string): void {
    if (this.#lives.get(name)?.isOver === false) this.#fault(`two lives of ${name}`)
  }

  /** In an ordered stop, one is told only when the one before it is over. */
  #noteStop(name: string): void {
    const before = this.#stops?.at(-1)
    if (this.#isOrderly && before !== undefined && this.#lives.get(before)?.isOver === false)
      this.#fault(`${name} was stopped while ${before} was still ending`)
    this.#stops?.push(name)
  }

  #add(): void {
    const tree = this.#opened()
    if (tree.children.length < namesMax) this.#await(tree.add(this.#child()), 'did not start')
  }

  #remove(): void {
    const tree = this.#opened()
    const name = this.#pick(tree.children)
    if (name !== undefined && tree.children.length > 1) this.#await(tree.remove(name), 'expected a child')
  }

  /** Collects what is under way; it may fail in the way named, and because the supervisor is being stopped. */
  #await(work: Promise<unknown>, mayFail: string): void {
    const done: Promise<void> = work
      .then(() => undefined)
      .catch((thrown: unknown) => {
        const message = String(thrown)
        if (!message.includes(mayFail) && this.#stops === undefined) this.#fault(message)
      })
      .finally(() => this.#pending.delete(done))
    this.#pending.add(done)
  }

  async #dawdle(): Promise<void> {
    for (let rounds = Math.floor(this.#random() * 3); rounds > 0; rounds--) await nextRound()
  }

  #pick<T>(among: readonly T[]): T | undefined {
    return among[Math.floor(this.#random() * among.length)]
  }

  #fault(what: string): void {
    this.faults.push(what)
  }
}
