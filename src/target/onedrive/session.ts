/**
 * One upload session: fragment after fragment, each written down once OneDrive has it, gone on with where OneDrive says it is (F61). Its last
 * fragment makes the file. Sequential and in order: the drive's hash would not tell two fragments that were swapped.
 */
import { z } from 'zod'
import { nothingRead, type Proof, type SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, TargetError, type UploadSession } from '../target.ts'
import type { GraphApi } from './api.ts'
import type { Drive } from './drive.ts'
import { isRefused, Refused } from './errors.ts'
import { type FileNode, parseExpected, parseFile, parseSession } from './metadata.ts'
import type { Spot } from './places.ts'
import { QuickXor } from './quickxor.ts'

/** Fragments are multiples of this. Source: createUploadSession. Unit: bytes. */
export const fragmentUnitBytes = 320 * 1024
/** What a crash costs at most. 5 to 10 MiB are recommended, and 60 are too much. */
export const usualFragmentBytes = 32 * fragmentUnitBytes
/** SharePoint looks through the whole file before it answers the last fragment. Unit: ms. */
const commitMs = 600_000
/** Times that a server may change its mind about where it is, within one attempt. */
const repositionsMax = 3

export interface SessionWork {
  readonly api: GraphApi
  readonly drive: Drive
  readonly copy: LocalCopy
  readonly source: SourceFile
  readonly work: PutWork
  readonly spot: Spot
  readonly verb: string
  readonly fragmentBytes: number
  readonly progress: (bytesDone: number) => void
}

type HashProof = Proof<QuickXor>

/** A session as far as it is. */
interface Begun {
  readonly url: string
  readonly proof: HashProof
  /** All bytes are there, only the end was refused. */
  readonly isWhole: boolean
}

/** A file of this copy, and what is known of the bytes that were sent. */
export interface Sent {
  readonly node: FileNode
  readonly proof: HashProof
}

const nothing: HashProof = nothingRead(new QuickXor())

export async function sendBySession(parts: SessionWork, signal: AbortSignal): Promise<Sent> {
  const saved = savedOf(parts)
  // Of another content or place: its name would stay reserved.
  if (saved === undefined && parts.work.session !== undefined) await cancelSaved(parts, parts.work.session, signal)
  const resumed = saved === undefined ? undefined : await resumedAt(saved, parts, signal)
  const begun = resumed ?? (await started(parts, signal))
  try {
    return await filled(begun, parts, signal)
  } catch (thrown) {
    if (isWorthless(thrown)) {
      await cancelled(begun.url, parts, signal)
      await parts.work.save(undefined)
    }
    throw thrown
  }
}

/** Ends a session that an earlier attempt left, if it did: a business drive reserves the name for it. Never fails. */
export async function cancelSaved(
  parts: Pick<SessionWork, 'api' | 'verb' | 'work'>,
  session: UploadSession,
  signal: AbortSignal,
): Promise<void> {
  const url = session['url']
  if (typeof url === 'string') await cancelled(url, parts, signal)
  await parts.work.save(undefined)
}

/** Nobody will go on with it. */
function isWorthless(thrown: unknown): boolean {
  return thrown instanceof TargetError && /^(source-changed|restart-session|park)$/.test(thrown.next.kind)
}

async function cancelled(
  url: string,
  { api, verb }: Pick<SessionWork, 'api' | 'verb'>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await api.atUrl(`${verb}, given up`, { method: 'DELETE', url }, signal)
  } catch (thrown) {
    // It ends by itself, only later.
    if (!(thrown instanceof TargetError)) throw thrown
  }
}

async function started(parts: SessionWork, signal: AbortSignal): Promise<Begun> {
  const { api, drive, spot, copy, verb } = parts
  const item = {
    // Said, since the documents call another one the default. What lies there was looked at a moment ago.
    '@microsoft.graph.conflictBehavior': 'replace',
    ...timesOf(copy.mtimeNs),
    // Lets a full drive say so before the first byte; for personal drives only, by the documents.
    ...(drive.root.type === 'personal' ? { fileSize: copy.size } : {}),
  }
  const path = drive.named(spot.folder.id, spot.name, '/createUploadSession')
  const call = { method: 'POST', path, body: { item }, isUpload: true } as const
  const url = parseSession(api.what(verb), await api.json(verb, call, signal))
  const begun = { url, proof: nothing, isWhole: false }
  await keep(begun, parts)
  return begun
}

/** Whole seconds of years that every drive takes; without them the time of the upload stands there. */
export function timesOf(mtimeNs: bigint): { readonly fileSystemInfo?: Readonly<Record<string, string>> } {
  const text = timeText(mtimeNs)
  if (text === undefined) return {}
  return { fileSystemInfo: { createdDateTime: text, lastModifiedDateTime: text } }
}

function timeText(mtimeNs: bigint): string | undefined {
  const ms = Number(mtimeNs / 1_000_000n)
  const text = Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : ''
  return /^(19[7-9]|[2-9]\d\d)\d-/.test(text) ? `${text.slice(0, 19)}Z` : undefined
}

