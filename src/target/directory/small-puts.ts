/** Small copies on their way to the directory thread: whatever arrives while it is busy travels together. */
import { type Asked, Gathering, oneAtATime, settle } from '../../base/gathering.ts'
import type { Outcome, SmallPut } from './batch.ts'

/** Files of one batch: beyond, nothing is gained, and one hundred descriptors are open at once. */
const batchFilesMax = 32
/** Bytes of one batch: what it costs in memory, twice. */
const batchBytesMax = 16 * 2 ** 20

/** A copy whose bytes are all here. */
export interface SmallCopy {
  readonly path: string
  readonly bytes: Uint8Array
  readonly mtimeNs: bigint
}

export type SendBatch = (puts: readonly SmallPut[], bytes: Uint8Array<ArrayBuffer>) => Promise<readonly Outcome[]>

export class SmallPuts {
  readonly #copies: Gathering<SmallCopy, Outcome>

  constructor(send: SendBatch) {
    this.#copies = new Gathering<SmallCopy, Outcome>(
      { countMax: batchFilesMax, bytesMax: batchBytesMax, bytesOf: ({ bytes }) => bytes.length },
      oneAtATime(async (batch) => {
        const { puts, bytes } = packed(batch)
        settle(batch, await send(puts, bytes))
      }),
    )
  }

  /** An abort takes it out of the queue; a batch that is on its way is still done. */
  put(copy: SmallCopy, signal: AbortSignal): Promise<Outcome> {
    return this.#copies.ask(copy, signal)
  }
}

/** All bytes in one buffer that moves to the thread: one copy of them, whatever buffers they came in. */
function packed(batch: readonly Asked<SmallCopy, Outcome>[]): { puts: SmallPut[]; bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(batch.reduce((sum, { item }) => sum + item.bytes.length, 0))
  let start = 0
  const puts = batch.map(({ item }): SmallPut => {
    bytes.set(item.bytes, start)
    start += item.bytes.length
    return { path: item.path, start: start - item.bytes.length, size: item.bytes.length, mtimeNs: item.mtimeNs }
  })
  return { puts, bytes }
}
