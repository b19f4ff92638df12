/** The program's side of the scan thread: one for all sources, a child of its supervisor, which starts it again when it died (F18). */
import { startThread, type Thread } from '../base/thread.ts'
import type { Child, Reason } from '../stage/stage.ts'
import type { ScanVerbs } from './scan.ts'

export interface ScannerEvents {
  /** The thread died, and with it all it knew of roots. */
  readonly onLost: (reason: string) => void
  /** A thread that knows no roots can be asked. */
  readonly onStarted: () => void
}

export class Scanner {
  readonly #events: ScannerEvents
  #thread: Thread<ScanVerbs> | undefined
  #nextId = 1

  constructor(events: ScannerEvents) {
    this.#events = events
  }

  /** One life of the thread. */
  start(): Child {
    const thread = startThread<ScanVerbs>(new URL('./scan-thread.js', import.meta.url), { name: 'scan' })
    this.#thread = thread
    let asked: Reason | undefined
    const stopped = thread.ended.then((error): Reason => {
      if (this.#thread === thread) this.#thread = undefined
      if (asked === undefined) this.#events.onLost(`the scan thread was lost: ${error.message}`)
      return asked ?? error
    })
    this.#events.onStarted()
    return {
      stopped,
      stop(reason = 'normal') {
        asked ??= reason
        return thread.stop()
      },
    }
  }

  /** A number for a root to open. */
  newId(): number {
    return this.#nextId++
  }

  /** @throws Error when the thread dies before it answers, and between two of its lives. */
  call<K extends keyof ScanVerbs>(verb: K, input: ScanVerbs[K]['in']): Promise<ScanVerbs[K]['out']> {
    return this.#thread?.call(verb, input) ?? Promise.reject(new Error('the scan thread is not running'))
  }

  /** The root is not needed any more. Nobody waits for that: the thread may hang in it. */
  close(id: number): void {
    this.#thread?.call('close', { id }).catch(() => {
      // What it knew of the root went with it.
    })
  }
}
