/**
 * Large copies, driven chunk by chunk: bandwidth, abort, progress and session happen between two steps of the thread.
 * An abort, an outage or a fault leaves the temporary file where a session tells of it; everything else takes it away.
 */
import { errnoOf } from '../../base/errors.ts'
import type { IdleThread } from '../../base/idle-thread.ts'
import { decodeName, type RemotePath } from '../../base/path.ts'
import { type LocalCopy, type PutWork, TargetError, type UploadSession } from '../target.ts'
import type { DirectoryVerbs } from './verbs.ts'
import { asDirectoryError } from './errors.ts'
import type { Place } from './folders.ts'
import type { Begun } from './large-copy.ts'
import type { Stored } from './objects.ts'

/** Bytes made durable and written down at a time: what a crash costs at most. */
export const sessionBytes = 64 * 2 ** 20
/** Bytes asked of the thread and of the bandwidth at a time. */
const stepBytes = 4 * 2 ** 20

export interface LargeWork {
  readonly place: Place
  readonly name: string
  /** Unique among the calls of this thread. */
  readonly id: number
}

export async function putLarge(
  thread: IdleThread<DirectoryVerbs>,
  copy: LocalCopy,
  at: RemotePath,
  options: { readonly large: LargeWork; readonly work: PutWork; readonly signal: AbortSignal },
): Promise<Stored> {
  const release = thread.hold()
  try {
    return await new LargePutting(thread, copy, at, options).run()
  } finally {
    release()
  }
}

class LargePutting {
  readonly #thread: IdleThread<DirectoryVerbs>
  readonly #copy: LocalCopy
  readonly #at: RemotePath
  readonly #large: LargeWork
  readonly #work: PutWork
  readonly #signal: AbortSignal
  /** Bytes that the saved session claims. */
  #savedBytes: number

  constructor(
    thread: IdleThread<DirectoryVerbs>,
    copy: LocalCopy,
    at: RemotePath,
    options: { readonly large: LargeWork; readonly work: PutWork; readonly signal: AbortSignal },
  ) {
    this.#thread = thread
    this.#copy = copy
    this.#at = at
    this.#large = options.large
    this.#work = options.work
    this.#signal = options.signal
    this.#savedBytes = begunOf(options.work.session, copy)?.offset ?? 0
  }

  async run(): Promise<Stored> {
    try {
      await this.#send(await this.#begin())
      const stored = await this.#thread.call('finishCopy', { id: this.#large.id }, this.#signal)
      await this.#forget()
      return stored
    } catch (thrown) {
      await this.#leave(thrown)
      throw thrown
    }
  }

  /** Answers how many bytes an earlier attempt made durable and this one found as they were written down. */
  async #begin(): Promise<number> {
    const { id, place } = this.#large
    const { size, mtimeNs, ctimeNs, inode, crc32, path } = this.#copy
    const source = typeof path === 'string' ? path : decodeName(path)
    const begun = begunOf(this.#work.session, this.#copy)
    const put = { path: this.#at, source, size, mtimeNs, ctimeNs, inode, crc32, begun }
    let progress = await this.#thread.call('beginCopy', { id, place, put }, this.#signal)
    while (progress.isProving) progress = await this.#thread.call('prove', { id }, this.#signal)
    this.#savedBytes = progress.begun.offset
    this.#work.progress(progress.begun.offset)
    return progress.begun.offset
  }

  async #send(fromByte: number): Promise<void> {
    const { id } = this.#large
    for (let offset = fromByte; offset < this.#copy.size;) {
      const bytesMax = Math.min(stepBytes, this.#copy.size - offset)
      await this.#work.allow(bytesMax, this.#signal)
      const { begun } = await this.#thread.call('copy', { id, bytesMax }, this.#signal)
      offset = begun.offset
      this.#work.progress(offset)
      if (offset - this.#savedBytes >= sessionBytes && offset < this.#copy.size) await this.#save()
    }
  }

  async #save(): Promise<void> {
    const begun = await this.#thread.call('harden', { id: this.#large.id }, this.#signal)
    await this.#work.save(sessionOf(begun, this.#copy))
    this.#savedBytes = begun.offset
  }

  async #forget(): Promise<void> {
    if (this.#work.session === undefined && this.#savedBytes === 0) return
    await this.#work.save(undefined)
  }

  /** Keeps what the next attempt can go on with. Not awaited after an abort, since the thread may be the reason for it. */
  async #leave(thrown: unknown): Promise<void> {
    const { id, place } = this.#large
    const keep = this.#savedBytes > 0 && (this.#signal.aborted || isPassing(thrown, place, this.#large.name))
    if (this.#signal.aborted) {
      this.#thread.tell('dropCopy', { id, place, keep })
      return
    }
    try {
      await this.#thread.call('dropCopy', { id, place, keep })
    } catch {
      // The root is gone, which is what was thrown already; `open` sweeps when it is back.
    }
    if (!keep) await this.#forget()
  }
}

/** The same copy can be gone on with later; otherwise its source or name has to change first. */
function isPassing(thrown: unknown, place: Place, name: string): boolean {
  // After a failed sync the kernel may call lost pages clean, so what was written is not to be believed, however it reads back.
  if (errnoOf(thrown)?.endsWith(':EIO') === true) return false
  const error = asDirectoryError(thrown, { name, root: place.root })
  return error instanceof TargetError && (error.next.kind === 'retry' || error.next.kind === 'pause-target')
}

/** All that another process needs to go on: the temporary file's name follows from the object's. */
function sessionOf(begun: Begun, copy: LocalCopy): UploadSession {
  return { offset: begun.offset, crc32: begun.crc32, size: copy.size, sha256: copy.sha256 }
}

/** What a session claims, if it is one of this content. */
function begunOf(session: UploadSession | undefined, copy: LocalCopy): Begun | undefined {
  const { offset, crc32, size, sha256 } = { offset: 0, crc32: 0, size: -1, sha256: '', ...session }
  if (size !== copy.size || sha256 !== copy.sha256) return undefined
  return isCount(offset) && isCount(crc32) && offset <= copy.size ? { offset, crc32 } : undefined
}

function isCount(value: string | number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
