/**
 * One resumable session: chunk after chunk, each written down once Google has it, gone on with where Google says it is (F61). After anything
 * that went wrong Google is asked first: to send a chunk again to the wrong place never heals. Source: Drive, "Perform a resumable upload".
 */
import type { drive_v3 } from 'googleapis/build/src/apis/drive/index.js'
import { z } from 'zod'
import { nothingRead, type Proof } from '../source-file.ts'
import { type LocalCopy, TargetError, type UploadSession } from '../target.ts'
import type { Answer } from '../transport/transport.ts'
import { type DriveApi, metadataType, sessionUrl, uploadCall } from './api.ts'
import { type Errand, noFile } from './errand.ts'
import type { FileNode } from './metadata.ts'
import { Md5 } from './md5.ts'
import type { Uploaded } from './small-upload.ts'

/** Google puts hundreds of GiB together in one answer. Unit: ms. */
const finishMs = 600_000
/** Failures in a row without a byte gained that are gone on from at once; after that the lane waits. */
const failuresMax = 2

/** What is known of a copy's upload before it is there. */
export interface Begun {
  /** Of the file to be, or of the one whose content is replaced. */
  readonly id: string
  /** undefined before the session is open. */
  readonly url: string | undefined
  readonly proof: Proof<Md5>
}

export function nothingOf(id: string): Begun {
  return { id, url: undefined, proof: nothingRead(Md5.ofNothing()) }
}

/** Keeps where an upload is. The URL is a right of its own and lies where all sessions do: in the journal, which only its owner reads. */
export function keep({ id, url, proof }: Begun, { work, copy }: Pick<Errand, 'work' | 'copy'>): Promise<void> {
  const { offset, crc32 } = proof
  const { size, sha256 } = copy
  return work.save({ id, offset, crc32, size, sha256, ...(url === undefined ? {} : { url }) })
}

const savedShape = z.object({
  id: z.string().min(1),
  url: z.string().min(1).optional(),
  offset: z.int().min(0),
  crc32: z.int().min(0),
  size: z.number(),
  sha256: z.string(),
})

/** What a session claims. Of another content only the id is good: a file of that id may be there, and there must be no second one. */
export function savedOf(session: UploadSession | undefined, copy: LocalCopy): Begun | undefined {
  const saved = savedShape.safeParse(session).data
  if (saved === undefined) return undefined
  const { id, url, offset, crc32 } = saved
  if (saved.size !== copy.size || saved.sha256 !== copy.sha256 || offset > copy.size) return nothingOf(id)
  const hash = offset === 0 ? Md5.ofNothing() : Md5.unknown()
  return { id, url, proof: { offset, crc32, hash } }
}

export interface SessionWhat {
  readonly begun: Begun
  readonly metadata: drive_v3.Schema$File
  /** The file whose content is replaced. */
  readonly of: string | undefined
}

/** Sends what is missing. @throws Refused, TransportError: the saved session tells the next attempt where to go on. */
export async function uploadBySession(
  api: DriveApi,
  errand: Errand,
  { begun, metadata, of }: SessionWhat,
  signal: AbortSignal,
): Promise<Uploaded> {
  const upload = new SessionUpload(api, errand)
  const found = begun.url === undefined ? 'gone' : await upload.resume({ ...begun, url: begun.url }, signal)
  if (found !== 'gone') return upload.finish(found, signal)
  // A week is over, or Google forgot it (F63).
  const url = await upload.open(metadata, of, signal)
  const fresh = { ...nothingOf(begun.id), url }
  await keep(fresh, errand)
  return upload.finish(fresh, signal)
}

type Open = Begun & { readonly url: string }
type Done = { readonly node: FileNode; readonly proof: Proof<Md5> }

class SessionUpload {
  readonly #api: DriveApi
  readonly #errand: Errand

  constructor(api: DriveApi, errand: Errand) {
    this.#api = api
    this.#errand = errand
  }

  async open(metadata: drive_v3.Schema$File, of: string | undefined, signal: AbortSignal): Promise<string> {
    const { copy, verb } = this.#errand
    const body = Buffer.from(JSON.stringify(metadata))
    const headers = {
      'content-type': metadataType,
      'x-upload-content-type': 'application/octet-stream',
      'x-upload-content-length': String(copy.size),
    }
    const call = { ...uploadCall(of, 'resumable'), headers, body: () => body, isUpload: true, expect: 'any' } as const
    const answer = await this.#api.send(call, signal)
    if (answer.content.kind === 'stream') answer.content.stream.destroy()
    if (answer.status !== 200) throw this.#api.refusedAnswer(verb, answer)
    const url = sessionUrl(answer.headers['location'] ?? '')
    if (url !== undefined) return url
    const text = `${this.#api.what(verb)}: expected the address of an upload, got none; it is tried again`
    throw new TargetError({ kind: 'retry' }, text)
  }

