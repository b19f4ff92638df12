/** A worker thread that answers calls. Owns the protocol between both sides; knows nothing of what is asked. */
import { parentPort, Worker, type Transferable } from 'node:worker_threads'
import { asError, errnoOf } from './errors.ts'

/** What a thread can be asked: a name, what goes in, what comes out. All of it must survive a structured clone. */
export type Verbs = Record<string, { in: unknown; out: unknown }>

type Ask = { id: number; verb: string; input: unknown }
type Answer = { id: number; output: unknown } | { id: number; failure: Failure } | Ready
/** The first words of a thread: all of its code is loaded. */
type Ready = { isReady: true }
/** An error crosses threads without its class; code and path are what handlers look at. */
type Failure = { message: string; code: string | undefined; stack: string | undefined }

/** An error thrown by the other side, with its errno name. */
export class ThreadError extends Error {
  readonly code: string | undefined
  constructor(failure: Failure) {
    super(failure.message)
    this.code = failure.code
    if (failure.stack !== undefined) this.stack = failure.stack
  }
}

/** A thread that does not come up within this is ended all the same. Unit: ms. */
const loadMsMax = 5_000

export interface Thread<V extends Verbs> {
  /** Asks and waits for the answer. @throws ThreadError what the handler threw; Error when the thread died. */
  call<K extends keyof V & string>(verb: K, input: V[K]['in'], transfer?: readonly Transferable[]): Promise<V[K]['out']>
  /** Calls asked and not yet answered. */
  readonly pendingCount: number
  /** Resolves with the reason when the thread ended, asked to or not. */
  readonly ended: Promise<Error>
  /** Ends the thread as soon as its code is loaded, at once after that; open calls reject. */
  stop(): Promise<void>
}

/** Starts the thread whose code is at `url`. It does not keep the process alive by itself. */
export function startThread<V extends Verbs>(url: URL, options: { name: string; data?: unknown }): Thread<V> {
  const worker = new Worker(url, { name: options.name, workerData: options.data, execArgv: [] })
  worker.unref()
  const waiting = new Map<number, { resolve: (output: unknown) => void; reject: (error: Error) => void }>()
  let nextId = 1
  let death: Error | undefined

  const ended = new Promise<Error>((resolve) => {
    const die = (error: Error): void => {
      death ??= error
      for (const call of waiting.values()) call.reject(death)
      waiting.clear()
      resolve(death)
    }
    worker.on('error', (thrown) => die(asError(thrown)))
    worker.on('exit', (code) => die(new Error(`thread ${options.name} ended with code ${code}`)))
  })
  let isLoaded: () => void = () => {}
  const loaded = new Promise<void>((resolve) => (isLoaded = resolve))
  worker.on('message', (answer: Answer) => {
    if ('isReady' in answer) return isLoaded()
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (waiting.size === 0) worker.unref()
    if ('failure' in answer) call?.reject(new ThreadError(answer.failure))
    else call?.resolve(answer.output)
  })

  return {
    ended,
    get pendingCount() {
      return waiting.size
    },
    call(verb, input, transfer = []) {
      if (death !== undefined) return Promise.reject(death)
      const id = nextId++
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        // While somebody waits for an answer, the process must not end.
        worker.ref()
        worker.postMessage({ id, verb, input } satisfies Ask, transfer)
      })
    },
    async stop() {
      // A native library that is ended while it is being loaded takes the whole process with it.
      const tooLong = setTimeout(isLoaded, loadMsMax)
      await Promise.race([loaded, ended])
      clearTimeout(tooLong)
      await worker.terminate()
    },
  }
}

export type Handlers<V extends Verbs> = {
  [K in keyof V]: (input: V[K]['in']) => V[K]['out'] | Promise<V[K]['out']>
}

/** Inside the thread: answers calls with `handlers`. `transferOf` names what of an answer moves instead of being copied. */
export function serveThread<V extends Verbs>(
  handlers: Handlers<V>,
  transferOf: (output: unknown) => readonly Transferable[] = () => [],
): void {
  const port = parentPort
  if (port === null) throw new Error('this module is the code of a thread')
  const answer = async ({ id, verb, input }: Ask): Promise<void> => {
    try {
      const handler = handlers[verb]
      if (handler === undefined) throw new Error(`thread has no verb ${verb}`)
      const output: unknown = await handler(input)
      port.postMessage({ id, output } satisfies Answer, transferOf(output))
    } catch (thrown) {
      const error = asError(thrown)
      port.postMessage({
        id,
        failure: { message: error.message, code: errnoOf(thrown), stack: error.stack },
      } satisfies Answer)
    }
  }
  port.postMessage({ isReady: true } satisfies Answer)
  port.on('message', (ask: Ask) => {
    answer(ask).catch((thrown: unknown) => {
      throw asError(thrown)
    })
  })
}
