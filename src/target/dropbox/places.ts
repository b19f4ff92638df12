/**
 * Where paths of this program lie at Dropbox. It takes `Docs` and `docs` for one name, so each folder's and each file's spelling is chosen
 * beside what is there (F53, F54). Folders are looked at once and remembered; nothing here writes.
 */
import { folderOf, joinPath, nameOf, type RemotePath, remotePath } from '../../base/path.ts'
import { isWithin, MovingFolders } from '../folder-moves.ts'
import { nameRules, type NameRules } from '../name-rules.ts'
import { chooseName, decodeName, encodeName, encodeTwin, nameKey } from '../names.ts'
import { PathTurns } from '../path-turns.ts'
import { TargetError } from '../target.ts'
import type { FileNode, FolderNode, Node } from './metadata.ts'

/** For all that is read or compared, which both sets of rules do alike. */
const rules = nameRules.dropbox
/** No limit of a path's length, nothing reserved at the root. */
const anywhere = { unitsMax: Number.POSITIVE_INFINITY, isAtRoot: false }

/** Spellings of folders remembered; beyond they are looked for anew. A few hundred bytes each. */
const foldersMax = 50_000

/** Where a file goes, and what lies there under exactly this spelling. */
export interface Spot {
  /** Dropbox's, with the root before it. */
  readonly path: string
  readonly name: string
  readonly held: FileNode | undefined
}

export type LookUp = (path: string, signal: AbortSignal) => Promise<Node | undefined>

export class Places {
  readonly #root: string
  readonly #lookUp: LookUp
  readonly #turns = new PathTurns()
  readonly #moving = new MovingFolders()
  readonly #spelled = new Map<string, string>()
  /** Which of our folders has what Dropbox takes for one name, by that name's key. */
  readonly #owners = new Map<string, string>()
  #rules: NameRules = rules

  /** @param root as Dropbox spells it, `''` for its own. */
  constructor(root: string, lookUp: LookUp) {
    this.#root = root
    this.#lookUp = lookUp
  }

  /** Somebody may have been there since. */
  forget(): void {
    this.#spelled.clear()
    this.#owners.clear()
  }

