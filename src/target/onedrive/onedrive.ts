/**
 * OneDrive as a target, through Microsoft Graph: a folder of a personal or business drive, or of a SharePoint library. It puts the verbs
 * together from calls; pace, login and connections are the transport's, the order of copies and their retries the lane's.
 * An abort rejects at once. What is under way then is left where its saved session tells.
 */
import type { Readable } from 'node:stream'
import { abortFirst } from '../../base/abort.ts'
import { abortReason } from '../../base/clock.ts'
import { BrokenInvariant } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { type RemotePath, showPath } from '../../base/path.ts'
import { sha256Of } from '../content-check.ts'
import { unlessRefused } from '../folder-moves.ts'
import { nameRules } from '../name-rules.ts'
import { nameKey } from '../names.ts'
import { PathTurns } from '../path-turns.ts'
import { recognised } from '../recognition.ts'
import type {
  FolderMoved,
  Identity,
  LocalCopy,
  PutWork,
  Receipt,
  RemoteEntry,
  Space,
  Target,
  Traits,
} from '../target.ts'
import { TargetError } from '../target.ts'
import type { Transport } from '../transport/transport.ts'
import { GraphApi } from './api.ts'
import { Drive } from './drive.ts'
import { isRefused } from './errors.ts'
import { Listing } from './listing.ts'
import { type FileNode, isVersion } from './metadata.ts'
import { folderMoved, moved } from './moves.ts'
import { type DriveChoice, driveFacts, foundRoot, markOf } from './opening.ts'
import { Places } from './places.ts'
import { fileBytesMax, Puts, rewrittenKinds } from './puts.ts'
import { QuickXor } from './quickxor.ts'
import { entryOf, gotten } from './reading.ts'
import { usualFragmentBytes } from './session.ts'

export type { DriveChoice } from './opening.ts'

export interface OneDriveOptions {
  readonly name: string
  /** The login's name, for messages. */
  readonly account: string
  readonly drive: DriveChoice
  /** Below the drive's root, or the app's folder; '' for all of that. */
  readonly folder: string
  /** Of this target alone: it is closed with it. */
  readonly transport: Transport
  readonly log: Log
  /** Bytes sent at a time: a multiple of 320 KiB, less than 60 MiB. */
  readonly fragmentBytes?: number
  /** Nothing is made there. */
  readonly isForReading?: boolean
}

export function oneDriveTarget(options: OneDriveOptions): Target {
  return new OneDriveTarget(options)
}

/** What the drive keeps of a time. */
const secondNs = 1_000_000_000n

/** What there is once the drive is known. */
interface Opened {
  readonly drive: Drive
  readonly places: Places
  readonly puts: Puts
}

class OneDriveTarget implements Target {
  readonly traits: Traits
  readonly #options: OneDriveOptions
  readonly #api: GraphApi
  readonly #turns = new PathTurns()
  #opened: Opened | undefined

  constructor(options: OneDriveOptions) {
    const chunkBytes = options.fragmentBytes ?? usualFragmentBytes
    this.traits = { caseSensitive: false, fileBytesMax, revisionIsContent: true, chunkBytes }
    this.#options = options
    this.#api = new GraphApi(options)
  }

