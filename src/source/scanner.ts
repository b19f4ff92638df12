/** The program's side of the scan thread: one for all sources, started when first asked, and again when it died (F18). */
import { startThread, type Thread } from '../base/thread.ts'
import type { ScanVerbs } from './scan.ts'

export class Scanner {
  readonly #onLost: (reason: string) => void
  #thread: Thread<ScanVerbs> | undefined
  #nextId = 1
  #isStopped = false

  /** @param onLost called when the thread died: roots have to be opened again. */
  constructor(onLost: (reason: string) => void) {
    this.#onLost = onLost
  }

  /** A number for a root to open. */
  newId(): number {
    return this.#nextId++
  }

  /** @throws Error when the thread dies before it answers. */
  call<K extends keyof ScanVerbs>(verb: K, input: ScanVerbs[K]['in']): Promise<ScanVerbs[K]['out']> {
    if (this.#isStopped) return Promise.reject(new Error('stopping'))
    this.#thread ??= this.#start()
    return this.#thread.call(verb, input)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#thread?.stop()
  }

  #start(): Thread<ScanVerbs> {
    const thread = startThread<ScanVerbs>(new URL('./scan-thread.js', import.meta.url), { name: 'scan' })
    thread.ended.then(
      ({ message }) => {
        if (this.#thread !== thread || this.#isStopped) return
        this.#thread = undefined
        this.#onLost(`the scan thread was lost: ${message}`)
      },
      () => {
        // `ended` never rejects.
      },
    )
    return thread
  }
}
