/** One digest thread as a child of its supervisor: starts with its first call, ends while idle, and is over once it died. What it reads is not its concern. */
import { asError } from '../base/errors.ts'
import { IdleThread, type IdleThreadOptions } from '../base/idle-thread.ts'
import { type Thread, ThreadError } from '../base/thread.ts'
import type { Child, Reason } from '../stage/stage.ts'
import { DigestThreadLost } from './errors.ts'
import type { DigestVerbs } from './verbs.ts'

export class Reader implements Child {
  readonly stopped: Promise<Reason>
  /** Large files that it reads now. */
  longReads = 0
  readonly #thread: IdleThread<DigestVerbs>
  #state: 'alive' | 'stopping' | 'fallen' = 'alive'
  #resolveStopped: (reason: Reason) => void = () => {}

  constructor(start: () => Thread<DigestVerbs>, options: Pick<IdleThreadOptions, 'clock' | 'log'>) {
    this.#thread = new IdleThread(start, { ...options, onDeath: (reason) => this.#fall(reason) })
    this.stopped = new Promise((resolve) => (this.#resolveStopped = resolve))
  }

  get isAlive(): boolean {
    return this.#state === 'alive'
  }

  /** @throws DigestThreadLost when the thread died before it answered; otherwise as IdleThread.call. */
  async call<K extends keyof DigestVerbs>(
    verb: K,
    input: DigestVerbs[K]['in'],
    signal?: AbortSignal,
  ): Promise<DigestVerbs[K]['out']> {
    if (this.#state === 'fallen') throw new DigestThreadLost(new Error('it has died'))
    try {
      return await this.#thread.call(verb, input, signal)
    } catch (thrown) {
      if (thrown instanceof ThreadError || signal?.aborted === true || this.#state === 'stopping') throw thrown
      // The news of its death may come later than this; nobody is to give it anything more until then.
      this.#fall(asError(thrown))
      throw new DigestThreadLost(thrown)
    }
  }

  /** Reads one large file with `read`, during which the thread keeps what it remembers. */
  async during<T>(read: () => Promise<T>): Promise<T> {
    const release = this.#thread.hold()
    this.longReads++
    try {
      return await read()
    } finally {
      this.longReads--
      release()
    }
  }

  /** Has the thread put away what it remembers under `id`; a dead one remembers nothing. */
  drop(id: number): void {
    if (this.isAlive) this.#thread.tell('drop', { id })
  }

  /** Ends the thread at once; whoever waits for it is rejected. */
  async stop(reason: Reason = 'normal'): Promise<Reason> {
    if (this.#state === 'alive') this.#state = 'stopping'
    await this.#thread.stop()
    this.#resolveStopped(reason)
    return this.stopped
  }

  #fall(reason: Error): void {
    if (this.#state !== 'alive') return
    this.#state = 'fallen'
    this.#resolveStopped(reason)
  }
}
