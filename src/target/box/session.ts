/**
 * A large file through an upload session: written down before its first byte, gone on with by what Box lists of it (F61), committed with
 * patience. Box keeps sessions for seven days; what is in them is compared, not believed.
 */
import { z } from 'zod'
import { type LocalCopy, TargetError, type UploadSession } from '../target.ts'
import type { BoxApi } from './api.ts'
import { type Aim, type Errand, type Finisher, isLost } from './errand.ts'
import { Refused } from './errors.ts'
import { type FileNode, fileFields, parseConflict, parseSession, parseUploaded, sessionInConflict } from './metadata.ts'
import type { OpenSession } from './metadata.ts'
import { fill, type Filled, ForeignParts, listParts, sessionPath } from './parts.ts'
import type { Places } from './places.ts'
import { boxTime } from './times.ts'

/** Box puts large files together for minutes: 15 answers of "not yet" with up to 30 s between them were seen; rclone waits for a hundred. */
const commitTriesMax = 100
/** Box sees all parts after a while, or never. */
const mismatchTriesMax = 20
/** Most that is waited between two tries of a commit, whatever was asked for. Unit: ms. */
const patienceMsMax = 60_000
/** Unit: ms. */
const commitAnswerMs = 300_000

interface SessionParts {
  readonly api: BoxApi
  readonly places: Places
  readonly errand: Errand
  readonly finisher: Finisher
}

/** How one try to commit ended. */
type Commit =
  | { readonly kind: 'done'; readonly node: FileNode }
  /** `isMismatch`: Box does not see all parts. */
  | { readonly kind: 'wait'; readonly waitMs: number; readonly isMismatch: boolean }
  /** Another version lies there now, and was looked at. */
  | { readonly kind: 'over'; readonly etag: string }

export class SessionUpload {
  readonly #parts: SessionParts

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  async send(aim: Aim, signal: AbortSignal): Promise<FileNode> {
    const { errand, api } = this.#parts
    const { session, there } = (await this.#resumed(aim, signal)) ?? (await this.#begun(aim, signal))
    try {
      const stored = (bytesDone: number): Promise<void> => this.#save(session, aim, bytesDone)
      const filled = await fill({ api, errand, session, stored }, there, signal)
      const node = await this.#committed(session, aim, filled, signal)
      await errand.work.save(undefined)
      return node
    } catch (thrown) {
      if (!signal.aborted && isWorthless(thrown)) await abandon(api, session.id, errand, signal)
      throw thrown instanceof ForeignParts ? this.#restart(thrown.message) : thrown
    }
  }

  /** undefined where there is none to go on with (F62, F63). */
  async #resumed(aim: Aim, signal: AbortSignal): Promise<Begun | undefined> {
    const { errand, api } = this.#parts
    const saved = savedOf(errand.work.session, errand.copy, aim)
    if (saved === undefined) {
      await dropSession(this.#parts.api, errand, signal)
      return undefined
    }
    const session = {
      id: saved.id,
      partBytes: saved.partBytes,
      partCount: Math.ceil(errand.copy.size / saved.partBytes),
    }
    try {
      return { session, there: await listParts(api, session, errand.verb, signal) }
    } catch (thrown) {
      if (isOver(thrown)) return undefined
      throw thrown
    }
  }

  async #begun(aim: Aim, signal: AbortSignal): Promise<Begun> {
    const { errand, api } = this.#parts
    try {
      const session = parseSession(api.what(errand.verb), await this.#create(aim, signal))
      await this.#save(session, aim, 0)
      return { session, there: [] }
    } catch (thrown) {
      const live =
        thrown instanceof Refused && thrown.code === 'session_conflict' ? sessionInConflict(thrown) : undefined
      if (live === undefined) throw thrown
      // An answer to its creation was lost. What is in it is compared part by part.
      if (live.partCount !== Math.ceil(errand.copy.size / live.partBytes)) {
        await abandon(api, live.id, errand, signal)
        throw thrown
      }
      await this.#save(live, aim, 0)
      return { session: live, there: await listParts(api, live, errand.verb, signal) }
    }
  }

  #create(aim: Aim, signal: AbortSignal): Promise<unknown> {
    const { api, errand } = this.#parts
    const { verb, copy } = errand
    const options = { cancellationToken: signal }
    if (aim.kind === 'version') {
      const wish = { fileSize: copy.size }
      const make = api.ask(
        verb,
        (sdk) => sdk.sessions.createFileUploadSessionForExistingFile(aim.id, wish, options),
        signal,
        true,
      )
      return make
    }
    const wish = { folderId: aim.folderId, fileName: aim.name, fileSize: copy.size }
    return api.ask(verb, (sdk) => sdk.sessions.createFileUploadSession(wish, options), signal, true)
  }

