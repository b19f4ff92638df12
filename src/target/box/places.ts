/**
 * Where paths of this program lie at Box, which knows folders and files by id and takes `Docs` and `docs` for one name (F53, F54). A folder's
 * id is remembered; where it is gone, it is looked for again, or made (F79). What is under a name is asked by the check before an upload.
 */
import { folderOf, nameOf, type RemotePath, showPath } from '../../base/path.ts'
import type { FolderMemory } from '../folder-memory.ts'
import { MovingFolders } from '../folder-moves.ts'
import { nameRules } from '../name-rules.ts'
import { chooseName, encodeName, encodeTwin, type EncodedName } from '../names.ts'
import { PathTurns } from '../path-turns.ts'
import { TargetError } from '../target.ts'
import type { BoxApi } from './api.ts'
import { isGone, Refused } from './errors.ts'
import { type FileNode, fileFields, type Held, parseConflict, parseFile, parseFolder } from './metadata.ts'

const rules = nameRules.box
/** No limit of a path's length, nothing reserved at the root. */
const anywhere = { unitsMax: Number.POSITIVE_INFINITY, isAtRoot: false }
/** A folder that is gone again as soon as it was made is somebody else's work. */
const goneTriesMax = 3

/** Where a file goes. */
export interface Spot {
  readonly folderId: string
  readonly name: string
}

export interface PlacesParts {
  readonly api: BoxApi
  readonly memory: FolderMemory
  /** The target's own folder; known once it is open. */
  readonly root: () => string
}

type Resolve = (path: string, signal: AbortSignal) => Promise<string | undefined>

export class Places {
  readonly #parts: PlacesParts
  readonly #turns = new PathTurns()
  readonly #moving = new MovingFolders()

  constructor(parts: PlacesParts) {
    this.#parts = parts
  }

  /** Runs `work` with the spelling that is right unless a twin lies there. Makes the folder where it is missing. */
  atPlain<T>(at: RemotePath, work: (spot: Spot) => Promise<T>, signal: AbortSignal): Promise<T> {
    const name = spelled(encodeName(nameOf(at), rules, anywhere))
    return this.#making(folderOf(at), (folderId) => work({ folderId, name }), signal)
  }

  /** The same with the spelling beside the twin that was found. */
  besideTwin<T>(at: RemotePath, work: (spot: Spot) => Promise<T>, signal: AbortSignal): Promise<T> {
    const name = spelled(encodeTwin(nameOf(at), rules, anywhere))
    return this.#making(folderOf(at), (folderId) => work({ folderId, name }), signal)
  }

  /** Looks where a file lies or would lie, and makes its folder. */
  prepare(at: RemotePath, signal: AbortSignal): Promise<Spot & { readonly held: FileNode | undefined }> {
    return this.#making(folderOf(at), (folderId) => this.#look(folderId, at, signal), signal)
  }

  /** What lies there; nothing is made. */
  async find(at: RemotePath, signal: AbortSignal): Promise<FileNode | undefined> {
    const look = async (folderId: string): Promise<FileNode | undefined> =>
      (await this.#look(folderId, at, signal)).held
    return this.#within(folderOf(at), this.#found, look, signal)
  }

  /** The id of a folder that is there, undefined where there is none. */
  folder(path: string, signal: AbortSignal): Promise<string | undefined> {
    const { api } = this.#parts
    const verb = `look at ${showPath(path)}`
    const wish = { queryParams: { fields: ['id', 'name'] }, cancellationToken: signal }
    const look = async (id: string): Promise<string> => {
      const answer = await api.ask(verb, (sdk) => sdk.folders.getFolderById(id, wish), signal)
      return parseFolder(api.what(verb), answer).id
    }
    return this.#within(path, this.#found, look, signal)
  }

  /** What has a path's name now, whatever is remembered of it. */
  at(path: RemotePath, signal: AbortSignal): Promise<Held | undefined> {
    return this.#within(folderOf(path), this.#found, (id) => this.#heldAs(id, path, signal), signal)
  }

  /** Runs `work`, which moves a folder, while nothing is remembered of either place: an id that is remembered is believed wherever it lies. */
  whileMoving<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#moving.during(paths, (path) => this.#parts.memory.forget(path), work)
  }

