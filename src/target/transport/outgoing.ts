/** A request's body on its way to the socket: cut into pieces, each at the account's pace, counted when it was taken. Does not read files. */
import { asError, BrokenInvariant } from '../../base/errors.ts'
import type { Counters } from './counters.ts'
import { pieceBytesMax } from './call.ts'
import type { CallPace } from './pace.ts'
import type { Watch } from './watch.ts'

export interface OutgoingParts {
  readonly pace: CallPace
  readonly counters: Counters
  readonly watch: Watch
  readonly stallMs: number
  readonly answerMs: number
  readonly progress: ((bytesSent: number) => void) | undefined
  /** Ends the wait for the pace when the exchange is over. */
  readonly signal: AbortSignal
  readonly onFailure: (error: Error) => void
}

/** A system's send buffer: so much may still be on its way when the last piece was taken. Unit: bytes. */
const sendBufferBytes = 4 * 2 ** 20
/** The slowest link that is waited for to empty it. Unit: bytes/s. */
const slowestBytesPerSecond = 32 * 2 ** 10

/** How long to wait for the answer once so many bytes were handed over. */
export function answerWithinMs(answerMs: number, bytesSent: number): number {
  return answerMs + (Math.min(bytesSent, sendBufferBytes) / slowestBytesPerSecond) * 1000
}

export class Outgoing {
  readonly #parts: OutgoingParts
  readonly #length: number | undefined
  #bytes = 0
  #isWhole = false

  constructor(length: number | undefined, parts: OutgoingParts) {
    this.#length = length
    this.#parts = parts
  }

  /** The server could have seen all of it. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** A body that goes in one write, its bytes paid for already. */
  wentWhole(bytes: number): void {
    this.#taken(bytes)
    this.#ended()
  }

  /** What the socket is fed with. It comes back for more when the socket took the last piece. */
  async *pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of source) {
        for (let start = 0; start < chunk.length; start += pieceBytesMax) {
          const piece = chunk.length <= pieceBytesMax ? chunk : chunk.subarray(start, start + pieceBytesMax)
          await this.#allow(piece.length)
          yield piece
          this.#taken(piece.length)
        }
        // The source is not asked whether that was all: until it said so an answer would find us sending, which costs the connection.
        if (this.#bytes === this.#length) break
      }
      if (this.#length !== undefined && this.#bytes !== this.#length)
        throw this.#wrongLength('ended after', this.#bytes)
      this.#ended()
    } catch (thrown) {
      this.#parts.onFailure(asError(thrown))
      throw thrown
    }
  }

  async #allow(bytes: number): Promise<void> {
    const { pace, watch, stallMs, signal } = this.#parts
    const next = this.#bytes + bytes
    if (this.#length !== undefined && next > this.#length) throw this.#wrongLength('went on to', next)
    await pace.bytes(bytes, signal)
    signal.throwIfAborted()
    this.#isWhole = next === this.#length
    watch.expect('the server took no byte', stallMs)
  }

  #taken(bytes: number): void {
    this.#bytes += bytes
    this.#parts.counters.bytesUp += bytes
    if (bytes > 0) this.#parts.progress?.(this.#bytes)
    // The next bytes are for the source to give, which is no fault of the network.
    this.#parts.watch.rest()
  }

  #ended(): void {
    this.#isWhole = true
    this.#parts.watch.expect('no answer', answerWithinMs(this.#parts.answerMs, this.#bytes))
  }

  #wrongLength(did: string, bytes: number): Error {
    return new BrokenInvariant(
      `expected a body of ${this.#length ?? 0} bytes, but it ${did} ${bytes}; nothing of it counts`,
    )
  }
}