  async #committed(session: OpenSession, aim: Aim, filled: Filled, signal: AbortSignal): Promise<FileNode> {
    const { api, errand, finisher } = this.#parts
    let { parts } = filled
    let etag = aim.kind === 'version' ? aim.etag : undefined
    let mismatches = 0
    for (let tries = 0; tries < commitTriesMax; tries++) {
      const commit = await this.#tried(session, aim, { ...filled, parts, etag }, signal)
      if (commit.kind === 'done') return finisher.proven(commit.node, filled.sha1, signal)
      if (commit.kind === 'over') {
        ;({ etag } = commit)
        continue
      }
      if (commit.isMismatch && ++mismatches >= mismatchTriesMax) throw this.#restart('Box never sees all of its parts')
      await api.clock.sleep(Math.min(commit.waitMs, patienceMsMax), signal)
      if (commit.isMismatch) parts = await listParts(api, session, errand.verb, signal)
    }
    throw new TargetError(
      { kind: 'retry' },
      `${api.what(errand.verb)}: Box is still putting it together; it is tried again`,
    )
  }

  async #tried(
    session: OpenSession,
    aim: Aim,
    sent: Filled & { readonly etag: string | undefined },
    signal: AbortSignal,
  ): Promise<Commit> {
    const { api, errand } = this.#parts
    try {
      const answer = await api.answer(this.#commitCall(session, sent), signal)
      if (answer.status === 202) {
        return { kind: 'wait', waitMs: answer.retryAfterMs ?? api.patienceMs, isMismatch: false }
      }
      if (answer.status < 200 || answer.status > 299) throw api.refused(errand.verb, answer)
      const value = answer.content.kind === 'json' ? answer.content.value : undefined
      return { kind: 'done', node: parseUploaded(api.what(errand.verb), value) }
    } catch (thrown) {
      if (signal.aborted) throw thrown
      if (thrown instanceof Refused && thrown.code === 'parts_mismatch') {
        return { kind: 'wait', waitMs: api.patienceMs, isMismatch: true }
      }
      return this.#afterRefusal(thrown, aim, sent.sha1, signal)
    }
  }

  #commitCall({ id }: OpenSession, sent: Filled & { readonly etag: string | undefined }) {
    const { copy } = this.#parts.errand
    const time = boxTime(copy.mtimeNs)
    const query = new URLSearchParams({ fields: fileFields.join(',') }).toString()
    return {
      method: 'POST',
      host: 'upload',
      path: `${sessionPath(id)}/commit?${query}`,
      headers: {
        digest: `sha=${Buffer.from(sent.sha1, 'hex').toString('base64')}`,
        ...(sent.etag === undefined ? {} : { 'if-match': sent.etag }),
      },
      json: { parts: sent.parts, ...(time === undefined ? {} : { attributes: { content_modified_at: time } }) },
      times: { answerMs: commitAnswerMs },
    } as const
  }

  /** What the name or the file tells after an answer that was lost or refused (F64). */
  async #afterRefusal(thrown: unknown, aim: Aim, sha1: string, signal: AbortSignal): Promise<Commit> {
    const isRaced = thrown instanceof Refused && (thrown.status === 409 || thrown.status === 412)
    if (!isRaced && !isLost(thrown) && !isOver(thrown)) throw thrown
    const node = await this.#there(thrown, aim, signal)
    if (node?.sha1 === sha1) return { kind: 'done', node }
    if (thrown instanceof Refused && thrown.status === 412 && node !== undefined) {
      return { kind: 'over', etag: node.etag }
    }
    if (isLost(thrown) || (thrown instanceof Refused && thrown.code !== 'item_name_in_use' && !isOver(thrown)))
      throw thrown
    throw this.#restart(isOver(thrown) ? 'Box has forgotten it' : 'somebody else wrote there')
  }

  async #there(thrown: unknown, aim: Aim, signal: AbortSignal): Promise<FileNode | undefined> {
    const { places, errand, api } = this.#parts
    if (aim.kind === 'version') return places.file(aim.id, errand.verb, signal)
    const isConflict = thrown instanceof Refused && thrown.code === 'item_name_in_use'
    const held = isConflict ? parseConflict(api.what(errand.verb), thrown) : await places.held(aim, signal)
    const isOurs = held?.kind === 'file' && held.name === aim.name
    return isOurs ? places.file(held.id, errand.verb, signal) : undefined
  }

  #save({ id, partBytes }: OpenSession, aim: Aim, done: number): Promise<void> {
    const { work, copy } = this.#parts.errand
    return work.save({ id, partBytes, done, ...placeOf(aim), size: copy.size, sha256: copy.sha256 })
  }

  #restart(why: string): TargetError {
    const { api, errand } = this.#parts
    return new TargetError({ kind: 'restart-session' }, `${api.what(errand.verb)}: ${why}; it is begun anew`)
  }
}

