/** Small copies on their way to the directory thread: whatever arrives while it is busy travels together. Nothing ever waits for more. */
import { onAbort } from '../../base/abort.ts'
import { asError, assert } from '../../base/errors.ts'
import type { Outcome, SmallPut } from './batch.ts'

/** Files of one batch: beyond, nothing is gained, and one hundred descriptors are open at once. */
const batchFilesMax = 32
/** Bytes of one batch: what it costs in memory, twice. */
const batchBytesMax = 16 * 2 ** 20

/** A copy whose bytes are all here. */
export interface SmallCopy {
  readonly path: string
  readonly bytes: Uint8Array
  readonly mtimeNs: bigint
}

interface Waiting {
  readonly copy: SmallCopy
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: Error) => void
}

export type SendBatch = (puts: readonly SmallPut[], bytes: Uint8Array<ArrayBuffer>) => Promise<readonly Outcome[]>

/** The queue needs no bound of its own: it holds one entry for each put that somebody waits for. */
export class SmallPuts {
  readonly #send: SendBatch
  readonly #queue = new Set<Waiting>()
  #isSending = false

  constructor(send: SendBatch) {
    this.#send = send
  }

  /** An abort takes it out of the queue; a batch that is on its way is still done. */
  put(copy: SmallCopy, signal: AbortSignal): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        copy,
        resolve: (outcome) => {
          stopListening()
          resolve(outcome)
        },
        reject: (error) => {
          stopListening()
          reject(error)
        },
      }
      this.#queue.add(waiting)
      const stopListening = onAbort(signal, (reason) => {
        this.#queue.delete(waiting)
        reject(reason)
      })
      // One turn later, so that what is put in one go travels together.
      queueMicrotask(() => this.#next())
    })
  }

  #next(): void {
    if (this.#isSending || this.#queue.size === 0) return
    this.#isSending = true
    const batch = this.#take()
    const { puts, bytes } = packed(batch)
    this.#send(puts, bytes)
      .then(
        (outcomes) => settle(batch, outcomes),
        (thrown: unknown) => fail(batch, thrown),
      )
      .finally(() => {
        this.#isSending = false
        this.#next()
      })
  }

  #take(): Waiting[] {
    const batch: Waiting[] = []
    let bytes = 0
    for (const waiting of this.#queue) {
      if (batch.length >= batchFilesMax || bytes >= batchBytesMax) break
      this.#queue.delete(waiting)
      batch.push(waiting)
      bytes += waiting.copy.bytes.length
    }
    return batch
  }
}

/** All bytes in one buffer that moves to the thread: one copy of them, whatever buffers they came in. */
function packed(batch: readonly Waiting[]): { puts: SmallPut[]; bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(batch.reduce((sum, { copy }) => sum + copy.bytes.length, 0))
  let start = 0
  const puts = batch.map(({ copy }): SmallPut => {
    bytes.set(copy.bytes, start)
    start += copy.bytes.length
    return { path: copy.path, start: start - copy.bytes.length, size: copy.bytes.length, mtimeNs: copy.mtimeNs }
  })
  return { puts, bytes }
}

function settle(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
  assert(batch.length === outcomes.length, `a batch of ${batch.length} was answered with ${outcomes.length} outcomes`)
  for (const [index, outcome] of outcomes.entries()) batch[index]?.resolve(outcome)
}

function fail(batch: readonly Waiting[], thrown: unknown): void {
  for (const waiting of batch) waiting.reject(asError(thrown))
}
