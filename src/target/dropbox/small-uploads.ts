/**
 * Small files on their way to Dropbox, which lets one commit at a time into an account: whatever arrives while one is under way travels
 * together, three calls for all of them. Nothing ever waits for more. What a refusal of one of them means is its own errand's concern.
 */
import type { files } from 'dropbox'
import { onAbort } from '../../base/abort.ts'
import { asError } from '../../base/errors.ts'
import type { DropboxApi } from './api.ts'
import { type FileNode, parseBatch, parseFile, parseSessions } from './metadata.ts'

/** Of fewer, each costs fewer calls by itself. */
const batchFilesMin = 3
/** Dropbox takes 1000; but all their sessions are named in one header, and servers commonly take 16 KiB of headers. */
const batchFilesMax = 64
/** Unit: bytes. */
const batchBytesMax = 16 * 2 ** 20
/** Dropbox works through the whole batch before it answers. Unit: ms. */
const commitMs = 300_000

export interface SmallUpload {
  readonly verb: string
  readonly bytes: Uint8Array
  readonly contentHash: string
  readonly commit: files.CommitInfo
}

interface Waiting {
  readonly upload: SmallUpload
  readonly resolve: (node: FileNode) => void
  readonly reject: (error: Error) => void
}

/** One whose bytes are there. */
interface Filled {
  readonly waiting: Waiting
  readonly entry: files.UploadSessionFinishArg
}

/** The queue needs no bound of its own: it holds one entry for each put that somebody waits for. */
export class SmallUploads {
  readonly #api: DropboxApi
  readonly #queue = new Set<Waiting>()
  /** Nobody's abort ends what travels with others; the transport's end does. */
  readonly #signal = new AbortController().signal
  #isSending = false

  constructor(api: DropboxApi) {
    this.#api = api
  }

  /** An abort takes it out of the queue; a batch that is on its way is still done. @throws Refused, as if it went alone. */
  send(upload: SmallUpload, signal: AbortSignal): Promise<FileNode> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        upload,
        resolve: (node) => {
          stopListening()
          resolve(node)
        },
        reject: (error) => {
          stopListening()
          reject(error)
        },
      }
      this.#queue.add(waiting)
      const stopListening = onAbort(signal, (reason) => {
        this.#queue.delete(waiting)
        reject(reason)
      })
      // One turn later, so that what is put in one go travels together.
      queueMicrotask(() => this.#next())
    })
  }

  #next(): void {
    if (this.#isSending || this.#queue.size === 0) return
    this.#isSending = true
    const batch = this.#take()
    const sent = batch.length < batchFilesMin ? this.#oneByOne(batch) : this.#together(batch)
    sent
      .catch((thrown: unknown) => {
        for (const waiting of batch) waiting.reject(asError(thrown))
      })
      .finally(() => {
        this.#isSending = false
        this.#next()
      })
  }

  #take(): Waiting[] {
    const batch: Waiting[] = []
    let bytes = 0
    for (const waiting of this.#queue) {
      if (batch.length >= batchFilesMax || bytes >= batchBytesMax) break
      this.#queue.delete(waiting)
      batch.push(waiting)
      bytes += waiting.upload.bytes.length
    }
    return batch
  }

  async #oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const { upload, resolve, reject } of batch) {
      const { verb, bytes, contentHash, commit } = upload
      const arg = { ...commit, content_hash: contentHash }
      const sending = { body: () => bytes, length: bytes.length, isUpload: true }
      const answer = this.#api.send(verb, 'files/upload', arg, sending, this.#signal)
      await answer
        .then((value) => resolve(parseFile(this.#api.what(verb), value)))
        .catch((thrown: unknown) => {
          reject(asError(thrown))
        })
    }
  }

  async #together(batch: readonly Waiting[]): Promise<void> {
    const filled = await this.#fill(batch)
    if (filled.length === 0) return
    const verb = `upload of ${filled.length} small files`
    const arg = { entries: filled.map(({ entry }) => entry) }
    const value = await this.#api.rpc(verb, (sdk) => sdk.filesUploadSessionFinishBatchV2(arg), this.#signal, {
      answerMs: commitMs,
    })
    for (const [at, outcome] of parseBatch(this.#api.what(verb), value, filled.length).entries()) {
      const waiting = filled[at]?.waiting
      if (waiting === undefined) continue
      if (outcome.kind === 'failure') this.#refuse(waiting, outcome.failure)
      else waiting.resolve(parseFile(this.#api.what(waiting.upload.verb), outcome.value))
    }
  }

  /** Brings all bytes there, each into a session of its own. Answers those that can be committed. */
  async #fill(batch: readonly Waiting[]): Promise<Filled[]> {
    const verb = `upload of ${batch.length} small files`
    const what = this.#api.what(verb)
    const start = { num_sessions: batch.length }
    const started = await this.#api.rpc(verb, (sdk) => sdk.filesUploadSessionStartBatch(start), this.#signal)
    const ids = parseSessions(what, started, batch.length)
    const bytes = Buffer.concat(batch.map(({ upload }) => upload.bytes))
    const pieces = batch.map(({ upload }, at) => ({
      cursor: { session_id: ids[at] ?? '', offset: 0 },
      length: upload.bytes.length,
      close: true,
    }))
    const sending = { body: () => bytes, length: bytes.length, isUpload: true }
    const route = 'files/upload_session/append_batch'
    const appended = await this.#api.send(verb, route, { entries: pieces }, sending, this.#signal)
    return parseBatch(what, appended, batch.length).flatMap((outcome, at) => {
      const waiting = batch[at]
      if (waiting === undefined) return []
      if (outcome.kind === 'failure') {
        this.#refuse(waiting, outcome.failure)
        return []
      }
      const cursor = { session_id: ids[at] ?? '', offset: waiting.upload.bytes.length }
      return [{ waiting, entry: { cursor, commit: waiting.upload.commit } }]
    })
  }

  #refuse({ upload, reject }: Waiting, failure: unknown): void {
    reject(this.#api.refusedEntry(upload.verb, failure))
  }
}
