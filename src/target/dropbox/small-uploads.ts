/**
 * Small files on their way to Dropbox, which lets one commit at a time into an account: whatever arrives while one is under way travels
 * together, three calls for all of them. Nothing ever waits for more. What a refusal of one of them means is its own errand's concern.
 */
import type { files } from 'dropbox'
import { asError } from '../../base/errors.ts'
import { type Asked, Gathering, oneAtATime } from '../../base/gathering.ts'
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

type Waiting = Asked<SmallUpload, FileNode>

/** One whose bytes are there. */
interface Filled {
  readonly waiting: Waiting
  readonly entry: files.UploadSessionFinishArg
}

export class SmallUploads {
  readonly #api: DropboxApi
  readonly #uploads: Gathering<SmallUpload, FileNode>
  /** Nobody's abort ends what travels with others; the transport's end does. */
  readonly #signal = new AbortController().signal

  constructor(api: DropboxApi) {
    this.#api = api
    this.#uploads = new Gathering<SmallUpload, FileNode>(
      { countMax: batchFilesMax, bytesMax: batchBytesMax, bytesOf: ({ bytes }) => bytes.length },
      oneAtATime((batch) => (batch.length < batchFilesMin ? this.#oneByOne(batch) : this.#together(batch))),
    )
  }

  /** An abort takes it out of the queue; a batch that is on its way is still done. @throws Refused, as if it went alone. */
  send(upload: SmallUpload, signal: AbortSignal): Promise<FileNode> {
    return this.#uploads.ask(upload, signal)
  }

  async #oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const { item, resolve, reject } of batch) {
      const { verb, bytes, contentHash, commit } = item
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
      else waiting.resolve(parseFile(this.#api.what(waiting.item.verb), outcome.value))
    }
  }

  /** Brings all bytes there, each into a session of its own. Answers those that can be committed. */
  async #fill(batch: readonly Waiting[]): Promise<Filled[]> {
    const verb = `upload of ${batch.length} small files`
    const what = this.#api.what(verb)
    const start = { num_sessions: batch.length }
    const started = await this.#api.rpc(verb, (sdk) => sdk.filesUploadSessionStartBatch(start), this.#signal)
    const ids = parseSessions(what, started, batch.length)
    const bytes = Buffer.concat(batch.map(({ item }) => item.bytes))
    const pieces = batch.map(({ item }, at) => ({
      cursor: { session_id: ids[at] ?? '', offset: 0 },
      length: item.bytes.length,
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
      const cursor = { session_id: ids[at] ?? '', offset: waiting.item.bytes.length }
      return [{ waiting, entry: { cursor, commit: waiting.item.commit } }]
    })
  }

  #refuse({ item, reject }: Waiting, failure: unknown): void {
    reject(this.#api.refusedEntry(item.verb, failure))
  }
}
