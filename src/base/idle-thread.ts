/** A worker thread that its first call starts and that ends after a time without work, so that an idle daemon is small. */
import type { Transferable } from 'node:worker_threads'
import { orAbort } from './abort.ts'
import { abortReason, type Clock, type Timer } from './clock.ts'
import type { Log } from './log.ts'
import { Tasks } from './tasks.ts'
import type { Thread, Verbs } from './thread.ts'

/** A thread without work ends after this long, ms: starting one takes about 40 ms and 10 MiB, so not between two bursts. */
const idleMsMax = 30_000
/** A thread inside a system call that never returns (a dead disk) cannot be ended; stopping waits this long for it, ms. */
const stopMsMax = 5_000

export interface IdleThreadOptions {
  readonly clock: Clock
  readonly log: Log
  /** Called when the thread ended without being asked to. Whoever does not replace it then has another one started by the next call. */
  readonly onDeath?: (reason: Error) => void
}

export class IdleThread<V extends Verbs> {
  readonly #start: () => Thread<V>
  readonly #onDeath: ((reason: Error) => void) | undefined
  readonly #clock: Clock
  readonly #log: Log
  readonly #tasks: Tasks
  #thread: Thread<V> | undefined
  #idle: Timer | undefined
  #users = 0
  #isStopped = false

  constructor(start: () => Thread<V>, options: IdleThreadOptions) {
    this.#start = start
    this.#onDeath = options.onDeath
    this.#clock = options.clock
    this.#log = options.log
    this.#tasks = new Tasks((name, error) => options.log.error('thread task failed', { name, error: error.message }))
  }

  /**
   * Asks the thread. An abort rejects at once, even while the thread hangs; what it was asked it may still do, before anything asked later.
   * @throws ThreadError what the thread threw; Error when it died.
   */
  async call<K extends keyof V & string>(
    verb: K,
    input: V[K]['in'],
    signal?: AbortSignal,
    transfer: readonly Transferable[] = [],
  ): Promise<V[K]['out']> {
    if (signal?.aborted === true) throw abortReason(signal)
    const release = this.hold()
    try {
      const answer = this.#running().call(verb, input, transfer)
      return await (signal === undefined ? answer : orAbort(answer, signal))
    } finally {
      release()
    }
  }

  /** Asks without waiting for the answer: for putting away. A failure is logged. */
  tell<K extends keyof V & string>(verb: K, input: V[K]['in']): void {
    if (this.#thread === undefined || this.#isStopped) return
    this.#tasks.run(verb, async () => {
      await this.call(verb, input)
    })
  }

  /** Keeps what the thread remembers from one call to the next. Answers the function that lets go. */
  hold(): () => void {
    this.#users++
    this.#idle?.clear()
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#users--
      if (this.#users === 0) this.#idle = this.#clock.after(idleMsMax, () => this.#end())
    }
  }

  /** Ends the thread at once; open calls reject. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#idle?.clear()
    this.#end()
    const waited = new AbortController()
    const patience = this.#clock.sleep(stopMsMax, waited.signal).catch(() => undefined)
    await Promise.race([this.#tasks.settled(), patience])
    waited.abort()
    await patience
    this.#idle?.clear()
  }

  #running(): Thread<V> {
    if (this.#isStopped) throw new Error('the thread was stopped')
    if (this.#thread !== undefined) return this.#thread
    const thread = this.#start()
    this.#thread = thread
    this.#tasks.run('thread', async () => {
      const reason = await thread.ended
      if (this.#thread !== thread) return
      this.#thread = undefined
      this.#log.error('thread died', { reason: reason.message })
      this.#onDeath?.(reason)
    })
    return thread
  }

  #end(): void {
    const thread = this.#thread
    if (thread === undefined) return
    this.#thread = undefined
    this.#tasks.run('stop', () => thread.stop())
  }
}
