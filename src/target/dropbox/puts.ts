/**
 * How a copy comes to Dropbox: what is there already is not sent, small files go in one call, large ones in a session; nothing is written
 * over a version that was not looked at, and what Dropbox says it has is held against what was sent. The calls' shapes are elsewhere.
 */
import { showPath, type RemotePath } from '../../base/path.ts'
import type { Finds } from '../finds.ts'
import { Mismatches } from '../mismatches.ts'
import { risingProgress } from '../progress.ts'
import { SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, type Receipt, TargetError } from '../target.ts'
import { TransportError } from '../transport/transport.ts'
import type { DropboxApi } from './api.ts'
import { commitInfo, type Mode } from './commit.ts'
import { nothingYet, type Proof } from './content-hash.ts'
import { Refused } from './errors.ts'
import { type FileNode, parseFile } from './metadata.ts'
import type { LookUp, Places, Spot } from './places.ts'
import { revisionOf, type Revs } from './revision.ts'
import { fillSession, type Filled } from './session.ts'
import { SmallUploads } from './small-uploads.ts'

/** Source: the Stone description of upload_session/start. Unit: bytes. */
export const fileBytesMax = 2 ** 41 - 2 ** 22
/** Up to here one call is cheaper than three, and what a crash costs is little. Unit: bytes. */
const oneCallBytesMax = 8 * 2 ** 20
/** Looks again when somebody else wrote meanwhile; who loses so often leaves it to the lane. */
const commitTriesMax = 3
/** Dropbox puts hundreds of GiB together in one answer. Unit: ms. */
const finishMs = 600_000

export interface PutsParts {
  readonly api: DropboxApi
  readonly places: Places
  readonly lookUp: LookUp
  readonly finds: Finds
  readonly revs: Revs
}

/** One copy on its way. */
interface Errand {
  readonly copy: LocalCopy
  readonly at: RemotePath
  readonly work: PutWork
  readonly source: SourceFile
  readonly verb: string
  readonly progress: (bytesDone: number) => void
}

/** Gives the bytes a name. `proof` is of what was sent. */
type Give = (path: string, mode: Mode) => Promise<{ readonly node: FileNode; readonly proof: Proof }>

export class Puts {
  readonly #parts: PutsParts
  readonly #smallUploads: SmallUploads
  readonly #mismatches = new Mismatches()

  constructor(parts: PutsParts) {
    this.#parts = parts
    this.#smallUploads = new SmallUploads(parts.api)
  }

  async put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<FileNode> {
    const verb = `upload of ${showPath(at)}`
    const what = this.#parts.api.what(verb)
    if (copy.size > fileBytesMax) {
      const step = 'select smaller files, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${what}: ${copy.size} bytes are more than Dropbox takes; ${step}`)
    }
    try {
      return await SourceFile.with(copy, what, (source) =>
        this.#put({ copy, at, work, source, verb, progress: risingProgress(work) }, signal),
      )
    } catch (thrown) {
      const isWorthless =
        thrown instanceof TargetError && /^(source-changed|restart-session|park)$/.test(thrown.next.kind)
      if (isWorthless && work.session !== undefined) await work.save(undefined)
      throw thrown
    }
  }

