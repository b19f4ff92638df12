/**
 * How a copy comes to Box: what is there already is not sent, small files go in one call, large ones in a session; nothing is written over
 * a version that was not looked at, and what Box says it has is held against what was sent. The calls' shapes are elsewhere.
 */
import { showPath, type RemotePath } from '../../base/path.ts'
import type { Finds } from '../finds.ts'
import { Mismatches } from '../mismatches.ts'
import { risingProgress } from '../progress.ts'
import { SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, TargetError } from '../target.ts'
import type { BoxApi } from './api.ts'
import { DirectUpload } from './direct.ts'
import { type Aim, type Errand, Finisher } from './errand.ts'
import type { FileNode } from './metadata.ts'
import type { Places, Spot } from './places.ts'
import { readRevision } from './revision.ts'
import { dropSession, isWorthless, SessionUpload } from './session.ts'

export interface PutsParts {
  readonly api: BoxApi
  readonly places: Places
  readonly finds: Finds
  /** Largest file of the account's plan, known once the target is open. Unit: bytes. */
  readonly fileBytesMax: () => number
  /** Up to here a file goes in one call: what a crash costs, and no less than Box wants of a session. Unit: bytes. */
  readonly directBytesMax: number
}

export class Puts {
  readonly #parts: PutsParts
  readonly #mismatches = new Mismatches()

  constructor(parts: PutsParts) {
    this.#parts = parts
  }

  async put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<FileNode> {
    const verb = `upload of ${showPath(at)}`
    const what = this.#parts.api.what(verb)
    const fileBytesMax = this.#parts.fileBytesMax()
    if (copy.size > fileBytesMax) {
      const step = 'select smaller files, then run "fanfold retry"'
      const plan = `the account's plan takes files of up to ${fileBytesMax} bytes`
      throw new TargetError({ kind: 'park' }, `${what}: it has ${copy.size} bytes and ${plan}; ${step}`)
    }
    try {
      return await SourceFile.with(copy, what, (source) =>
        this.#put({ copy, at, work, source, verb, progress: risingProgress(work) }, signal),
      )
    } catch (thrown) {
      if (!signal.aborted && isWorthless(thrown)) await dropSession(this.#parts.api, { work, verb }, signal)
      throw thrown
    }
  }

  #put(errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { copy, work } = errand
    const isSmall = copy.size <= this.#parts.directBytesMax && work.session === undefined
    const finisher = new Finisher({ ...this.#parts, mismatches: this.#mismatches }, errand)
    const aim = isSmall && !this.#parts.finds.isLikely ? unseenAim(errand) : undefined
    if (aim === undefined) return this.#looked(errand, finisher, isSmall, signal)
    return new DirectUpload({ ...this.#parts, errand, finisher }).send(aim, signal)
  }

  async #looked(errand: Errand, finisher: Finisher, isSmall: boolean, signal: AbortSignal): Promise<FileNode> {
    const { work, at, verb } = errand
    const { places } = this.#parts
    const known = work.previous && (await places.fileAt(work.previous.remoteId, at, verb, signal))
    const spot = known === undefined ? await places.prepare(at, signal) : undefined
    const held = known ?? spot?.held
    const parts = { ...this.#parts, errand, finisher }
    const isThere = held !== undefined && (await finisher.isThere(held, signal))
    this.#parts.finds.looked(isThere)
    if (isThere) {
      await dropSession(this.#parts.api, errand, signal)
      return finisher.settled(held, signal)
    }
    const aim = aimOf(held, spot)
    return isSmall ? new DirectUpload(parts).send(aim, signal) : new SessionUpload(parts).send(aim, signal)
  }
}

/**
 * Where a small file may go without a look before it, which costs a call and saves hardly more than that. 'plain': where its plain name is
 * free. A file that is not in memory is read twice anyway, and what is known to be there already should not be sent.
 */
function unseenAim({ copy, work: { previous } }: Errand): Aim | 'plain' | undefined {
  if (previous === undefined) return copy.bytes === undefined ? undefined : 'plain'
  if (previous.sha256 === copy.sha256) return undefined
  return { kind: 'version', id: previous.remoteId, etag: readRevision(previous.revision).etag }
}

function aimOf(held: FileNode | undefined, spot: Spot | undefined): Aim {
  if (held !== undefined) return { kind: 'version', id: held.id, etag: held.etag }
  if (spot === undefined) throw new Error('a file that is not there has no place')
  return { kind: 'new', folderId: spot.folderId, name: spot.name }
}
