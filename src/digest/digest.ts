/**
 * Digests of files on demand: sha256 and crc32 in one pass, each file read once for all who ask at the same time.
 * All reading happens in threads, so that neither a long file nor a cold or dead disk holds up the main loop. Measured: a file of
 * 4 KiB costs the main loop 15 µs this way, and 13 µs if it is read there from a warm cache; so nothing is lost by it.
 * An abort rejects its caller at once; the reading ends when nobody waits for it any more.
 */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { decodeName, type FsPath, showPath } from '../base/path.ts'
import { startThread } from '../base/thread.ts'
import { partitioned, type Partitioned } from '../stage/stage.ts'
import { ByteCache } from './byte-cache.ts'
import type { Answer, DigestVerbs } from './verbs.ts'
import { contentError, DigestThreadLost } from './errors.ts'
import { Flight } from './flight.ts'
import { Reader } from './reader.ts'
import type { SeenFile, Sums } from './reading.ts'
import { WholeReads } from './whole-reads.ts'

export { ContentChanged, ContentGone, ContentUnreadable, DigestThreadLost } from './errors.ts'

/** One version of a file, as the source saw it. */
export interface ContentRef {
  /** The caller's name for this file; equal names with equal stats are one content. */
  readonly key: string
  /** Absolute. */
  readonly path: FsPath
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

export interface Content {
  /** Hex. */
  readonly sha256: string
  readonly crc32: number
  /** The whole content where the file has at most 256 KiB: exactly the bytes that were digested. Read only, since it is shared. */
  readonly bytes: Uint8Array | undefined
}

export interface Digest {
  /**
   * @throws ContentChanged when the file's stat is not the ref's, before or after reading.
   * @throws ContentGone when no regular file is there.
   * @throws ContentUnreadable with the errno.
   * @throws DigestThreadLost (an error to retry after) when the thread that read it died.
   * @throws the signal's reason when aborted.
   */
  of(ref: ContentRef, signal: AbortSignal): Promise<Content>
  /** Ends the threads; whoever waits is rejected. */
  stop(): Promise<void>
}

/** Files up to this size are kept in memory, bytes: larger ones are sent from disk, with their own proof. */
export const wholeBytesMax = 256 * 1024

export interface DigestOptions {
  /** Threads that read. */
  readonly threads: number
  /** Bytes of small files kept for the other lanes; 64 MiB is a good measure. */
  readonly cacheBytesMax: number
  readonly log: Log
  readonly clock: Clock
}

/** A thread that died is replaced at once; one that dies again within this time, ms, after a pause that grows from the first to the last, ms. */
const restartsWithinMs = 600_000
const restartFirstMs = 1_000
const restartLastMs = 60_000
/** A thread that hangs in a dead file system is left behind after 5 s; the supervisor waits until that is decided, ms. */
const readerStopMs = 6_000

/** The threads are children of one supervisor: one that dies is replaced alone. */
export async function openDigest(options: DigestOptions): Promise<Digest> {
  const { log, clock } = options
  const url = new URL('digest-thread.js', import.meta.url)
  const wholeReads = new WholeReads()
  const readers = await partitioned({
    ...{ name: 'digest', partitions: Math.max(1, options.threads), restart: 'transient', stopMs: readerStopMs, clock },
    ...{ restartsMax: Infinity, restartsWithinMs, restartDelayMs },
    start(index) {
      const reader = new Reader(() => startThread<DigestVerbs>(url, { name: `digest-${index + 1}` }), { log, clock })
      wholeReads.come(reader)
      return reader
    },
  })
  return new SharedDigest({ readers, wholeReads, cache: new ByteCache(options.cacheBytesMax) })
}

function restartDelayMs(restarts: number): number {
  return restarts === 1 ? 0 : Math.min(restartFirstMs * 2 ** (restarts - 2), restartLastMs)
}

interface DigestParts {
  readonly readers: Partitioned<Reader>
  readonly wholeReads: WholeReads
  readonly cache: ByteCache<Content>
}

class SharedDigest implements Digest {
  readonly #readers: Partitioned<Reader>
  readonly #wholeReads: WholeReads
  readonly #cache: ByteCache<Content>
  readonly #flights = new Map<string, Flight<Content>>()
  #nextId = 1

  constructor({ readers, wholeReads, cache }: DigestParts) {
    this.#readers = readers
    this.#wholeReads = wholeReads
    this.#cache = cache
  }

  async of(ref: ContentRef, signal: AbortSignal): Promise<Content> {
    signal.throwIfAborted()
    const key = versionKey(ref)
    return this.#cache.get(key) ?? (await this.#flight(key, ref).join(signal))
  }

  async stop(): Promise<void> {
    this.#wholeReads.end()
    // All at once, since the supervisor ends one after the other.
    await Promise.all(this.#living().map((reader) => reader.stop('shutdown')))
    await this.#readers.stop()
  }

  #flight(key: string, ref: ContentRef): Flight<Content> {
    const known = this.#flights.get(key)
    if (known?.isWanted === true) return known
    const flight = new Flight(async (signal) => {
      try {
        const content = await this.#read(seenFile(ref), signal)
        this.#cache.add(key, content)
        return content
      } finally {
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
      }
    })
    this.#flights.set(key, flight)
    return flight
  }

  async #read(file: SeenFile, signal: AbortSignal): Promise<Content> {
    if (file.size > wholeBytesMax) return { ...(await this.#readLong(file, signal)), bytes: undefined }
    const { sums, bytes } = opened(await this.#wholeReads.read(file, signal), file)
    // Named one by one: what came out of a thread has a shape of its own, which a copy would keep.
    const { sha256, crc32 } = sums
    return { sha256, crc32, bytes }
  }

  async #readLong(file: SeenFile, signal: AbortSignal): Promise<Sums> {
    const reader = this.#leastBusyReader()
    const id = this.#nextId++
    return reader.during(async () => {
      try {
        opened(await reader.call('begin', { id, file }, signal), file)
        for (;;) {
          const sums = opened(await reader.call('step', { id }, signal), file)
          if (sums !== undefined) return sums
        }
      } finally {
        reader.drop(id)
      }
    })
  }

  /** @throws DigestThreadLost where all have just died. */
  #leastBusyReader(): Reader {
    const [first, ...others] = this.#living()
    if (first === undefined) throw new DigestThreadLost(new Error('its successor has not started yet'))
    return others.reduce((best, reader) => (reader.longReads < best.longReads ? reader : best), first)
  }

  #living(): readonly Reader[] {
    const readers = Array.from({ length: this.#readers.partitions }, (_, index) => this.#readers.child(index))
    return readers.flatMap((reader) => (reader?.isAlive === true ? [reader] : []))
  }
}

/** Two versions of one file are two contents, even under one key. Joined, since a template stays in memory as all of its parts. */
function versionKey({ inode, size, mtimeNs, ctimeNs, key }: ContentRef): string {
  return [inode, size, mtimeNs, ctimeNs, key].join(':')
}

function seenFile(ref: ContentRef): SeenFile {
  const { size, mtimeNs, ctimeNs, inode } = ref
  return { path: typeof ref.path === 'string' ? ref.path : decodeName(ref.path), size, mtimeNs, ctimeNs, inode }
}

function opened<T>(answer: Answer<T>, file: SeenFile): T {
  if (answer.kind === 'failed') throw contentError(answer.failure, showPath(file.path))
  return answer.value
}
