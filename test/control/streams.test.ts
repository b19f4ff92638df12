/** Answers that go on for long, from one end of a real socket to the other. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { getRequestListener } from '@hono/node-server'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../../src/base/clock.ts'
import { OwnerError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { askBytes, askLines, DeskFailed } from '../../src/control/client.ts'
import { AskError } from '../../src/control/control.ts'
import { AnswerStreams } from '../../src/control/streams.ts'
import { TargetError } from '../../src/target/target.ts'
import { aFolder } from '../builders.ts'
import { ManualClock } from '../manual-clock.ts'

const never = new AbortController().signal
const question = { method: 'GET', path: '/' } as const
const parts = { clock: systemClock, log: silentLog }

/** A socket that gives one stream to whoever asks. */
async function giving(make: (streams: AnswerStreams) => ReadableStream<Uint8Array> | undefined): Promise<string> {
  const streams = new AnswerStreams(parts)
  const path = join(aFolder(), 'socket')
  const answer = (): Response => {
    const stream = make(streams)
    return new Response(stream ?? '{"error":"too many"}', {
      status: stream === undefined ? 503 : 200,
      headers: { 'fanfold-api': '1' },
    })
  }
  const listener = getRequestListener(answer, { overrideGlobalObjects: false })
  const server = createServer((asked, reply) => {
    listener(asked, reply).catch(() => reply.destroy())
  })
  server.listen(path)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return path
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const nothing = (): void => {}
const asItIs = (item: unknown): unknown => item

test('many lines arrive in their order, whatever is in them', async () => {
  const names = Array.from({ length: 5000 }, (_, n) => `n\n${n} caf\udce9 東京`)
  const socket = await giving((streams) => streams.lines(() => Readable.from(names), asItIs, nothing))

  const got = await all(askLines(socket, question, z.string(), never))

  expect(got).toEqual(names)
})

test('bytes arrive as they are, in pieces of any size', async () => {
  const pieces = [1, 0, 70_000, 4 * 2 ** 20, 3].map((length) => randomBytes(length))
  const socket = await giving((streams) => streams.bytes(() => Promise.resolve(Readable.from(pieces)), nothing))

  const got = await buffer(await askBytes(socket, question, never))

  expect(got.equals(Buffer.concat(pieces))).toBe(true)
})

const failures = [
  ['a wrong question', new AskError('no such name'), AskError],
  ['what its owner has to put right', new TargetError({ kind: 'park' }, 'no such name'), OwnerError],
  ['what may work later', new TargetError({ kind: 'retry' }, 'no such name'), DeskFailed],
] as const

test.each(failures)('an error in the middle is thrown behind what came before it: %s', async (_what, error, kind) => {
  async function* items<T>(content: T): AsyncGenerator<T> {
    yield await Promise.resolve(content)
    throw error
  }
  const lines = await giving((streams) => streams.lines(() => items('first'), asItIs, nothing))
  const bytes = await giving((streams) =>
    streams.bytes(() => Promise.resolve(Readable.from(items(Buffer.from('first')))), nothing),
  )
  const got: string[] = []

  const reading = (async () => {
    for await (const item of askLines(lines, question, z.string(), never)) got.push(item)
  })()

  await expect(reading).rejects.toThrow(kind)
  expect(got).toEqual(['first'])
  await expect(buffer(await askBytes(bytes, question, never))).rejects.toThrow(kind)
})

test('who stops reading ends the work behind the answer', async () => {
  let ended = 0
  async function* endless(signal: AbortSignal): AsyncGenerator<number> {
    try {
      for (let n = 0; ; n++) {
        yield n
        await systemClock.sleep(1, signal)
      }
    } finally {
      ended++
    }
  }
  const socket = await giving((streams) => streams.lines(endless, asItIs, nothing))
  const content = await giving((streams) =>
    streams.bytes((signal) => Promise.resolve(Readable.from(endless(signal)).map(() => randomBytes(9))), nothing),
  )

  for await (const item of askLines(socket, question, z.number(), never)) if (item === 3) break
  const bytes = await askBytes(content, question, never)
  await once(bytes, 'readable')
  bytes.destroy()

  await expect.poll(() => ended).toBe(2)
})

test('nothing is made ahead of a slow reader', async () => {
  let made = 0
  const socket = await giving((streams) =>
    streams.bytes(() => {
      const content = new Readable({
        highWaterMark: 2 ** 20,
        read() {
          made++
          this.push(made > 64 ? null : randomBytes(2 ** 20))
        },
      })
      return Promise.resolve(content)
    }, nothing),
  )

  const content = await askBytes(socket, question, never)
  await once(content, 'readable')
  await systemClock.sleep(50, never)

  expect(made).toBeLessThan(8)
  expect((await buffer(content)).length).toBe(64 * 2 ** 20)
})

test('an answer that ends without its end is told', async () => {
  const socket = await giving(() => new ReadableStream({ start: (controller) => controller.close() }))

  await expect(all(askLines(socket, question, z.string(), never))).rejects.toThrow(/ended in the middle/)
  await expect(buffer(await askBytes(socket, question, never))).rejects.toThrow(/ended in the middle/)
})

test('an abort ends the reading with its reason', async () => {
  const abort = new AbortController()
  async function* slow(signal: AbortSignal): AsyncGenerator<string> {
    yield 'one'
    await systemClock.sleep(60_000, signal)
  }
  const socket = await giving((streams) => streams.lines(slow, asItIs, nothing))
  const items = askLines(socket, question, z.string(), abort.signal)
  await items.next()

  abort.abort(new Error('enough'))

  await expect(items.next()).rejects.toThrow('enough')
})

test('while there is nothing to say, that is said', async () => {
  const clock = new ManualClock()
  const streams = new AnswerStreams({ clock, log: silentLog })
  const stream = streams.lines(
    async function* (signal) {
      await clock.sleep(3_600_000, signal)
      yield 'late'
    },
    asItIs,
    nothing,
  )
  const reader = stream?.getReader()

  const said = reader?.read()
  await expect.poll(() => clock.timerCount).toBe(2)
  clock.advance(10_000)

  expect(Buffer.from((await said)?.value ?? []).toString()).toBe('{"beat":true}\n')
  streams.close()
})

test('streams are bounded in number', () => {
  const streams = new AnswerStreams(parts)
  const open = Array.from({ length: 40 }, () => streams.lines(() => Readable.from([]), asItIs, nothing))

  expect(open.filter((stream) => stream !== undefined).length).toBe(32)
  streams.close()
  expect(streams.lines(() => Readable.from([]), asItIs, nothing)).toBeDefined()
})
