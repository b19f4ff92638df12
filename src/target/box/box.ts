/**
 * Box as a target, through its API 2.0: a folder of one account. It puts the verbs together from calls; pace, login and connections are
 * the transport's, the order of copies and their retries the lane's.
 * An abort rejects at once. A small copy's call may still have done its work, a large one is left where its saved session tells.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { abortFirst } from '../../base/abort.ts'
import { abortReason, type Clock } from '../../base/clock.ts'
import { remotePath, type RemotePath, showPath } from '../../base/path.ts'
import { sha256Of } from '../content-check.ts'
import type { FolderMemory } from '../folder-memory.ts'
import { Finds } from '../finds.ts'
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
import { BoxApi } from './api.ts'
import { folderMoved, moved, purged, trashed } from './changes.ts'
import { type FileNode, parseUser, type User } from './metadata.ts'
import { Places } from './places.ts'
import { Puts } from './puts.ts'
import { entryOf, gotten, listed } from './reading.ts'
import { revisionOf } from './revision.ts'
import { boxTime, isSameTime } from './times.ts'

export interface BoxOptions {
  readonly name: string
  /** The login's name, for messages. */
  readonly account: string
  /** Below what the login may see; '' for all of that. */
  readonly folder: string
  /** Of this target alone: it is closed with it. */
  readonly transport: Transport
  readonly folders: FolderMemory
  readonly clock: Clock
  /** Files up to this go in one call. At least what Box wants of a session, 20,000,000; tests have smaller worlds. */
  readonly directBytesMax?: number
  /** How long is waited where Box does not say. Default as rclone's. Unit: ms. */
  readonly patienceMs?: number
  /** Nothing is made there. */
  readonly isForReading?: boolean
}

/** Box's own root. */
const rootId = '0'
/** Until the account was asked: of the largest plan. Unit: bytes. */
const fileBytesMaxOfAll = 500 * 2 ** 30
const directBytesMaxByDefault = 20 * 2 ** 20
const patienceMsByDefault = 10_000
/** The smallest part that was seen. Box says how large they are. Unit: bytes. */
const chunkBytes = 8 * 2 ** 20

export function boxTarget(options: BoxOptions): Target {
  return new BoxTarget(options)
}

class BoxTarget implements Target {
  readonly #options: BoxOptions
  readonly #api: BoxApi
  readonly #places: Places
  readonly #puts: Puts
  readonly #turns = new PathTurns()
  readonly #finds = new Finds()
  #fileBytesMax = fileBytesMaxOfAll
  #root = rootId

