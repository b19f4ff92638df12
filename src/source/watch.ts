/**
 * The program's side of the watch thread: starts it, sees that it lives, and hands each source its reports. A child of its supervisor, which starts it
 * again when it does not live (F18). One thread and one inotify instance for all sources. Judges no report.
 */
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../base/clock.ts'
import { asError, errnoOf } from '../base/errors.ts'
import { closeFd, openInotify, openWakeup, wake } from '../base/libc.ts'
import type { Log } from '../base/log.ts'
import type { Child, Reason } from '../stage/stage.ts'
import type { Coverage } from './scan.ts'
import { shared, type WatchCommand, type WatchReport, type WatchThreadStart } from './watch-reports.ts'

/** Time between two looks at the thread's beat, ms; silent at two in a row, it is given up (F18: 5 s). */
const beatCheckMs = 2_500
const silentChecksMax = 2

/** What a source hears. Reports come in order; `lost` says that any change may have been missed since the last report. */
export interface WatchListener {
  report(report: WatchReport): void
  lost(reason: string): void
  /** There is no watching for now; a later report `watched` says that it began again. */
  unavailable(reason: string): void
}

interface Watching extends Coverage {
  readonly root: string
  readonly listener: WatchListener
}

interface Running {
  readonly worker: Worker
  readonly start: WatchThreadStart
  readonly counters: Int32Array
  /** Tells the supervisor that this life is over. */
  readonly end: (reason: Reason) => void
}

