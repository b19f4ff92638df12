/** Small files on their way to the digest threads: those that arrive while the threads are busy travel together. */
import { type Doer, Gathering, settle } from '../base/gathering.ts'
import type { Reader } from './reader.ts'
import type { SeenFile } from './reading.ts'
import type { Answer, Whole } from './verbs.ts'

/** Files of one call: enough that the call itself costs little, few enough that both threads get some. */
const batchFilesMax = 64
/** Bytes of one call, so that a thread comes back within some 20 ms. */
const batchBytesMax = 8 * 2 ** 20

export class WholeReads {
  /** Readers without a batch. */
  readonly #free: Reader[] = []
  readonly #files = new Gathering<SeenFile, Answer<Whole>>(
    { countMax: batchFilesMax, bytesMax: batchBytesMax, bytesOf: ({ size }) => size },
    () => this.#reading(),
  )

  /** A reader is there to be used; it is left out once it is not alive any more. */
  come(reader: Reader): void {
    this.#free.push(reader)
    this.#files.go()
  }

  /** Rejects whoever waits for a reader, now and later. */
  end(): void {
    this.#files.end(new Error('the digest was stopped'))
  }

  read(file: SeenFile, signal: AbortSignal): Promise<Answer<Whole>> {
    return this.#files.ask(file, signal)
  }

  #reading(): Doer<SeenFile, Answer<Whole>> | undefined {
    const reader = this.#aliveReader()
    if (reader === undefined) return undefined
    return async (batch) => {
      const files = batch.map(({ item }) => item)
      try {
        settle(batch, await reader.call('whole', files))
      } finally {
        if (reader.isAlive) this.#free.push(reader)
      }
    }
  }

  #aliveReader(): Reader | undefined {
    for (;;) {
      const reader = this.#free.shift()
      if (reader === undefined || reader.isAlive) return reader
    }
  }
}
