/**
 * How a copy comes to Google Drive: what is there already is not sent, small files go in one call, large ones in a session. A new file has its
 * id before its first byte, and the id is saved, so that a lost answer never makes a twin (F55); what Google says it has is held against what was sent.
 */
import { folderOf, showPath, type RemotePath } from '../../base/path.ts'
import { isWithin } from '../folder-moves.ts'
import { Mismatches } from '../mismatches.ts'
import { risingProgress } from '../progress.ts'
import { nothingRead, type Proof, SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, TargetError } from '../target.ts'
import type { DriveApi } from './api.ts'
import { type Errand, isTimeOf, metadataOf, timeOf, type UploadSizes } from './errand.ts'
import { Refused } from './errors.ts'
import { Folders } from './folders.ts'
import type { IdPool } from './id-pool.ts'
import type { Inventory } from './inventory.ts'
import type { DriveNode, FileNode } from './metadata.ts'
import { Md5 } from './md5.ts'
import { type Begun, keep, nothingOf, savedOf, uploadBySession } from './session.ts'
import { type Uploaded, uploadSmall } from './small-upload.ts'

/** Source: Drive, files.create. Unit: bytes. */
export const fileBytesMax = 5 * 2 ** 40
/** Uploads of which it is open whether they made a file, remembered beside the sessions that tell it; the oldest is forgotten. */
const openEndsMax = 10_000

export interface PutsParts {
  readonly api: DriveApi
  readonly folders: Folders
  readonly inventory: Inventory
  readonly ids: IdPool
  readonly sizes: UploadSizes
}

export class Puts {
  readonly #parts: PutsParts
  /** Path -> id of a file that may have come to be, for a copy whose session is dropped because its file changed meanwhile. */
  readonly #openEnds = new Map<string, string>()
  readonly #mismatches = new Mismatches()

  constructor(parts: PutsParts) {
    this.#parts = parts
  }

  async put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<FileNode> {
    const { api, folders } = this.#parts
    const verb = `upload of ${showPath(at)}`
    const what = api.what(verb)
    if (copy.size > fileBytesMax) {
      const step = 'select smaller files, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${what}: ${copy.size} bytes are more than Google Drive takes; ${step}`)
    }
    try {
      return await SourceFile.with(copy, what, async (source) => {
        const spelled = Folders.spelled(at)
        const folder = await folders.make(folderOf(at), signal)
        const { chunkBytes } = this.#parts.sizes
        const errand = { copy, at, work, source, verb, progress: risingProgress(work), folder, spelled, chunkBytes }
        return this.#put(errand, signal)
      })
    } catch (thrown) {
      if (thrown instanceof Refused && thrown.status === 404) throw await folders.misplaced(signal)
      const isWorthless = thrown instanceof TargetError && /^(source-changed|park)$/.test(thrown.next.kind)
      if (isWorthless && work.session !== undefined) await work.save(undefined)
      throw thrown
    }
  }

  async #put(errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { copy, at } = errand
    const ends = await this.#begun(errand, signal)
    const held = ends.node ?? (await this.#held(errand, signal))
    if (held !== undefined && (await this.#isThis(held, errand, signal))) {
      return this.#ended(await this.#settled(held, errand, signal), at)
    }
    const { node, proof } = await this.#send(errand, held, ends.saved, signal)
    await this.#proven(node, proof, errand, signal)
    const settled = await this.#settled(node, errand, signal)
    errand.progress(copy.size)
    return this.#ended(settled, at)
  }

  /** The saved session goes with the receipt, in one write: to forget it before would cost each file one more. */
  #ended(node: FileNode, at: RemotePath): FileNode {
    this.#openEnds.delete(at)
    this.#parts.inventory.note(node)
    return node
  }