async function filled(begun: Begun, parts: SessionWork, signal: AbortSignal): Promise<Sent> {
  const { copy, progress } = parts
  let at = begun
  let repositions = 0
  progress(at.proof.offset)
  while (!at.isWhole) {
    const outcome = await fragment(at, parts, signal)
    if (outcome.kind === 'file') return outcome
    if (outcome.kind === 'taken') {
      at = { ...at, proof: outcome.proof }
      await keep(at, parts)
      continue
    }
    if (++repositions > repositionsMax) throw again(parts, 'it keeps changing where the upload stands')
    const there = await resumedAt(at, parts, signal)
    if (there === undefined) throw again(parts, 'it does not know the upload any more')
    at = there
  }
  const proof = await provenUntil(at.proof, copy.size, parts, signal)
  return { node: await committed(at.url, parts, signal), proof }
}

type Outcome =
  | { readonly kind: 'taken'; readonly proof: HashProof }
  | ({ readonly kind: 'file' } & Sent)
  | { readonly kind: 'moved' }

async function fragment({ url, proof }: Begun, parts: SessionWork, signal: AbortSignal): Promise<Outcome> {
  const { api, copy, source, work, verb, progress, fragmentBytes } = parts
  const { offset } = proof
  const until = Math.min(offset + fragmentBytes, copy.size)
  await work.allow(until - offset, signal)
  let after: HashProof | undefined
  const call = {
    method: 'PUT',
    url,
    headers: {
      'content-range': `bytes ${offset}-${until - 1}/${copy.size}`,
      'content-type': 'application/octet-stream',
    },
    body: () => source.pieces(proof, until, (last) => (after = last)),
    length: until - offset,
    times: until === copy.size ? { answerMs: commitMs } : {},
    progress: (sent: number) => progress(offset + sent),
  } as const
  try {
    const { status, value } = await api.atUrl(verb, call, signal)
    if (after === undefined) throw again(parts, 'it answered before all was sent')
    if (status !== 202) return { kind: 'file', node: parseFile(api.what(verb), value), proof: after }
    return parseExpected(api.what(verb), value) === until ? { kind: 'taken', proof: after } : { kind: 'moved' }
  } catch (thrown) {
    if (isRefused(thrown, 416)) return { kind: 'moved' }
    throw thrown
  }
}

/** Asks OneDrive where it is. undefined where it knows nothing of the session any more (F63), which the file may have come of. */
async function resumedAt(
  from: Omit<Begun, 'isWhole'>,
  parts: SessionWork,
  signal: AbortSignal,
): Promise<Begun | undefined> {
  const { api, copy, verb } = parts
  const { url } = from
  try {
    const { value } = await api.atUrl(verb, { method: 'GET', url }, signal)
    const offset = parseExpected(api.what(verb), value)
    if (offset === undefined) return { url, proof: from.proof, isWhole: true }
    if (offset >= copy.size) throw again(parts, `it expects byte ${offset} of ${copy.size}`)
    // Bytes whose answer was lost are there already and are only read; where OneDrive went back the beginning is read anew.
    const start = offset < from.proof.offset ? nothing : from.proof
    return { url, proof: await provenUntil(start, offset, parts, signal), isWhole: false }
  } catch (thrown) {
    if (isRefused(thrown, 404) || (thrown instanceof Refused && thrown.says('url'))) return undefined
    throw thrown
  }
}

async function provenUntil(
  from: HashProof,
  offset: number,
  parts: SessionWork,
  signal: AbortSignal,
): Promise<HashProof> {
  return offset === from.offset ? from : parts.source.prove(from, offset, signal)
}

/** All bytes are there and the file is not: its end was refused, for want of space mostly. */
async function committed(url: string, { api, drive, spot, verb }: SessionWork, signal: AbortSignal): Promise<FileNode> {
  const body = {
    name: spot.name,
    '@microsoft.graph.conflictBehavior': 'replace',
    '@microsoft.graph.sourceUrl': url,
  }
  const path = drive.named(spot.folder.id, spot.name)
  const call = { method: 'PUT', path, body, times: { answerMs: commitMs } } as const
  return parseFile(api.what(verb), await api.json(verb, call, signal))
}

async function keep({ url, proof }: Omit<Begun, 'isWhole'>, { work, copy, spot }: SessionWork): Promise<void> {
  const { offset, crc32, hash } = proof
  const { size, sha256 } = copy
  await work.save({ url, offset, crc32, hash: hash.save(), size, sha256, at: placeOf(spot) })
}

const savedShape = z.object({
  url: z.string().min(1),
  offset: z.int().min(0),
  crc32: z.int().min(0),
  hash: z.string(),
  size: z.number(),
  sha256: z.string(),
  at: z.string(),
})

/** What a session claims, if it is one of this content for this place and tells all that is needed. */
function savedOf({ work, copy, spot }: SessionWork): Omit<Begun, 'isWhole'> | undefined {
  const saved = savedShape.safeParse(work.session).data
  if (saved?.size !== copy.size || saved.sha256 !== copy.sha256 || saved.at !== placeOf(spot)) return undefined
  const hash = QuickXor.restore(saved.hash)
  if (hash === undefined || saved.offset > copy.size) return undefined
  return { url: saved.url, proof: { offset: saved.offset, crc32: saved.crc32, hash } }
}

function placeOf({ folder, name }: Spot): string {
  return `${folder.id}/${name}`
}

function again({ api, verb }: SessionWork, why: string): TargetError {
  return new TargetError({ kind: 'retry' }, `${api.what(verb)}: ${why}; it is tried again`)
}