  /** The file of this id, undefined where it is gone or in the trash. */
  async file(id: string, verb: string, signal: AbortSignal): Promise<FileNode | undefined> {
    const wish = { queryParams: { fields: fileFields }, cancellationToken: signal }
    try {
      const answer = await this.#parts.api.ask(verb, (sdk) => sdk.files.getFileById(id, wish), signal)
      return parseFile(this.#parts.api.what(verb), answer)
    } catch (thrown) {
      if (isGone(thrown)) return undefined
      throw thrown
    }
  }

  /** The file of this id if it lies where it belongs: somebody may have moved it away. */
  async fileAt(id: string, at: RemotePath, verb: string, signal: AbortSignal): Promise<FileNode | undefined> {
    const node = await this.file(id, verb, signal)
    if (node === undefined || !spellingsOf(at).includes(node.name)) return undefined
    return node.parentId === (await this.#found(folderOf(at), signal)) ? node : undefined
  }

  /** What has this name, whatever its letters' case. @throws Refused 404 where the folder is gone. */
  async held({ folderId, name }: Spot, signal: AbortSignal): Promise<Held | undefined> {
    const { api } = this.#parts
    const verb = `look at ${name}`
    const wish = { name, parent: { id: folderId } }
    try {
      await api.ask(verb, (sdk) => sdk.uploads.preflightFileUploadCheck(wish, undefined, signal), signal)
      return undefined
    } catch (thrown) {
      if (!(thrown instanceof Refused) || thrown.code !== 'item_name_in_use') throw thrown
      return parseConflict(api.what(verb), thrown)
    }
  }

  /** The folder of this name, made where nothing is. @throws Refused 404 where its own folder is gone. */
  async folderNamed({ folderId, name }: Spot, signal: AbortSignal): Promise<Pick<Held, 'kind' | 'id' | 'name'>> {
    const { api } = this.#parts
    const verb = `creation of ${name}`
    const wish = { name, parent: { id: folderId } }
    try {
      const answer = await api.ask(verb, (sdk) => sdk.folders.createFolder(wish, { cancellationToken: signal }), signal)
      // By what name Box keeps it is not looked at: it is ours.
      return { ...parseFolder(api.what(verb), answer), name }
    } catch (thrown) {
      if (!(thrown instanceof Refused) || thrown.code !== 'item_name_in_use') throw thrown
      return parseConflict(api.what(verb), thrown)
    }
  }

  async #look(folderId: string, at: RemotePath, signal: AbortSignal): Promise<Spot & { held: FileNode | undefined }> {
    const seen = new Map<string, Held>()
    const heldAs = async (name: string): Promise<string | undefined> => {
      const held = await this.held({ folderId, name }, signal)
      if (held !== undefined) seen.set(name, held)
      return held?.name
    }
    const name = spelled(await chooseName(nameOf(at), rules, heldAs, anywhere, signal))
    const held = seen.get(name)
    if (held?.kind === 'folder')
      throw inTheWay(this.#parts.api.what(`look at ${showPath(at)}`), 'a folder of that name is')
    return { folderId, name, held: held && (await this.file(held.id, `look at ${showPath(at)}`, signal)) }
  }

  async #making<T>(path: string, work: (id: string) => Promise<T>, signal: AbortSignal): Promise<T> {
    const made = await this.#within(path, this.#made, async (id) => ({ value: await work(id) }), signal)
    if (made === undefined) throw new Error(`${path} is missing although it was made`)
    return made.value
  }

  /** Runs `work` with a folder's id. Whether that folder is still there is told by the work: where it is not, the id is forgotten. */
  async #within<T>(
    path: string,
    resolve: Resolve,
    work: (id: string) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    for (let tries = 1; ; tries++) {
      const id = await resolve(path, signal)
      if (id === undefined) return undefined
      try {
        return await work(id)
      } catch (thrown) {
        if (!isGone(thrown) || tries >= goneTriesMax) throw thrown
        if (path === '') throw this.#rootGone()
        await this.#parts.memory.forget(path)
      }
    }
  }