interface Begun {
  readonly session: OpenSession
  readonly there: readonly {
    readonly part_id: string
    readonly offset: number
    readonly size: number
    readonly sha1: string
  }[]
}

/** Ends a session that an earlier attempt saved. */
export async function dropSession(api: BoxApi, errand: Owing, signal: AbortSignal): Promise<void> {
  const { work } = errand
  const saved = savedShape.safeParse(work.session).data
  if (saved !== undefined) await abandon(api, saved.id, errand, signal)
  else if (work.session !== undefined) await work.save(undefined)
}

type Owing = Pick<Errand, 'work' | 'verb'>

/** Its bytes count against the account until it is ended or a week is over. */
async function abandon(api: BoxApi, id: string, { verb, work }: Owing, signal: AbortSignal): Promise<void> {
  try {
    const options = { cancellationToken: signal }
    await api.ask(verb, (sdk) => sdk.sessions.deleteFileUploadSessionById(id, options), signal)
  } catch (thrown) {
    // One that is over, or that Box does not end right now, ends by itself.
    if (!(thrown instanceof TargetError)) throw thrown
  }
  await work.save(undefined)
}

/** Whether the session is over. Anything that is said about it but "wait" and "log in" means that. */
function isOver(thrown: unknown): boolean {
  if (!(thrown instanceof Refused)) return false
  return thrown.status === 404 || thrown.status === 410 || thrown.code === 'invalid_upload_session_id'
}

/** A session is of no use to any later attempt. */
export function isWorthless(thrown: unknown): boolean {
  if (thrown instanceof ForeignParts) return true
  return thrown instanceof TargetError && /^(source-changed|restart-session|park)$/.test(thrown.next.kind)
}

const savedShape = z.object({
  id: z.string().min(1),
  partBytes: z.int().min(1),
  /** A file's id, or a folder's and a name. */
  fileId: z.string().optional(),
  folderId: z.string().optional(),
  name: z.string().optional(),
  size: z.number(),
  sha256: z.string(),
})

function placeOf(aim: Aim): Readonly<Record<string, string>> {
  return aim.kind === 'version' ? { fileId: aim.id } : { folderId: aim.folderId, name: aim.name }
}

/** What a session claims, if it is one of this content on its way to this place. */
function savedOf(
  session: UploadSession | undefined,
  copy: LocalCopy,
  aim: Aim,
): z.output<typeof savedShape> | undefined {
  const saved = savedShape.safeParse(session).data
  if (saved?.size !== copy.size || saved.sha256 !== copy.sha256) return undefined
  const { fileId, folderId, name } = saved
  const isSame = aim.kind === 'version' ? fileId === aim.id : folderId === aim.folderId && name === aim.name
  return isSame ? saved : undefined
}