  /** What an earlier attempt began, and what came of it: by its id, since no listing can be behind that. */
  async #begun(
    errand: Errand,
    signal: AbortSignal,
  ): Promise<{ readonly saved: Begun | undefined; readonly node: FileNode | undefined }> {
    const { work, at, copy } = errand
    const saved = savedOf(work.session, copy)
    let isSpent = false
    for (const id of new Set([saved?.id, this.#openEnds.get(at)])) {
      // A file that was there before is found as those are.
      const node = id === undefined || id === work.previous?.remoteId ? undefined : await this.#file(id, errand, signal)
      // Somebody threw it away: it is nobody's any more, and its id with it.
      if (node?.isTrashedItself === true) isSpent = true
      else if (node !== undefined) return { saved, node }
    }
    return { saved: isSpent ? undefined : saved, node: undefined }
  }

  /** The file that this copy is to be, if there is one: by its id, else by its name. */
  async #held(errand: Errand, signal: AbortSignal): Promise<FileNode | undefined> {
    const { work, folder, spelled } = errand
    const isOurs = (node: DriveNode): boolean =>
      !node.isTrashed && node.name === spelled && this.#parts.api.isIn(node, folder)
    const known = work.previous === undefined ? undefined : await this.#file(work.previous.remoteId, errand, signal)
    if (known !== undefined && isOurs(known)) return known
    // The listing says what is there, the id how it is now.
    for (const { id, kind } of await this.#parts.inventory.named(folder, spelled, signal)) {
      const node = kind === 'file' && id !== known?.id ? await this.#file(id, errand, signal) : undefined
      if (node !== undefined && isOurs(node)) return node
      if (kind === 'file') this.#parts.inventory.gone(id)
    }
    return undefined
  }

  async #file(id: string, { verb }: Errand, signal: AbortSignal): Promise<FileNode | undefined> {
    const node = await this.#parts.api.node(verb, id, signal)
    return node?.kind === 'file' ? node : undefined
  }

  /** Whether a file has this content already (F64, F115). */
  async #isThis(node: FileNode, { copy, work, source }: Errand, signal: AbortSignal): Promise<boolean> {
    if (node.size !== copy.size) return false
    if (node.sha256 !== undefined) return node.sha256 === copy.sha256
    // A revision never changes its content: what is known of it saves reading the file.
    if (work.previous?.revision === node.revision) return work.previous.sha256 === copy.sha256
    if (node.md5 === undefined) return false
    return (await source.prove(nothingRead(Md5.ofNothing()), copy.size, signal)).hash.hex() === node.md5
  }

  async #send(
    errand: Errand,
    held: FileNode | undefined,
    saved: Begun | undefined,
    signal: AbortSignal,
  ): Promise<Uploaded> {
    const { copy, at } = errand
    const begun =
      saved !== undefined && (held === undefined || held.id === saved.id)
        ? saved
        : nothingOf(held?.id ?? (await this.#parts.ids.take(signal)))
    const of = held === undefined ? undefined : held.id
    const what = { begun, of, metadata: metadataOf(errand, of === undefined ? begun.id : undefined) }
    const isSmall = copy.size <= this.#parts.sizes.oneCallBytesMax
    if (of === undefined) this.#mayCome(at, begun.id)
    // Before the first byte. What is there already is found by its id whatever happens.
    if (begun !== saved && (of === undefined || !isSmall)) await keep(begun, errand)
    try {
      return isSmall
        ? await uploadSmall(this.#parts.api, errand, what, signal)
        : await uploadBySession(this.#parts.api, errand, what, signal)
    } catch (thrown) {
      const isSpent = thrown instanceof Refused && thrown.status === 400 && of === undefined && begun === saved
      if (isSpent) throw await this.#outdated(thrown, errand)
      // Somebody was here before: an attempt of which nobody heard. The next one finds it by its id.
      if (!(thrown instanceof Refused) || thrown.status !== 409 || of !== undefined) throw thrown
      return this.#collided(thrown, begun, errand, signal)
    }
  }

  /** Nobody knows how long a generated id is good: one of an earlier attempt that is refused is not asked for twice. */
  async #outdated(cause: Refused, { work, verb }: Errand): Promise<TargetError> {
    await work.save(undefined)
    const text = `${this.#parts.api.what(verb)}: the id of an earlier attempt is not taken; it is tried again with another`
    return new TargetError({ kind: 'retry' }, text, { cause })
  }

  async #collided(refused: Refused, { id }: Begun, errand: Errand, signal: AbortSignal): Promise<Uploaded> {
    const node = await this.#file(id, errand, signal)
    if (node !== undefined && !node.isTrashedItself) {
      if (await this.#isThis(node, errand, signal)) return { node, proof: { offset: 0, crc32: 0, hash: Md5.unknown() } }
      throw refused
    }
    // The id is used up by something that is gone: another one next time.
    await errand.work.save(undefined)
    throw refused
  }

  /** A file that was given another place is nothing that an upload may go on with, whatever came of it. */
  movedAway(id: string): void {
    for (const [at, open] of this.#openEnds) if (open === id) this.#openEnds.delete(at)
  }

  /** @param to undefined where it is not known: then only listings tell what came. */
  folderMoved(from: RemotePath, to: RemotePath | undefined): void {
    for (const [at, id] of [...this.#openEnds]) {
      if (!isWithin(at, from)) continue
      this.#openEnds.delete(at)
      if (to !== undefined) this.#openEnds.set(`${to}${at.slice(from.length)}`, id)
    }
  }

  #mayCome(at: RemotePath, id: string): void {
    this.#openEnds.delete(at)
    this.#openEnds.set(at, id)
    const [oldest] = this.#openEnds.keys()
    if (this.#openEnds.size > openEndsMax && oldest !== undefined) this.#openEnds.delete(oldest)
  }

  /** Holds what Google has against what was sent (F65): its sha256 where it has one, and its MD5 where all of it went by here. */
  async #proven(node: FileNode, sent: Proof<Md5>, errand: Errand, signal: AbortSignal): Promise<void> {
    const { copy, source, verb } = errand
    const isWhole = node.size === copy.size
    const isSame = node.sha256 === undefined || node.sha256 === copy.sha256
    const hex = sent.offset === copy.size ? sent.hash.hex() : undefined
    const needsReading = hex === undefined && node.sha256 === undefined && isWhole
    const md5 = needsReading ? (await source.prove(nothingRead(Md5.ofNothing()), copy.size, signal)).hash.hex() : hex
    const isRight = isWhole && isSame && (md5 === undefined || md5 === node.md5)
    if (isRight && (md5 !== undefined || node.sha256 !== undefined)) {
      this.#mismatches.forget(errand.at)
      return
    }
    const has = node.sha256 ?? node.md5 ?? 'nothing'
    const fault = `${this.#parts.api.what(verb)}: expected the content ${copy.sha256} of ${copy.size} bytes, got ${has} of ${node.size}`
    throw this.#mismatches.count(fault, errand.at)
  }

  /** The file where it belongs, out of the trash, with its time. */
  async #settled(node: FileNode, errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { copy, folder, spelled, verb } = errand
    const { api, folders } = this.#parts
    const isHome = this.#parts.api.isIn(node, folder) && !node.isTrashed
    if (isHome && node.name === spelled && isTimeOf(node.mtimeNs, copy)) return node
    // It came into a folder that was put into the trash meanwhile.
    if (node.isTrashed && this.#parts.api.isIn(node, folder)) throw await folders.misplaced(signal)
    const modifiedTime = timeOf(copy.mtimeNs)
    const requestBody = { name: spelled, trashed: false, ...(modifiedTime === undefined ? {} : { modifiedTime }) }
    const place = this.#parts.api.isIn(node, folder) ? {} : { addParents: folder, ...api.parentOf(node) }
    const changed = await api.update(verb, { fileId: node.id, requestBody, ...place }, signal)
    if (changed?.kind === 'file' && changed.revision === node.revision && !changed.isTrashed) return changed
    throw new TargetError({ kind: 'retry' }, `${api.what(verb)}: somebody else writes there; it is tried again`)
  }
}
