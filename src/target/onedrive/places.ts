/**
 * Where paths of this program lie in the drive. It takes `Docs` and `docs` for one name, so each folder's and each file's spelling is chosen
 * beside what is there (F53, F54). Folders are known by id: looked for once, made where they are missing, remembered until the next `open`.
 */
import { folderOf, joinPath, nameOf, showPath, type RemotePath } from '../../base/path.ts'
import { isWithin, MovingFolders } from '../folder-moves.ts'
import { type NameRules, nameRules } from '../name-rules.ts'
import { chooseName, decodeName, encodeName, type EncodedName, nameKey, type NamePlace } from '../names.ts'
import { PathTurns } from '../path-turns.ts'
import { TargetError } from '../target.ts'
import type { Drive } from './drive.ts'
import { isRefused } from './errors.ts'
import type { FolderNode, Node } from './metadata.ts'

/** Folders remembered; beyond they are looked for anew. A few hundred bytes each. */
const foldersMax = 50_000

/** A folder of ours. */
export interface Place {
  readonly id: string
  /** With all above it, UTF-16 units. */
  readonly units: number
}

/** Where a file goes, and what lies there under exactly this spelling. */
export interface Spot {
  readonly folder: Place
  readonly name: string
  readonly held: Node | undefined
}

export class Places {
  readonly #drive: Drive
  readonly #rules: NameRules
  readonly #turns = new PathTurns()
  readonly #moving = new MovingFolders()
  readonly #folders = new Map<string, Place>()
  /** Spellings that our folders have, by the key of the name in its parent: what was made a moment ago may not be found yet. */
  readonly #spelled = new Map<string, string>()

  constructor(drive: Drive) {
    this.#drive = drive
    this.#rules = rulesOf(drive)
  }

  /** From the drive's root on, or the host's. */
  get pathUnitsMax(): number {
    return this.#rules.pathUnitsMax
  }

  /** Somebody may have been there since. */
  forget(): void {
    this.#folders.clear()
    this.#spelled.clear()
  }

  /** Looks where a file lies; undefined where its folder is not there. */
  async find(at: RemotePath, signal: AbortSignal): Promise<Spot | undefined> {
    const folder = await this.folder(folderOf(at), false, signal)
    return folder && this.#spotIn(folder, at, signal)
  }

  /** The same, in a folder that is made where it is missing. */
  async spot(at: RemotePath, signal: AbortSignal): Promise<Spot> {
    const folder = await this.folder(folderOf(at), true, signal)
    if (folder === undefined) throw this.#missing(folderOf(at))
    return this.#spotIn(folder, at, signal)
  }

