/** Small files on their way to the digest threads: those that arrive while the threads are busy travel together. */
import { onAbort } from '../base/abort.ts'
import { asError } from '../base/errors.ts'
import type { Reader } from './reader.ts'
import type { Answer, Whole } from './verbs.ts'
import type { SeenFile } from './reading.ts'

/** Files of one call: enough that the call itself costs little, few enough that both threads get some. */
const batchFilesMax = 64
/** Bytes of one call, so that a thread comes back within some 20 ms. */
const batchBytesMax = 8 * 2 ** 20

interface Waiting {
  readonly file: SeenFile
  readonly resolve: (answer: Answer<Whole>) => void
  readonly reject: (error: Error) => void
}

/** The queue needs no bound of its own: it holds one entry for each caller that waits. */
export class WholeReads {
  /** Readers without a batch. */
  readonly #free: Reader[] = []
  readonly #queue = new Set<Waiting>()
  #isEnded = false

  /** A reader is there to be used; it is left out once it is not alive any more. */
  come(reader: Reader): void {
    this.#free.push(reader)
    this.#send()
  }

  /** Rejects whoever waits for a reader, now and later. */
  end(): void {
    this.#isEnded = true
    for (const { reject } of this.#queue) reject(stopped())
    this.#queue.clear()
  }

  read(file: SeenFile, signal: AbortSignal): Promise<Answer<Whole>> {
    return new Promise((resolve, reject) => {
      if (this.#isEnded) return reject(stopped())
      const waiting: Waiting = { file, resolve, reject }
      this.#queue.add(waiting)
      // Nobody else listens to the signal of one flight, and it ends with it.
      onAbort(signal, (reason) => {
        this.#queue.delete(waiting)
        reject(reason)
      })
      // One turn later, so that what is asked in one go travels together.
      queueMicrotask(() => this.#send())
    })
  }

  #send(): void {
    while (this.#queue.size > 0) {
      const reader = this.#free.shift()
      if (reader === undefined) return
      if (!reader.isAlive) continue
      const batch = this.#take()
      reader
        .call(
          'whole',
          batch.map((waiting) => waiting.file),
        )
        .then(
          (answers) => settle(batch, answers),
          (thrown: unknown) => fail(batch, thrown),
        )
        .finally(() => {
          if (reader.isAlive) this.#free.push(reader)
          this.#send()
        })
    }
  }

  #take(): Waiting[] {
    const batch: Waiting[] = []
    let bytes = 0
    for (const waiting of this.#queue) {
      if (batch.length >= batchFilesMax || bytes >= batchBytesMax) break
      this.#queue.delete(waiting)
      batch.push(waiting)
      bytes += waiting.file.size
    }
    return batch
  }
}

function stopped(): Error {
  return new Error('the digest was stopped')
}

function settle(batch: readonly Waiting[], answers: readonly Answer<Whole>[]): void {
  for (const [index, waiting] of batch.entries()) {
    const answer = answers[index]
    if (answer === undefined) waiting.reject(new Error('the digest thread answered too little'))
    else waiting.resolve(answer)
  }
}

function fail(batch: readonly Waiting[], thrown: unknown): void {
  for (const waiting of batch) waiting.reject(asError(thrown))
}
