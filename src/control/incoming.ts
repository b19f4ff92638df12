/** Answers that go on for long, on the asker's side: read as fast as they are taken, given up after a minute of silence. Who was asked is not its concern. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { z } from 'zod'
import type { Clock, Timer } from '../base/clock.ts'
import { FanfoldError, OwnerError } from '../base/errors.ts'
import {
  DeskFailed,
  errorOfEnd,
  frameHeadBytes,
  frameKinds,
  pieceBytesMax,
  silenceMsMax,
  streamEnd,
} from './stream-end.ts'

const streamLine = z.union([
  z.object({ item: z.unknown() }),
  z.object({ beat: z.literal(true) }),
  z.object({ end: streamEnd }),
])

/** The items of an answer of lines. @throws what the desk threw, DeskFailed where the answer ends without its end. */
export async function* incomingLines<T>(
  answer: IncomingMessage,
  shape: z.ZodType<T>,
  clock: Clock,
): AsyncGenerator<T, void, undefined> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const chunk of chunksOf(answer, clock)) {
    let from = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const text = Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8')
      rest = []
      restBytes = 0
      from = end + 1
      const line = parsed(text, streamLine)
      if ('end' in line) {
        refuseFailed(line.end)
        return
      }
      if ('item' in line) yield known(line.item, shape)
    }
    rest.push(chunk.subarray(from))
    restBytes += chunk.length - from
    if (restBytes > pieceBytesMax) throw tooLong()
  }
  throw cutOff()
}

/** The content of an answer of bytes. It is destroyed by what the desk threw, or where the answer ends without its end. */
export function incomingBytes(answer: IncomingMessage, clock: Clock): Readable {
  const content = Readable.from(framed(answer, clock), { objectMode: false })
  // The one who gives up does not wait for what is still to come.
  content.once('close', () => answer.destroy())
  return content
}

/** Pieces are handed on as they come, without waiting for the rest of their frame. */
async function* framed(answer: IncomingMessage, clock: Clock): AsyncGenerator<Buffer, void, undefined> {
  let head: Buffer = Buffer.alloc(0)
  let left = 0
  const end: Buffer[] = []
  for await (const chunk of chunksOf(answer, clock)) {
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const more = chunk.subarray(at, at + frameHeadBytes - (head.length % frameHeadBytes))
        head = Buffer.concat([head.subarray(0, head.length % frameHeadBytes), more])
        at += more.length
        if (head.length === frameHeadBytes) left = lengthOf(head)
        continue
      }
      const piece = chunk.subarray(at, at + left)
      at += piece.length
      left -= piece.length
      if (head.readUInt8(0) === frameKinds.bytes) yield piece
      else if (head.readUInt8(0) === frameKinds.end) end.push(piece)
      if (left === 0 && end.length > 0) {
        refuseFailed(parsed(Buffer.concat(end).toString('utf8'), streamEnd))
        return
      }
    }
  }
  throw cutOff()
}

function lengthOf(head: Buffer): number {
  const length = head.readUInt32BE(1)
  if (length > pieceBytesMax) throw tooLong()
  return length
}

/** Only while somebody waits for the next piece, silence is silence. */
async function* chunksOf(answer: IncomingMessage, clock: Clock): AsyncGenerator<Buffer, void, undefined> {
  const chunks = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const got = await heard(chunks.next(), clock)
      if (got.done === true) return
      yield got.value
    }
  } finally {
    answer.destroy()
  }
}

async function heard<T>(next: Promise<T>, clock: Clock): Promise<T> {
  let timer: Timer | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    timer = clock.after(silenceMsMax, () =>
      reject(new DeskFailed(`the daemon said nothing for ${silenceMsMax / 1000} s; look into its log`)),
    )
  })
  try {
    return await Promise.race([next, silence])
  } catch (thrown) {
    throw thrown instanceof FanfoldError ? thrown : cutOff(thrown)
  } finally {
    timer?.clear()
    next.catch(() => undefined)
  }
}

function refuseFailed(end: z.infer<typeof streamEnd>): void {
  const error = errorOfEnd(end)
  if (error !== undefined) throw error
}

function parsed<T>(text: string, shape: z.ZodType<T>): T {
  try {
    return shape.parse(JSON.parse(text))
  } catch (cause) {
    throw unknownAnswer(cause)
  }
}

function known<T>(value: unknown, shape: z.ZodType<T>): T {
  const result = shape.safeParse(value)
  if (result.success) return result.data
  throw unknownAnswer(result.error)
}

function unknownAnswer(cause: unknown): OwnerError {
  const message = 'the running daemon gave an answer that this version does not know; restart it after an upgrade'
  return new OwnerError(message, { cause })
}

function tooLong(): DeskFailed {
  return new DeskFailed(`a piece of the answer is longer than ${pieceBytesMax} bytes`)
}

function cutOff(cause?: unknown): DeskFailed {
  return new DeskFailed('the daemon ended in the middle of its answer', { cause })
}