  constructor(options: BoxOptions) {
    this.#options = options
    const { folders: memory, patienceMs = patienceMsByDefault, directBytesMax = directBytesMaxByDefault } = options
    this.#api = new BoxApi({ ...options, patienceMs })
    this.#places = new Places({ api: this.#api, memory, root: () => this.#root })
    const fileBytesMax = (): number => this.#fileBytesMax
    const own = { api: this.#api, places: this.#places, finds: this.#finds }
    this.#puts = new Puts({ ...own, fileBytesMax, directBytesMax })
  }

  get traits(): Traits {
    return { caseSensitive: false, fileBytesMax: this.#fileBytesMax, revisionIsContent: true, chunkBytes }
  }

  open(expected: string | undefined, signal: AbortSignal): Promise<Identity> {
    return abortFirst(signal, async () => {
      const user = await this.#user(signal)
      const [userOfMark] = expected?.split(' ') ?? []
      if (userOfMark !== undefined && userOfMark !== user.id)
        throw this.#missing(`the login is of another account (${user.login}) than the copies`, 'log in with the other')
      this.#fileBytesMax = user.fileBytesMax ?? fileBytesMaxOfAll
      this.#root = await this.#rootFolder(expected === undefined && this.#options.isForReading !== true, signal)
      if (expected === undefined && this.#options.isForReading !== true) await this.#expectFinds(signal)
      const mark = `${user.id} ${this.#root}`
      return { mark, isSame: expected === undefined || expected === mark }
    })
  }

  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, () =>
      this.#turns.take(at, signal, async () => receiptOf(await this.#puts.put(copy, at, work, signal), at, copy)),
    )
  }

  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt> {
    const parts = { api: this.#api, places: this.#places }
    return abortFirst(signal, async () => receiptOf(await moved(parts, receipt.remoteId, to, signal), to, receipt))
  }

  /** What is below keeps its revisions: only the etag of what is moved itself is another one. */
  moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved> {
    const parts = { api: this.#api, places: this.#places }
    return abortFirst(signal, () => unlessRefused(() => folderMoved(parts, from, to, signal)))
  }

  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void> {
    const parts = { api: this.#api, places: this.#places }
    return abortFirst(signal, () =>
      how === 'trash' ? trashed(this.#api, receipt, signal) : purged(parts, receipt, signal),
    )
  }

  look(at: RemotePath, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry | undefined> {
    return abortFirst(signal, async () => {
      const held = await this.#places.find(at, signal)
      return held && this.#hashed(entryOf(held, at), want, signal)
    })
  }

  recognise(
    entry: RemoteEntry,
    copy: LocalCopy,
    _previous: Receipt | undefined,
    signal: AbortSignal,
  ): Promise<Receipt | undefined> {
    const what = this.#api.what(`look at ${showPath(entry.path)}`)
    const isOfTime = boxTime(copy.mtimeNs) === undefined || isSameTime(entry.mtimeNs, copy.mtimeNs)
    const by = { what, isOfTime, hash: createHash('sha1'), text: (hash: Hash) => hash.copy().digest('hex') }
    return recognised(entry, copy, by, signal)
  }

  async *list(
    under: RemotePath,
    want: { readonly hash: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<RemoteEntry, void, undefined> {
    try {
      const folderId = await this.#places.folder(under, signal)
      if (folderId === undefined) return
      for await (const entry of listed(this.#api, folderId, under, signal))
        yield await this.#hashed(entry, want, signal)
    } catch (thrown) {
      throw signal.aborted ? abortReason(signal) : thrown
    }
  }

  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable> {
    const parts = { api: this.#api, places: this.#places }
    return abortFirst(signal, () => gotten(parts, entry, range.start, signal))
  }

  about(signal: AbortSignal): Promise<Space> {
    return abortFirst(signal, async () => {
      const { login, usedBytes, freeBytes } = await this.#user(signal)
      return { account: login, usedBytes, freeBytes }
    })
  }

  /** Sessions that nobody goes on with end by themselves after a week. */
  rest(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return this.#options.transport.close()
  }

  async #user(signal: AbortSignal): Promise<User> {
    const verb = 'question for the account'
    const wish = { fields: ['id', 'login', 'space_amount', 'space_used', 'max_upload_size'] }
    const answer = await this.#api.ask(verb, (sdk) => sdk.users.getUserMe(wish, undefined, signal), signal)
    return parseUser(this.#api.what(verb), answer)
  }

  /** Name by name, as the configuration has it; the owner chose the names, so they go as they are. */
  /** Of a place that was never opened it is not known what it holds. */
  async #expectFinds(signal: AbortSignal): Promise<void> {
    const entries = this.list(remotePath(''), { hash: false }, signal)
    const first = await entries.next()
    await entries.return()
    if (first.done !== true) this.#finds.expect()
  }

  async #rootFolder(mayMake: boolean, signal: AbortSignal): Promise<string> {
    let folderId = rootId
    for (const name of this.#options.folder.normalize('NFC').split('/')) {
      if (name === '') continue
      const spot = { folderId, name }
      const held = mayMake ? await this.#places.folderNamed(spot, signal) : await this.#places.held(spot, signal)
      if (held === undefined)
        throw this.#missing(`the folder ${name} is gone`, 'restore it at Box, or create it again if it was meant to go')
      if (held.kind !== 'folder')
        throw this.#missing(`a file is where the folder ${name} should be`, 'move it away at Box')
      folderId = held.id
    }
    return folderId
  }

  async #hashed(entry: RemoteEntry, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry> {
    if (!want.hash) return entry
    const parts = { api: this.#api, places: this.#places }
    return { ...entry, sha256: await sha256Of(await gotten(parts, entry, 0, signal)) }
  }

  #missing(what: string, step: string): TargetError {
    const message = `${this.#options.name}: ${what}; ${step}`
    return new TargetError({ kind: 'pause-target', state: 'missing' }, message)
  }
}

/** Box keeps whole seconds: the receipt says what the copy's time is. */
function receiptOf(node: FileNode, path: RemotePath, of: Pick<Receipt, 'sha256' | 'mtimeNs'>): Receipt {
  const { id, size } = node
  return { path, remoteId: id, revision: revisionOf(node), size, sha256: of.sha256, mtimeNs: of.mtimeNs }
}
