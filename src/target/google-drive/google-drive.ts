/**
 * Google Drive as a target, through its API v3: a folder of one account, or of a shared drive. It puts the verbs together from calls; pace,
 * login and connections are the transport's, the order of copies and their retries the lane's.
 * An abort rejects at once. A small copy's call may still have done its work, a large one is left where its saved session tells.
 */
import type { Readable } from 'node:stream'
import { abortFirst } from '../../base/abort.ts'
import { abortReason, type Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { folderOf, type RemotePath, showPath } from '../../base/path.ts'
import { sha256Of } from '../content-check.ts'
import type { FolderMemory } from '../folder-memory.ts'
import { unlessRefused } from '../folder-moves.ts'
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
import { allDrives, DriveApi, rootAlias } from './api.ts'
import { isTimeOf, type UploadSizes, usualSizes } from './errand.ts'
import { Refused } from './errors.ts'
import { Folders } from './folders.ts'
import { IdPool } from './id-pool.ts'
import { Inventory } from './inventory.ts'
import { Md5 } from './md5.ts'
import { type About, aboutFields, type FileNode, parseAbout } from './metadata.ts'
import { folderMoved, moved, type MoveParts } from './moves.ts'
import { fileBytesMax, Puts } from './puts.ts'
import { entryOf, gotten, listed } from './reading.ts'

export interface GoogleDriveOptions {
  readonly name: string
  /** The login's name, for messages. */
  readonly account: string
  /** Below My Drive, or below the shared drive; '' for all of that. */
  readonly folder: string
  /** Id of a shared drive; undefined for My Drive. */
  readonly drive: string | undefined
  /** Of this target alone: it is closed with it. */
  readonly transport: Transport
  /** The authority on which folders are there. */
  readonly folders: FolderMemory
  readonly clock: Clock
  readonly log: Log
  /** Of uploads; the usual ones where left out. */
  readonly sizes?: UploadSizes
  /** Nothing is made there. */
  readonly isForReading?: boolean
}

export function googleDriveTarget(options: GoogleDriveOptions): Target {
  return new GoogleDriveTarget(options)
}

/** How old a listing may be to say what is there now: many looks into one folder cost one call. Unit: ms. */
const lookMs = 1000

class GoogleDriveTarget implements Target {
  readonly traits: Traits
  readonly #options: GoogleDriveOptions
  readonly #names: readonly string[]
  readonly #api: DriveApi
  readonly #ids: IdPool
  readonly #inventory: Inventory
  readonly #folders: Folders
  readonly #puts: Puts
  readonly #turns = new PathTurns()

  constructor(options: GoogleDriveOptions) {
    const { name, log, folders: memory, clock, sizes = usualSizes } = options
    const { chunkBytes } = sizes
    this.traits = { caseSensitive: true, fileBytesMax, revisionIsContent: true, chunkBytes }
    this.#options = options
    this.#names = options.folder.split('/').filter((part) => part !== '')
    const api = new DriveApi(options)
    const ids = new IdPool(api, clock)
    const inventory = new Inventory(api, clock)
    const folders = new Folders({ api, ids, inventory, memory, name, log })
    this.#api = api
    this.#ids = ids
    this.#inventory = inventory
    this.#folders = folders
    this.#puts = new Puts({ api, ids, inventory, folders, sizes })
  }

  open(expected: string | undefined, signal: AbortSignal): Promise<Identity> {
    return abortFirst(signal, async () => {
      this.#ids.forget()
      this.#api.forgetHome()
      this.#folders.recheck()
      const about = await this.#about(signal)
      const [accountOfMark, rootOfMark] = expected?.split(' ') ?? []
      if (accountOfMark !== undefined && accountOfMark !== about.id)
        throw this.#missing(`the login is of another account (${about.name}) than the copies`, 'log in with the other')
      const root = await this.#rootOf(rootOfMark, signal)
      this.#folders.begin(root)
      const mark = `${about.id} ${root}`
      return { mark, isSame: expected === undefined || expected === mark }
    })
  }

  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, () =>
      this.#turns.take(at, signal, async () => receiptOf(await this.#puts.put(copy, at, work, signal), at, copy)),
    )
  }

  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, async () => {
      this.#puts.movedAway(receipt.remoteId)
      return receiptOf(await moved(this.#moves, receipt.remoteId, to, signal), to, receipt)
    })
  }

  /** What is below keeps its revisions, which are of content alone. */
  moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved> {
    return abortFirst(signal, () =>
      unlessRefused(async () => {
        try {
          const answer = await folderMoved(this.#moves, from, to, signal)
          if (answer === 'moved') this.#puts.folderMoved(from, to)
          return answer
        } catch (thrown) {
          this.#puts.folderMoved(from, undefined)
          throw thrown
        }
      }),
    )
  }

  /** By id alone, never by name. */
  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void> {
    return abortFirst(signal, async () => {
      const verb = `removal of ${showPath(receipt.path)}`
      const fileId = receipt.remoteId
      try {
        if (how === 'trash') await this.#api.update(verb, { fileId, requestBody: { trashed: true } }, signal)
        else await this.#purge(verb, receipt, signal)
      } catch (thrown) {
        if (!(thrown instanceof Refused) || thrown.status !== 404) throw thrown
      }
      this.#inventory.gone(fileId)
    })
  }

  look(
    at: RemotePath,
    want: { readonly hash: boolean; readonly fresh?: boolean },
    signal: AbortSignal,
  ): Promise<RemoteEntry | undefined> {
    return abortFirst(signal, async () => {
      const folder = await this.#folders.find(folderOf(at), signal)
      if (folder === undefined) return undefined
      const named = await this.#inventory.named(folder, Folders.spelled(at), signal, lookMs)
      const listed = named.find((one): one is FileNode => one.kind === 'file')
      const node = want.fresh === true && listed !== undefined ? await this.#seen(listed, folder, signal) : listed
      return node && this.#hashed(entryOf(node, at), want, signal)
    })
  }

  recognise(
    entry: RemoteEntry,
    copy: LocalCopy,
    _previous: Receipt | undefined,
    signal: AbortSignal,
  ): Promise<Receipt | undefined> {
    const what = this.#api.what(`look at ${showPath(entry.path)}`)
    const isOfTime = isTimeOf(entry.mtimeNs, copy)
    return recognised(entry, copy, { what, isOfTime, hash: Md5.ofNothing(), text: (hash) => hash.hex() }, signal)
  }

  async *list(
    under: RemotePath,
    want: { readonly hash: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<RemoteEntry, void, undefined> {
    try {
      this.#inventory.refresh()
      const id = await this.#folders.find(under, signal)
      if (id === undefined) return
      const { log, name } = this.#options
      const parts = { api: this.#api, log, name }
      for await (const { entry } of listed(parts, { id, path: under }, signal))
        yield await this.#hashed(entry, want, signal)
    } catch (thrown) {
      throw signal.aborted ? abortReason(signal) : thrown
    }
  }

  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable> {
    return abortFirst(signal, () => gotten(this.#api, entry, range.start, signal))
  }

  /** What is free in a shared drive is its organisation's to know. */
  about(signal: AbortSignal): Promise<Space> {
    return abortFirst(signal, async () => {
      const { name, used, limit } = await this.#about(signal)
      const isBound = limit !== undefined && this.#options.drive === undefined
      return { account: name, usedBytes: used, freeBytes: isBound ? Math.max(0, limit - used) : undefined }
    })
  }

  /** Sessions that nobody goes on with end by themselves after a week. */
  rest(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return this.#options.transport.close()
  }

  get #moves(): MoveParts {
    return { api: this.#api, folders: this.#folders, inventory: this.#inventory }
  }

  async #about(signal: AbortSignal): Promise<About> {
    const verb = 'question for the account'
    const value = await this.#api.rpc(verb, (sdk, options) => sdk.about.get({ fields: aboutFields }, options), signal)
    return parseAbout(this.#api.what(verb), value)
  }

  /** By its id where a mark has one; else by its name, and made where nothing was ever copied. */
  async #rootOf(known: string | undefined, signal: AbortSignal): Promise<string> {
    const top = await this.#top(signal)
    if (this.#names.length === 0) return top
    const node = known === undefined ? undefined : await this.#api.node('look at the root', known, signal)
    if (node?.kind === 'folder' && !node.isTrashed) return node.id
    const mayMake = known === undefined && this.#options.isForReading !== true
    const root = await this.#folders.root(top, this.#names, mayMake, signal)
    if (root !== undefined) return root
    const step = 'restore it at Google Drive, or create it again if it was meant to go'
    throw this.#missing(`the folder ${this.#options.folder} is gone, or was made with another client-id`, step)
  }

  /** The id of My Drive's root, or its alias where the login may not see that: the scope drive.file sees what we made, and nothing above. */
  async #top(signal: AbortSignal): Promise<string> {
    const { drive } = this.#options
    const node = await this.#api.node('look at the drive', drive ?? rootAlias, signal)
    if (node !== undefined) return node.id
    if (drive === undefined) return rootAlias
    throw this.#missing(`the shared drive ${drive} is not there for this login`, 'check "drive" and who may see it')
  }

  async #purge(verb: string, receipt: Receipt, signal: AbortSignal): Promise<void> {
    const fileId = receipt.remoteId
    const node = await this.#api.node(verb, fileId, signal)
    if (node?.kind === 'file' && node.revision !== receipt.revision) {
      const step = 'remove it yourself, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${this.#api.what(verb)}: somebody changed it; ${step}`)
    }
    if (node !== undefined)
      await this.#api.rpc(verb, (sdk, options) => sdk.files.delete({ fileId, ...allDrives }, options), signal)
  }

  /** By its id, which no listing is behind; undefined where it is somewhere else now. */
  async #seen({ id, name }: FileNode, folder: string, signal: AbortSignal): Promise<FileNode | undefined> {
    const node = await this.#api.node('look', id, signal)
    this.#inventory.gone(id)
    if (node?.kind !== 'file') return undefined
    this.#inventory.note(node)
    return !node.isTrashed && node.name === name && this.#api.isIn(node, folder) ? node : undefined
  }

  /** A sha256 that Google does not have costs a download. */
  async #hashed(entry: RemoteEntry, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry> {
    if (!want.hash || entry.sha256 !== undefined) return entry
    return { ...entry, sha256: await sha256Of(await gotten(this.#api, entry, 0, signal)) }
  }

  #missing(what: string, step: string): TargetError {
    const message = `${this.#options.name}: ${what}; ${step}`
    return new TargetError({ kind: 'pause-target', state: 'missing' }, message)
  }
}

/** Google keeps milliseconds: the receipt says what the copy's time is. */
function receiptOf(node: FileNode, path: RemotePath, of: Pick<Receipt, 'sha256' | 'mtimeNs'>): Receipt {
  const { id, revision, size } = node
  return { path, remoteId: id, revision, size, sha256: of.sha256, mtimeNs: of.mtimeNs }
}
