/** An object's content as a stream, read by the directory thread as it is asked for. Destroying it closes the object. */
import { Readable } from 'node:stream'
import { asError } from '../../base/errors.ts'

/** Bytes of one read: few calls, little memory. */
const readBytes = 2 ** 20

export interface ObjectSource {
  /** Fewer bytes than asked for only at the end. */
  read(start: number, bytesMax: number): Promise<Uint8Array>
  close(): void
}

export class ObjectStream extends Readable {
  readonly #source: ObjectSource
  #offset: number

  constructor(source: ObjectSource, start: number) {
    super({ highWaterMark: readBytes })
    this.#source = source
    this.#offset = start
  }

  override _read(): void {
    this.#source.read(this.#offset, readBytes).then(
      (bytes) => {
        this.#offset += bytes.length
        if (bytes.length > 0) this.push(bytes)
        if (bytes.length < readBytes) this.push(null)
      },
      (thrown: unknown) => this.destroy(asError(thrown)),
    )
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.close()
    callback(error)
  }
}
