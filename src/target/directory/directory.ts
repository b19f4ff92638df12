/**
 * A directory as a target: a disk, a NAS mount, a second machine's share. Asks its one thread for everything and turns what
 * failed into what happens next; the order of copies and their retries are not its concern.
 * An abort rejects at once, even while the disk hangs. A batch under way is still done, a large copy is left resumable where a session was saved.
 */
import type { Readable } from 'node:stream'
import { abortReason, type Clock } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import { IdleThread } from '../../base/idle-thread.ts'
import type { Log } from '../../base/log.ts'
import { remotePath, type RemotePath, showPath } from '../../base/path.ts'
import { startThread } from '../../base/thread.ts'
import type { OwnerNotes } from '../claim.ts'
import type { FolderMoved, Identity, LocalCopy, PutWork, Receipt, RemoteEntry } from '../target.ts'
import type { Space, Target, TargetError, Traits } from '../target.ts'
import type { DirectoryVerbs } from './verbs.ts'
import { asDirectoryError, directoryError } from './errors.ts'
import type { Place } from './folders.ts'
import { putLarge, sessionBytes } from './large-puts.ts'
import type { Stored } from './objects.ts'
import { ObjectStream } from './object-stream.ts'
import { SmallPuts } from './small-puts.ts'
import { PathTurns } from '../path-turns.ts'

export interface DirectoryOptions {
  readonly name: string
  /** Absolute. */
  readonly root: string
  readonly log: Log
  readonly clock: Clock
  /** Nothing is made or changed there; a lane may work beside. */
  readonly isForReading?: boolean
}

export function directoryTarget(options: DirectoryOptions): Target & Noting {
  return new DirectoryTarget(options)
}

/** Where it keeps the note that says whose place it is. */
export interface Noting {
  notesIn(folder: RemotePath): OwnerNotes
}

class DirectoryTarget implements Target, Noting {
  readonly #name: string
  readonly #root: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #thread: IdleThread<DirectoryVerbs>
  readonly #smallPuts: SmallPuts
  readonly #isForReading: boolean
  readonly #turns = new PathTurns()
  #mark: string | undefined
  #isCaseSensitive = true
  #nextId = 1
  #putsUnderWay = 0

