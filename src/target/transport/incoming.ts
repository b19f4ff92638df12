/** An answer's body on its way to its reader: a bounded number of bytes waits here, each at the account's pace. Does not know what they mean. */
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { asError } from '../../base/errors.ts'
import { unreadBytesMax } from './call.ts'
import type { Counters } from './counters.ts'
import type { CallPace } from './pace.ts'
import type { Watch } from './watch.ts'

export interface IncomingParts {
  readonly controller: Dispatcher.DispatchController
  readonly pace: CallPace
  readonly counters: Counters
  readonly watch: Watch
  readonly stallMs: number
  /** The caller's: bytes that came are still paid for when the exchange itself is over. */
  readonly signal: AbortSignal
  /** The reader wants no more. */
  readonly onUnwanted: (error: Error) => void
}

/** An answer that nobody reads holds a connection; after this it is given up. Unit: ms. */
const unreadMsMax = 600_000

/** One reader only, which asks for one chunk after the other. */
export class Incoming {
  readonly #parts: IncomingParts
  readonly #chunks: Buffer[] = []
  #unreadBytes = 0
  #isEnded = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(parts: IncomingParts) {
    this.#parts = parts
    this.#waitForReader()
  }

  push(chunk: Buffer): void {
    this.#parts.counters.bytesDown += chunk.length
    this.#chunks.push(chunk)
    this.#unreadBytes += chunk.length
    if (this.#unreadBytes >= unreadBytesMax) this.#parts.controller.pause()
    this.#waitForReader()
    this.#wake?.()
  }

  end(): void {
    this.#isEnded = true
    this.#wake?.()
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#wake?.()
  }

  /** The next bytes, undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    const { watch, stallMs, pace, signal, controller } = this.#parts
    while (this.#chunks.length === 0 && !this.#isEnded && this.#failure === undefined) {
      watch.expect('the answer brought no byte', stallMs)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    this.#wake = undefined
    this.#waitForReader()
    if (this.#failure !== undefined) throw this.#failure
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    await pace.bytes(chunk.length, signal)
    this.#unreadBytes -= chunk.length
    if (this.#unreadBytes < unreadBytesMax) controller.resume()
    return chunk
  }

  /** All of it where it fits, else its start. */
  async collect(bytesMax: number): Promise<{ readonly bytes: Buffer; readonly isCut: boolean }> {
    const chunks: Buffer[] = []
    let count = 0
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) {
      chunks.push(chunk)
      count += chunk.length
      if (count <= bytesMax) continue
      this.cancel(new Error('the rest is not wanted'))
      return { bytes: Buffer.concat(chunks).subarray(0, bytesMax), isCut: true }
    }
    return { bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks), isCut: false }
  }

  /** As a stream. @param check is told each chunk's size and the end, and may throw. */
  stream(check: (bytes: number | 'end') => void): Readable {
    const advance = async (readable: Readable): Promise<void> => {
      try {
        const chunk = await this.next()
        check(chunk?.length ?? 'end')
        readable.push(chunk ?? null)
      } catch (thrown) {
        readable.destroy(asError(thrown))
      }
    }
    return new Readable({
      highWaterMark: unreadBytesMax,
      read() {
        // A failure ends up in the stream.
        advance(this).catch(() => {})
      },
      destroy: (error, callback) => {
        this.cancel(error ?? new Error('the reader left'))
        callback(error)
      },
    })
  }

  cancel(reason: Error): void {
    if (this.#isEnded) return
    this.#failure ??= reason
    this.#wake?.()
    this.#parts.onUnwanted(reason)
  }

  #waitForReader(): void {
    if (this.#wake === undefined) this.#parts.watch.expect('nobody read the answer', unreadMsMax)
  }
}
