/**
 * One upload session: chunk after chunk, each written down once Dropbox has it, gone on with where Dropbox says it is (F61). It ends with
 * all bytes there; giving them a name is a commit of its own. Sequential: a concurrent session cannot tell what it has.
 */
import { z } from 'zod'
import type { SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, TargetError, type UploadSession } from '../target.ts'
import type { DropboxApi } from './api.ts'
import { ContentHash, hashBlockBytes, nothingYet, type Proof } from './content-hash.ts'
import { Refused } from './errors.ts'
import { parseSession } from './metadata.ts'

/** What a crash costs at most, and what one stream gains from: 16 MiB are 3/4 of the best rate (rclone). A multiple of the hash's blocks. */
export const chunkBytes = 4 * hashBlockBytes

export interface SessionWork {
  readonly api: DropboxApi
  readonly copy: LocalCopy
  readonly source: SourceFile
  readonly work: PutWork
  /** Of this copy, for messages. */
  readonly verb: string
  readonly progress: (bytesDone: number) => void
}

/** A session in which all bytes of the copy are. */
export interface Filled {
  readonly id: string
  readonly proof: Proof
}

export async function fillSession(parts: SessionWork, signal: AbortSignal): Promise<Filled> {
  const saved = savedOf(parts.work.session, parts.copy)
  const begun =
    (saved === undefined ? undefined : await resumed(saved, parts, signal)) ?? (await started(parts, signal))
  parts.progress(begun.proof.offset)
  let { proof } = begun
  while (proof.offset < parts.copy.size) {
    proof = await appended({ id: begun.id, proof }, parts, signal)
    await keep(begun.id, proof, parts)
  }
  return { id: begun.id, proof }
}

async function started(parts: SessionWork, signal: AbortSignal): Promise<Filled> {
  const { api, verb } = parts
  const answer = await api.send(verb, 'files/upload_session/start', { close: false }, { isUpload: true }, signal)
  const id = parseSession(api.what(verb), answer)
  await keep(id, nothingYet, parts)
  return { id, proof: nothingYet }
}

/** Not in the middle of a block, where the last chunk mostly ends: Dropbox tells where it is, and that chunk is read once more. */
async function keep(id: string, { offset, crc32, hash }: Proof, { work, copy }: SessionWork): Promise<void> {
  const state = hash.save()
  if (state !== undefined) await work.save({ id, offset, crc32, hash: state, size: copy.size, sha256: copy.sha256 })
}

/** Asks by an append of nothing where Dropbox is. undefined where the session is no good any more (F63). */
async function resumed(saved: Filled, parts: SessionWork, signal: AbortSignal): Promise<Filled | undefined> {
  const { api, copy, source, verb } = parts
  const cursor = { session_id: saved.id, offset: saved.proof.offset }
  try {
    const arg = { cursor, close: false }
    await api.send(verb, 'files/upload_session/append_v2', arg, { isUpload: true }, signal)
    return saved
  } catch (thrown) {
    if (!(thrown instanceof Refused)) throw thrown
    if (thrown.says('not_found') || thrown.says('closed')) return undefined
    const offset = correctOffset(thrown)
    if (offset === undefined) throw thrown
    if (offset < saved.proof.offset || offset > copy.size) return undefined
    // An append whose answer was lost: these bytes are there already and are only read.
    return { id: saved.id, proof: await source.prove(saved.proof, offset, signal) }
  }
}

async function appended({ id, proof }: Filled, parts: SessionWork, signal: AbortSignal): Promise<Proof> {
  const { api, copy, source, work, verb, progress } = parts
  const { offset } = proof
  // Ends where the next one can be written down, wherever it began.
  const until = Math.min(offset - (offset % hashBlockBytes) + chunkBytes, copy.size)
  await work.allow(until - offset, signal)
  let after: Proof | undefined
  const sending = {
    body: () => source.pieces(proof, until, (last) => (after = last)),
    length: until - offset,
    progress: (sent: number) => progress(offset + sent),
  }
  await api.send(verb, 'files/upload_session/append_v2', { cursor: { session_id: id, offset } }, sending, signal)
  if (after === undefined)
    throw new TargetError({ kind: 'retry' }, `${api.what(verb)}: answered before it was sent; it is tried again`)
  return after
}

function correctOffset(refused: Refused): number | undefined {
  const offset = refused.detail['correct_offset']
  const isOffset = typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0
  return refused.says('incorrect_offset') && isOffset ? offset : undefined
}

const savedShape = z.object({
  id: z.string().min(1),
  offset: z.int().min(0),
  crc32: z.int().min(0),
  hash: z.string(),
  size: z.number(),
  sha256: z.string(),
})

/** What a session claims, if it is one of this content and tells all that is needed. */
function savedOf(session: UploadSession | undefined, copy: LocalCopy): Filled | undefined {
  const saved = savedShape.safeParse(session).data
  if (saved?.size !== copy.size || saved.sha256 !== copy.sha256 || saved.offset > copy.size) return undefined
  const hash = ContentHash.restore(saved.hash)
  if (hash === undefined) return undefined
  return { id: saved.id, proof: { offset: saved.offset, crc32: saved.crc32, hash } }
}