  /** What a file is called unless a twin lies there. */
  plainName(folder: Place, at: RemotePath): string {
    return spelledAs(encodeName(nameOf(at), this.#rules, this.#placeIn(folder)))
  }

  /** Looks where a folder lies or would lie in its parent, whatever is remembered of it. @param isItself whose other spelling is no twin. */
  async folderSpot(parent: Place, path: string, isItself: string | undefined, signal: AbortSignal): Promise<Spot> {
    const place = this.#placeOfFolder(parent)
    const spot = await this.#choose(parent, nameOf(path), place, signal)
    const plain = spelledAs(encodeName(nameOf(path), this.#rules, place))
    if (isItself === undefined || spot.name === plain) return { folder: parent, ...spot }
    const twin = await this.#drive.at(`look at ${showPath(path)}`, this.#drive.named(parent.id, plain), signal)
    return { folder: parent, ...(twin?.id === isItself ? { name: plain, held: undefined } : spot) }
  }

  /** Runs `work`, which moves a folder away from a spot, while nothing is remembered of either place. */
  whileMoving<T>(paths: readonly string[], { folder, name }: Spot, work: () => Promise<T>): Promise<T> {
    const forget = (path: string): void => {
      for (const known of this.#folders.keys()) if (isWithin(known, path)) this.#folders.delete(known)
    }
    // Names of what is below are remembered by ids, which stay.
    this.#spelled.delete(this.#key(folder, name))
    return this.#moving.during(paths, forget, work)
  }

  /** A folder came to be there: a look may be behind. */
  came({ folder, name }: Spot): void {
    this.#spelled.set(this.#key(folder, name), name)
  }

  /** @param mayMake false: undefined for one that is not there. */
  async folder(path: string, mayMake: boolean, signal: AbortSignal): Promise<Place | undefined> {
    const { root } = this.#drive
    if (path === '') return { id: root.id, units: root.unitsAbove }
    const known = this.#folders.get(path)
    if (known !== undefined) return known
    const parent = await this.folder(folderOf(path), mayMake, signal)
    if (parent === undefined) return undefined
    const { since } = this.#moving
    // Twins take turns, so that the second finds the first even where neither is there yet.
    return this.#turns.take(this.#key(parent, nameOf(path)), signal, async () => {
      const found = this.#folders.get(path) ?? (await this.#found(parent, path, mayMake, signal))
      if (found === undefined) return undefined
      if (!this.#moving.mayRemember(path, since)) return found
      if (this.#folders.size >= foldersMax) this.forget()
      this.#folders.set(path, found)
      return found
    })
  }

  async #found(parent: Place, path: string, mayMake: boolean, signal: AbortSignal): Promise<Place | undefined> {
    const { name, held } = await this.#choose(parent, nameOf(path), this.#placeOfFolder(parent), signal)
    const verb = `folder ${showPath(path)}`
    const node = held ?? (mayMake ? await this.#made(verb, parent, name, signal) : undefined)
    if (node === undefined) return undefined
    if (node.kind !== 'folder') {
      const step = 'move it away at OneDrive, then run "fanfold retry"'
      throw new TargetError({ kind: 'park' }, `${showPath(path)}: a file is where a folder has to be; ${step}`)
    }
    this.#spelled.set(this.#key(parent, node.name), node.name)
    return { id: node.id, units: parent.units + 1 + name.length }
  }

  /** Whoever made it in the same moment, it is there then. */
  async #made(verb: string, parent: Place, name: string, signal: AbortSignal): Promise<Node> {
    try {
      return await this.#drive.makeFolder(verb, parent.id, name, signal)
    } catch (thrown) {
      if (isRefused(thrown, 404)) throw await this.gone(signal, thrown)
      if (!isRefused(thrown, 409)) throw thrown
      const node = await this.#drive.at(verb, this.#drive.named(parent.id, name), signal)
      // A look may lag behind: the next attempt finds it.
      if (node !== undefined) return node
      throw new TargetError({ kind: 'retry' }, `${thrown.message}; it is not to be seen yet, which is tried again`)
    }
  }

  /** A folder that was there is not any more: which one is found out by looking anew, unless it is the root (F79). */
  async gone(signal: AbortSignal, cause: Error): Promise<Error> {
    this.forget()
    const { id } = this.#drive.root
    if ((await this.#drive.at('look at the root', this.#drive.path(id), signal)) !== undefined) return cause
    return this.#missing('')
  }

  async #spotIn(folder: Place, at: RemotePath, signal: AbortSignal): Promise<Spot> {
    return { folder, ...(await this.#choose(folder, nameOf(at), this.#placeIn(folder), signal)) }
  }

  async #choose(
    folder: Place,
    name: string,
    place: NamePlace,
    signal: AbortSignal,
  ): Promise<{ readonly name: string; readonly held: Node | undefined }> {
    const nodes = new Map<string, Node | undefined>()
    const heldAs = async (spelled: string): Promise<string | undefined> => {
      const path = this.#drive.named(folder.id, spelled)
      const node = await this.#drive.at(`look at ${showPath(name)}`, path, signal)
      nodes.set(spelled, node)
      return node?.name ?? this.#spelled.get(this.#key(folder, spelled))
    }
    const spelled = spelledAs(await chooseName(name, this.#rules, heldAs, place, signal))
    return { name: spelled, held: nodes.get(spelled) }
  }

  #placeIn(folder: Place): NamePlace {
    const { root } = this.#drive
    const unitsMax = this.#rules.pathUnitsMax - folder.units - 1
    return { unitsMax, isAtRoot: root.isDriveRoot && folder.id === root.id }
  }

  /** A folder is called the same whatever lies in it: its name is never cut for the path's length. */
  #placeOfFolder(parent: Place): NamePlace {
    return { ...this.#placeIn(parent), unitsMax: Number.POSITIVE_INFINITY }
  }

  #key(parent: Place, spelled: string): string {
    return `${parent.id}/${nameKey(spelled, this.#rules)}`
  }

  #missing(path: string): TargetError {
    const what = path === '' ? 'the folder of the copies' : showPath(path)
    const step = 'restore it at OneDrive, or create it again if it was meant to go'
    return new TargetError({ kind: 'pause-target', state: 'missing' }, `${what} is gone; ${step}`)
  }
}

export function rulesOf({ root }: Pick<Drive, 'root'>): NameRules {
  return root.type === 'personal' ? nameRules.oneDrive : nameRules.sharePoint
}

function spelledAs(encoded: EncodedName): string {
  if (encoded.kind === 'spelled') return encoded.name
  const step = 'rename it at its source, then run "fanfold retry"'
  throw new TargetError({ kind: 'park' }, `${encoded.why}; ${step}`)
}

/** What cannot be read back stays as it is spelled. */
export function readName(spelled: string, rules: NameRules): string {
  const decoded = decodeName(spelled, rules)
  return decoded.kind === 'whole' ? decoded.name : spelled
}

/** Our path of a folder that a listing shows. */
export function readInto(parent: string, node: Pick<FolderNode, 'name'>, rules: NameRules): string {
  return joinPath(parent, readName(node.name, rules))
}
