/** Puts an answer on the wire, as faults and pace let it pass. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { ConnectionGone, type Exchange, gone } from './exchange.ts'
import { faultOf } from './faults.ts'
import { type Pace, rest } from './pace.ts'
import type { Answer } from './provider.ts'

/** A dripping body comes in this many pieces a second. */
const dripsPerSecond = 20

export async function send(exchange: Exchange, response: ServerResponse, answer: Answer, pace: Pace): Promise<void> {
  const { body } = answer
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : bytesOf(body)
  response.writeHead(answer.status, { ...answer.headers, 'Content-Length': bytes })
  exchange.record.status = answer.status
  if (isWhole(body) && !isShaped(exchange, pace)) {
    exchange.record.answerBytes = bytes
    response.end(body)
    return
  }
  const stream = isWhole(body) ? Readable.from([Buffer.from(body)]) : body.open()
  try {
    await pour(exchange, response, stream, pace)
    response.end()
  } finally {
    stream.destroy()
  }
}

function isWhole(body: Answer['body']): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body)
}

function bytesOf(body: Exclude<Answer['body'], string>): number {
  return Buffer.isBuffer(body) ? body.length : body.bytes
}

function isShaped(exchange: Exchange, pace: Pace): boolean {
  if (pace.settings.bytesPerSecond !== Infinity) return true
  return exchange.faults.some(
    (fault) => fault.do === 'cut-answer' || ((fault.do === 'stall' || fault.do === 'drip') && fault.of === 'answer'),
  )
}

async function pour(exchange: Exchange, response: ServerResponse, body: Readable, pace: Pace): Promise<void> {
  const { faults, signal, record } = exchange
  const cut = faultOf(faults, 'cut-answer')
  const stall = faultOf(faults, 'stall', ({ of }) => of === 'answer')
  const drip = faultOf(faults, 'drip', ({ of }) => of === 'answer')
  const stopAt = Math.min(cut?.bytes ?? Infinity, stall?.bytes ?? Infinity)
  response.flushHeaders()
  if (stopAt === 0) await stop(signal, stall !== undefined)
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const pieceBytes = drip === undefined ? chunk.length : Math.max(1, Math.floor(drip.bytesPerSecond / dripsPerSecond))
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const piece = chunk.subarray(at, Math.min(at + pieceBytes, chunk.length, at + stopAt - record.answerBytes))
      await pace.carry('answer', piece.length, signal)
      if (drip !== undefined) await rest((piece.length / drip.bytesPerSecond) * 1000, signal)
      await write(response, piece, signal)
      record.answerBytes += piece.length
      if (record.answerBytes >= stopAt) await stop(signal, stall !== undefined)
    }
  }
}

async function write(response: ServerResponse, piece: Buffer, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new ConnectionGone('the client left in the middle of the answer')
  if (response.write(piece)) return
  await once(response, 'drain', { signal }).catch((cause: unknown) => {
    throw new ConnectionGone('the client left in the middle of the answer', { cause })
  })
}

async function stop(signal: AbortSignal, isStalled: boolean): Promise<never> {
  // What was written shall arrive before the end of the connection does.
  if (!isStalled) await rest(20, signal)
  if (isStalled) await gone(signal)
  throw new ConnectionGone('the answer was cut by a fault')
}
