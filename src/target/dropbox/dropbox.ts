/**
 * Dropbox as a target, through its API v2: a folder of one account. It puts the verbs together from calls; pace, login and connections are
 * the transport's, the order of copies and their retries the lane's.
 * An abort rejects at once. A small copy's call may still have done its work, a large one is left where its saved session tells.
 */
import type { Readable } from 'node:stream'
import { abortFirst } from '../../base/abort.ts'
import { abortReason } from '../../base/clock.ts'
import { remotePath, type RemotePath, showPath } from '../../base/path.ts'
import { sha256Of } from '../content-check.ts'
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
import { DropboxApi } from './api.ts'
import { ContentHash } from './content-hash.ts'
import { Refused } from './errors.ts'
import {
  type FileNode,
  type FolderNode,
  parseAccount,
  parseCreated,
  parseNode,
  parseSpace,
  type Node,
} from './metadata.ts'
import { folderMoved, moved, type MoveParts } from './moves.ts'
import { Places, rootOf } from './places.ts'
import { fileBytesMax, Puts } from './puts.ts'
import { entryOf, gotten, listed } from './reading.ts'
import { revisionOf, Revs } from './revision.ts'
import { chunkBytes } from './session.ts'

export interface DropboxOptions {
  readonly name: string
  /** The login's name, for messages. */
  readonly account: string
  /** Below what the login may see; '' for all of that. */
  readonly folder: string
  /** Of this target alone: it is closed with it. */
  readonly transport: Transport
  /** Nothing is made there. */
  readonly isForReading?: boolean
}

export function dropboxTarget(options: DropboxOptions): Target {
  return new DropboxTarget(options)
}

class DropboxTarget implements Target {
  readonly traits: Traits = { caseSensitive: false, fileBytesMax, revisionIsContent: true, chunkBytes }
  readonly #options: DropboxOptions
  readonly #root: string
  readonly #api: DropboxApi
  readonly #places: Places
  readonly #puts: Puts
  readonly #turns = new PathTurns()
  readonly #finds = new Finds()
  readonly #revs = new Revs()

  constructor(options: DropboxOptions) {
    this.#options = options
    this.#root = rootOf(options.folder)
    this.#api = new DropboxApi(options)
    const lookUp = (path: string, signal: AbortSignal): Promise<Node | undefined> => this.#lookUp(path, signal)
    this.#places = new Places(this.#root, lookUp)
    this.#puts = new Puts({ api: this.#api, places: this.#places, lookUp, finds: this.#finds, revs: this.#revs })
  }

  open(expected: string | undefined, signal: AbortSignal): Promise<Identity> {
    return abortFirst(signal, async () => {
      this.#places.forget()
      const account = await this.#account(signal)
      const [accountOfMark] = expected?.split(' ') ?? []
      if (accountOfMark !== undefined && accountOfMark !== account.id)
        throw this.#missing(
          `the login is of another account (${account.email}) than the copies`,
          'log in with the other',
        )
      const folder =
        this.#root === ''
          ? undefined
          : await this.#folder(expected === undefined && this.#options.isForReading !== true, signal)
      if (expected === undefined && this.#options.isForReading !== true) await this.#expectFinds(signal)
      const mark = folder === undefined ? account.id : `${account.id} ${folder.id}`
      return { mark, isSame: expected === undefined || expected === mark }
    })
  }