  async #put(errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { copy, at, work } = errand
    const isKnown = work.previous?.sha256 === copy.sha256
    // To look first costs a call, a small file's bytes hardly more: only who may save some looks.
    const mayBeThere = copy.bytes === undefined || work.session !== undefined || isKnown || this.#parts.finds.isLikely
    const mode = this.#modeOver(work.previous)
    if (!mayBeThere && mode !== undefined) {
      return this.#send(errand, { ...(await this.#parts.places.plain(at, signal)), mode }, signal)
    }
    const spot = await this.#parts.places.find(at, signal)
    const there = await this.#adopt(spot.held, errand, signal)
    this.#parts.finds.looked(there !== undefined)
    if (there === undefined) return this.#send(errand, { ...spot, mode: modeOver(spot) }, signal)
    if (work.session !== undefined) await work.save(undefined)
    return there
  }

  /** What may be written over without a look; undefined where only that tells. */
  #modeOver(previous: Receipt | undefined): Mode | undefined {
    if (previous === undefined) return { kind: 'add' }
    const rev = this.#parts.revs.of(previous)
    return rev === undefined ? undefined : { kind: 'update', rev }
  }

  /** What is there already, if it is this content (F64, F115). */
  async #adopt(held: FileNode | undefined, errand: Errand, signal: AbortSignal): Promise<FileNode | undefined> {
    const { copy, work, source } = errand
    if (held?.size !== copy.size || held.contentHash === undefined) return undefined
    // A revision is its content: what is known of it saves reading the file.
    if (work.previous?.revision === revisionOf(held)) return work.previous.sha256 === copy.sha256 ? held : undefined
    const proof = await source.prove(nothingYet, copy.size, signal)
    return proof.hash.hex() === held.contentHash ? held : undefined
  }

  async #send(
    errand: Errand,
    first: Omit<Spot, 'held'> & { readonly mode: Mode },
    signal: AbortSignal,
  ): Promise<FileNode> {
    const { copy, work, progress } = errand
    const isOneCall = copy.size <= oneCallBytesMax && work.session === undefined
    const give = isOneCall ? this.#inOneCall(errand, signal) : await this.#bySession(errand, signal)
    const node = await this.#commit(errand, first, give, signal)
    if (!isOneCall) await work.save(undefined)
    progress(copy.size)
    return node
  }

  async #commit(
    errand: Errand,
    first: Omit<Spot, 'held'> & { readonly mode: Mode },
    give: Give,
    signal: AbortSignal,
  ): Promise<FileNode> {
    const { at, verb } = errand
    const { places, api } = this.#parts
    let next = first
    for (let tries = 0; tries < commitTriesMax; tries++) {
      try {
        const { node, proof } = await give(next.path, next.mode)
        if (node.name === next.name) return await this.#proven(node, proof, errand, signal)
        // Equal content is no conflict, so nothing was written: it is a twin's.
        next = { ...(await places.besideTwin(at, signal)), mode: { kind: 'add' } }
      } catch (thrown) {
        if (!this.#mayGoElsewhere(thrown, next.path)) throw thrown
        const spot = await places.find(at, signal)
        const there = await this.#adopt(spot.held, errand, signal)
        if (there !== undefined) return there
        next = { ...spot, mode: modeOver(spot) }
      }
    }
    throw new TargetError({ kind: 'retry' }, `${api.what(verb)}: somebody else writes there; it is tried again`)
  }

  #mayGoElsewhere(thrown: unknown, path: string): boolean {
    if (!(thrown instanceof Refused)) return false
    return thrown.says('conflict/file') || (thrown.says('malformed_path') && this.#parts.places.respell(path))
  }

  #inOneCall(errand: Errand, signal: AbortSignal): Give {
    const { copy, work, source, verb, progress } = errand
    const { api } = this.#parts
    const { bytes, size } = copy
    if (bytes !== undefined) return this.#withOthers(errand, bytes, signal)
    return async (path, mode) => {
      // Nothing is read for a body of nothing, but its file may have changed.
      let proof = size > 0 ? nothingYet : await source.prove(nothingYet, 0, signal)
      await work.allow(size, signal)
      const body = (): AsyncIterable<Uint8Array> => source.pieces(nothingYet, size, (last) => (proof = last))
      const sending = { body, length: size, isUpload: true, progress }
      const answer = await api.send(verb, 'files/upload', commitInfo(copy, path, mode), sending, signal)
      return { node: parseFile(api.what(verb), answer), proof }
    }
  }

  /** What is in memory is proven before it goes, so that Dropbox can refuse what was damaged on its way. */
  #withOthers({ copy, work, source, verb }: Errand, bytes: Uint8Array, signal: AbortSignal): Give {
    return async (path, mode) => {
      const proof = await source.prove(nothingYet, copy.size, signal)
      await work.allow(copy.size, signal)
      const upload = { verb, bytes, contentHash: proof.hash.hex(), commit: commitInfo(copy, path, mode) }
      return { node: await this.#smallUploads.send(upload, signal), proof }
    }
  }

  async #bySession(errand: Errand, signal: AbortSignal): Promise<Give> {
    const { api } = this.#parts
    const { copy, verb } = errand
    const filled = await fillSession({ api, ...errand }, signal)
    return async (path, mode) => {
      const cursor = { session_id: filled.id, offset: copy.size }
      // Without data: were there some, a refused name would leave it in the session (rclone #3481).
      const arg = { cursor, commit: commitInfo(copy, path, mode) }
      try {
        const times = { answerMs: finishMs }
        const answer = await api.send(verb, 'files/upload_session/finish', arg, { times }, signal)
        return { node: parseFile(api.what(verb), answer), proof: filled.proof }
      } catch (thrown) {
        const node = signal.aborted ? undefined : await this.#finished(thrown, path, filled, signal)
        if (node === undefined) throw thrown
        return { node, proof: filled.proof }
      }
    }
  }

  /** After an answer that leaves open whether there is a file now: it tells by its content (F64). */
  async #finished(
    thrown: unknown,
    path: string,
    { proof }: Filled,
    signal: AbortSignal,
  ): Promise<FileNode | undefined> {
    const isLost = thrown instanceof TransportError && thrown.afterSent
    const isOver = thrown instanceof Refused && (thrown.says('not_found') || thrown.says('closed'))
    if (!isLost && !isOver) return undefined
    const node = await this.#parts.lookUp(path, signal)
    return node?.kind === 'file' && node.contentHash === proof.hash.hex() ? node : undefined
  }

  /** Holds what Dropbox has against what was sent (F65). What is wrong there goes to the trash, and after some times nobody sends it again. */
  async #proven(given: FileNode, proof: Proof, { verb, at }: Errand, signal: AbortSignal): Promise<FileNode> {
    const { api, lookUp } = this.#parts
    const sent = proof.hash.hex()
    const node = given.contentHash === undefined ? await lookUp(given.id, signal) : given
    if (node?.kind === 'file' && node.rev === given.rev && node.contentHash === sent) {
      this.#mismatches.forget(at)
      return node
    }
    const has = node?.kind === 'file' ? (node.contentHash ?? 'nothing') : 'nothing'
    const fault = `${api.what(verb)}: expected the content hash ${sent}, got ${has}`
    // Somebody else's version is not ours to take away.
    if (node?.kind === 'file' && node.rev === given.rev) await this.#trash(node, verb, signal)
    throw this.#mismatches.count(fault, at)
  }

  async #trash({ id, rev }: FileNode, verb: string, signal: AbortSignal): Promise<void> {
    const arg = { path: id, parent_rev: rev }
    await this.#parts.api.rpc(`removal after ${verb}`, (sdk) => sdk.filesDeleteV2(arg), signal)
  }
}

function modeOver({ held }: Spot): Mode {
  return held === undefined ? { kind: 'add' } : { kind: 'update', rev: held.rev }
}
