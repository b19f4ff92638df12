/** Code of a digest thread: answers what it is asked about files, and keeps those open that are being digested step by step. */
import { serveThread, type Handlers } from '../base/thread.ts'
import { asReadFailure, LongReading, readWhole } from './reading.ts'
import type { Answer, DigestVerbs, Whole } from './verbs.ts'

/** Bytes read in one step: about 10 ms, so that neither an abort nor a small file waits long, and large enough that the calls cost nothing. */
const stepBytes = 8 * 2 ** 20

const readings = new Map<number, LongReading>()
let buffer: Uint8Array | undefined

function answered<T>(work: () => T): Answer<T> {
  try {
    return { kind: 'read', value: work() }
  } catch (thrown) {
    return { kind: 'failed', failure: asReadFailure(thrown).failure }
  }
}

const handlers: Handlers<DigestVerbs> = {
  whole: (files) => files.map((file) => answered(() => readWhole(file))),
  begin: ({ id, file }) =>
    answered(() => {
      readings.set(id, new LongReading(file))
      return undefined
    }),
  step: ({ id }) =>
    answered(() => {
      const reading = readings.get(id)
      if (reading === undefined) throw new Error(`no file is open as ${id}`)
      buffer ??= new Uint8Array(stepBytes)
      return reading.step(buffer)
    }),
  drop: ({ id }) => {
    readings.get(id)?.close()
    readings.delete(id)
    return undefined
  },
}

/** The bytes of small files move to the asker instead of being copied. */
function buffersOf(output: unknown): readonly ArrayBuffer[] {
  if (!Array.isArray(output)) return []
  const answers = output as readonly Answer<Whole>[]
  return answers.flatMap((answer) => (answer.kind === 'read' ? [answer.value.bytes.buffer] : []))
}

serveThread<DigestVerbs>(handlers, buffersOf)