  readonly #made: Resolve = (path, signal) =>
    this.#resolved(path, this.#made, (parentId) => this.#make(parentId, path, signal), signal)

  readonly #found: Resolve = (path, signal) =>
    this.#resolved(path, this.#found, (parentId) => this.#search(parentId, path, signal), signal)

  /** From memory, else from its own folder. One at a time, so that two files of a new folder do not both make it. */
  async #resolved(
    path: string,
    above: Resolve,
    within: (parentId: string) => Promise<string | undefined>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { memory, root } = this.#parts
    if (path === '') return root()
    const known = memory.get(path)
    if (known !== undefined) return known
    const { since } = this.#moving
    return this.#turns.take(path, signal, async () => {
      const meanwhile = memory.get(path)
      if (meanwhile !== undefined) return meanwhile
      const id = await this.#within(folderOf(path), above, within, signal)
      if (id !== undefined && this.#moving.mayRemember(path, since)) await memory.keep(path, id)
      return id
    })
  }

  async #make(folderId: string, path: string, signal: AbortSignal): Promise<string> {
    for (const encoded of [encodeName(nameOf(path), rules, anywhere), encodeTwin(nameOf(path), rules, anywhere)]) {
      const name = spelled(encoded)
      const made = await this.folderNamed({ folderId, name }, signal)
      if (made.name === name) return this.#asFolder(made, path)
    }
    throw this.#taken(path)
  }

  async #search(folderId: string, path: string, signal: AbortSignal): Promise<string | undefined> {
    const held = await this.#heldAs(folderId, path, signal)
    return held?.kind === 'folder' ? held.id : undefined
  }

  async #heldAs(folderId: string, path: string, signal: AbortSignal): Promise<Held | undefined> {
    for (const encoded of [encodeName(nameOf(path), rules, anywhere), encodeTwin(nameOf(path), rules, anywhere)]) {
      const name = spelled(encoded)
      const held = await this.held({ folderId, name }, signal)
      if (held === undefined) return undefined
      if (held.name === name) return held
    }
    return undefined
  }

  #asFolder({ kind, id }: Pick<Held, 'kind' | 'id'>, path: string): string {
    if (kind === 'folder') return id
    throw inTheWay(this.#parts.api.what(`creation of ${showPath(path)}`), 'a file is where a folder has to be')
  }

  #taken(path: string): TargetError {
    const step = 'rename one of them at its source, then run "fanfold retry"'
    const message = `${this.#parts.api.what(`creation of ${showPath(path)}`)}: Box takes it for names that lie there already; ${step}`
    return new TargetError({ kind: 'park' }, message)
  }

  #rootGone(): TargetError {
    const step = 'restore it at Box, or create it again if it was meant to go'
    const message = `${this.#parts.api.what("the target's folder")} is gone; ${step}`
    return new TargetError({ kind: 'pause-target', state: 'missing' }, message)
  }
}

/** Both spellings that a file of this path may have. */
function spellingsOf(at: RemotePath): readonly string[] {
  return [encodeName, encodeTwin].flatMap((encode) => {
    const encoded = encode(nameOf(at), rules, anywhere)
    return encoded.kind === 'spelled' ? [encoded.name] : []
  })
}

export function inTheWay(what: string, why: string): TargetError {
  const step = 'move it away at Box, then run "fanfold retry"'
  return new TargetError({ kind: 'park' }, `${what}: ${why} in the way; ${step}`)
}

function spelled(encoded: EncodedName): string {
  if (encoded.kind === 'spelled') return encoded.name
  const step = 'rename it at its source, then run "fanfold retry"'
  throw new TargetError({ kind: 'park' }, `${encoded.why}; ${step}`)
}
