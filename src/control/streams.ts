/**
 * Answers that go on for long, on the daemon's side: lines of JSON, or bytes. Nothing is made ahead of its reader; a reader that goes away, or
 * takes nothing for minutes, ends the work behind its answer by its signal. What is answered is the Desk's concern.
 */
import type { Readable } from 'node:stream'
import type { Clock, Timer } from '../base/clock.ts'
import { asError, FanfoldError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { beatMs, doneEnd, endOf, frameHeadBytes, frameKinds, pieceBytesMax } from './stream-end.ts'

/** Each holds a connection and what lies open behind its answer. */
const streamsMax = 32
/** Lines travel together up to so many bytes, */
const gatheredBytesMax = 64 * 1024
/** and wait for each other no longer than this. Unit: ms. */
const gatheringMs = 20
/** Who takes nothing for so long has stopped; a disk that is full or slow is waited for. Unit: ms. */
const stalledMsMax = 600_000

export type Work<T> = (signal: AbortSignal) => T

interface StreamParts {
  readonly clock: Clock
  readonly log: Log
}

export class AnswerStreams {
  readonly #parts: StreamParts
  readonly #open = new Set<AnswerStream>()

  constructor(parts: StreamParts) {
    this.#parts = parts
  }

  /**
   * @param form an item as JSON has it.
   * @param cutConnection called where the reader takes nothing any more.
   * @returns undefined where too many are open.
   */
  lines<T>(
    work: Work<AsyncIterable<T>>,
    form: (item: T) => unknown,
    cutConnection: () => void,
  ): ReadableStream<Uint8Array> | undefined {
    const beat = lineOf({ beat: true })
    const chunks: Work<AsyncGenerator<Uint8Array, void, undefined>> = (signal) =>
      lineChunks(() => formed(work(signal), form), { ...this.#parts, signal })
    return this.#stream(chunks, beat, cutConnection)
  }

  bytes(work: Work<Promise<Readable>>, cutConnection: () => void): ReadableStream<Uint8Array> | undefined {
    const beat = frameOf(frameKinds.beat, Buffer.alloc(0))
    return this.#stream((signal) => frames(work, { ...this.#parts, signal }), beat, cutConnection)
  }

  #stream(
    chunks: Work<AsyncGenerator<Uint8Array, void, undefined>>,
    beat: Uint8Array,
    cutConnection: () => void,
  ): ReadableStream<Uint8Array> | undefined {
    if (this.#open.size >= streamsMax) return undefined
    const onEnd = (): void => void this.#open.delete(stream)
    const stream = new AnswerStream(chunks, { ...this.#parts, beat, cutConnection, onEnd })
    this.#open.add(stream)
    return new ReadableStream(stream, { highWaterMark: 0 })
  }

  /** Ends the work behind every answer. */
  close(): void {
    for (const stream of [...this.#open]) stream.cancel()
  }
}

interface AnswerParts extends StreamParts {
  readonly beat: Uint8Array
  readonly cutConnection: () => void
  readonly onEnd: () => void
}

class AnswerStream {
  readonly #parts: AnswerParts
  readonly #abort = new AbortController()
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>
  #next: Promise<IteratorResult<Uint8Array, void>> | undefined
  #stalled: Timer | undefined

  constructor(chunks: Work<AsyncGenerator<Uint8Array, void, undefined>>, parts: AnswerParts) {
    this.#parts = parts
    this.#chunks = chunks(this.#abort.signal)
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { clock, beat, cutConnection } = this.#parts
    this.#stalled?.clear()
    this.#next ??= this.#chunks.next()
    const got = await within(this.#next, beatMs, clock)
    if (this.#abort.signal.aborted) return
    if (got === 'late') controller.enqueue(beat)
    else {
      this.#next = undefined
      if (got.done === true) {
        this.#parts.onEnd()
        controller.close()
        return
      }
      controller.enqueue(got.value)
    }
    this.#stalled = clock.after(stalledMsMax, () => {
      cutConnection()
      this.cancel()
    })
  }

  /** The reader is gone. */
  cancel(): void {
    this.#stalled?.clear()
    this.#parts.onEnd()
    this.#abort.abort(new Error('nobody reads the answer any more'))
    // What is under way ends by the signal; how is nobody's concern any more.
    this.#next?.catch(() => undefined)
    this.#chunks.return().catch(() => undefined)
  }
}

interface ChunkParts extends StreamParts {
  readonly signal: AbortSignal
}

async function* formed<T>(items: AsyncIterable<T>, form: (item: T) => unknown): AsyncGenerator {
  for await (const item of items) yield form(item)
}

async function* lineChunks(
  work: Work<AsyncIterable<unknown>>,
  parts: ChunkParts,
): AsyncGenerator<Uint8Array, void, undefined> {
  let end = doneEnd
  try {
    yield* gathered(work(parts.signal), parts.clock)
  } catch (thrown) {
    end = endOf(told(thrown, parts))
  }
  yield lineOf({ end })
}

/** Many lines are one piece, but no line waits for the next. */
async function* gathered(items: AsyncIterable<unknown>, clock: Clock): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = items[Symbol.asyncIterator]()
  let next = iterator.next()
  let isOver = false
  try {
    for (;;) {
      const first = await next
      if (first.done === true) {
        isOver = true
        return
      }
      const lines = [lineOf({ item: first.value })]
      let bytes = 0
      const late = lateness(clock)
      for (next = iterator.next(); bytes < gatheredBytesMax; next = iterator.next()) {
        const got = await Promise.race([next.catch(() => 'failed' as const), late.come])
        if (got === 'late' || got === 'failed' || got.done === true) break
        const line = lineOf({ item: got.value })
        lines.push(line)
        bytes += line.length
      }
      late.clear()
      yield Buffer.concat(lines)
    }
  } finally {
    if (!isOver) {
      next.catch(() => undefined)
      await iterator.return?.()
    }
  }
}

function lateness(clock: Clock): { readonly come: Promise<'late'>; clear(): void } {
  let timer: Timer | undefined
  const come = new Promise<'late'>((resolve) => (timer = clock.after(gatheringMs, () => resolve('late'))))
  return { come, clear: () => timer?.clear() }
}

async function* frames(work: Work<Promise<Readable>>, parts: ChunkParts): AsyncGenerator<Uint8Array, void, undefined> {
  let end = doneEnd
  let content: Readable | undefined
  try {
    content = await work(parts.signal)
    for await (const piece of content as AsyncIterable<Buffer>) yield frameOf(frameKinds.bytes, piece)
  } catch (thrown) {
    end = endOf(told(thrown, parts))
  } finally {
    content?.destroy()
  }
  yield frameOf(frameKinds.end, Buffer.from(JSON.stringify(end)))
}

/** What is wrong in this program itself belongs into its log, too. */
function told(thrown: unknown, { log, signal }: ChunkParts): unknown {
  if (!signal.aborted && !(thrown instanceof FanfoldError))
    log.error('answer failed', { error: asError(thrown).stack ?? asError(thrown).message })
  return thrown
}

function lineOf(value: unknown): Buffer {
  const line = Buffer.from(`${JSON.stringify(value)}\n`)
  if (line.length > pieceBytesMax) throw new Error(`a line of ${line.length} bytes is longer than ${pieceBytesMax}`)
  return line
}

function frameOf(kind: number, content: Uint8Array): Buffer {
  if (content.length > pieceBytesMax)
    throw new Error(`a piece of ${content.length} bytes is more than ${pieceBytesMax}`)
  const head = Buffer.alloc(frameHeadBytes)
  head.writeUInt8(kind)
  head.writeUInt32BE(content.length, 1)
  return Buffer.concat([head, content])
}

async function within<T>(work: Promise<T>, ms: number, clock: Clock): Promise<T | 'late'> {
  let timer: Timer | undefined
  const late = new Promise<'late'>((resolve) => (timer = clock.after(ms, () => resolve('late'))))
  try {
    return await Promise.race([work, late])
  } finally {
    timer?.clear()
  }
}
