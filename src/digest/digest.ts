/**
 * Digests of files on demand: sha256 and crc32 in one pass, each file read once for all who ask at the same time.
 * All reading happens in threads, so that neither a long file nor a cold or dead disk holds up the main loop. Measured: a file of
 * 4 KiB costs the main loop 15 µs this way, and 13 µs if it is read there from a warm cache; so nothing is lost by it.
 * An abort rejects its caller at once; the reading ends when nobody waits for it any more.
 */
import type { Clock } from '../base/clock.ts'
import { IdleThread } from '../base/idle-thread.ts'
import type { Log } from '../base/log.ts'
import { decodeName, type FsPath, showPath } from '../base/path.ts'
import { startThread } from '../base/thread.ts'
import { ByteCache } from './byte-cache.ts'
import type { Answer, DigestVerbs } from './verbs.ts'
import { contentError } from './errors.ts'
import { Flight } from './flight.ts'
import type { SeenFile, Sums } from './reading.ts'
import { WholeReads } from './whole-reads.ts'

export { ContentChanged, ContentGone, ContentUnreadable } from './errors.ts'

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
   * @throws the signal's reason when aborted.
   */
  of(ref: ContentRef, signal: AbortSignal): Promise<Content>
  /** Ends the threads; whoever waits is rejected. */
  stop(): Promise<void>
}

/** Files up to this size are kept in memory, bytes: larger ones are sent from disk, with their own proof. */
export const wholeBytesMax = 256 * 1024

/** @param options.cacheBytesMax bytes of small files kept for the other lanes; 64 MiB is a good measure. */
export function openDigest(options: {
  readonly threads: number
  readonly cacheBytesMax: number
  readonly log: Log
  readonly clock: Clock
}): Digest {
  return new SharedDigest(options)
}

type DigestThread = IdleThread<DigestVerbs>

class SharedDigest implements Digest {
  readonly #threads: readonly DigestThread[]
  readonly #longReads = new Map<DigestThread, number>()
  readonly #wholeReads: WholeReads
  readonly #cache: ByteCache<Content>
  readonly #flights = new Map<string, Flight<Content>>()
  #nextId = 1

  constructor(options: {
    readonly threads: number
    readonly cacheBytesMax: number
    readonly log: Log
    readonly clock: Clock
  }) {
    const url = new URL('digest-thread.js', import.meta.url)
    this.#threads = Array.from({ length: Math.max(1, options.threads) }, (_, index) => {
      return new IdleThread(() => startThread<DigestVerbs>(url, { name: `digest-${index + 1}` }), options)
    })
    this.#wholeReads = new WholeReads(this.#threads)
    this.#cache = new ByteCache(options.cacheBytesMax)
  }

  async of(ref: ContentRef, signal: AbortSignal): Promise<Content> {
    signal.throwIfAborted()
    const key = versionKey(ref)
    return this.#cache.get(key) ?? (await this.#flight(key, ref).join(signal))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()))
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
    return { ...sums, bytes }
  }

  async #readLong(file: SeenFile, signal: AbortSignal): Promise<Sums> {
    const thread = this.#leastBusyThread()
    const id = this.#nextId++
    const release = thread.hold()
    this.#countLongReads(thread, 1)
    try {
      opened(await thread.call('begin', { id, file }, signal), file)
      for (;;) {
        const sums = opened(await thread.call('step', { id }, signal), file)
        if (sums !== undefined) return sums
      }
    } finally {
      this.#countLongReads(thread, -1)
      thread.tell('drop', { id })
      release()
    }
  }

  #leastBusyThread(): DigestThread {
    return this.#threads.reduce((best, thread) => (this.#longReadsOf(thread) < this.#longReadsOf(best) ? thread : best))
  }

  #longReadsOf(thread: DigestThread): number {
    return this.#longReads.get(thread) ?? 0
  }

  #countLongReads(thread: DigestThread, change: number): void {
    this.#longReads.set(thread, this.#longReadsOf(thread) + change)
  }
}

/** Two versions of one file are two contents, even under one key. */
function versionKey(ref: ContentRef): string {
  return `${ref.inode}:${ref.size}:${ref.mtimeNs}:${ref.ctimeNs}:${ref.key}`
}

function seenFile(ref: ContentRef): SeenFile {
  const { size, mtimeNs, ctimeNs, inode } = ref
  return { path: typeof ref.path === 'string' ? ref.path : decodeName(ref.path), size, mtimeNs, ctimeNs, inode }
}

function opened<T>(answer: Answer<T>, file: SeenFile): T {
  if (answer.kind === 'failed') throw contentError(answer.failure, showPath(file.path))
  return answer.value
}
