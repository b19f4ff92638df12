/**
 * How a copy comes to OneDrive: what is there already is not sent, everything else goes by a session into a place that was looked at, and what
 * OneDrive says it has is held against what was sent. The calls' shapes are elsewhere.
 */
import type { Log } from '../../base/log.ts'
import { showPath, type RemotePath } from '../../base/path.ts'
import { sha256Of } from '../content-check.ts'
import { Mismatches } from '../mismatches.ts'
import { risingProgress } from '../progress.ts'
import { nothingRead, SourceFile } from '../source-file.ts'
import { type LocalCopy, type PutWork, TargetError } from '../target.ts'
import { TransportError } from '../transport/transport.ts'
import type { GraphApi } from './api.ts'
import type { Drive } from './drive.ts'
import { isRefused } from './errors.ts'
import { type FileNode, isVersion, parseFile } from './metadata.ts'
import type { Places, Spot } from './places.ts'
import { QuickXor } from './quickxor.ts'
import { contentOf } from './reading.ts'
import { cancelSaved, sendBySession, type Sent, timesOf } from './session.ts'

/** Source: "Restrictions and limitations in OneDrive and SharePoint". Unit: bytes. */
export const fileBytesMax = 250 * 10 ** 9
/** Documents into which SharePoint writes marks of its own. Source: rclone #2599, "Allow file size to change after upload". */
export const rewrittenKinds = /\.(docx?|xlsx?|pptx?|docm|xlsm|pptm|dotx|xltx|potx|vsdx?|html?|aspx|pdf)$/i

export interface PutsParts {
  readonly api: GraphApi
  readonly drive: Drive
  readonly places: Places
  readonly fragmentBytes: number
  readonly log: Log
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

export class Puts {
  readonly #parts: PutsParts
  readonly #mismatches = new Mismatches()

  constructor(parts: PutsParts) {
    this.#parts = parts
  }

  async put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<FileNode> {
    const verb = `upload of ${showPath(at)}`
    const what = this.#parts.api.what(verb)
    if (copy.size > fileBytesMax) {
      const step = 'select smaller files, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${what}: ${copy.size} bytes are more than OneDrive takes; ${step}`)
    }
    return SourceFile.with(copy, what, (source) =>
      this.#put({ copy, at, work, source, verb, progress: risingProgress(work) }, signal),
    )
  }

  async #put(errand: Errand, signal: AbortSignal): Promise<FileNode> {
    try {
      return await this.#once(errand, signal)
    } catch (thrown) {
      // A folder of ours that somebody took away meanwhile is made again, once (F79).
      if (!isRefused(thrown, 404) || thrown.says('session')) throw thrown
      const cause = await this.#parts.places.gone(signal, thrown)
      if (cause !== thrown) throw cause
      return await this.#once(errand, signal)
    }
  }

  async #once(errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { at, work, verb, copy, progress } = errand
    const { api, places } = this.#parts
    // Of an older content: while it is open, a business drive keeps the name for it.
    if (work.abandoned !== undefined) await cancelSaved({ api, verb, work }, work.abandoned, signal)
    const spot = await places.spot(at, signal)
    const held = this.#fileAt(spot, verb)
    const there = held && (await this.#adopted(held, errand, signal))
    if (there !== undefined) {
      if (work.session !== undefined) await cancelSaved({ api, verb, work }, work.session, signal)
      return there
    }
    const node = copy.size === 0 ? await this.#putEmpty(spot, errand, signal) : await this.#send(spot, errand, signal)
    progress(copy.size)
    return node
  }