  constructor({ name, root, log, clock, isForReading = false }: DirectoryOptions) {
    this.#name = name
    this.#isForReading = isForReading
    this.#root = root
    this.#clock = clock
    this.#log = log
    const url = new URL('directory-thread.js', import.meta.url)
    this.#thread = new IdleThread(() => startThread<DirectoryVerbs>(url, { name: `target-${name}` }), { clock, log })
    this.#smallPuts = new SmallPuts((puts, bytes) => {
      const place = this.#place()
      return this.#thread.call('putBatch', { place, puts, bytes }, undefined, [bytes.buffer])
    })
  }

  /** Case is known after `open`. */
  get traits(): Traits {
    const fileBytesMax = Number.MAX_SAFE_INTEGER
    return { caseSensitive: this.#isCaseSensitive, fileBytesMax, revisionIsContent: false, chunkBytes: sessionBytes }
  }

  open(expected: string | undefined, signal: AbortSignal): Promise<Identity> {
    return this.#judged(signal, async () => {
      const ask = { root: this.#root, expected, nowMs: this.#clock.wallMs(), isForReading: this.#isForReading }
      const { mark, isSame, isCaseSensitive } = await this.#thread.call('open', ask, signal)
      this.#mark = mark
      this.#isCaseSensitive = isCaseSensitive
      this.#log.debug('opened', { target: this.#name, path: this.#root, isSame })
      return { mark, isSame }
    })
  }

  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt> {
    const { bytes } = copy
    return this.#tidied(signal, () =>
      this.#turns.take(at, signal, async () => {
        const stored =
          bytes === undefined
            ? await this.#putLarge(copy, at, work, signal)
            : await this.#putSmall({ ...copy, bytes }, at, work, signal)
        return receiptOf(stored, copy.sha256)
      }),
    )
  }

  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt> {
    return this.#judged(signal, async () => {
      const from = { path: receipt.path, revision: receipt.revision }
      return receiptOf(await this.#thread.call('move', { place: this.#place(), from, to }, signal), receipt.sha256)
    })
  }

  moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved> {
    return this.#judged(signal, () => this.#thread.call('moveFolder', { place: this.#place(), from, to }, signal))
  }

  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void> {
    return this.#judged(signal, async () => {
      const at = { place: this.#place(), path: receipt.path }
      if (how === 'trash') await this.#thread.call('trash', { ...at, day: this.#day() }, signal)
      else await this.#thread.call('purge', { ...at, revision: receipt.revision }, signal)
    })
  }

  look(at: RemotePath, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry | undefined> {
    return this.#judged(signal, async () => {
      const stored = await this.#look(at, signal)
      if (stored === undefined || !want.hash) return stored && entryOf(stored, undefined)
      return this.#opened(at, signal, async (id, open) => entryOf(open, await this.#hash(id, signal)))
    })
  }

  /** A disk tells no hash. */
  recognise(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async *list(
    under: RemotePath,
    want: { readonly hash: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<RemoteEntry, void, undefined> {
    const id = this.#nextId++
    const release = this.#thread.hold()
    try {
      await this.#judged(signal, () => this.#thread.call('beginList', { id, place: this.#place(), under }, signal))
      for (let isDone = false; !isDone;) {
        const page = await this.#judged(signal, () => this.#thread.call('listOn', { id }, signal))
        for (const stored of page.files) {
          const entry = want.hash ? await this.look(remotePath(stored.path), want, signal) : entryOf(stored, undefined)
          if (entry !== undefined) yield entry
        }
        isDone = page.isDone
      }
    } finally {
      this.#thread.tell('closeList', { id })
      release()
    }
  }

  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable> {
    const id = this.#nextId++
    const release = this.#thread.hold()
    const close = (): void => {
      this.#thread.tell('closeObject', { id })
      release()
    }
    const opening = this.#judged(signal, async () => {
      const stored = await this.#thread.call('openObject', { id, place: this.#place(), path: entry.path }, signal)
      if (stored.revision !== entry.revision) throw this.#changed(entry)
      const read = (start: number, bytesMax: number): Promise<Uint8Array> =>
        this.#judged(signal, () => this.#thread.call('read', { id, start, bytesMax }, signal))
      return new ObjectStream({ read, close }, range.start)
    })
    return opening.catch((thrown: unknown) => {
      close()
      throw thrown
    })
  }

  about(signal: AbortSignal): Promise<Space> {
    return this.#judged(signal, async () => {
      return { account: this.#root, ...(await this.#thread.call('about', { place: this.#place() }, signal)) }
    })
  }

  notesIn(folder: RemotePath): OwnerNotes {
    const ask = (): { readonly place: Place; readonly path: string } => ({ place: this.#place(), path: folder })
    return {
      read: (signal) => this.#judged(signal, () => this.#thread.call('readNote', ask(), signal)),
      write: (text, signal) =>
        this.#judged(signal, async () => {
          await this.#thread.call('writeNote', { ...ask(), text }, signal)
        }),
    }
  }

  async rest(): Promise<void> {
    if (this.#mark === undefined) return
    const endless = new AbortController().signal
    await this.#judged(endless, () => this.#thread.call('rest', { place: this.#place() }))
  }

  close(): Promise<void> {
    return this.#thread.stop()
  }

  /** Runs a put. The last one of those under way takes the temporary folder away: making it anew for each would cost more than the copy. */
  async #tidied<T>(signal: AbortSignal, put: () => Promise<T>): Promise<T> {
    this.#putsUnderWay++
    try {
      return await this.#judged(signal, put)
    } finally {
      this.#putsUnderWay--
      if (this.#putsUnderWay === 0 && this.#mark !== undefined) await this.#tidy(this.#place(), signal)
    }
  }

  async #tidy(place: Place, signal: AbortSignal): Promise<void> {
    // After an abort the thread may hang, and nobody waits for it.
    if (signal.aborted) {
      this.#thread.tell('tidy', { place })
      return
    }
    try {
      await this.#thread.call('tidy', { place }, signal)
    } catch (thrown) {
      // The put has its answer; a folder that stays goes with the next one, or when the target is opened again.
      this.#log.debug('temporary folder stays', { target: this.#name, reason: String(thrown) })
    }
  }

  async #putSmall(
    copy: LocalCopy & { readonly bytes: Uint8Array },
    at: RemotePath,
    work: PutWork,
    signal: AbortSignal,
  ): Promise<Stored> {
    const { bytes, mtimeNs, size } = copy
    assert(bytes.length === size, `${showPath(at)}: ${bytes.length} bytes were given for a copy of ${size}`)
    await work.allow(size, signal)
    const outcome = await this.#smallPuts.put({ path: at, bytes, mtimeNs }, signal)
    if (outcome.kind === 'failed') throw directoryError(outcome.code, outcome.found, this.#words())
    if (outcome.isSent) work.progress(size)
    return outcome.stored
  }

  async #putLarge(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Stored> {
    const there = await this.#adopt(copy, at, work, signal)
    if (there !== undefined) {
      if (work.session !== undefined) await work.save(undefined)
      return there
    }
    const large = { place: this.#place(), name: this.#name, id: this.#nextId++ }
    return putLarge(this.#thread, copy, at, { large, work, signal })
  }

  /** What is there already, if it is this content (F64, F115): its time may still have to be set. */
  async #adopt(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Stored | undefined> {
    const there = await this.#look(at, signal)
    if (there?.size !== copy.size) return undefined
    const isSameTime = there.mtimeNs === copy.mtimeNs
    // With a session under way the old object was found to be another one; only a commit whose answer was lost has this time.
    if (work.session !== undefined && !isSameTime) return undefined
    const isKnown = work.previous?.revision === there.revision && work.previous.sha256 === copy.sha256
    if (isKnown && isSameTime) return there
    return this.#opened(at, signal, async (id) => {
      if (!isKnown && (await this.#hash(id, signal)) !== copy.sha256) return undefined
      // Also where the time is right already: a run that was killed before its sync may have left it, and this makes it durable.
      const { mtimeNs } = copy
      return this.#thread.call('setMtime', { id, place: this.#place(), path: at, mtimeNs }, signal)
    })
  }

  #look(path: RemotePath, signal: AbortSignal): Promise<Stored | undefined> {
    return this.#thread.call('look', { place: this.#place(), path }, signal)
  }

  async #opened<T>(
    path: RemotePath,
    signal: AbortSignal,
    work: (id: number, stored: Stored) => Promise<T>,
  ): Promise<T> {
    const id = this.#nextId++
    const release = this.#thread.hold()
    try {
      return await work(id, await this.#thread.call('openObject', { id, place: this.#place(), path }, signal))
    } finally {
      this.#thread.tell('closeObject', { id })
      release()
    }
  }

  async #hash(id: number, signal: AbortSignal): Promise<string> {
    for (;;) {
      const sha256 = await this.#thread.call('hashOn', { id }, signal)
      if (sha256 !== undefined) return sha256
    }
  }

  /** Runs what the thread does and says what follows from its failure. */
  async #judged<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (thrown) {
      throw signal.aborted ? abortReason(signal) : asDirectoryError(thrown, this.#words())
    }
  }

  #words(): { readonly name: string; readonly root: string } {
    return { name: this.#name, root: this.#root }
  }

  #place(): Place {
    assert(this.#mark !== undefined, `target ${this.#name} was not opened`)
    return { root: this.#root, mark: this.#mark }
  }

  /** yyyy-mm-dd in UTC. */
  #day(): string {
    return new Date(this.#clock.wallMs()).toISOString().slice(0, 10)
  }

  #changed(entry: RemoteEntry): TargetError {
    return directoryError('object:changed', `${showPath(entry.path)} is not the one that was listed`, this.#words())
  }
}

function receiptOf(stored: Stored, sha256: string): Receipt {
  const { path, inode, revision, size, mtimeNs } = stored
  return { path: remotePath(path), remoteId: inode, revision, size, sha256, mtimeNs }
}

function entryOf(stored: Stored, sha256: string | undefined): RemoteEntry {
  const { path, inode, revision, size, mtimeNs } = stored
  return { path: remotePath(path), remoteId: inode, revision, size, mtimeNs, sha256, contentHash: undefined }
}
