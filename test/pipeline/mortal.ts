/**
 * A process that can be ended at any of its steps on disk, many times a second: threads run in this one, so that every statement of the
 * journal and every call of a directory target that changes the disk is a point that can be counted and, once, be the last.
 */
import { EventEmitter } from 'node:events'
import fs, { copyFileSync, existsSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import workerThreads from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { asError } from '../../src/base/errors.ts'

/** What is thrown where the process ended: nothing after it has happened. */
class Ended extends Error {}

/** What happens at the point: the process ends there, or the call fails and the process goes on. */
export type Fate = 'end' | 'fail'

/** Shorter than anything that comes by a timer of the journal. Unit: ms. */
const longMs = 5_000

/** One life: counts its points, and ends at one of them. */
export class Life {
  readonly #atPoint: number
  readonly #fate: Fate
  readonly #journalFile: string
  /** Resolves when it came to its point. */
  readonly struck: Promise<void>
  #resolveStruck: () => void = () => {}
  readonly #begunMs = performance.now()
  #points = 0
  #isStruck = false
  #isOver = false
  #lastPoint = ''

  /** @param atPoint 1 for the first; beyond the last point the life is a whole one. */
  constructor(atPoint: number, fate: Fate, journalFile: string) {
    this.#atPoint = atPoint
    this.#fate = fate
    this.#journalFile = journalFile
    this.struck = new Promise((resolve) => (this.#resolveStruck = resolve))
  }

  /** It came to its point. */
  get isStruck(): boolean {
    return this.#isStruck
  }

  /** It may have come to what is done every few seconds. */
  get isLong(): boolean {
    return performance.now() - this.#begunMs > longMs
  }

  /** Nothing that happens now happened. */
  get isOver(): boolean {
    return this.#isOver
  }

  get pointCount(): number {
    return this.#points
  }

  /** Where it was struck, in words. */
  get lastPoint(): string {
    return this.#lastPoint
  }

  /** The journal as the next life finds it. */
  get legacy(): string {
    return this.#isOver ? `${this.#journalFile}.legacy` : this.#journalFile
  }

  /** @throws where it ends or fails here. */
  point(name: string, failure: () => Error): void {
    this.#points++
    if (this.#points !== this.#atPoint) return
    this.#isStruck = true
    this.#resolveStruck()
    this.#lastPoint = `point ${this.#points}, ${name}`
    if (this.#fate === 'fail') throw failure()
    this.#isOver = true
    for (const suffix of ['', '-wal']) {
      if (existsSync(this.#journalFile + suffix)) copyFileSync(this.#journalFile + suffix, this.legacy + suffix)
    }
    throw new Ended(this.#lastPoint)
  }
}

/** The life that is lived now; undefined while nothing is to be struck. */
let life: Life | undefined

export function live(next: Life | undefined): void {
  life = next
}

/** For `openJournal`. Timers of a life that ended are its own: nothing of what they do is a point of the next one. */
export function journalPointOf(own: Life): (name: string, when: 'before' | 'after') => void {
  return (name, when) => {
    // An end after a statement is an end before the next one, but for the one that others are told of.
    if (life !== own || own.isOver || (when === 'after' && name !== 'COMMIT')) return
    // Care comes by a timer once a life lasts 10 s, on a slow machine: nobody could catch an end in it. A stack costs more than most statements.
    if (own.isLong && new Error().stack?.includes('/journal/care.') === true) return
    // A disk that fails fails before anything is written; that a commit was written and reported as failed is a life's end.
    own.point(`${when} ${name}`, () => Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' }))
  }
}

const changingCalls = [
  'writeSync',
  'renameSync',
  'unlinkSync',
  'rmdirSync',
  'mkdirSync',
  'ftruncateSync',
  'fsyncSync',
  'fdatasyncSync',
] as const
type Call = (...values: unknown[]) => unknown

/** What one life opens at one target, by far. */
const openedMax = 30

let isAtTarget = false

/** Runs the code of a target's thread. */
function atTarget(work: () => void): void {
  isAtTarget = true
  try {
    work()
  } finally {
    isAtTarget = false
  }
}

function mortal(name: string, call: Call): Call {
  return (...values) => {
    if (!isAtTarget || life === undefined) return call(...values)
    if (life.isOver) throw new Ended(`after the end: ${name}`)
    const refused = (): Error => Object.assign(new Error(`EIO: i/o error, ${name}`), { code: 'EIO', syscall: name })
    struck(`before ${name}`, refused)
    const answer = call(...values)
    // A file's time is set by a call that is not counted; every other end after a call is an end before the next one.
    if (name === 'writeSync') struck(`after ${name}`, refused)
    return answer
  }
}

/** The copy of the journal at a life's end is nothing that the target's thread does. */
function struck(name: string, refused: () => Error): void {
  isAtTarget = false
  try {
    life?.point(name, refused)
  } finally {
    isAtTarget = true
  }
}

/** Opening changes the disk only where it makes the file. */
function mortalOpen(open: Call): Call {
  const making = mortal('openSync', open)
  return (...values) => {
    const [, flags] = values
    const isMaking = typeof flags === 'string' ? flags !== 'r' : (Number(flags) & fs.constants.O_CREAT) !== 0
    return isMaking ? making(...values) : open(...values)
  }
}

/** The main side of a thread whose code runs in this one. */
class NearWorker extends EventEmitter {
  readonly #url: string
  readonly #port: Promise<Port>
  readonly #life = life
  #isEnded = false

  constructor(url: URL) {
    super()
    this.#url = url.href
    this.#port = portOf(this.#url)
    this.#port.then(
      (port) => {
        port.postMessage = (message) => this.#answer(message)
        // A port that served an earlier life said this then.
        setImmediate(() => this.emit('message', { isReady: true }))
      },
      (thrown: unknown) => this.emit('error', asError(thrown)),
    )
  }

  get #isSilent(): boolean {
    return this.#isEnded || this.#life?.isOver === true
  }

  #answer(message: unknown): void {
    setImmediate(() => {
      if (!this.#isSilent) this.emit('message', structuredClone(message))
    })
  }

  postMessage(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    const given: unknown = structuredClone(message, { transfer: [...transfer] })
    const work = (port: EventEmitter): void =>
      void setImmediate(() => {
        if (this.#isSilent) return
        if (this.#url.includes('/target/')) atTarget(() => port.emit('message', given))
        else port.emit('message', given)
      })
    this.#port.then(work, () => undefined)
  }

  ref(): void {}
  unref(): void {}

  async terminate(): Promise<number> {
    if (this.#isEnded) return 0
    this.#isEnded = true
    const port = await this.#port
    if (this.#life?.isStruck === true) forget(port)
    restingPorts.set(this.#url, [...(restingPorts.get(this.#url) ?? []), port])
    this.emit('exit', 0)
    return 0
  }
}

/** What a life left open at its end is not for the next one: its files are closed, as the system does it for a process that ended. */
function forget(port: Port): void {
  port.postMessage = () => {}
  for (let id = 1; id <= openedMax; id++) {
    for (const verb of ['dropCopy', 'closeObject', 'closeList'])
      port.emit('message', { id: 0, verb, input: { id, keep: true } })
  }
}

type Port = EventEmitter & { postMessage(message: unknown): void }

const restingPorts = new Map<string, Port[]>()
let portCount = 0
let loading: Promise<unknown> = Promise.resolve()

/** Code of a thread that nobody uses: loaded once more where there is none, since it keeps what is open in its module. */
function portOf(url: string): Promise<Port> {
  const resting = restingPorts.get(url)?.pop()
  if (resting !== undefined) return Promise.resolve(resting)
  const loaded = loading.then(() => load(url))
  loading = loaded
  return loaded
}

async function load(url: string): Promise<Port> {
  const port: Port = Object.assign(new EventEmitter(), { postMessage: () => {} })
  Object.assign(workerThreads, { parentPort: port })
  syncBuiltinESMExports()
  await import(`${url}?port=${portCount++}`)
  Object.assign(workerThreads, { parentPort: null })
  syncBuiltinESMExports()
  return port
}

/** Until the test is over all threads run in this one, and targets live only as long as `life`. */
export function makeMortal(): void {
  const { Worker } = workerThreads
  const { openSync } = fs
  const calls = Object.fromEntries(changingCalls.map((name) => [name, fs[name] as Call]))
  for (const [name, call] of Object.entries(calls)) Object.assign(fs, { [name]: mortal(name, call) })
  Object.assign(fs, { openSync: mortalOpen(openSync as Call) })
  Object.assign(workerThreads, { Worker: NearWorker })
  syncBuiltinESMExports()
  onTestFinished(() => {
    life = undefined
    Object.assign(fs, calls, { openSync })
    Object.assign(workerThreads, { Worker })
    syncBuiltinESMExports()
  })
}