  #fileAt({ held }: Spot, verb: string): FileNode | undefined {
    if (held === undefined || held.kind === 'file') return held
    const step = 'move it away at OneDrive, then run "fanfold retry"'
    const what = held.kind === 'folder' ? 'a folder' : 'something that is no file'
    throw new TargetError(
      { kind: 'park' },
      `${this.#parts.api.what(verb)}: ${what} of that name is in the way; ${step}`,
    )
  }

  /** What is there already, if it is this content (F64, F115). */
  async #adopted(held: FileNode, errand: Errand, signal: AbortSignal): Promise<FileNode | undefined> {
    const { copy, work } = errand
    const { previous } = work
    // A version never changes its content: what is known of it saves reading the file, and is the only word for one that was rewritten.
    if (previous !== undefined && isVersion(held, previous.revision)) {
      return previous.sha256 === copy.sha256 ? this.#timed(held, errand, signal) : undefined
    }
    if (held.size !== copy.size) return undefined
    if (copy.size === 0) return this.#timed(held, errand, signal)
    // The hash knows no order, so bytes alone do not make it the same file: the time has to be ours, too.
    const isOfTime = held.mtimeNs / 1_000_000_000n === copy.mtimeNs / 1_000_000_000n
    return isOfTime && (await this.#isContent(held, errand, signal)) ? held : undefined
  }

  async #isContent(held: FileNode, { copy, source, verb }: Errand, signal: AbortSignal): Promise<boolean> {
    if (held.hash === undefined) return (await this.#downloadedSha256(held, verb, signal)) === copy.sha256
    const proof = await source.prove(nothingRead(new QuickXor()), copy.size, signal)
    return proof.hash.base64() === held.hash
  }

  /** Gives the object its new time where that costs no copy of it: elsewhere only the receipt has it (F12). */
  async #timed(held: FileNode, { copy, verb }: Errand, signal: AbortSignal): Promise<FileNode> {
    const { drive, api } = this.#parts
    const times = timesOf(copy.mtimeNs)
    const isOfTime = held.mtimeNs / 1_000_000_000n === copy.mtimeNs / 1_000_000_000n
    const isFree = drive.keepsTimesApart || copy.size === 0
    if (isOfTime || !isFree || times.fileSystemInfo === undefined) return held
    return this.#file(await drive.change(verb, held.id, times, signal), api.what(verb))
  }

  /** No session takes nothing: the file first, its time after it. */
  async #putEmpty(spot: Spot, errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { api, drive } = this.#parts
    const { source, work, verb } = errand
    // Nothing is read for a body of nothing, but its file may have changed.
    await source.prove(nothingRead(new QuickXor()), 0, signal)
    await work.allow(0, signal)
    const path = drive.named(spot.folder.id, spot.name, '/content?@microsoft.graph.conflictBehavior=replace')
    const node = parseFile(api.what(verb), await api.putNothing(verb, path, signal))
    if (node.size > 0) throw this.#again(verb, `expected a file of nothing, got ${node.size} bytes`)
    return this.#timed(node, errand, signal)
  }

  async #send(spot: Spot, errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const parts = { ...this.#parts, ...errand, spot }
    try {
      return await this.#proven(await sendBySession(parts, signal), errand, signal)
    } catch (thrown) {
      const node = signal.aborted ? undefined : await this.#finished(thrown, spot, errand, signal)
      if (node === undefined) throw thrown
      return node
    }
  }

  /** After an answer that leaves open whether there is a file now: it tells by its content (F64). */
  async #finished(thrown: unknown, spot: Spot, errand: Errand, signal: AbortSignal): Promise<FileNode | undefined> {
    const isLost = thrown instanceof TransportError && thrown.afterSent
    const isOver = isRefused(thrown, 404, 500, 502, 504)
    if (!isLost && !isOver) return undefined
    const { drive } = this.#parts
    const node = await drive.at(errand.verb, drive.named(spot.folder.id, spot.name), signal)
    // The version that was there before is no news, however much it looks like this one.
    const isOld = node?.kind === 'file' && spot.held?.kind === 'file' && spot.held.eTag === node.eTag
    return node?.kind === 'file' && node.name === spot.name && !isOld ? this.#adopted(node, errand, signal) : undefined
  }

  /** Holds what OneDrive has against what was sent (F65). What is wrong there goes to the bin, and after some times nobody sends it again. */
  async #proven(sent: Sent, errand: Errand, signal: AbortSignal): Promise<FileNode> {
    const { copy, at, verb } = errand
    const { drive } = this.#parts
    const hash = sent.proof.hash.base64()
    const node = sent.node.hash === undefined ? await this.#lookedAgain(sent.node, verb, signal) : sent.node
    const isSame = node.size === copy.size && (await this.#hasHash(node, hash, errand, signal))
    if (isSame) {
      this.#mismatches.forget(at)
      return node
    }
    if (drive.root.type !== 'personal' && rewrittenKinds.test(at)) return this.#rewritten(node, errand, signal)
    await this.#trash(node, verb, signal)
    const has = `${node.size} bytes of the hash ${node.hash ?? 'unknown'}`
    const fault = `${this.#parts.api.what(verb)}: expected ${copy.size} bytes of the hash ${hash}, got ${has}`
    throw this.#mismatches.count(fault, at)
  }

  async #hasHash(node: FileNode, hash: string, { copy, verb }: Errand, signal: AbortSignal): Promise<boolean> {
    if (node.hash !== undefined) return node.hash === hash
    return (await this.#downloadedSha256(node, verb, signal)) === copy.sha256
  }

  /** Sending it again would only have it rewritten again (F66): what SharePoint made of it is accepted if it can be had back whole. */
  async #rewritten(node: FileNode, { copy, at, verb }: Errand, signal: AbortSignal): Promise<FileNode> {
    await this.#downloadedSha256(node, verb, signal)
    const bytes = { sentBytes: copy.size, keptBytes: node.size }
    this.#parts.log.warn('rewritten by SharePoint', { copy: this.#parts.api.what(verb), path: at, ...bytes })
    return node
  }

  /** Only this version: somebody else's is not ours to take away. */
  async #trash({ id, eTag }: FileNode, verb: string, signal: AbortSignal): Promise<void> {
    const { api, drive } = this.#parts
    const call = { method: 'DELETE', path: drive.path(id), headers: { 'if-match': eTag } } as const
    try {
      await api.json(`removal after ${verb}`, call, signal)
    } catch (thrown) {
      if (!isRefused(thrown, 404, 412)) throw thrown
    }
  }

  async #lookedAgain(given: FileNode, verb: string, signal: AbortSignal): Promise<FileNode> {
    const { api, drive } = this.#parts
    const node = await drive.at(verb, drive.path(given.id), signal)
    if (node === undefined) throw this.#again(verb, 'it is not to be seen yet')
    return this.#file(node, api.what(verb))
  }

  async #downloadedSha256(node: FileNode, verb: string, signal: AbortSignal): Promise<string> {
    return sha256Of(await contentOf(this.#parts, { node, start: 0, verb }, signal))
  }

  #file(node: Awaited<ReturnType<Drive['change']>>, what: string): FileNode {
    if (node.kind === 'file') return node
    throw new TargetError({ kind: 'retry' }, `${what}: expected a file, got something else; it is tried again`)
  }

  #again(verb: string, why: string): TargetError {
    return new TargetError({ kind: 'retry' }, `${this.#parts.api.what(verb)}: ${why}; it is tried again`)
  }
}