  open(expected: string | undefined, signal: AbortSignal): Promise<Identity> {
    return abortFirst(signal, async () => {
      const { name, folder, drive: choice, log, isForReading } = this.#options
      const mayMake = expected === undefined && isForReading !== true
      const root = await foundRoot({ api: this.#api, name, folder, drive: choice, mayMake }, expected, signal)
      const drive = new Drive(this.#api, root)
      const places = new Places(drive)
      const fragmentBytes = this.traits.chunkBytes
      this.#opened = { drive, places, puts: new Puts({ api: this.#api, drive, places, fragmentBytes, log }) }
      const mark = markOf(root)
      return { mark, isSame: expected === undefined || expected === mark }
    })
  }

  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, () =>
      // Twins take turns, too: both would find their plain name free, and one would be written over the other (F54).
      this.#turns.take(nameKey(at, nameRules.oneDrive), signal, async () =>
        receiptOf(await this.#open.puts.put(copy, at, work, signal), at, copy),
      ),
    )
  }

  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, async () => {
      const node = await moved({ api: this.#api, ...this.#open }, receipt.remoteId, to, signal)
      return receiptOf(node, to, receipt)
    })
  }

  /** What is below keeps its revisions: a folder that moves changes no content. */
  moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved> {
    return abortFirst(signal, () =>
      unlessRefused(() => folderMoved({ api: this.#api, ...this.#open }, from, to, signal)),
    )
  }

  /** A personal drive purges nothing: what was purged there stays in the recycle bin for its time. */
  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void> {
    return abortFirst(signal, async () => {
      const { drive } = this.#open
      const verb = `removal of ${showPath(receipt.path)}`
      const path = drive.path(receipt.remoteId)
      try {
        if (how === 'trash') await this.#api.json(verb, { method: 'DELETE', path }, signal)
        else await this.#purge(verb, receipt, signal)
      } catch (thrown) {
        if (!isRefused(thrown, 404)) throw thrown
      }
    })
  }

  look(at: RemotePath, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry | undefined> {
    return abortFirst(signal, async () => {
      const held = (await this.#open.places.find(at, signal))?.held
      return held?.kind === 'file' ? this.#hashed(entryOf(held, at), want, signal) : undefined
    })
  }

  /** The hash knows no order, so bytes alone do not make it the same file: the time has to be ours, too. */
  recognise(
    entry: RemoteEntry,
    copy: LocalCopy,
    previous: Receipt | undefined,
    signal: AbortSignal,
  ): Promise<Receipt | undefined> {
    const what = this.#api.what(`look at ${showPath(entry.path)}`)
    if (previous !== undefined && isKeptRewritten(this.#open.drive, entry, copy, previous))
      return Promise.resolve({ ...previous, mtimeNs: copy.mtimeNs })
    const isOfTime = entry.mtimeNs / secondNs === copy.mtimeNs / secondNs
    return recognised(entry, copy, { what, isOfTime, hash: new QuickXor(), text: (hash) => hash.base64() }, signal)
  }

  async *list(
    under: RemotePath,
    want: { readonly hash: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<RemoteEntry, void, undefined> {
    try {
      const { places, drive } = this.#open
      const folder = await places.folder(under, false, signal)
      if (folder === undefined) return
      const listing = new Listing(this.#api, drive, { folder, under })
      for await (const entry of listing.entries(signal)) yield await this.#hashed(entry, want, signal)
    } catch (thrown) {
      throw signal.aborted ? abortReason(signal) : thrown
    }
  }

  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable> {
    return abortFirst(signal, () => gotten(this.#reading, entry, range.start, signal))
  }

  about(signal: AbortSignal): Promise<Space> {
    return abortFirst(signal, async () => {
      try {
        const { owner, usedBytes, freeBytes } = await driveFacts({ api: this.#api, drive: this.#options.drive }, signal)
        return { account: owner, usedBytes, freeBytes }
      } catch (thrown) {
        // A login that sees the app's folder only may not be told of the drive.
        if (this.#options.drive !== 'app-folder' || !isRefused(thrown, 403)) throw thrown
        return { account: this.#options.account, usedBytes: 0, freeBytes: undefined }
      }
    })
  }

  /** Sessions that nobody goes on with end by themselves. */
  rest(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return this.#options.transport.close()
  }

  get #open(): Opened {
    if (this.#opened === undefined) throw new BrokenInvariant(`${this.#options.name} was used before it was opened`)
    return this.#opened
  }

  get #reading(): { readonly api: GraphApi; readonly drive: Drive } {
    return { api: this.#api, drive: this.#open.drive }
  }

  async #purge(verb: string, receipt: Receipt, signal: AbortSignal): Promise<void> {
    const { drive } = this.#open
    const path = drive.path(receipt.remoteId)
    const node = await drive.at(verb, path, signal)
    if (node === undefined) return
    if (node.kind !== 'file' || !isVersion(node, receipt.revision)) {
      const step = 'remove it yourself, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${this.#api.what(verb)}: somebody changed it; ${step}`)
    }
    if (drive.root.type !== 'personal' && (await this.#isPurged(verb, `${path}/permanentDelete`, signal))) return
    const headers = { 'if-match': node.eTag }
    await this.#api.json(verb, { method: 'DELETE', path, headers }, signal)
  }

  /** Not every drive has that call. */
  async #isPurged(verb: string, path: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#api.json(verb, { method: 'POST', path, body: {} }, signal)
      return true
    } catch (thrown) {
      if (isRefused(thrown, 400, 403, 404, 405, 501)) return false
      throw thrown
    }
  }

  async #hashed(entry: RemoteEntry, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry> {
    if (!want.hash) return entry
    return { ...entry, sha256: await sha256Of(await gotten(this.#reading, entry, 0, signal)) }
  }
}

/** A document into which SharePoint wrote marks of its own has another hash than it was sent with: only its version tells it. */
function isKeptRewritten({ root }: Drive, entry: RemoteEntry, copy: LocalCopy, previous: Receipt): boolean {
  const isVersionOf = entry.revision === previous.revision && entry.size === previous.size
  return root.type !== 'personal' && rewrittenKinds.test(entry.path) && isVersionOf && previous.sha256 === copy.sha256
}

/** The drive keeps whole seconds, and SharePoint may have rewritten a document: size and version are the drive's, all else is the copy's. */
function receiptOf(node: FileNode, path: RemotePath, of: Pick<Receipt, 'sha256' | 'mtimeNs'>): Receipt {
  const { id, revision, size } = node
  return { path, remoteId: id, revision, size, sha256: of.sha256, mtimeNs: of.mtimeNs }
}