  put(copy: LocalCopy, at: RemotePath, work: PutWork, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, () =>
      this.#turns.take(at, signal, async () => {
        const node = await this.#puts.put(copy, at, work, signal)
        this.#revs.note(node)
        return receiptOf(node, at, copy)
      }),
    )
  }

  move(receipt: Receipt, to: RemotePath, signal: AbortSignal): Promise<Receipt> {
    return abortFirst(signal, async () =>
      receiptOf(await moved(this.#moves, receipt.remoteId, to, signal), to, receipt),
    )
  }

  /** What is below keeps its revisions, which are its content. */
  moveFolder(from: RemotePath, to: RemotePath, signal: AbortSignal): Promise<FolderMoved> {
    return abortFirst(signal, () => {
      this.#revs.forget()
      return unlessRefused(() => folderMoved(this.#moves, from, to, signal))
    })
  }

  /** Only business accounts may purge; elsewhere what was purged stays in the trash for its time. */
  remove(receipt: Receipt, how: 'trash' | 'purge', signal: AbortSignal): Promise<void> {
    return abortFirst(signal, async () => {
      const verb = `removal of ${showPath(receipt.path)}`
      const rev = how === 'purge' ? await this.#revOf(verb, receipt, signal) : undefined
      const arg = { path: receipt.remoteId, ...(rev === undefined ? {} : { parent_rev: rev }) }
      try {
        await this.#api.rpc(verb, (sdk) => sdk.filesDeleteV2(arg), signal)
      } catch (thrown) {
        if (!(thrown instanceof Refused) || !thrown.says('path_lookup/not_found')) throw thrown
      }
    })
  }

  look(at: RemotePath, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry | undefined> {
    return abortFirst(signal, async () => {
      const { held } = await this.#places.find(at, signal)
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
    // No time can be set without content, so any will do.
    const by = { what, isOfTime: true, hash: new ContentHash(), text: (hash: ContentHash) => hash.hex() }
    return recognised(entry, copy, by, signal)
  }

  async *list(
    under: RemotePath,
    want: { readonly hash: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<RemoteEntry, void, undefined> {
    try {
      const folder = await this.#listable(under, signal)
      if (folder === undefined) return
      for await (const entry of listed(this.#api, folder, under, signal)) yield await this.#hashed(entry, want, signal)
    } catch (thrown) {
      throw signal.aborted ? abortReason(signal) : thrown
    }
  }

  get(entry: RemoteEntry, range: { readonly start: number }, signal: AbortSignal): Promise<Readable> {
    return abortFirst(signal, () => gotten(this.#api, entry, range.start, signal))
  }

  about(signal: AbortSignal): Promise<Space> {
    return abortFirst(signal, async () => {
      const verb = 'question for space'
      const { email } = await this.#account(signal)
      const answer = await this.#api.rpc(verb, (sdk) => sdk.usersGetSpaceUsage(), signal)
      const { used, free } = parseSpace(this.#api.what(verb), answer)
      return { account: email, usedBytes: used, freeBytes: free }
    })
  }

  /** Sessions that nobody goes on with end by themselves after a week; there is no call that ends one. */
  rest(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return this.#options.transport.close()
  }

  get #moves(): MoveParts {
    return { api: this.#api, places: this.#places, lookUp: this.#lookUp.bind(this) }
  }

  async #account(signal: AbortSignal): Promise<{ readonly id: string; readonly email: string }> {
    const verb = 'question for the account'
    return parseAccount(this.#api.what(verb), await this.#api.rpc(verb, (sdk) => sdk.usersGetCurrentAccount(), signal))
  }

  /** Of a place that was never opened it is not known what it holds. */
  async #expectFinds(signal: AbortSignal): Promise<void> {
    const entries = this.list(remotePath(''), { hash: false }, signal)
    const first = await entries.next()
    await entries.return()
    if (first.done !== true) this.#finds.expect()
  }

  async #folder(mayMake: boolean, signal: AbortSignal): Promise<FolderNode> {
    const node = await this.#lookUp(this.#root, signal)
    if (node?.kind === 'folder') return node
    if (node !== undefined) throw this.#missing(`a file is where ${this.#root} should be`, 'move it away at Dropbox')
    if (!mayMake)
      throw this.#missing(
        `the folder ${this.#root} is gone`,
        'restore it at Dropbox, or create it again if it was meant to go',
      )
    const verb = `creation of ${this.#root}`
    const arg = { path: this.#root, autorename: false }
    return parseCreated(this.#api.what(verb), await this.#api.rpc(verb, (sdk) => sdk.filesCreateFolderV2(arg), signal))
  }

  /** undefined where it is gone already. */
  async #revOf(verb: string, receipt: Receipt, signal: AbortSignal): Promise<string | undefined> {
    const node = await this.#lookUp(receipt.remoteId, signal)
    if (node === undefined) return undefined
    if (node.kind === 'file' && revisionOf(node) === receipt.revision) return node.rev
    const step = 'remove it yourself, then run "fanfold retry"'
    throw new TargetError({ kind: 'park' }, `${this.#api.what(verb)}: somebody changed it; ${step}`)
  }

  async #listable(under: RemotePath, signal: AbortSignal): Promise<Pick<FolderNode, 'id' | 'pathLower'> | undefined> {
    const path = await this.#places.folder(under, signal)
    // Dropbox's own root has no metadata, and its path is nothing.
    if (path === '') return { id: '', pathLower: '' }
    const node = await this.#lookUp(path, signal)
    return node?.kind === 'folder' ? node : undefined
  }

  async #lookUp(path: string, signal: AbortSignal): Promise<Node | undefined> {
    const verb = `look at ${path}`
    try {
      const answer = await this.#api.rpc(verb, (sdk) => sdk.filesGetMetadata({ path }), signal)
      const node = parseNode(this.#api.what(verb), answer)
      if (node?.kind === 'file') this.#revs.note(node)
      return node
    } catch (thrown) {
      const isNothing =
        thrown instanceof Refused && (thrown.says('path/not_found') || thrown.says('path/malformed_path'))
      if (isNothing) return undefined
      throw thrown
    }
  }

  async #hashed(entry: RemoteEntry, want: { readonly hash: boolean }, signal: AbortSignal): Promise<RemoteEntry> {
    if (!want.hash) return entry
    return { ...entry, sha256: await sha256Of(await gotten(this.#api, entry, 0, signal)) }
  }

  #missing(what: string, step: string): TargetError {
    const message = `${this.#options.name}: ${what}; ${step}`
    return new TargetError({ kind: 'pause-target', state: 'missing' }, message)
  }
}

/** Dropbox keeps whole seconds, and no other time for content that it has: the receipt says what the copy's time is. */
function receiptOf(node: FileNode, path: RemotePath, of: Pick<Receipt, 'sha256' | 'mtimeNs'>): Receipt {
  const { id, size } = node
  return { path, remoteId: id, revision: revisionOf(node), size, sha256: of.sha256, mtimeNs: of.mtimeNs }
}