export class Watch {
  readonly #clock: Clock
  readonly #log: Log
  readonly #watching = new Map<number, Watching>()
  #running: Running | undefined
  #timer: Timer | undefined
  #lastBeat = -1
  #silentChecks = 0
  #nextId = 1
  /** Why it could not be started the last time. */
  #unavailableReason: string | undefined

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** Its thread beats, or none is needed. One that cannot be started is no silence: the sources were told and poll. */
  get isAnswering(): boolean {
    if (this.#watching.size === 0 || this.#unavailableReason !== undefined) return true
    return this.#running !== undefined && this.#silentChecks === 0
  }

  /** Watches the tree at `root` until `remove` is called with the number answered. */
  add(root: string, { ignore, oneFileSystem }: Coverage, listener: WatchListener): number {
    const id = this.#nextId++
    this.#watching.set(id, { root, ignore, oneFileSystem, listener })
    if (this.#running !== undefined) this.#tell({ kind: 'watch', id, root, ignore, oneFileSystem })
    else listener.unavailable(this.#unavailableReason ?? 'the watch thread is not running; it is started again soon')
    return id
  }

  remove(id: number): void {
    if (this.#watching.delete(id)) this.#tell({ kind: 'unwatch', id })
  }

  /** Tries again to watch a folder that could not be watched. */
  extend(id: number, folder: string): void {
    this.#tell({ kind: 'extend', id, folder })
  }

  /** One life of the thread; one that is over at once where it cannot be started, so that it is tried again later. */
  start(): Child {
    let end: (reason: Reason) => void = () => {}
    const stopped = new Promise<Reason>((resolve) => (end = resolve))
    try {
      const running = this.#startThread(end)
      this.#begin(running)
      return { stopped, stop: (reason = 'normal') => this.#stop(running, reason) }
    } catch (thrown) {
      this.#unavailable(asError(thrown), errnoOf(thrown))
      end(asError(thrown))
      return { stopped, stop: () => undefined }
    }
  }

  #begin(running: Running): void {
    this.#running = running
    this.#unavailableReason = undefined
    for (const [id, { root, ignore, oneFileSystem }] of this.#watching)
      this.#tell({ kind: 'watch', id, root, ignore, oneFileSystem })
    this.#lastBeat = -1
    this.#silentChecks = 0
    this.#checkLater()
  }

  /** Its end follows when the thread has returned; longer than its supervisor waits it can only hang in a dead file system. */
  #stop(running: Running, reason: Reason): void {
    if (running !== this.#running) return
    this.#timer?.clear()
    this.#running = undefined
    // Somebody waits for its end: the process must not be over before, for want of anything else to do.
    running.worker.ref()
    running.worker.on('exit', () => running.end(reason))
    running.worker.postMessage({ kind: 'stop' } satisfies WatchCommand)
    wake(running.start.wakeup)
  }

  #unavailable(error: Error, code: string | undefined): void {
    const hint = code === 'EMFILE' ? '; raise fs.inotify.max_user_instances' : ''
    const reason = `cannot watch: ${error.message}${hint}`
    // Said once: every source scans everything when it hears of it.
    if (this.#unavailableReason === reason) return
    this.#unavailableReason = reason
    this.#log.warn('watch unavailable', { error: error.message })
    for (const { listener } of this.#watching.values()) listener.unavailable(reason)
  }

  #startThread(end: Running['end']): Running {
    const { inotify, wakeup } = openDescriptors()
    const memory = new SharedArrayBuffer(shared.length * Int32Array.BYTES_PER_ELEMENT)
    const start: WatchThreadStart = { inotify, wakeup, shared: memory }
    const worker = new Worker(new URL('./watch-thread.js', import.meta.url), { name: 'watch', workerData: start })
    worker.unref()
    worker.on('exit', () => {
      // Closed only here: a thread that still runs must not find another file under its numbers.
      closeFd(inotify)
      closeFd(wakeup)
    })
    const running: Running = { worker, start, counters: new Int32Array(memory), end }
    worker.on('message', (reports: readonly WatchReport[]) => this.#take(running, reports))
    worker.on('error', (thrown) => this.#died(running, asError(thrown).message))
    worker.on('exit', (code) => this.#died(running, `it ended with code ${code}`))
    return running
  }

  #take(running: Running, reports: readonly WatchReport[]): void {
    // A thread that was given up may still speak; its successor tells all of it again.
    if (running !== this.#running) return
    for (const report of reports) this.#handOn(report)
    Atomics.add(running.counters, shared.takenCount, 1)
    if (Atomics.load(running.counters, shared.isHolding) === 1) wake(running.start.wakeup)
  }

  #handOn(report: WatchReport): void {
    if ('id' in report) this.#watching.get(report.id)?.listener.report(report)
    else for (const { listener } of this.#watching.values()) listener.report(report)
  }

  #tell(command: WatchCommand): void {
    if (this.#running === undefined) return
    this.#running.worker.postMessage(command)
    wake(this.#running.start.wakeup)
  }

  #checkLater(): void {
    this.#timer = this.#clock.after(beatCheckMs, () => this.#checkBeat())
  }

  #checkBeat(): void {
    const running = this.#running
    if (running === undefined) return
    const beat = Atomics.load(running.counters, shared.beat)
    this.#silentChecks = beat === this.#lastBeat ? this.#silentChecks + 1 : 0
    this.#lastBeat = beat
    if (this.#silentChecks < silentChecksMax) this.#checkLater()
    else this.#died(running, `it was silent for ${(beatCheckMs * silentChecksMax) / 1_000} s`)
  }

  #died(running: Running, reason: string): void {
    if (running !== this.#running) return
    this.#running = undefined
    this.#timer?.clear()
    this.#log.error('watch thread lost', { reason })
    // It may hang in a call that nothing interrupts; it is told to end as soon as it returns, and not waited for.
    running.worker.terminate().catch((thrown: unknown) => this.#log.warn('watch thread', { error: String(thrown) }))
    const lost = `the watch thread was lost: ${reason}`
    for (const { listener } of this.#watching.values()) listener.lost(lost)
    running.end(new Error(lost))
  }
}

function openDescriptors(): { inotify: number; wakeup: number } {
  const inotify = openInotify()
  try {
    return { inotify, wakeup: openWakeup() }
  } catch (thrown) {
    closeFd(inotify)
    throw thrown
  }
}