  /** Runs `work`, which moves a folder, while nothing is remembered of either place. */
  whileMoving<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#moving.during(paths, (path) => this.#forgetBelow(path), work)
  }

  #forgetBelow(path: string): void {
    for (const [known, spelled] of this.#spelled) {
      if (!isWithin(known, path)) continue
      this.#spelled.delete(known)
      const key = keyOf(folderOf(spelled), nameOf(spelled))
      if (this.#owners.get(key) === spelled) this.#owners.delete(key)
    }
  }

  /** Whether Dropbox takes both for one place, as it does `Docs` and `docs`. */
  async isOne(path: string, other: string, signal: AbortSignal): Promise<boolean> {
    if (folderOf(path) !== folderOf(other)) return false
    const plain = await this.plain(remotePath(other), signal)
    return keyOf('', nameOf(await this.folder(path, signal))) === keyOf('', plain.name)
  }

  /** The account refused a name as malformed. Answers whether another spelling is worth a try, which all names have from now on. */
  respell(path: string): boolean {
    if (!/[\u{10000}-\u{10ffff}]/u.test(path)) return false
    this.#rules = nameRules.dropboxFirstPlane
    this.forget()
    return true
  }

  /** The spelling that is right unless a twin lies there, without looking for one. */
  async plain(at: RemotePath, signal: AbortSignal): Promise<Omit<Spot, 'held'>> {
    const folder = await this.folder(folderOf(at), signal)
    return placed(folder, encodeName(nameOf(at), this.#rules, anywhere))
  }

  /** The spelling beside the twin that was found. */
  async besideTwin(at: RemotePath, signal: AbortSignal): Promise<Omit<Spot, 'held'>> {
    const folder = await this.folder(folderOf(at), signal)
    return placed(folder, encodeTwin(nameOf(at), this.#rules, anywhere))
  }

  /** Looks where a file lies or would lie. */
  async find(at: RemotePath, signal: AbortSignal): Promise<Spot> {
    const folder = await this.folder(folderOf(at), signal)
    const nodes = new Map<string, Node | undefined>()
    const heldAs = async (spelled: string): Promise<string | undefined> => {
      const node = await this.#lookUp(`${folder}/${spelled}`, signal)
      nodes.set(spelled, node)
      return node?.name
    }
    const spot = placed(folder, await chooseName(nameOf(at), this.#rules, heldAs, anywhere, signal))
    const held = nodes.get(spot.name)
    return { ...spot, held: held?.kind === 'file' ? held : undefined }
  }

  /** A folder's spelling, the root before it. */
  async folder(path: string, signal: AbortSignal): Promise<string> {
    if (path === '') return this.#root
    const known = this.#spelled.get(path)
    if (known !== undefined) return known
    const parent = await this.folder(folderOf(path), signal)
    // Twins take turns, so that the second finds the first even where neither is at Dropbox yet.
    const key = keyOf(parent, nameOf(path))
    const { since } = this.#moving
    return this.#turns.take(key, signal, async () => {
      const spelled = this.#spelled.get(path) ?? (await this.#chooseFolder(parent, path, signal))
      if (!this.#moving.mayRemember(path, since)) return spelled
      if (this.#spelled.size >= foldersMax) this.forget()
      this.#spelled.set(path, spelled)
      this.#owners.set(keyOf(parent, nameOf(spelled)), spelled)
      return spelled
    })
  }

  async #chooseFolder(parent: string, path: string, signal: AbortSignal): Promise<string> {
    const heldAs = async (spelled: string): Promise<string | undefined> => {
      const ours = this.#owners.get(keyOf(parent, spelled))
      return ours === undefined ? (await this.#lookUp(`${parent}/${spelled}`, signal))?.name : nameOf(ours)
    }
    return placed(parent, await chooseName(nameOf(path), this.#rules, heldAs, anywhere, signal)).path
  }
}

function keyOf(parent: string, spelled: string): string {
  return `${parent}/${nameKey(spelled, rules)}`
}

function placed(folder: string, encoded: ReturnType<typeof encodeName>): Omit<Spot, 'held'> {
  if (encoded.kind === 'refused') {
    const step = 'rename it at its source, then run "fanfold retry"'
    throw new TargetError({ kind: 'park' }, `${encoded.why}; ${step}`)
  }
  return { path: `${folder}/${encoded.name}`, name: encoded.name }
}

/** Paths of this program for what a listing shows, which spells only the last name of each path as it is. */
export class Reading {
  readonly #root: string
  readonly #under: string
  /** Lowered path -> ours. A listing shows a folder before what it holds. */
  readonly #folders = new Map<string, string>()

  /** @param root lowered path of the folder that is listed. @param under what it is to us. */
  constructor(root: string, under: string) {
    this.#root = root
    this.#under = under
  }

  folder(node: FolderNode): void {
    if (node.pathLower === this.#root || this.#folders.size >= foldersMax) return
    this.#folders.set(node.pathLower, this.#pathOf(node))
  }

  file(node: FileNode): RemotePath {
    return remotePath(this.#pathOf(node))
  }

  #pathOf(node: Node): string {
    const lowered = node.pathLower.slice(0, node.pathLower.lastIndexOf('/'))
    return joinPath(
      this.#folderAt(lowered, node.pathDisplay.slice(0, node.pathDisplay.lastIndexOf('/'))),
      read(node.name),
    )
  }

  /** A folder that was not shown, or was too many to be remembered, is spelled as the path says. */
  #folderAt(lowered: string, display: string): string {
    if (lowered.length <= this.#root.length) return this.#under
    const known = this.#folders.get(lowered)
    if (known !== undefined) return known
    const names = display.split('/').slice(this.#root.split('/').length)
    return names.reduce((path, name) => joinPath(path, read(name)), this.#under)
  }
}

/** What cannot be read back stays as it is spelled. */
function read(spelled: string): string {
  const decoded = decodeName(spelled, rules)
  return decoded.kind === 'whole' ? decoded.name : spelled
}

/** The root as the configuration has it, as Dropbox wants it. */
export function rootOf(folder: string): string {
  const names = folder.split('/').filter((name) => name !== '')
  return names.map((name) => `/${name.normalize('NFC')}`).join('')
}