  /** Asks where Google is. */
  async resume(open: Open, signal: AbortSignal): Promise<Open | Done | 'gone'> {
    const { copy } = this.#errand
    const headers = { 'content-range': `bytes */${copy.size}` }
    const call = { method: 'PUT', url: open.url, headers, times: { answerMs: finishMs } } as const
    const answer = await this.#api.send(call, signal)
    if (answer.status === 404 || answer.status === 410) return 'gone'
    return this.#understood(answer, open, open.proof, signal)
  }

  async finish(from: Open | Done, signal: AbortSignal): Promise<Uploaded> {
    let at = from
    let failures = 0
    while (!('node' in at)) {
      const { offset } = at.proof
      this.#errand.progress(offset)
      const next = await this.#send(at, signal).catch((thrown: unknown) => thrown)
      if (typeof next === 'object' && next !== null && 'proof' in next) at = next as Open | Done
      else at = await this.#recovered(at, next, ++failures, signal)
      if ('node' in at || at.proof.offset > offset) failures = 0
      if (!('node' in at)) await keep(at, this.#errand)
    }
    return at
  }

  /** @throws what went wrong where asking does not help. */
  async #recovered(at: Open, thrown: unknown, failures: number, signal: AbortSignal): Promise<Open | Done> {
    const mayAsk = thrown instanceof TargetError && thrown.next.kind === 'retry' && failures <= failuresMax
    if (!mayAsk || signal.aborted) throw thrown
    const found = await this.resume(at, signal)
    if (found !== 'gone') return found
    const text = `${this.#api.what(this.#errand.verb)}: Google forgot the upload, it is begun anew`
    throw new TargetError({ kind: 'retry' }, text, { cause: thrown })
  }

  async #send(open: Open, signal: AbortSignal): Promise<Open | Done> {
    const { copy, source, work, progress } = this.#errand
    const { offset } = open.proof
    const { chunkBytes } = this.#errand
    const until = Math.min(offset - (offset % chunkBytes) + chunkBytes, copy.size)
    await work.allow(until - offset, signal)
    let after: Proof<Md5> | undefined
    const sending = {
      method: 'PUT',
      url: open.url,
      headers: { 'content-range': `bytes ${offset}-${until - 1}/${copy.size}` },
      body: () => source.pieces(open.proof, until, (last) => (after = last)),
      length: until - offset,
      progress: (sent: number) => progress(offset + sent),
      ...(until === copy.size ? { times: { answerMs: finishMs } } : {}),
    } as const
    const answer = await this.#api.send(sending, signal)
    return this.#understood(answer, open, after ?? open.proof, signal)
  }

  /** @param known of what was read: as far as it was sent, or less. */
  async #understood(answer: Answer, open: Open, known: Proof<Md5>, signal: AbortSignal): Promise<Open | Done> {
    const { copy, source, verb } = this.#errand
    if (answer.status === 200 || answer.status === 201) {
      const value = answer.content.kind === 'json' ? answer.content.value : undefined
      const node = this.#api.nodeOf(verb, value)
      if (node?.kind !== 'file') throw noFile(this.#api.what(verb))
      return { node, proof: known.offset === copy.size ? known : { ...known, hash: Md5.unknown() } }
    }
    if (answer.status !== 308) throw this.#api.refusedAnswer(verb, answer)
    const offset = storedBytes(answer.headers['range'])
    if (offset === undefined || offset > copy.size) throw this.#api.refusedAnswer(verb, answer)
    if (offset === known.offset) return { ...open, proof: known }
    const from = offset >= open.proof.offset ? open.proof : nothingRead(Md5.ofNothing())
    // These bytes are there already and are only read: of a chunk whose answer was lost, or of which a part was taken.
    const proof = offset === from.offset ? from : await source.prove(from, offset, signal)
    return { ...open, proof }
  }
}

/** No header: nothing. Old servers leave `bytes=` out. */
function storedBytes(range: string | undefined): number | undefined {
  if (range === undefined) return 0
  const last = /^(?:bytes=)?0-(\d+)$/.exec(range)?.[1]
  return last === undefined ? undefined : Number(last) + 1
}
